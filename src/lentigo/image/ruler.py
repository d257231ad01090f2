"""Is a ruler in the photograph: a straight line with even ticks on one side of it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lentigo.image.regions import shrunk

SIDE_PX = 224
_TICK = np.ones((7, 7), np.uint8)
_LINES = 12
_STEPS_PX = range(3, 9)
# Of the black-hat, grey levels: what counts as drawn, and the least variance of ticks.
_DRAWN, _ON_LINE, _LEAST_VARIANCE = 10, 8, 30.0


def ruler_regularity(rgb: NDArray[np.uint8]) -> float:
    """How regular the ticks beside the straightest dark lines are, 0 to 1.

    Along each of the longest lines the darkness a few pixels to either side is read. On a
    ruler it repeats at one step and at twice that step (autocorrelation), not in between,
    and on one side of the line only; beside a hair it does neither.

    Args:
        rgb: (H, W, 3) uint8 RGB, the whole photograph.
    """
    grey = cv2.cvtColor(shrunk(rgb, SIDE_PX), cv2.COLOR_RGB2GRAY)
    dark = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, _TICK)
    drawn = (dark > _DRAWN).astype(np.uint8) * 255
    found = cv2.HoughLinesP(drawn, 1, np.pi / 180, 50, minLineLength=55, maxLineGap=5)
    if found is None:
        return 0.0
    lines = found.reshape(-1, 4).astype(np.float64)
    longest = np.argsort(-np.hypot(lines[:, 2] - lines[:, 0], lines[:, 3] - lines[:, 1]))
    levels = dark.astype(np.float32)
    scores = [_regularity(levels, *lines[i]) for i in longest[:_LINES]]
    return float(np.clip(max(scores), 0, 1))


def _regularity(dark: NDArray[np.float32], x0: float, y0: float, x1: float, y1: float) -> float:
    length = int(np.hypot(x1 - x0, y1 - y0))
    along = np.arange(length) / length
    right, down = (x1 - x0) / length, (y1 - y0) / length

    def beside(offset: int) -> NDArray[np.float32]:
        x = (x0 + along * (x1 - x0) - down * offset).astype(np.float32)[None]
        y = (y0 + along * (y1 - y0) + right * offset).astype(np.float32)[None]
        return np.asarray(cv2.remap(dark, x, y, cv2.INTER_LINEAR)[0], np.float32)

    line = np.max([beside(i) for i in (-1, 0, 1)], axis=0)
    if (line > _ON_LINE).mean() < 0.8:
        return 0.0
    sides = [beside(3 * way) + beside(4 * way) + beside(5 * way) for way in (1, -1)]
    spreads = [float(side.var()) for side in sides]
    scores = [
        _repeats(sides[i] - sides[i].mean(), spreads[i]) * (1 - spreads[1 - i] / spreads[i])
        for i in (0, 1)
        if spreads[i] > max(_LEAST_VARIANCE, spreads[1 - i])
    ]
    return max(scores, default=0.0)


def _repeats(ticks: NDArray[np.float32], spread: float) -> float:
    """The best step's autocorrelation at one and two steps, less that in between."""

    def agreement(lag: int) -> float:
        return float((ticks[:-lag] * ticks[lag:]).mean() / spread)

    return max(
        min(agreement(step), agreement(2 * step))
        - max(0.0, agreement(step // 2) if step >= 4 else 0.0, agreement(3 * step // 2))
        for step in _STEPS_PX
    )
