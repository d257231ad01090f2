"""Is the photograph good enough, and is it skin at all? Warns, never blocks.

Each measure of ``lentigo.image.quality`` and ``lentigo.image.subject`` is held against a
threshold that was chosen on real images (``scripts/quality_thresholds.py``; the error rates
stand in docs/results.md). Thresholds may travel in a bundle, so that every device judges alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from lentigo.image.decode import decode_bgr
from lentigo.image.quality import SHARPNESS_PX, Quality, assess, seen_square
from lentigo.image.regions import shrunk
from lentigo.image.spec import SPARE
from lentigo.image.subject import Subject, study


class QualityThresholds(BaseModel):
    """What a measure may be at most or must be at least, in its own unit."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    # At half of the 224 pixels that most networks take, one answer in ten becomes another.
    min_square_px: float = Field(default=112.0, ge=0, le=SHARPNESS_PX)
    min_sharpness: float = Field(default=8.0, ge=0)
    min_brightness: float = Field(default=60.0, ge=0, le=255)
    max_brightness: float = Field(default=240.0, ge=0, le=255)
    max_overexposed_share: float = Field(default=0.10, ge=0, le=1)
    max_glare_share: float = Field(default=0.02, ge=0, le=1)
    max_colour_cast: float = Field(default=40.0, ge=0)
    max_black_frame_share: float = Field(default=0.35, ge=0, le=1)
    min_lesion_contrast: float = Field(default=9.0, ge=0)
    min_lesion_share: float = Field(default=0.014, ge=0, le=1)
    max_lesion_cut_share: float = Field(default=0.2, ge=0, le=1)
    max_ink_share: float = Field(default=0.008, ge=0, le=1)
    max_ruler_regularity: float = Field(default=0.18, ge=0, le=1)
    max_blockiness: float = Field(default=5.0, ge=1)
    max_busyness: float = Field(default=88.0, ge=0)
    min_redness: float = Field(default=2.0, ge=-255, le=255)


DEFAULT_THRESHOLDS = QualityThresholds()

_NO_SKIN = "This does not look like a close-up of skin: the answer means nothing for anything else."


@dataclass(frozen=True)
class Check:
    """One question to a photograph.

    Attributes:
        name: In files.
        measure: Field of ``Quality`` or ``Subject``.
        unit: Of the measure.
        limit: Field of ``QualityThresholds``; ``min_`` or ``max_`` says which way.
        hint: What to do, in plain words.
        of_skin: Whether it means anything only where the photograph shows skin.
        of_closeup: Whether it means anything only where the photograph is calm as a close-up;
            in the wrong light skin is not red.
        closer: Whether only ``lentigo quality`` asks it, and neither ``predict`` nor a page.
    """

    name: str
    measure: str
    unit: str
    limit: str
    hint: str
    of_skin: bool = False
    of_closeup: bool = False
    closer: bool = False


CHECKS: tuple[Check, ...] = (
    Check("calm as a close-up", "busyness", "grey levels", "max_busyness", _NO_SKIN),
    Check("red as skin", "redness", "grey levels", "min_redness", _NO_SKIN),
    Check(
        "enough pixels",
        "square_px",
        "pixels",
        "min_square_px",
        "The photo has too few pixels: take it larger, and do not send a thumbnail.",
    ),
    Check(
        "sharpness",
        "sharpness",
        "grey levels²",
        "min_sharpness",
        "The photo is blurred: hold still, or move away until it is in focus.",
    ),
    Check(
        "not too dark",
        "brightness",
        "grey levels",
        "min_brightness",
        "The photo is too dark: use more light.",
    ),
    Check(
        "not too bright",
        "brightness",
        "grey levels",
        "max_brightness",
        "The photo is too bright: use less light.",
        closer=True,
    ),
    Check(
        "not burnt out",
        "overexposed_share",
        "share",
        "max_overexposed_share",
        "Parts of the photo are burnt out to white: use less light or avoid glare.",
    ),
    Check(
        "no glare",
        "glare_share",
        "share",
        "max_glare_share",
        "Bright reflections lie on the skin: use more even light, or tilt the camera a little.",
        of_skin=True,
        closer=True,
    ),
    Check(
        "no colour cast",
        "colour_cast",
        "ΔE*ab",
        "max_colour_cast",
        "The colours are off: use white light, and let the camera balance its white.",
        of_closeup=True,
        closer=True,
    ),
    Check(
        "little black frame",
        "black_frame_share",
        "share",
        "max_black_frame_share",
        "Much of the photo is black frame: move closer or zoom in.",
    ),
    Check(
        "a lesion stands out",
        "lesion_contrast",
        "ΔE*ab",
        "min_lesion_contrast",
        "No lesion stands out from the skin: bring it to the middle of the photo.",
        of_skin=True,
        closer=True,
    ),
    Check(
        "lesion large enough",
        "lesion_share",
        "share",
        "min_lesion_share",
        "The lesion is small in the photo: move closer.",
        of_skin=True,
        closer=True,
    ),
    Check(
        "lesion not cut off",
        "lesion_cut_share",
        "share",
        "max_lesion_cut_share",
        "The lesion is cut off at the edge: move away, or bring it to the middle.",
        of_skin=True,
        closer=True,
    ),
    Check(
        "no ink or sticker",
        "ink_share",
        "share",
        "max_ink_share",
        "Ink, a sticker or a coloured patch is in the photo: keep it out of the picture.",
        of_skin=True,
        closer=True,
    ),
    Check(
        "no ruler",
        "ruler_regularity",
        "regularity, 0 to 1",
        "max_ruler_regularity",
        "A ruler is in the photo: keep it out of the picture.",
        of_skin=True,
        closer=True,
    ),
    Check(
        "no JPEG blocks",
        "blockiness",
        "ratio",
        "max_blockiness",
        "The photo was compressed too strongly: save or send it in better quality.",
        closer=True,
    ),
)


@dataclass(frozen=True)
class Finding:
    """The answer to one check.

    Attributes:
        check: The question.
        value: Of the measure.
        limit: The threshold.
        ok: Whether it was kept; None where the question has no meaning, without skin.
    """

    check: Check
    value: float
    limit: float
    ok: bool | None


@dataclass(frozen=True)
class Verdict:
    """All answers about one photograph, in the order of ``CHECKS``."""

    findings: tuple[Finding, ...]

    @property
    def skin_like(self) -> bool:
        """Calm enough and reddish enough for a close-up of skin; a hint, not a proof."""
        return not any(f.ok is False and f.check.hint == _NO_SKIN for f in self.findings)

    @property
    def good(self) -> bool:
        """Whether there is nothing to warn of."""
        return not self.failed

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the checks that were not kept."""
        return tuple(each.check.name for each in self.findings if each.ok is False)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Plain sentences with advice, each once; empty where nothing is wrong."""
        return tuple(dict.fromkeys(f.check.hint for f in self.findings if f.ok is False))

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "good": self.good,
            "checks": [
                {
                    "name": each.check.name,
                    "measure": each.check.measure,
                    "value": each.value,
                    "unit": each.check.unit,
                    ("at_least" if each.check.limit.startswith("min_") else "at_most"): each.limit,
                    "ok": each.ok,
                    "hint": each.check.hint if each.ok is False else "",
                }
                for each in self.findings
            ],
        }


def judge(
    quality: Quality, subject: Subject | None = None, thresholds: QualityThresholds | None = None
) -> Verdict:
    """Hold measures against thresholds.

    Args:
        quality: What every photograph is asked.
        subject: What a closer look found; None leaves its questions out.
        thresholds: None are the defaults.
    """
    limits = thresholds or DEFAULT_THRESHOLDS
    calm = quality.busyness <= limits.max_busyness
    skin = calm and quality.redness >= limits.min_redness
    values = vars(quality) | ({} if subject is None else vars(subject))
    asked = [check for check in CHECKS if subject is not None or not check.closer]
    return Verdict(
        tuple(
            _answer(
                check,
                values[check.measure],
                float(getattr(limits, check.limit)),
                meant=(skin or not check.of_skin) and (calm or not check.of_closeup),
            )
            for check in asked
        )
    )


def judge_file(source: Path | str | bytes, thresholds: QualityThresholds | None = None) -> Verdict:
    """All there is to say of an image file, or of the content of one.

    Raises:
        ImageError: The file is missing, truncated, or not an image.
    """
    bgr = decode_bgr(source, enough_px=SPARE * SHARPNESS_PX)
    # Shrunk to one size, which the limits of the closer questions were found at.
    small, seen = (
        np.asarray(cv2.cvtColor(each, cv2.COLOR_BGR2RGB), dtype=np.uint8)
        for each in (shrunk(bgr, SPARE * SHARPNESS_PX), seen_square(bgr))
    )
    return judge(assess(small, seen), study(small), thresholds)


def _answer(check: Check, value: float, limit: float, *, meant: bool) -> Finding:
    kept = value >= limit if check.limit.startswith("min_") else value <= limit
    return Finding(check, value, limit, kept if meant else None)
