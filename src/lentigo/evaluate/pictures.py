"""The worst errors: wrong, and sure of it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lentigo.evaluate.facts import Findings
from lentigo.score.arrays import predicted

SHOWN = 12
SIDE = 176
JPEG_QUALITY = 82


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
    """

    image_id: str
    truth: str
    called: str
    confidence: float
    truth_probability: float
    missed: bool
    source: str


def worst_mistakes(
    findings: Findings, images: NDArray[np.uint8], *, shown: int = SHOWN
) -> tuple[Mistake, ...]:
    """The wrongly called images with the highest confidence, most confident first.

    Args:
        findings: Labels and probabilities.
        images: (N, S, S, 3) uint8 RGB of the whole prepared set; only those shown are read.
        shown: At most how many.
    """
    scored, taxonomy = findings.scored, findings.asked.taxonomy
    called = predicted(scored.probability)
    confidence = scored.probability.max(axis=1)
    wrong = np.flatnonzero((called != scored.labels) & (called >= 0))
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")][:shown]
    found = []
    for row in wrong:
        truth, answer = int(scored.labels[row]), int(called[row])
        found.append(
            Mistake(
                image_id=str(scored.image_ids[row]),
                truth=taxonomy.classes[truth].name,
                called=taxonomy.classes[answer].name,
                confidence=float(confidence[row]),
                truth_probability=float(scored.probability[row, truth]),
                missed=taxonomy.malignant[truth] and not taxonomy.malignant[answer],
                source=thumbnail(images[int(scored.rows[row])]),
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
