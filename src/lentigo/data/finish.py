"""The last step of ``prepare``: from hashed images to manifest, split, audit and marker."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lentigo.data.adopted import adopt
from lentigo.data.audit import audit
from lentigo.data.contents import Contents
from lentigo.data.copies import Links, find_links
from lentigo.data.manifest import columns_of, write_manifest
from lentigo.data.oversampling import appended, filled_up, with_synthetic
from lentigo.data.pixels import Finished, picture_of
from lentigo.data.prepared import (
    MARKER,
    SCHEMA_VERSION,
    Options,
    PreparedInfo,
    PreparedSet,
    digest_of,
)
from lentigo.data.sources.table import SourceTable
from lentigo.data.splits import (
    assign,
    check_grouping,
    check_no_group_crosses,
    crossings,
    group_ids,
    split_digest,
)
from lentigo.data.workfolder import WorkFolder, copy_rows
from lentigo.errors import SHOWN, ImageError, SourceError, listed
from lentigo.files import digest_file, write_json
from lentigo.image.spec import PreprocessSpec

logger = logging.getLogger(__name__)


def finish(
    work: WorkFolder,
    table: SourceTable,
    options: Options,
    inputs: str,
    results: Sequence[Finished],
    reference: PreparedSet | None = None,
) -> None:
    """Split, audit, and put everything in place, the marker last.

    Args:
        work: The folder of the work under way, every row written.
        table: The data set.
        options: With the grouping resolved.
        inputs: Digest of what was handed in.
        results: All chunks in order.
        reference: The set whose split is adopted.

    Raises:
        SourceError: No image could be read.
        InputError: The reference shares nothing with these images.
    """
    frame, hashes, keep, unread = _readable(table, results)
    with ThreadPoolExecutor(1) as aside:
        # The disk is slow and the search for duplicates is not its business.
        pixels = aside.submit(_synced_pixels, work, keep)
        parts = np.load(work.parts, mmap_mode="r")
        parts = parts if keep.all() else parts[keep]
        links = _links(frame, hashes, parts, table, options.spec)
    manifest, strict = _split(frame, links, options, reference)
    report = {
        **audit(manifest, table.taxonomy, links, strict, _official(frame, manifest)),
        "set_aside": unread + [{"image_id": i, "reason": r} for i, r in table.set_aside],
        "missing": list(table.missing),
        "named_duplicates": [list(pair) for pair in table.named_duplicates],
    }
    _log(report)
    _log_crossings(report, options, check_grouping(frame["patient_id"].tolist(), None))
    pixels.result().replace(work.out / "images.npy")
    write_manifest(manifest, work.out / "manifest.csv")
    write_json(work.out / "audit.json", report)
    info = _info(work.out, manifest, table, options, inputs)
    write_json(work.out / MARKER, info.model_dump(mode="json"))
    work.remove()


def _readable(
    table: SourceTable, results: Sequence[Finished]
) -> tuple[pd.DataFrame, NDArray[np.uint8], NDArray[np.bool_], list[dict[str, str]]]:
    """The rows that could be read, their hashes, which they are, and the others by name."""
    reasons = list(itertools.chain.from_iterable(each.reasons for each in results))
    digests = list(itertools.chain.from_iterable(each.sha256 for each in results))
    keep = np.array([not reason for reason in reasons])
    unread = [
        {"image_id": image_id, "path": path, "reason": reason}
        for image_id, path, reason in zip(
            table.frame["image_id"].tolist(), table.frame["path"].tolist(), reasons, strict=True
        )
        if reason
    ]
    if not keep.any():
        told = [f"{each['path']}: {each['reason']}" for each in unread]
        raise SourceError(f"None of the {len(told)} images can be read:\n{listed(told)}")
    hexadecimal = "".join(itertools.chain.from_iterable(each.hashes for each in results))
    hashes = np.frombuffer(bytes.fromhex(hexadecimal), np.uint8).reshape(int(keep.sum()), -1)
    frame = table.frame.assign(sha256=digests)[keep].reset_index(drop=True)
    return frame, hashes, keep, unread


def _links(
    frame: pd.DataFrame,
    hashes: NDArray[np.uint8],
    parts: NDArray[np.uint8],
    table: SourceTable,
    spec: PreprocessSpec,
) -> Links:
    row = {image_id: position for position, image_id in enumerate(frame["image_id"].tolist())}
    published = [
        (min(row[a], row[b]), max(row[a], row[b]))
        for a, b in table.known_duplicates
        if a in row and b in row
    ]
    paths = frame["path"].tolist()

    def picture(number: int) -> NDArray[np.uint8]:
        # From the files, so that which images belong together does not depend on the size.
        try:
            with Contents() as contents:
                return picture_of(contents, paths[number], spec)
        except (ImageError, OSError) as error:
            raise SourceError(
                f"{paths[number]} was changed while it was prepared: {error}",
                todo="Run the same again: it resumes.",
            ) from None

    return find_links(frame, hashes, parts, picture, sorted(published))


def _split(
    frame: pd.DataFrame, links: Links, options: Options, reference: PreparedSet | None
) -> tuple[pd.DataFrame, list[str]]:
    """The manifest, and each row's group by the strictest grouping."""
    groups = group_ids(frame, links.all, options.group_by)
    strictest = check_grouping(frame["patient_id"].tolist(), None)
    strict = groups if options.group_by == strictest else group_ids(frame, links.all, strictest)
    made = options.oversampling
    apart = made is not None and made.when == "before-split" and options.group_by == "image"
    if made is not None and apart:
        # Every row is a group of its own, so copies of one original fall on all sides.
        frame = appended(frame, filled_up(frame, made))
        groups = frame["image_id"].tolist()
    split, fold = _dealt(frame, groups, options, reference)
    manifest = frame.assign(group_id=groups, split=split, fold=fold)
    if made is None:
        manifest = manifest.assign(parent_id="")
    elif made.when == "after-split":
        manifest = with_synthetic(manifest, made)
    elif not apart:
        # Dealing whole groups deals their copies: each goes where its original went.
        manifest = appended(manifest, filled_up(manifest, made))
    if options.protocol == "leak-free":
        check_no_group_crosses(manifest)
    _warn_of_empty_folds(manifest, options.folds)
    group_of = dict(zip(frame["image_id"].tolist(), strict, strict=False))
    originals = manifest["parent_id"].where(manifest["parent_id"] != "", manifest["image_id"])
    return manifest[columns_of(manifest)], originals.map(group_of).tolist()


def _dealt(
    frame: pd.DataFrame, groups: Sequence[str], options: Options, reference: PreparedSet | None
) -> tuple[list[str], list[int]]:
    """Splits and folds: those of another set, or lentigo's own."""
    if reference is not None:
        return adopt(
            frame,
            groups,
            reference.manifest,
            seed=options.seed,
            folds=options.folds,
            by_patient="patient" in {options.group_by, reference.info.group_by},
        )
    return assign(
        groups,
        frame["label"].tolist(),
        frame["split"].tolist(),
        seed=options.seed,
        test_share=options.test_share,
        folds=options.folds,
        exclude_crossing=options.protocol == "leak-free",
    )


def _warn_of_empty_folds(manifest: pd.DataFrame, folds: int) -> None:
    filled = manifest.loc[manifest["split"] == "train", "fold"].nunique()
    # A set without training images is for testing alone: it has no folds to be short of.
    if 0 < filled < folds and not (manifest["split"] == "validation").any():
        logger.warning(
            "%d of %d folds hold no image and cannot validate: there are too few groups. "
            "Prepare with fewer folds.",
            folds - filled,
            folds,
        )


def _official(frame: pd.DataFrame, manifest: pd.DataFrame) -> list[str]:
    """The source's own split of every row, of the original's for a synthetic one."""
    published = dict(zip(frame["image_id"].tolist(), frame["split"].tolist(), strict=True))
    originals = manifest["parent_id"].where(manifest["parent_id"] != "", manifest["image_id"])
    return [published[name] for name in originals.tolist()]


def _synced_pixels(work: WorkFolder, keep: NDArray[np.bool_]) -> Path:
    """The file of the pixels, without the rows of images set aside, safe on the disk."""
    source = work.images
    if not keep.all():
        source = work.path / "kept.npy"
        copy_rows(work.images, source, keep)
    with source.open("rb") as written:
        os.fsync(written.fileno())
    return source


def _info(
    out: Path, manifest: pd.DataFrame, table: SourceTable, options: Options, inputs: str
) -> PreparedInfo:
    leaky = options.group_by == "image" or bool(crossings(manifest["group_id"], manifest["split"]))
    return PreparedInfo(
        schema_version=SCHEMA_VERSION,
        source=options.source,
        spec=options.spec,
        taxonomy=table.taxonomy,
        protocol=options.protocol,
        leaky=leaky,
        seed=options.seed,
        folds=options.folds,
        test_share=options.test_share,
        splits_of=options.splits_of,
        oversampling=options.oversampling,
        group_by=str(options.group_by),
        n_images=len(manifest),
        inputs_digest=inputs,
        manifest_sha256=digest_file(out / "manifest.csv"),
        digest=digest_of(
            options.spec, table.taxonomy, options.protocol, manifest, options.oversampling
        ),
        test_digest=split_digest(manifest, "test"),
    )


def _log(report: dict[str, Any]) -> None:
    """Say what a user should not have to look for."""
    if set_aside := report["set_aside"]:
        told = [f"{each['image_id']}: {each['reason']}" for each in set_aside]
        logger.warning("%d image(s) set aside:\n%s", len(told), listed(told))
    if missing := report["missing"]:
        logger.warning("%d listed image(s) are absent: %s", len(missing), missing[:SHOWN])
    for crossing in report["crossings"]["official"]:
        logger.warning(
            "Official split: %d group(s) sit on both sides of %s (%d images of the first).",
            crossing["groups"],
            crossing["between"],
            crossing["images"],
        )


def _log_crossings(report: dict[str, Any], options: Options, strictest: str) -> None:
    """Warn of what crosses because the grouping is less strict than the table allows."""
    by = str(options.group_by)
    if by == strictest:
        return
    if options.protocol == "as-published":  # which was asked for by name
        todo = "As that is the published protocol, they are stamped LEAKY."
    else:
        todo = "Name no grouping, and each group is kept together."
    because = f"what is kept together is each {by}. Results will look better than they are. {todo}"
    what = f"group(s) of one {_JOINED[strictest]}"
    found = report["crossings"]
    for crossing in found["final"]:
        logger.warning(
            "%d %s sit on both sides of %s (%d images of the first): %s",
            crossing["groups"],
            what,
            crossing["between"],
            crossing["images"],
            because,
        )
    if found["folds"]:
        logger.warning("%d %s sit in several folds: %s", found["folds"], what, because)


_JOINED = {"patient": "patient, lesion or picture", "lesion": "lesion or picture"}
