"""Where in the image the cells of a feature map look, and maps drawn where they do.

A convolution that halves an image of even side pads it at the bottom and the right only
(TensorFlow's ``same``, and Keras's own padding in its MobileNets). By the arithmetic of
receptive fields (Araujo 2019) a cell then sees a region half a cell further down and right
than where the map is drawn. But trained weights lean to one side and take part of that back,
so how much is left is measured: a reflected image must give the reflected map, and by how
much the two lie apart is twice what the map is off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from keras import ops
from numpy.typing import NDArray

# Steps in which a cell is searched.
_FINE = 16


@dataclass(frozen=True)
class Sight:
    """How far from where they are drawn the cells of a map look.

    Attributes:
        down: In cells, positive where they look further down.
        across: In cells, positive where they look further to the right.
    """

    down: float
    across: float

    def drawn(self, maps: Any) -> Any:
        """Maps (B, h, w, k) moved to where their cells look, the outermost ones repeated."""
        return _moved(_moved(maps, self.down, 1), self.across, 2)


def measure_sight(
    maps_of: Callable[[NDArray[np.uint8]], NDArray[np.float32]], images: NDArray[np.uint8]
) -> Sight:
    """How far off maps are, from images and their reflections.

    Args:
        maps_of: Maps (n, h, w, k) of images (n, S, S, 3), of one view.
        images: Some that the network knows; with a hundred it is known to a fiftieth of a cell.

    Returns:
        The displacement with which maps of reflected images agree best, at most half a cell
        either way; none where the maps are flat.
    """
    plain = maps_of(images)
    strongest = plain.max(axis=(1, 2)).argmax(axis=1)
    found = []
    for axis in (1, 2):
        reflected = np.flip(maps_of(np.ascontiguousarray(np.flip(images, axis))), axis)
        pairs = [_lines(each, strongest, axis) for each in (plain, reflected)]
        found.append(_displacement(*pairs))
    return Sight(*found)


def _moved(maps: Any, cells: float, axis: int) -> Any:
    """Read between cells by cubic convolution (Keys 1981): straight lines would blur the map.

    In slices and a convolution: graphics processors in browsers know no gathering of rows.
    ``cells`` lies in [-1, 1].
    """
    whole = int(np.floor(-cells))
    first, last = (maps[:, :1], maps[:, -1:]) if axis == 1 else (maps[:, :, :1], maps[:, :, -1:])
    padded = ops.concatenate([first] * (1 - whole) + [maps] + [last] * (2 + whole), axis=axis)
    taps = np.array([_keys(abs(tap + cells + whole)) for tap in (-1, 0, 1, 2)], np.float32)
    line = taps.reshape((4, 1, 1, 1) if axis == 1 else (1, 4, 1, 1))
    return ops.depthwise_conv(padded, np.tile(line, (1, 1, maps.shape[-1], 1)), padding="valid")


def _keys(distance: float) -> float:
    if distance < 1:
        return 1.5 * distance**3 - 2.5 * distance**2 + 1
    return -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2 if distance < 2 else 0.0


def _lines(maps: NDArray[np.float32], chosen: NDArray[np.intp], axis: int) -> NDArray[np.float32]:
    """One map an image, smoothly enlarged, the axis in question first: (n, a, b)."""
    fine = [
        cv2.resize(each[..., c], None, fx=_FINE, fy=_FINE, interpolation=cv2.INTER_CUBIC)
        for each, c in zip(maps.astype(np.float32), chosen, strict=True)
    ]
    return np.moveaxis(np.stack(fine), axis, 1)


def _displacement(plain: NDArray[np.float32], reflected: NDArray[np.float32]) -> float:
    """In cells, how far the plain maps must move for both to lie where they belong."""
    likeness = []
    # In float64, whose rounding leaves flat maps flat.
    ours, theirs = (each - each.mean((1, 2), float, keepdims=True) for each in (plain, reflected))
    products = np.matmul(ours, theirs.swapaxes(1, 2))  # of all lines at once, for every shift
    side, width = ours.shape[1:]
    first, second = _sums(ours), _sums(theirs)
    for apart in range(-_FINE, _FINE + 1):
        start, end = max(0, -apart), side - max(0, apart)
        count = (end - start) * width
        left, left_squared = first[..., end] - first[..., start]
        right, right_squared = second[..., end + apart] - second[..., start + apart]
        together = np.trace(products, apart, axis1=1, axis2=2) - left * right / count
        spread = (left_squared - left**2 / count) * (right_squared - right**2 / count)
        likeness.append(np.mean(together / np.sqrt(np.maximum(spread, 1e-24))))
    if np.ptp(likeness) < 1e-6:
        return 0.0
    return (int(np.argmax(likeness)) - _FINE) / (2 * _FINE)


def _sums(lines: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of values (n, a, b) and of their squares, over the first 0, 1, ... a lines: (2, n, a + 1)."""
    each = np.stack([lines.sum(axis=2), (lines**2).sum(axis=2)])
    return np.pad(np.cumsum(each, axis=2), ((0, 0), (0, 0), (1, 0)))
