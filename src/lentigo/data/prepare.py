"""From a public data set to a prepared one: decode, preprocess, find duplicates, split, audit.

Killed at any moment, the same call goes on where it stopped; called again when finished, it
changes nothing. The result does not depend on the number of workers.

Until they are at work nothing heavy is imported: pandas comes beside them.
"""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import itertools
import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from lentigo.data.contents import Contents, split_place
from lentigo.data.manifest import manifest_text
from lentigo.data.oversampling import Oversampling
from lentigo.data.pixels import Finished, chunks_of
from lentigo.data.pool import run_chunks
from lentigo.data.prepared import (
    MARKER,
    SCHEMA_VERSION,
    WORK,
    Options,
    PreparedInfo,
    PreparedSet,
    open_prepared,
    read_info,
)
from lentigo.data.processes import get_ready
from lentigo.data.sources import SOURCES
from lentigo.data.sources.table import ReadOptions, Source, SourceTable
from lentigo.data.splits import check_grouping, check_options
from lentigo.data.workfolder import WorkFolder
from lentigo.errors import InputError, LeakageError, LentigoError
from lentigo.files import digest_json, digest_text, locked
from lentigo.image.spec import PreprocessSpec
from lentigo.machine import usable_cores

logger = logging.getLogger(__name__)

PROTOCOLS = ("leak-free", "as-published")
Progress = Callable[[int, int], None]


def prepare(
    source: str,
    path: Path | str,
    out: Path | str,
    *,
    size: int = 224,
    folds: int = 5,
    group_by: str | None = None,
    skip_missing: bool = False,
    workers: int | None = None,
    seed: int = 0,
    spec: PreprocessSpec | None = None,
    protocol: str = "leak-free",
    test_share: float = 0.2,
    malignant: frozenset[str] | None = None,
    metadata: Path | str | None = None,
    splits_of: Path | str | None = None,
    oversampling: Oversampling | None = None,
    progress: Progress | None = None,
) -> PreparedSet:
    """Prepare a data set for training and evaluation.

    Args:
        source: A name of ``lentigo sources``.
        path: The data set's folder (or table) in the layout of its public download.
        out: The folder to make: new, empty, unfinished, or finished by the same call.
        size: Side of a prepared image, pixels.
        folds: Parts of the training images that take turns at validation, at least 2.
        group_by: ``patient``, ``lesion``, or ``image`` (refused unless ``protocol`` is
            ``as-published``; leaky); None is the strictest that the table supports.
        skip_missing: Go on without images that are listed but absent, and record them.
        workers: Processes; None is one a core.
        seed: Deals the groups to test and folds.
        spec: The whole preprocessing; replaces ``size``.
        protocol: ``leak-free``, or ``as-published`` to allow what papers did.
        test_share: Share of the groups of each class that are test, where the source has no
            official split, in [0, 1).
        malignant: Malignant labels, for sources whose classes are the user's own.
        metadata: The source's table where it does not lie in ``path``.
        splits_of: A prepared set of the same lesions whose test list and folds are adopted
            (``lentigo.data.adopted``); its number of folds replaces ``folds``.
        oversampling: Synthetic images that fill the smaller classes up; None makes none.
        progress: Called with (images done, all images), first with what was done before.

    Returns:
        The finished set.

    Raises:
        SourceError: The data set is incomplete or contradicts itself, all problems at once.
        LeakageError: Grouping by image without asking for the published protocol.
        InputError: An option out of range, ``out`` holds something else, another process is
            at work on it, or ``splits_of`` cannot be followed.
        LentigoError: ``out`` cannot be written.
    """
    path, out = Path(path), Path(out)
    metadata = None if metadata is None else Path(metadata)
    adopted = None if splits_of is None else _adopted(splits_of, protocol)
    options = Options(
        source=source,
        spec=spec or PreprocessSpec(size=size),
        group_by=group_by,
        protocol=protocol,
        seed=seed,
        folds=folds if adopted is None else adopted.folds,
        test_share=test_share,
        splits_of="" if adopted is None else _sides_digest(adopted),
        oversampling=oversampling,
    )
    reader = _checked_source(options, workers)
    if workers != 1 and not (out / MARKER).exists():
        get_ready()
    table = reader.read(path, ReadOptions(skip_missing, malignant, metadata))
    options = dataclasses.replace(
        options, group_by=check_grouping(table.columns["patient_id"], group_by)
    )
    check_options(table.columns["split"], test_share=test_share, folds=folds)
    files = [_stat(path) for path in table.columns["path"]]
    inputs = _inputs_digest(table, [size for size, _ in files])
    if (done := _finished(out, options, inputs, table)) is not None:
        return done
    _refuse_foreign(out)
    job = digest_json([SCHEMA_VERSION, options.digest, inputs, [time for _, time in files]])
    # Beside the folder: what lies in it would be removed with it, or be foreign to it.
    with _writing(out), locked(_lock(out), out), ThreadPoolExecutor(1) as aside:
        work = WorkFolder(out, job, (len(files), options.spec.size, options.spec.size, 3))
        finisher = aside.submit(_finisher, table)
        results = _run(work, table, options.spec, workers, progress)
        finish = finisher.result()
        finish(work, table, options, inputs, results, adopted)
    return open_prepared(out)


def _finisher(table: SourceTable) -> Callable[..., None]:
    """``finish``, and the table that it takes: pandas is imported beside the workers."""
    from lentigo.data.finish import finish  # noqa: PLC0415 - as long as preparing 1,000 images

    _ = table.frame
    return finish


def _lock(out: Path) -> Path:
    resolved = out.resolve()
    return resolved.parent / f".{resolved.name}.lock"


def _adopted(path: Path | str, protocol: str) -> PreparedSet:
    """The set whose split is adopted."""
    reference = open_prepared(path)
    if reference.leaky or protocol != "leak-free":
        raise LeakageError(
            "A split is adopted to keep lesions apart; a leaky protocol has nothing to adopt.",
            todo="Leave out --splits-of, or prepare both sets leak-free.",
        )
    return reference


def _sides_digest(adopted: PreparedSet) -> str:
    from lentigo.data.adopted import sides_digest  # noqa: PLC0415 - few splits are adopted

    return sides_digest(adopted.manifest)


def _checked_source(options: Options, workers: int | None) -> Source:
    """The source's reader, after a look at everything that needs no file."""
    if options.source not in SOURCES:
        raise InputError(
            f"{options.source!r} is no source.", todo=f"Choose one of {', '.join(SOURCES)}."
        )
    if options.protocol not in PROTOCOLS:
        raise InputError(
            f"{options.protocol!r} is no protocol.", todo=f"Choose one of {PROTOCOLS}."
        )
    if workers is not None and workers < 1:
        raise InputError(f"{workers} workers cannot do anything.", todo="Give 1 or more.")
    if options.group_by == "image" and options.protocol != "as-published":
        raise LeakageError(
            "Grouping by image puts the same lesion into training and test.",
            todo="Group by lesion or patient; or, to repeat a paper's mistake, ask for it by "
            "name: --protocol as-published (everything made from it is stamped LEAKY).",
        )
    return SOURCES[options.source]


def _inputs_digest(table: SourceTable, sizes: list[int]) -> str:
    """The identity of what was handed in: the table, and the size of every file in bytes."""
    columns = {name: cells for name, cells in table.columns.items() if name != "path"}
    return digest_json(
        {
            "table": digest_text(manifest_text(columns)),
            "sizes": sizes,
            "taxonomy": table.taxonomy.model_dump(mode="json"),
            "missing": table.missing,
            "duplicates": table.known_duplicates,
            "set_aside": table.set_aside,
        }
    )


def _stat(path: str | Path) -> tuple[int, int]:
    """Size in bytes and time of change in nanoseconds; -1 where there is no such file.

    Of an image in a container those of the container: opening each of 400,000 is slow.
    """
    try:
        found = os.stat(split_place(path)[0])  # noqa: PTH116 - a Path for each of 33,000 files is slow
    except OSError:
        return -1, -1
    return found.st_size, found.st_mtime_ns


def _told_apart(options: Options, info: PreparedInfo) -> Iterator[tuple[str, object, object]]:
    """What differs, as (option, before, now); of the spec only its fields that do."""
    for name in (each.name for each in dataclasses.fields(options)):
        before, now = getattr(info, name), getattr(options, name)
        if isinstance(before, PreprocessSpec) and isinstance(now, PreprocessSpec):
            for field in PreprocessSpec.model_fields:
                if getattr(before, field) != getattr(now, field):
                    yield field, getattr(before, field), getattr(now, field)
        elif before != now:
            yield name, before, now


def _finished(out: Path, options: Options, inputs: str, table: SourceTable) -> PreparedSet | None:
    """The finished set, where this very call has made it before.

    Raises:
        InputError: ``out`` holds a finished set of other options or images.
    """
    if not (out / MARKER).exists():
        return None
    info = read_info(out)
    differing = [
        f"{name.replace('_', ' ')} {before}, not {now}"
        for name, before, now in _told_apart(options, info)
    ]
    if info.inputs_digest != inputs:
        differing.append("other images or another table")
    prepared = open_prepared(out)
    if not differing and (changed := _changed_since(out, prepared, table)):
        differing.append(f"other content of {', '.join(changed)}")
    if differing:
        raise InputError(
            f"{out} was prepared with {'; '.join(differing)}.",
            todo="Name another --out, or remove that folder.",
        )
    WorkFolder(out, "", (0, 0, 0, 0)).remove()  # killed after finishing, before tidying up
    logger.info("%s is finished already; nothing was changed.", out)
    return prepared


def _changed_since(out: Path, prepared: PreparedSet, table: SourceTable) -> list[str]:
    """Images whose content differs from what was prepared; only newer files are read."""
    made = _stat(out / MARKER)[1]
    known = dict(zip(prepared.manifest["image_id"], prepared.manifest["sha256"], strict=True))
    with Contents() as contents:
        changed = (
            image_id
            for image_id, path in zip(table.columns["image_id"], table.columns["path"], strict=True)
            if _stat(path)[1] > made
            and image_id in known
            and hashlib.sha256(contents.read(path)).hexdigest() != known[image_id]
        )
        return list(itertools.islice(changed, 5))


def _refuse_foreign(out: Path) -> None:
    """Refuse a folder that holds anything but a preparation under way."""
    if not out.exists():
        return
    if not out.is_dir():
        raise InputError(f"{out} is not a folder.", todo="Name a new folder as --out.")
    if not (out / WORK).exists() and any(out.iterdir()):
        raise InputError(
            f"{out} is not empty, and lentigo did not make it.",
            todo="Name a new folder as --out.",
        )


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    """Say plainly why ``out`` cannot be written."""
    try:
        yield
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        todo = "Make room on the disk" if full else "Let it be a folder that can be written"
        raise LentigoError(
            f"{out} cannot be written: {error.strerror or error}.",
            todo=f"{todo}, and run the same again: it resumes.",
        ) from error


def _run(
    work: WorkFolder,
    table: SourceTable,
    spec: PreprocessSpec,
    workers: int | None,
    progress: Progress | None,
) -> list[Finished]:
    """Do what is not done yet; all chunks in order."""
    chunks = chunks_of(table.columns["path"], spec.size)
    n_images = len(table.columns["path"])
    done = work.take_up(chunks)
    count = sum(len(chunks[number].paths) for number in done)
    if progress:
        progress(count, n_images)
    open_chunks = [chunk for chunk in chunks if chunk.number not in done]
    for finished in run_chunks(open_chunks, spec, work.targets, workers or usable_cores()):
        work.note(finished)
        done[finished.number] = finished
        count += len(finished.sha256)
        if progress:
            progress(count, n_images)
    return [done[chunk.number] for chunk in chunks]
