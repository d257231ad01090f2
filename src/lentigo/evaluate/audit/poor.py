"""Images that say little, judged as prepared and beside the others of their source.

The limits of ``lentigo quality`` are of photographs. In a prepared set the pixels have one size,
often smaller, and sharpness means another thing at each: shrinking raises it, enlarging lowers
it. So the limit rises as the size falls, and an image is called blurred only where it is also
much less sharp than its own source is. How sharp that is stands beside, because a set that is
soft as a whole has no image that stands out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lentigo.evaluate.audit.pairs import Pictures
from lentigo.image.quality import LAYOUT_PX, SHARPNESS_PX, Quality, assess, seen_square
from lentigo.image.subject import Subject, study
from lentigo.image.verdict import DEFAULT_THRESHOLDS, judge
from lentigo.machine import usable_cores

BLURRED = 0.2
"""Of the median sharpness of its source; what lies below is blurred (docs/results.md)."""

# Which checks of quality speak of what; a check that is not named is of the last kind.
_KINDS = {
    "not dermoscopic": {"calm as a close-up", "red as skin"},
    "little information": {
        "sharpness",
        "not too dark",
        "not too bright",
        "not burnt out",
        "little black frame",
        "a lesion stands out",
    },
    "lesion cut off or small": {"lesion not cut off", "lesion large enough"},
}
_OTHER = "glare, colour, or things on the skin"


@dataclass(frozen=True)
class Poor:
    """What ``poor_images`` found.

    Attributes:
        failed: Row of each image that fails a check to the checks that it fails.
        sharpness: Of each source the median, and the limit that follows, grey levels squared.
    """

    failed: Mapping[int, tuple[str, ...]]
    sharpness: Mapping[str, tuple[float, float]]

    @property
    def kinds(self) -> dict[str, list[int]]:
        """Rows by what is wrong with them: each kind of fault to its rows, ascending.

        Whether a close-up of skin was taken through a dermatoscope cannot be told here: what is
        found not to be dermoscopic is what does not look like a close-up of skin at all.
        """
        named = set().union(*_KINDS.values())
        found = {
            kind: sorted(row for row, failed in self.failed.items() if checks & set(failed))
            for kind, checks in _KINDS.items()
        }
        rest = sorted(row for row, failed in self.failed.items() if set(failed) - named)
        return found | {_OTHER: rest}


def poor_images(images: Pictures, sources: Sequence[str]) -> Poor:
    """Images that carry little information, and the checks that they fail.

    Judged on the prepared pixels, as the network gets them, by ``lentigo.image.verdict``: blur,
    darkness, glare, black frame, no lesion or a cut one, ruler or ink, not dermoscopic.

    Args:
        images: By row.
        sources: (N,) where each comes from, images of one size each: what is blurred is asked
            among them.
    """
    # OpenCV works outside the interpreter's lock, so threads are enough.
    with ThreadPoolExecutor(usable_cores()) as pool:
        measured = list(pool.map(lambda row: _measured(images[row]), range(len(images))))
    names = np.asarray(sources, str)
    sharpness = np.array([quality.sharpness for quality, _ in measured])
    limits, told = {}, {}
    for name in np.unique(names):
        rows = np.flatnonzero(names == name)
        median = float(np.median(sharpness[rows]))
        limit = min(BLURRED * median, _photograph_limit(len(images[int(rows[0])])))
        # How many pixels they have was chosen when they were prepared, and says nothing of one.
        asked = {"min_sharpness": limit, "min_square_px": 0.0}
        limits[name] = DEFAULT_THRESHOLDS.model_copy(update=asked)
        told[str(name)] = (median, limit)
    found = {
        row: judge(*measures, limits[names[row]]).failed for row, measures in enumerate(measured)
    }
    return Poor({row: failed for row, failed in found.items() if failed}, told)


def _photograph_limit(size: int) -> float:
    """What a photograph must have that was shrunk to fewer pixels than sharpness is judged at."""
    return DEFAULT_THRESHOLDS.min_sharpness * max(1.0, SHARPNESS_PX / size)


def _measured(rgb: NDArray[np.uint8]) -> tuple[Quality, Subject]:
    """Both looks; a picture smaller than where edges and specks are looked for is enlarged."""
    large = rgb
    if rgb.shape[0] < LAYOUT_PX:
        to = (LAYOUT_PX, LAYOUT_PX)
        large = np.asarray(cv2.resize(rgb, to, interpolation=cv2.INTER_CUBIC), np.uint8)
    return assess(large, seen_square(rgb)), study(large)
