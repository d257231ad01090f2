"""The four ways of splitting that `leak` sets against each other, from one prepared set.

The pixels stay where they are: each way is a prepared set whose ``images.npy`` is a link.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from lentigo.data.manifest import manifest_text
from lentigo.data.oversampling import Oversampling, appended, filled_up, with_synthetic
from lentigo.data.prepared import (
    MARKER,
    PreparedInfo,
    PreparedSet,
    digest_of,
    open_prepared,
    read_info,
)
from lentigo.data.splits import assign, check_no_group_crosses, split_digest
from lentigo.errors import InputError
from lentigo.files import digest_text, write_json, write_text
from lentigo.image.generator import GeneratorRanges

TEST_SHARE, FOLDS = 0.2, 5
COPIES = GeneratorRanges(
    rotation_range=25,
    width_shift_range=0.1,
    height_shift_range=0.1,
    zoom_range=0.1,
    horizontal_flip=True,
    vertical_flip=True,
)


@dataclass(frozen=True)
class Way:
    """What is dealt whole, and when the smaller classes are filled up with altered copies."""

    split: Literal["image", "grouped"]
    oversampled: Literal["before", "after"]

    @property
    def name(self) -> str:
        """Such as ``image-before``."""
        return f"{self.split}-{self.oversampled}"

    @property
    def leaky(self) -> bool:
        """Whether lesions or patients may sit on two sides."""
        return self.split == "image"


WAYS = (
    Way("image", "before"),
    Way("image", "after"),
    Way("grouped", "before"),
    Way("grouped", "after"),
)
FAIR = WAYS[-1]


def check_dealable(data: PreparedSet) -> None:
    """Refuse a set that does not know what belongs together, or holds copies already.

    Raises:
        InputError: Saying which.
    """
    if data.leaky:
        raise InputError(
            f"{data.path} does not keep groups whole, so there is nothing to compare with.",
            todo="Prepare it without --group-by image and --protocol as-published.",
        )
    if data.info.oversampling is not None:
        raise InputError(
            f"{data.path} is oversampled already.", todo="Prepare it without oversampling."
        )


def deal(data: PreparedSet, way: Way, seed: int, up_to: float, path: Path) -> PreparedSet:
    """The training images of a set, split anew; its own test and validation are left out.

    Args:
        data: A prepared set that keeps groups whole.
        way: Of splitting.
        seed: Deals the groups, or the images.
        up_to: Share of the largest class that the others are filled up to.
        path: The folder of the set that is made; one that is whole and the same stays.

    Returns:
        A set of its own name and digest over the same pixels.
    """
    made = Oversampling(
        when="before-split" if way.oversampled == "before" else "after-split",
        up_to=up_to,
        ranges=COPIES,
    )
    own = data.manifest[data.manifest["split"] == "train"].assign(parent_id="", seed="")
    groups = own["image_id"] if way.leaky else own["group_id"]
    rows = own.assign(group_id=groups)
    if way.name == "image-before":
        # Every copy is dealt by itself, so copies of one original fall on all sides.
        rows = appended(rows, filled_up(rows, made))
        rows["group_id"] = rows["image_id"]
    names, labels = rows["group_id"].tolist(), rows["label"].tolist()
    split, fold = assign(
        names, labels, [""] * len(rows), seed=seed, test_share=TEST_SHARE, folds=FOLDS
    )
    rows = rows.assign(split=split, fold=fold)
    if way.oversampled == "after":
        rows = with_synthetic(rows, made)
    elif not way.leaky:
        rows = appended(rows, filled_up(rows, made))
    manifest = _over_all(data.manifest, rows)
    if not way.leaky:
        check_no_group_crosses(manifest)
    protocol = "as-published" if way.leaky else "leak-free"
    info = data.info.model_copy(
        update={
            "protocol": protocol,
            "leaky": way.leaky,
            "seed": seed,
            "folds": FOLDS,
            "test_share": TEST_SHARE,
            "splits_of": "",
            "oversampling": made,
            "group_by": "image" if way.leaky else data.info.group_by,
            "n_images": len(manifest),
            "measured_images": None,
            "manifest_sha256": digest_text(manifest_text(manifest)),
            "digest": digest_of(data.spec, data.taxonomy, protocol, manifest, made),
            "test_digest": split_digest(manifest, "test"),
        }
    )
    return _written(data, info, manifest, path)


def _written(
    data: PreparedSet, info: PreparedInfo, manifest: pd.DataFrame, path: Path
) -> PreparedSet:
    """The set as a folder, for workers elsewhere and for `evaluate`; its marker comes last."""
    try:
        if read_info(path) == info:
            return open_prepared(path)
    except InputError:
        pass  # not there yet, or of other options
    (path / MARKER).unlink(missing_ok=True)
    write_text(path / "manifest.csv", manifest_text(manifest))
    write_json(path / "audit.json", data.audit)
    _link((data.path / "images.npy").resolve(), path / "images.npy")
    write_json(path / MARKER, info.model_dump(mode="json"))
    return open_prepared(path)


def _link(pixels: Path, path: Path) -> None:
    path.unlink(missing_ok=True)
    try:
        path.symlink_to(pixels)
    except OSError:  # Windows asks for a right that few have
        os.link(pixels, path)


def _over_all(whole: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Every row of the set in the order of its pixels, then the copies; what is not dealt out."""
    dealt = rows[rows["parent_id"] == ""].set_index("image_id")
    known = whole["image_id"].isin(dealt.index)
    base = whole.assign(seed="", split="excluded", fold=-1)
    for column in ("group_id", "split", "fold"):
        base.loc[known, column] = dealt[column].reindex(base["image_id"][known]).to_numpy()
    copies = rows[rows["parent_id"] != ""]
    together = pd.concat([base, copies[base.columns]], ignore_index=True)
    return together.assign(fold=together["fold"].astype("int64"))
