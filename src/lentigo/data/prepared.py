"""The prepared set: a folder that training and evaluation read, and never write.

::

    manifest.csv     a row an image, in the order of the pixels
    images.npy       (N, H, W, 3) uint8, RGB; without those that the manifest gives a parent
    audit.json       what was found: counts, duplicates, crossings, images set aside
    prepared.json    how it was made; written last, so it marks the folder complete
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from lentigo.data.manifest import SPLITS, manifest_text, read_manifest
from lentigo.data.oversampling import DrawnImages, Images, Oversampling
from lentigo.data.splits import groups_behind
from lentigo.errors import InputError, listed
from lentigo.files import digest_file, digest_json, digest_text, read_json
from lentigo.image.spec import PreprocessSpec
from lentigo.outside import problems
from lentigo.taxonomy import Taxonomy

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1
MARKER = "prepared.json"
WORK = ".prepare"


@dataclass(frozen=True)
class Options:
    """What decides the result, besides the images."""

    source: str
    spec: PreprocessSpec
    group_by: str | None
    protocol: str
    seed: int
    folds: int
    test_share: float
    splits_of: str = ""
    oversampling: Oversampling | None = None

    @property
    def digest(self) -> str:
        """64 hexadecimal digits."""
        made = self.oversampling
        values = {"spec": self.spec.model_dump(mode="json")}
        values["oversampling"] = made.model_dump(mode="json") if made else {}
        return digest_json(dataclasses.asdict(self) | values)


class PreparedInfo(BaseModel):
    """What ``prepared.json`` says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int
    source: str
    spec: PreprocessSpec
    taxonomy: Taxonomy
    protocol: str
    leaky: bool
    seed: int
    folds: int
    test_share: float
    splits_of: str = ""
    oversampling: Oversampling | None = None
    group_by: str
    n_images: int
    # So many, the first rows, may validate a fold; None is all. ``merge`` adds images after them.
    measured_images: int | None = None
    inputs_digest: str
    manifest_sha256: str
    digest: str
    test_digest: str


def digest_of(
    spec: PreprocessSpec,
    taxonomy: Taxonomy,
    protocol: str,
    manifest: pd.DataFrame,
    oversampling: Oversampling | None = None,
    measured_images: int | None = None,
) -> str:
    """The identity of a prepared set, wherever its images lie: 64 hexadecimal digits."""
    drawn = {} if oversampling is None else {"oversampling": oversampling.model_dump(mode="json")}
    measured = {} if measured_images is None else {"measured_images": measured_images}
    return digest_json(
        {
            **drawn,
            **measured,
            "schema_version": SCHEMA_VERSION,
            "spec": spec.model_dump(mode="json"),
            "taxonomy": taxonomy.model_dump(mode="json"),
            "protocol": protocol,
            "manifest": digest_text(manifest_text(manifest.drop(columns="path"))),
        }
    )


@dataclass(frozen=True)
class PreparedSet:
    """Images ready for a network, and everything known of them.

    Attributes:
        path: The folder.
        info: How it was made.
        manifest: Row i describes ``images[i]``; see ``lentigo.data.manifest``.
        images: (N, H, W, 3) uint8 RGB, memory-mapped, read-only; synthetic ones are drawn when
            they are asked for.
        audit: What was found on the way.
    """

    path: Path
    info: PreparedInfo
    # Printed, these would be hundreds of lines.
    manifest: pd.DataFrame = field(repr=False)
    images: Images = field(repr=False)
    audit: dict[str, Any] = field(repr=False)

    @property
    def spec(self) -> PreprocessSpec:
        """What was done to every image."""
        return self.info.spec

    @property
    def taxonomy(self) -> Taxonomy:
        """The classes."""
        return self.info.taxonomy

    @property
    def protocol(self) -> str:
        """``leak-free`` or ``as-published``."""
        return self.info.protocol

    @property
    def leaky(self) -> bool:
        """Whether the same lesion, patient or picture may sit on two sides of a split."""
        return self.info.leaky

    @property
    def seed(self) -> int:
        """What dealt the groups."""
        return self.info.seed

    @property
    def folds(self) -> int:
        """Number of folds of the training part."""
        return self.info.folds

    @property
    def digest(self) -> str:
        """The identity of the set; the folder's place does not count."""
        return self.info.digest

    @property
    def test_digest(self) -> str:
        """The identity of the test list."""
        return self.info.test_digest

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """(N,) class indices into ``taxonomy.codes``."""
        index = {code: position for position, code in enumerate(self.taxonomy.codes)}
        return np.array([index[code] for code in self.manifest["label"]], np.int64)

    @cached_property
    def groups(self) -> NDArray[np.object_]:
        """(N,) what an interval draws whole: ``group_id``, whatever the split cuts.

        Where images were dealt one by one every ``group_id`` is an image of its own; the groups
        are then found again from patients, lesions, copies and parents. Drawing single images
        would make intervals too narrow.
        """
        if self.info.group_by != "image":
            return self.manifest["group_id"].to_numpy(dtype=object)
        found = groups_behind(self.manifest, self.audit.get("duplicates", {}))
        return np.array(found, dtype=object)

    def rows(self, split: str, fold: int | None = None) -> NDArray[np.int64]:
        """Row numbers of one side.

        Args:
            split: ``test``; ``train``: all training rows, or with a fold those outside it;
                ``validation``: with a fold the training rows in it, without one the official
                validation rows; ``all``: everything but ``excluded``, for tests on images from
                elsewhere; ``excluded``. Images made after the split, and those that
                ``merge`` added, only train.
            fold: 0 to ``folds - 1``.

        Returns:
            Ascending row numbers.

        Raises:
            InputError: An unknown split or fold, or a side without rows.
        """
        if split not in (*SPLITS, "all"):
            raise InputError(f"{split!r} is no split.", todo=f"Choose one of {(*SPLITS, 'all')}.")
        if fold is not None and not 0 <= fold < self.folds:
            raise InputError(
                f"{self.path} has no fold {fold}.", todo=f"Its folds are 0 to {self.folds - 1}."
            )
        splits, folds = self.manifest["split"].to_numpy(), self.manifest["fold"].to_numpy()
        if split == "all":
            chosen = splits != "excluded"
        elif fold is None or split not in {"train", "validation"}:
            chosen = splits == split
        else:
            chosen = (splits == "train") & ((folds == fold) == (split == "validation"))
            if split == "validation":
                chosen &= ~self._training_only
        found = np.flatnonzero(chosen).astype(np.int64)
        if not len(found) and split != "excluded":
            raise self._empty(split, fold)
        return found

    @property
    def _training_only(self) -> NDArray[np.bool_]:
        """(N,) what has a fold only so that it does not train where its lesion validates."""
        made, measured = self.info.oversampling, self.info.measured_images
        only = np.zeros(len(self.manifest), bool)
        if measured is not None:
            only[measured:] = True
        if made is not None and made.when == "after-split":
            only |= (self.manifest["parent_id"] != "").to_numpy()
        return only

    def _empty(self, split: str, fold: int | None) -> InputError:
        where = f"{self.path} has no {split} images"
        if fold is not None:
            return InputError(f"{where} for fold {fold}.", todo="Prepare it with fewer folds.")
        told = {
            "validation": "Its source has no official validation part: name a fold.",
            "test": "Its source has an official split without a test part.",
        }
        return InputError(f"{where}.", todo=told.get(split))


def open_prepared(path: Path | str) -> PreparedSet:
    """Open a prepared set and check that it is whole.

    Args:
        path: A folder that ``prepare`` made.

    Raises:
        InputError: It is not there, not finished, changed since, or newer than this lentigo.
    """
    path = Path(path)
    info = read_info(path)
    manifest_path, images_path = path / "manifest.csv", path / "images.npy"
    absent = [
        name for name in ("manifest.csv", "images.npy", "audit.json") if not (path / name).is_file()
    ]
    if absent:
        raise InputError(f"{path} lacks {', '.join(absent)}.", todo=_AGAIN)
    if digest_file(manifest_path) != info.manifest_sha256:
        raise InputError(f"{manifest_path} was changed after it was prepared.", todo=_AGAIN)
    try:
        images = np.load(images_path, mmap_mode="r")
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{images_path} cannot be read: {error}", todo=_AGAIN) from None
    manifest = read_manifest(manifest_path)
    originals = int((manifest["parent_id"] == "").sum()) if info.oversampling else info.n_images
    expected = (originals, info.spec.size, info.spec.size, 3)
    if images.shape != expected or images.dtype != np.uint8:
        raise InputError(
            f"{images_path} holds {images.dtype} {images.shape}, not uint8 {expected}.", todo=_AGAIN
        )
    return PreparedSet(
        path=path,
        info=info,
        manifest=manifest,
        images=images
        if info.oversampling is None
        else DrawnImages(images, manifest, info.oversampling),
        audit=read_json(path / "audit.json"),
    )


_AGAIN = "Prepare it again into a fresh folder."


def read_info(path: Path) -> PreparedInfo:
    """Read and check ``prepared.json``.

    Raises:
        InputError: It is not there, not finished, or newer than this lentigo.
    """
    marker = path / MARKER
    if not marker.is_file():
        if (path / WORK).is_dir():
            raise InputError(
                f"{path} is not finished.", todo="Run the same `lentigo prepare` again: it resumes."
            )
        what = "is not a prepared set" if path.exists() else "does not exist"
        raise InputError(f"{path} {what}.", todo="Make one: lentigo prepare SOURCE PATH --out DIR")
    content = read_json(marker)
    version = content.get("schema_version") if isinstance(content, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise InputError(
            f"{marker} has schema version {version}; this lentigo knows {SCHEMA_VERSION}.",
            todo="Update lentigo.",
        )
    try:
        return PreparedInfo.model_validate(content)
    except ValidationError as error:
        raise InputError(
            f"{marker} is damaged:\n{listed(problems(error, MARKER))}", todo=_AGAIN
        ) from None
