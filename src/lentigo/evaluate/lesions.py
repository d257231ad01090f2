"""How much of the attention falls on the lesion, where its outline is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from lentigo.data.prepared import PreparedSet
from lentigo.errors import InputError, listed
from lentigo.evaluate.predictor import BATCH, Watching
from lentigo.image.header import HeaderError, read_header
from lentigo.image.spec import PreprocessSpec, centre_square
from lentigo.score.arrays import predicted
from lentigo.score.bootstrap import grouped_bootstrap
from lentigo.score.estimate import Estimate, summarise

MaskCrop = Literal["none", "center-square"]
ENDINGS = ("", "_segmentation", "_mask", "_Segmentation")
# A frame whose sides were rounded when it was reduced has nearly the same shape.
_SHAPE_TOLERANCE = 0.01


@dataclass(frozen=True)
class Outlines:
    """The lesion outlines of some images.

    Attributes:
        folder: Where they lie.
        crop: What was cut from the frames that they were drawn on before the images came here.
        files: Image id to mask.
    """

    folder: Path
    crop: MaskCrop
    files: dict[str, Path]


@dataclass(frozen=True)
class LesionAttention:
    """Attention and outlines held together.

    Attributes:
        image_ids: (n,) of the images that have both.
        inside: (n,) share of the attention to the most probable class that falls on the
            lesion, in [0, 1].
        area: (n,) share of what the network sees that is lesion: what attention without any
            aim would score.
        estimates: ``attention_in_lesion``, ``lesion_area``, and ``attention_above_chance``,
            their difference.
        without_mask: Images that have no outline.
        without_attention: Images of whose map nothing speaks for the class, or whose outline
            is empty where the network looks.
    """

    image_ids: tuple[str, ...]
    inside: NDArray[np.float64]
    area: NDArray[np.float64]
    estimates: dict[str, Estimate]
    without_mask: int
    without_attention: int

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, without the single images."""
        return {
            "images": len(self.image_ids),
            "without_mask": self.without_mask,
            "without_attention": self.without_attention,
            "estimates": {key: each.to_dict() for key, each in self.estimates.items()},
        }


def lesion_attention(
    predictor: Watching,
    prepared: PreparedSet,
    rows: NDArray[np.int64],
    probability: NDArray[np.float64],
    outlines: Outlines,
    *,
    replicates: int,
    seed: int,
) -> LesionAttention:
    """The share of attention that falls on the lesion, beside the lesion's share of the area.

    Args:
        predictor: What was asked.
        prepared: Where the images are.
        rows: (n,) which of them.
        probability: (n, k) its answers to them.
        outlines: From `find_outlines`.
        replicates: Of the bootstrap over groups.
        seed: Of the bootstrap.
    """
    ids = prepared.manifest["image_id"].to_numpy(dtype=object)
    has = np.array([str(ids[row]) in outlines.files for row in rows])
    rows, top = rows[has], predicted(probability)[has]
    inside, area = [], []
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        maps = predictor.attention(np.ascontiguousarray(prepared.images[part]))
        for row, each, c in zip(part, maps, top[start : start + BATCH], strict=True):
            evidence = np.maximum(each[..., min(max(c, 0), each.shape[2] - 1)], 0)
            mask = outlines.files[str(ids[row])]
            lesion = lesion_share(mask, prepared.spec, evidence.shape, outlines.crop)
            told = evidence.sum() > 0 and lesion.sum() > 0
            inside.append((evidence * lesion).sum() / evidence.sum() if told else np.nan)
            area.append(lesion.mean())
    kept = np.isfinite(inside)
    shares = np.asarray(inside, dtype=np.float64)[kept], np.asarray(area, dtype=np.float64)[kept]
    groups = prepared.groups[rows][kept]
    return LesionAttention(
        image_ids=tuple(str(each) for each in ids[rows][kept]),
        inside=shares[0],
        area=shares[1],
        estimates=_estimates(*shares, groups, replicates, seed),
        without_mask=int((~has).sum()),
        without_attention=int((~kept).sum()),
    )


def find_outlines(
    folder: Path, prepared: PreparedSet, rows: NDArray[np.int64], crop: MaskCrop = "none"
) -> Outlines:
    """The outline of each image that has one: ``ID.png`` or ``ID_segmentation.png``.

    Args:
        folder: Where they lie.
        prepared: Where the images are.
        rows: (n,) which of them.
        crop: ``center-square`` where the masks are of whole frames, and the image files are
            the central squares of those.

    Raises:
        InputError: No folder, no outline of any of these images, or outlines of another frame.
    """
    image_ids = prepared.manifest["image_id"].iloc[rows].astype(str).tolist()
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder.", todo="Name the folder of the masks.")
    by_stem = {
        path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in _SUFFIXES
    }
    found = {
        each: by_stem[each + ending]
        for each in image_ids
        for ending in reversed(ENDINGS)
        if each + ending in by_stem
    }
    if not found:
        raise InputError(
            f"{folder} holds no mask of these {len(image_ids)} images.",
            todo=f"Name each after its image: {image_ids[0]}.png or "
            f"{image_ids[0]}_segmentation.png.",
        )
    _check_frames(prepared, rows, found, crop)
    return Outlines(folder, crop, found)


_SUFFIXES = frozenset({".png", ".bmp", ".tif", ".tiff", ".jpg"})


def _check_frames(
    prepared: PreparedSet, rows: NDArray[np.int64], files: dict[str, Path], crop: MaskCrop
) -> None:
    """A mask of the whole frame lies wrong on a crop, and nothing in the pixels would tell."""
    problems, squares = [], 0
    named = prepared.manifest[["image_id", "path"]].iloc[rows].astype(str)
    for image_id, path in named.itertuples(index=False):
        if image_id not in files:
            continue
        size, mask = _frame(Path(path)), _frame(files[image_id])
        if size is None:
            problems.append(f"{image_id}: {path} cannot be read, so its frame is unknown")
        elif mask is None:
            problems.append(f"{image_id}: {files[image_id]} is not a readable image")
        elif not _same_shape(size, (1, 1) if crop == "center-square" else mask):
            squares += _same_shape(size, (1, 1))
            problems.append(
                f"{image_id}: the image is {size[0]} x {size[1]}, its mask {mask[0]} x {mask[1]} "
                + ("pixels, of which the central square was to be taken" if crop != "none"
                   else "pixels")
            )  # fmt: skip
    if problems:
        cropped = squares == len(problems)
        raise InputError(
            f"Masks must have the frame of the images:\n{listed(problems)}",
            todo="If the images are the central squares of the frames that the masks were drawn "
            "on, add --mask-crop center-square."
            if cropped
            else "Crop the masks as the images were cropped, or prepare the images that the "
            "masks were drawn on.",
        )


def _same_shape(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return abs(one[0] * other[1] / (one[1] * other[0]) - 1) <= _SHAPE_TOLERANCE


def lesion_share(
    path: Path, spec: PreprocessSpec, cells: tuple[int, ...], crop: MaskCrop = "none"
) -> NDArray[np.float64]:
    """The share of each cell (h, w) of an attention map that is lesion, in [0, 1].

    The mask is cropped as its image file was, by ``crop``, and then as ``spec`` crops that.
    """
    mask: Any = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise InputError(f"{path} is not a readable image.")
    filled = (mask > mask.max() / 2).astype(np.uint8) if mask.max() else mask
    if "center-square" in (crop, spec.crop):
        filled = centre_square(filled)
    grown = filled.astype(np.float64)
    return np.asarray(cv2.resize(grown, (cells[1], cells[0]), interpolation=cv2.INTER_AREA))


def _frame(path: Path) -> tuple[int, int] | None:
    """Width and height as an image is seen upright, or None."""
    try:
        header = read_header(path.read_bytes())
    except (OSError, HeaderError):
        return None
    sides = (header.width, header.height)
    return sides[::-1] if header.orientation >= 5 else sides


def _estimates(
    inside: NDArray[np.float64],
    area: NDArray[np.float64],
    groups: NDArray[np.object_],
    replicates: int,
    seed: int,
) -> dict[str, Estimate]:
    names = ("attention_in_lesion", "lesion_area", "attention_above_chance")
    values = np.stack([inside, area, inside - area])
    if not len(groups):
        return {name: Estimate(None, None, None, 0, "no image has both") for name in names}

    def means(weights: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(values @ weights / weights.sum(axis=0))

    drawn = grouped_bootstrap(means, groups, replicates=replicates, seed=seed)
    n_groups = len(set(groups.tolist()))
    return {
        name: summarise(float(each.mean()), replicate, n_groups)
        for name, each, replicate in zip(names, values, drawn, strict=True)
    }
