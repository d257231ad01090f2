"""More training images for a prepared set, from others: ``merge``.

The first set keeps its test list, its folds and its classes; what the others add trains and is
never measured. So a model with more data stands on the same list as one without.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lentigo.data.audit import audit
from lentigo.data.copies import Links, find_links
from lentigo.data.fingerprint import fingerprints
from lentigo.data.labels import DROPPED, class_table, read_labels_map
from lentigo.data.manifest import COLUMNS, write_manifest
from lentigo.data.oversampling import Images
from lentigo.data.prepared import MARKER, PreparedSet, digest_of, open_prepared, read_info
from lentigo.data.splits import (
    check_no_group_crosses,
    connected_groups,
    group_ids,
    rows_by_name,
    split_digest,
)
from lentigo.data.workfolder import write_header
from lentigo.errors import InputError, LeakageError, listed
from lentigo.files import digest_file, digest_json, locked, write_json

logger = logging.getLogger(__name__)

_COPIED = 256


@dataclass(frozen=True)
class Addition:
    """A set that is added, and what its classes are called in the first.

    Attributes:
        data: The prepared set; its own test and validation images stay out.
        labels: Its class to the first set's; what is not named is left out. None: the codes
            are the same.
    """

    data: PreparedSet
    labels: Mapping[str, str] | None = None


def pair_labels(
    others: Sequence[Path], labels: Sequence[Path], codes: Sequence[str]
) -> list[Addition]:
    """The sets to add, each with its map of classes.

    Args:
        others: Folders of prepared sets.
        labels: Files that ``read_labels_map`` reads: one a set, or none at all.
        codes: Classes of the first set; a first line that names one is no header.

    Raises:
        InputError: Another number of maps than sets, or a file that cannot be read.
    """
    if labels and len(labels) != len(others):
        raise InputError(
            f"{len(labels)} map(s) of classes for {len(others)} set(s).",
            todo="Give one --labels for each added set, in their order, or none.",
        )
    sets = [open_prepared(path) for path in others]
    if not labels:
        return [Addition(each, None) for each in sets]
    return [
        Addition(each, read_labels_map(path, each.taxonomy.codes, codes))
        for each, path in zip(sets, labels, strict=True)
    ]


def merge(
    first: PreparedSet | Path | str, additions: Sequence[Addition], out: Path | str
) -> PreparedSet:
    """Add the training images of other sets to the training part of the first.

    Pictures are compared across all sets, as ``lentigo.data.copies`` does. An added image
    that shows a lesion, a patient or a picture of the first set's test or validation part is
    excluded, with all that its own set keeps together with it; one that belongs to a fold takes
    that fold, so as not to train where it validates; all others train in every fold. An added
    image of an ``image_id`` that is there already is left out where it is the same picture, and
    renamed ``source:image_id`` where it is not, or ``source:image_id#2`` and so on where that is
    a third picture's name.

    Args:
        first: The set whose test list, folds and classes stand.
        additions: The others, in the order in which they are added.
        out: The folder to make; one that the same call made is returned as it is.

    Returns:
        The merged set; ``audit.json`` says what was added, left out and excluded.

    Raises:
        InputError: Nothing to add, another preprocessing, classes that do not fit, or ``out``
            holds something else.
        LeakageError: One of the sets is leaky.
    """
    out = Path(out)
    first = first if isinstance(first, PreparedSet) else open_prepared(first)
    _check(first, additions)
    inputs = digest_json(
        ["merge", first.digest, *([each.data.digest, each.labels] for each in additions)]
    )
    if (done := _finished(out, inputs)) is not None:
        return done
    place = out.resolve()  # a link, or where somebody stands
    with locked(place.parent / f".{place.name}.lock", out):
        if (done := _finished(out, inputs)) is not None:  # somebody was quicker
            return done
        work = place.parent / f".{place.name}.merging"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        _write(work, first, additions, inputs)
        _settle(work, place)
    return open_prepared(out)


def _settle(work: Path, place: Path) -> None:
    """Put what is finished where it belongs, the marker last."""
    if not place.exists():
        work.replace(place)
        return
    # An empty folder is filled and not replaced: whoever stands in it would see it empty.
    for each in sorted(work.iterdir(), key=lambda path: path.name == MARKER):
        each.replace(place / each.name)
    work.rmdir()


def _check(first: PreparedSet, additions: Sequence[Addition]) -> None:
    if not additions:
        raise InputError("There is nothing to add.", todo="Name a second prepared set.")
    leaky = [str(each.path) for each in (first, *(a.data for a in additions)) if each.leaky]
    if leaky:
        raise LeakageError(
            "Leaky sets cannot be merged:\n" + listed(leaky), todo="Prepare them leak-free."
        )
    made = [str(e.path) for e in (first, *(a.data for a in additions)) if e.info.oversampling]
    if made:
        raise InputError(
            "Sets with synthetic images cannot be merged:\n" + listed(made),
            todo="Prepare them without, and oversample by a recipe's sampling.",
        )
    other = [str(a.data.path) for a in additions if a.data.spec.digest != first.spec.digest]
    if other:
        raise InputError(
            f"Preprocessed otherwise than {first.path}:\n" + listed(other),
            todo="Prepare them with the same options.",
        )


def _finished(out: Path, inputs: str) -> PreparedSet | None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    if (out / MARKER).is_file() and read_info(out).inputs_digest == inputs:
        return open_prepared(out)
    raise InputError(f"{out} holds something else.", todo="Name another --out, or remove it.")


def _write(work: Path, first: PreparedSet, additions: Sequence[Addition], inputs: str) -> None:
    added = [_added(first, each) for each in additions]
    frame = pd.concat([first.manifest, *(rows for rows, _ in added)], ignore_index=True)
    pixels = [(first.images, np.arange(len(first.manifest)))]
    pixels += [(each.data.images, rows) for each, (_, rows) in zip(additions, added, strict=True)]
    host = len(first.manifest)
    links = _links(first, frame, pixels)
    keep, frame = _named(frame, host, links)
    frame = _placed(frame, links, keep, host, first.info.group_by)
    told = _told(frame, keep, host)
    frame, links = frame[keep].reset_index(drop=True), _renumbered(links, keep)
    check_no_group_crosses(frame)
    offsets = np.cumsum([0, *(len(rows) for _, rows in pixels)])
    kept = [
        (images, rows[keep[start:end]])
        for (images, rows), start, end in zip(pixels, offsets[:-1], offsets[1:], strict=True)
    ]
    with (work / "images.npy").open("wb") as stream:
        write_header(stream, (len(frame), *first.images.shape[1:]))
        for image in _images(kept):
            stream.write(image.tobytes())
    write_manifest(frame, work / "manifest.csv")
    strict, official = frame["group_id"].tolist(), [""] * len(frame)
    report: dict[str, Any] = audit(frame, first.taxonomy, links, strict, official)
    set_aside: dict[str, Any] = {"set_aside": [], "missing": [], "merged": told}
    write_json(work / "audit.json", report | set_aside)
    write_json(work / MARKER, _info(work, first, additions, frame, told, inputs))


def _info(
    work: Path,
    first: PreparedSet,
    additions: Sequence[Addition],
    frame: pd.DataFrame,
    told: Mapping[str, Any],
    inputs: str,
) -> dict[str, Any]:
    # Said only where it matters, so that other sets keep their identity.
    measured = first.info.measured_images or (told["first_images"] if told["in_a_fold"] else None)
    changed = {
        "source": "+".join([first.info.source, *(a.data.info.source for a in additions)]),
        "n_images": len(frame),
        "measured_images": measured,
        "inputs_digest": inputs,
        "manifest_sha256": digest_file(work / "manifest.csv"),
        "digest": digest_of(
            first.spec, first.taxonomy, first.protocol, frame, measured_images=measured
        ),
        "test_digest": split_digest(frame, "test"),
    }
    return first.info.model_copy(update=changed).model_dump(mode="json")


def _added(first: PreparedSet, addition: Addition) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """The manifest rows that may train, in the first set's classes, and their row numbers."""
    data, codes = addition.data, first.taxonomy.codes
    table = class_table(data.taxonomy.codes, codes, addition.labels)
    target = table[data.labels]
    chosen = (data.manifest["split"] == "train").to_numpy() & (target != DROPPED)
    rows = np.flatnonzero(chosen).astype(np.int64)
    frame = data.manifest.iloc[rows].assign(label=[codes[label] for label in target[rows]], fold=-1)
    return frame[list(COLUMNS)], rows


def _images(
    parts: Sequence[tuple[Images, NDArray[np.int64]]],
) -> Iterator[NDArray[np.uint8]]:
    """Every image, a few at a time in memory."""
    for images, rows in parts:
        for start in range(0, len(rows), _COPIED):
            yield from images[rows[start : start + _COPIED]]


def _links(
    first: PreparedSet,
    frame: pd.DataFrame,
    pixels: Sequence[tuple[Images, NDArray[np.int64]]],
) -> Links:
    """Pairs that meet an added image, and what each set holds together already."""
    host = len(first.manifest)
    starts = np.cumsum([0, *(len(rows) for _, rows in pixels)])

    def picture(number: int) -> NDArray[np.uint8]:
        which = int(np.searchsorted(starts, number, side="right")) - 1
        images, rows = pixels[which]
        return np.asarray(images[rows[number - starts[which]]])

    def new(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        return [(a, b) for a, b in pairs if b >= host]

    found = find_links(frame, *fingerprints(_images(pixels), len(frame)), picture)
    # Within each set: two sets may call different groups the same.
    groups = frame["group_id"].tolist()
    own = [
        (start + a, start + b)
        for start, end in pairwise(starts.tolist())
        for a, b in rows_by_name(groups[start:end])
    ]
    return Links(new(found.exact), new(found.near), new(found.cropped), published=own)


def _named(frame: pd.DataFrame, host: int, links: Links) -> tuple[NDArray[np.bool_], pd.DataFrame]:
    """Which rows stay, and the table with names that are told apart."""
    same = connected_groups(len(frame), [*links.exact, *links.near, *links.cropped])
    first_of: dict[str, int] = {}
    keep = np.ones(len(frame), bool)
    names = frame["image_id"].tolist()
    for row, source in enumerate(frame["source"].tolist()):
        for name in _candidates(names[row], source):
            earlier = first_of.setdefault(name, row)
            if earlier == row or same[earlier] == same[row]:
                names[row], keep[row] = name, earlier == row
                break
    assert keep[:host].all(), "the first set's images have names of their own"
    return keep, frame.assign(image_id=names)


def _candidates(name: str, source: str) -> Iterator[str]:
    """The name, and others for a picture that is not the one called so already."""
    yield name
    yield f"{source}:{name}"
    yield from (f"{source}:{name}#{number}" for number in count(2))


def _placed(
    frame: pd.DataFrame, links: Links, keep: NDArray[np.bool_], host: int, group_by: str
) -> pd.DataFrame:
    """Splits, folds and groups, those of the first set unchanged."""
    # By the strictest grouping: the first set may know no patients where an added one does.
    groups = pd.Series(group_ids(frame, links.all), index=frame.index)
    places: dict[str, set[tuple[str, int]]] = {}
    rows = zip(groups[:host], frame["split"][:host], frame["fold"][:host], strict=True)
    for group, split, fold in rows:
        if split != "excluded":
            places.setdefault(group, set()).add((split, int(fold)))
    split, fold = frame["split"].tolist(), frame["fold"].tolist()
    for row in range(host, len(frame)):
        met = places.get(groups.iloc[row], set())
        if len(met) > 1 or any(side != "train" for side, _ in met):
            split[row], fold[row] = "excluded", -1
        elif met:
            fold[row] = next(iter(met))[1]
    # An excluded image joins nothing: it must not tie two of the first set's groups together.
    out = {row for row in range(host, len(frame)) if split[row] == "excluded" or not keep[row]}
    ties = [(a, b) for a, b in links.all if a not in out and b not in out]
    own = frame.assign(
        lesion_id=[("" if row in out else each) for row, each in enumerate(frame["lesion_id"])],
        patient_id=[("" if row in out else each) for row, each in enumerate(frame["patient_id"])],
    )
    return frame.assign(split=split, fold=fold, group_id=group_ids(own, ties, group_by))


def _renumbered(links: Links, keep: NDArray[np.bool_]) -> Links:
    number = np.cumsum(keep) - 1

    def among(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        return [(int(number[a]), int(number[b])) for a, b in pairs if keep[a] and keep[b]]

    # Not what each set holds together already: those are no duplicates.
    return Links(among(links.exact), among(links.near), among(links.cropped))


def _told(frame: pd.DataFrame, keep: NDArray[np.bool_], host: int) -> dict[str, Any]:
    """What became of the added images, for ``audit.json``."""
    added = np.arange(len(frame)) >= host
    excluded = (frame["split"] == "excluded").to_numpy() & added & keep
    used = added & keep & ~excluded
    return {
        "first_images": host,
        "added": int(used.sum()),
        "added_classes": {str(k): int(v) for k, v in frame["label"][used].value_counts().items()},
        "in_a_fold": int((frame["fold"].to_numpy() >= 0)[used].sum()),
        "already_there": frame["image_id"][added & ~keep].tolist(),
        "excluded": frame["image_id"][excluded].tolist(),
    }
