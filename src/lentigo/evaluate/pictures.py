"""The worst errors: wrong, and sure of it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lentigo.data.oversampling import Images
from lentigo.evaluate.reasons import Reason, overlay
from lentigo.score.arrays import predicted
from lentigo.taxonomy import Taxonomy

if TYPE_CHECKING:
    from lentigo.evaluate.answers import Scored

SHOWN = 12
SIDE = 176
SMALL_SIDE = 96
JPEG_QUALITY = 82


# The images (m, S, S, 3), what each was called (m,), their ids (m,): a reason each.
Explain = Callable[[NDArray[np.uint8], Sequence[int], Sequence[str]], Sequence[Reason]]


@dataclass(frozen=True)
class Near:
    """A training image near to one that was called wrongly.

    Attributes:
        image_id: Which.
        label: Its class code.
        distance: Cosine distance of the features, 0 (same) to 2.
        source: The picture as a data URI.
    """

    image_id: str
    label: str
    distance: float
    source: str


@dataclass(frozen=True)
class Mistake:
    """One image that was called wrongly.

    Attributes:
        image_id: Which.
        truth: Name of its class.
        called: Name of the class it was called.
        confidence: Probability of the called class.
        truth_probability: Probability of its own class.
        missed: Whether it is malignant and was called benign.
        source: The picture as a data URI.
        attention: The picture under the attention to the called class; None where the
            predictor shows none.
        near: The training images nearest to it; empty where they are not at hand.
    """

    image_id: str
    truth: str
    called: str
    confidence: float
    truth_probability: float
    missed: bool
    source: str
    attention: str | None = None
    near: tuple[Near, ...] = ()


def worst_mistakes(
    taxonomy: Taxonomy,
    scored: Scored,
    images: Images,
    explain: Explain,
    *,
    shown: int = SHOWN,
) -> tuple[Mistake, ...]:
    """The wrongly called images with the highest confidence, most confident first.

    Args:
        taxonomy: The classes.
        scored: Labels and probabilities.
        images: (N, S, S, 3) uint8 RGB of the whole prepared set; only those shown are read.
        explain: Asked about those shown, all at once.
        shown: At most how many.
    """
    called = predicted(scored.probability)
    confidence = scored.probability.max(axis=1)
    wrong = np.flatnonzero((called != scored.labels) & (called >= 0))
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")][:shown]
    if not len(wrong):
        return ()
    pixels = np.stack([images[int(scored.rows[row])] for row in wrong])
    ids = [str(scored.image_ids[row]) for row in wrong]
    reasons = explain(pixels, called[wrong].tolist(), ids)
    found = []
    for row, image, reason in zip(wrong, pixels, reasons, strict=True):
        truth, answer = int(scored.labels[row]), int(called[row])
        found.append(
            Mistake(
                image_id=str(scored.image_ids[row]),
                truth=taxonomy.classes[truth].name,
                called=taxonomy.classes[answer].name,
                confidence=float(confidence[row]),
                truth_probability=float(scored.probability[row, truth]),
                missed=taxonomy.malignant[truth] and not taxonomy.malignant[answer],
                source=thumbnail(image),
                attention=None if reason.heat is None else thumbnail(overlay(image, reason.heat)),
                near=tuple(
                    Near(
                        each.image_id, each.label, each.distance, thumbnail(each.pixels, SMALL_SIDE)
                    )
                    for each in reason.neighbours
                ),
            )
        )
    return tuple(found)


def thumbnail(image: NDArray[np.uint8], side: int = SIDE) -> str:
    """An image (S, S, 3) uint8 RGB as a JPEG data URI, at most ``side`` pixels wide."""
    pixels: Any = np.asarray(image)
    if pixels.shape[1] > side:
        height = round(pixels.shape[0] * side / pixels.shape[1])
        pixels = cv2.resize(pixels, (side, height), interpolation=cv2.INTER_AREA)
    done, code = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert done, "a uint8 RGB array always encodes"
    return f"data:image/jpeg;base64,{base64.b64encode(code.tobytes()).decode()}"
