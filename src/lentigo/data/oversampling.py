"""Synthetic images without pixels: rows of the manifest, drawn when they are asked for.

A row with a ``parent_id`` and a ``seed`` stands for an altered copy of another row's image.
Tens of thousands of them cost a line of text each, and no pixel is kept.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray
from pydantic import BaseModel, ConfigDict, Field

from lentigo.errors import InputError, listed
from lentigo.image.generator import Fill, GeneratorRanges, generated

if TYPE_CHECKING:
    import pandas as pd


class Images(Protocol):
    """What can be asked of a set's images: an array in a file, or one that is partly drawn."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, S, S, 3)."""

    @property
    def dtype(self) -> DTypeLike:
        """uint8."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: Any, /) -> Any:
        """Of a row number (S, S, 3), of rows (n,) or a slice (n, S, S, 3), uint8."""


class Oversampling(BaseModel):
    """Synthetic images that fill the smaller classes up.

    Attributes:
        when: ``before-split``: of all images, and dealt with them to training, validation and
            test; where images are not grouped, copies of one original then sit on all sides.
            ``after-split``: of training images, for training only, fold by fold.
        up_to: Share of the largest class that every class reaches, its originals counted.
        ranges: From which the copies are drawn, as Keras's ``ImageDataGenerator``.
        fill: What lies beyond an image's border.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    when: Literal["before-split", "after-split"]
    up_to: float = Field(default=1.0, gt=0, le=1)
    ranges: GeneratorRanges
    fill: Fill = "nearest"


def filled_up(frame: pd.DataFrame, oversampling: Oversampling) -> pd.DataFrame:
    """The synthetic rows that a table needs, without the table itself.

    Each class's originals get as many copies as any other, give or take one, the first ones
    the more. Cells are those of the original, but for ``image_id``, ``parent_id``, ``seed``.

    Args:
        frame: Originals with ``image_id`` and ``label``; together before the split, of one
            fold after it.
        oversampling: How far.

    Returns:
        In the order of their parents; ``seed`` counts each parent's copies from 1.
    """
    import pandas as pd  # noqa: PLC0415 - few sets have synthetic images

    counts = frame["label"].value_counts()
    wanted = round(oversampling.up_to * int(counts.max())) if len(counts) else 0
    copies = np.zeros(len(frame), np.int64)
    for label, count in counts.items():
        places = np.flatnonzero(frame["label"] == label)
        each, more = divmod(max(0, wanted - int(count)), int(count))
        copies[places] = each + (np.arange(count) < more)
    parents = frame.loc[frame.index.repeat(copies)].reset_index(drop=True)
    seeds = [str(1 + place) for count in copies.tolist() for place in range(count)]
    named = parents["image_id"] + "~" + pd.Series(seeds, dtype=str)
    return parents.assign(parent_id=parents["image_id"], image_id=named, seed=seeds)


def with_synthetic(manifest: pd.DataFrame, oversampling: Oversampling) -> pd.DataFrame:
    """A split manifest with the rows of ``after-split``, at its end.

    Raises:
        InputError: Two rows would have one name.
    """
    import pandas as pd  # noqa: PLC0415 - as above

    training = manifest[manifest["split"] == "train"]
    if training.empty:  # a set that is for testing alone
        return appended(manifest, filled_up(training, oversampling))
    folds = [filled_up(rows, oversampling) for _, rows in training.groupby("fold")]
    return appended(manifest, pd.concat(folds, ignore_index=True))


def appended(frame: pd.DataFrame, synthetic: pd.DataFrame) -> pd.DataFrame:
    """Originals first, then synthetic rows.

    Raises:
        InputError: Two rows would have one name.
    """
    import pandas as pd  # noqa: PLC0415 - as above

    whole = pd.concat([frame.assign(parent_id="", seed=""), synthetic], ignore_index=True)
    if (twice := whole["image_id"].duplicated()).any():
        raise InputError(
            "Synthetic images would have names that are taken:\n"
            + listed(whole["image_id"][twice].tolist()),
            todo="Rename images whose names end in ~ and a number.",
        )
    return whole


class DrawnImages:
    """Images of which some are drawn from others when they are asked for; see `Images`.

    Args:
        originals: (M, S, S, 3) uint8, usually memory-mapped.
        manifest: (N rows) the originals first, in the order of ``originals``.
        oversampling: From which ranges the rest is drawn.
    """

    def __init__(
        self, originals: NDArray[np.uint8], manifest: pd.DataFrame, oversampling: Oversampling
    ) -> None:
        self._originals, self._oversampling = originals, oversampling
        place = {name: row for row, name in enumerate(manifest["image_id"][: len(originals)])}
        self._parents = np.array(
            [
                place[parent or name]
                for name, parent in zip(manifest["image_id"], manifest["parent_id"], strict=True)
            ],
            np.int64,
        )
        self._keys = [
            _key(parent, seed)
            for parent, seed in zip(manifest["parent_id"], manifest["seed"], strict=True)
            if parent
        ]

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, S, S, 3)."""
        return (len(self._parents), *self._originals.shape[1:])

    @property
    def dtype(self) -> DTypeLike:
        """uint8."""
        return self._originals.dtype

    def __len__(self) -> int:
        return len(self._parents)

    def __getitem__(self, key: Any, /) -> NDArray[np.uint8]:
        """Of a row number (S, S, 3), of rows (n,) or a slice (n, S, S, 3), uint8."""
        rows = np.arange(len(self))[key]
        if rows.ndim == 0:
            return self._image(int(rows))
        images = np.empty((len(rows), *self.shape[1:]), np.uint8)
        for place, row in enumerate(rows.tolist()):
            images[place] = self._image(row)
        return images

    def _image(self, row: int) -> NDArray[np.uint8]:
        image = np.asarray(self._originals[self._parents[row]])
        if row < len(self._originals):
            return image
        key = self._keys[row - len(self._originals)]
        return generated(image, self._oversampling.ranges, self._oversampling.fill, key)


def _key(parent: str, seed: str) -> tuple[int, ...]:
    digest = hashlib.sha256(f"{parent}~{seed}".encode()).digest()
    return tuple(int.from_bytes(digest[i : i + 4], "big") for i in range(0, 16, 4))
