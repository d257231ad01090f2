"""How a phantom's lesion is drawn: pigment in its own coordinates, then skin, light and hair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.floating[Any]]

# Skin under even light, Fitzpatrick I to VI, RGB in [0, 1]. Chosen by eye.
_SKINS = np.array(
    [
        (0.95, 0.80, 0.74),
        (0.92, 0.75, 0.66),
        (0.87, 0.68, 0.56),
        (0.78, 0.58, 0.45),
        (0.65, 0.46, 0.35),
        (0.54, 0.37, 0.28),
    ],
    dtype=np.float32,
)
# How strongly each kind of pigment absorbs R, G, B: brown melanin near the surface looks
# brown, deeper melanin blue-grey, blood red.
_BROWN = np.array((0.75, 1.25, 1.6), dtype=np.float32)
_BLUE_GREY = np.array((1.55, 1.15, 0.85), dtype=np.float32)
_RED = np.array((0.25, 1.2, 1.05), dtype=np.float32)
_NOISE_PX = 64
_HARMONICS = (2, 3, 4, 5)


@dataclass(frozen=True, eq=False)
class Lesion:
    """What stays the same in every image of a lesion.

    Attributes:
        kind: A code of ``lentigo.taxonomy.PHANTOM``.
        amplitude: (4,) outline harmonics, parts of the radius.
        phase: (4,) their phases in radians.
        strength: How dark its pigment is as a whole.
        redness: Share of red in its pigment, in [0, 1].
        turn: Direction of what has one (the dividing line), in radians.
        spots: (n, 3) centre x, y and radius of globules, in lesion radii.
        rays: Angles of spikes or streaks, increasing, in radians.
        texture: (64, 64) smooth noise in [-1, 1], tiled over the lesion.
    """

    kind: str
    amplitude: Field
    phase: Field
    strength: float
    redness: float
    turn: float
    spots: Field
    rays: Field
    texture: Field

    @staticmethod
    def draw(kind: str, rng: np.random.Generator) -> Lesion:
        """A lesion of a kind, from its own stream."""
        n_rays = int(rng.integers(9, 14))
        even = (np.arange(n_rays) + rng.uniform(-0.25, 0.25, n_rays)) / n_rays
        return Lesion(
            kind=kind,
            amplitude=rng.normal(0, 0.045, len(_HARMONICS)).astype(np.float32),
            phase=rng.uniform(0, 2 * np.pi, len(_HARMONICS)).astype(np.float32),
            strength=float(rng.uniform(0.75, 1.35)),
            redness=float(rng.uniform(0.0, 0.35)),
            turn=float(rng.uniform(0, 2 * np.pi)),
            spots=_spots(rng, int(rng.integers(9, 15))),
            rays=(2 * np.pi * even - np.pi).astype(np.float32),
            texture=_smooth_noise(rng, _NOISE_PX, cells=13),
        )


def render_view(
    lesion: Lesion, *, tone: int, hairiness: float, rng: np.random.Generator, size: int
) -> NDArray[np.uint8]:
    """One image of a lesion.

    Args:
        lesion: What is on the skin.
        tone: Index of the skin tone, 0 to 5.
        hairiness: Mean number of hairs.
        rng: The image's own stream: place, light, hair, ruler, noise.
        size: Edge in px.

    Returns:
        (size, size, 3) uint8 RGB.
    """
    x, y = _lesion_coordinates(rng, size)
    picture: Field = _skin(tone, rng, size)
    for density, absorption in _pigments(lesion, x, y):
        picture *= np.exp(-density[..., None] * absorption)
    if rng.random() < 0.25:
        _ruler(picture, rng)
    _hairs(picture, int(rng.poisson(hairiness)), rng)
    picture *= _light(rng, size)
    if rng.random() < 0.4:
        picture *= _vignette(rng, size)[..., None]
    picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.3, 0.9)) * size / 160)
    picture += rng.normal(0, rng.uniform(0.004, 0.014), picture.shape).astype(np.float32)
    done: NDArray[np.uint8] = (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
    return done


def _lesion_coordinates(rng: np.random.Generator, size: int) -> tuple[Field, Field]:
    """Each pixel's place in lesion radii, after a turn, a shift, a zoom and perhaps a mirror."""
    radius = float(rng.uniform(0.25, 0.35)) * size
    centre = size / 2 + rng.uniform(-0.07, 0.07, 2) * size
    angle = float(rng.uniform(0, 2 * np.pi))
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    across, down = (columns - centre[0]) / radius, (rows - centre[1]) / radius
    x = np.cos(angle) * across - np.sin(angle) * down
    y = np.sin(angle) * across + np.cos(angle) * down
    return x.astype(np.float32), y.astype(np.float32)


def _pigments(lesion: Lesion, x: Field, y: Field) -> list[tuple[Field, Field]]:
    """Density in [0, 2] and absorption (3,) of every pigment of a lesion."""
    angle = np.arctan2(y, x)
    depth = np.hypot(x, y) / _outline(lesion, angle)  # 0 in the middle, 1 at the rim
    inside = _step(1.0 - depth, 0.07)
    grain = 1 + 0.35 * _sample(lesion.texture, x, y)
    brown = _BROWN + lesion.redness * (_RED - _BROWN)
    if lesion.kind == "bicolour":
        half = _step(x * np.cos(lesion.turn) + y * np.sin(lesion.turn), 0.08)
        dense = inside * grain * lesion.strength
        return [(0.6 * dense * (1 - half), brown), (0.85 * dense * half, _BLUE_GREY)]
    shade = _shade(lesion, x, y, angle, depth, inside)
    return [(np.asarray(shade * grain * lesion.strength, dtype=np.float32), brown)]


def _shade(lesion: Lesion, x: Field, y: Field, angle: Field, depth: Field, inside: Field) -> Field:
    """The rule of a class: how dense its one pigment is, before strength and grain."""
    if lesion.kind == "globules":
        return inside * (0.4 + 0.85 * _cover(lesion.spots, x, y))
    if lesion.kind == "pale":
        return 0.17 * inside
    if lesion.kind == "ring":
        return inside * (0.25 + 0.75 * _step(depth - 0.66, 0.1))
    if lesion.kind == "streaks":
        # Spokes cross the rim: from inside it to well beyond, narrowing outward.
        spoke = _step(0.085 - _to_ray(lesion.rays, angle) * np.minimum(depth, 1.3), 0.07)
        band = _step(depth - 0.62, 0.08) * _step(1.3 - depth, 0.1)
        return np.asarray(np.maximum(0.42 * inside, 0.95 * spoke * band))
    return 0.62 * inside  # disc, and star by its outline


def _outline(lesion: Lesion, angle: Field) -> Field:
    """Radius of the rim in every direction, about 1."""
    radius: Field = np.ones_like(angle)
    for harmonic, amplitude, phase in zip(_HARMONICS, lesion.amplitude, lesion.phase, strict=True):
        radius += amplitude * np.cos(harmonic * angle + phase)
    if lesion.kind == "star":
        gap = 2 * np.pi / len(lesion.rays)
        spike = 1 - np.minimum(2 * _to_ray(lesion.rays, angle) / gap, 1)
        radius = 0.78 * radius + 0.48 * spike
    return radius


def _to_ray(rays: Field, angle: Field) -> Field:
    """Angle to the nearest ray, in radians, at least 0."""
    apart = np.abs(angle[..., None] - rays)
    return np.asarray(np.minimum(apart, 2 * np.pi - apart).min(axis=-1), dtype=np.float32)


def _cover(spots: Field, x: Field, y: Field) -> Field:
    """1 on a spot, 0 off all of them."""
    cover = np.zeros_like(x)
    for across, down, radius in spots:
        np.maximum(cover, _step(radius - np.hypot(x - across, y - down), 0.04), out=cover)
    return cover


def _spots(rng: np.random.Generator, count: int) -> Field:
    """Spots spread over the lesion: a sunflower's seeds, each a little displaced."""
    index = np.arange(count)
    distance = 0.78 * np.sqrt((index + 0.5) / count)
    angle = index * np.pi * (3 - np.sqrt(5)) + rng.uniform(0, 2 * np.pi)
    centres = np.stack([distance * np.cos(angle), distance * np.sin(angle)], axis=1)
    centres += rng.normal(0, 0.05, centres.shape)
    radii = rng.uniform(0.09, 0.15, (count, 1))
    return np.concatenate([centres, radii], axis=1).astype(np.float32)


def _step(value: Field, softness: float) -> Field:
    """0 well below zero, 1 well above, smooth over ``softness`` to either side."""
    part = np.clip(value / (2 * softness) + 0.5, 0, 1)
    return np.asarray(part * part * (3 - 2 * part), dtype=np.float32)


def _smooth_noise(rng: np.random.Generator, size: int, *, cells: int) -> Field:
    """(size, size) noise in [-1, 1] whose blobs are about ``size / cells`` px wide."""
    coarse = rng.uniform(-1, 1, (cells, cells)).astype(np.float32)
    noise: Field = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.clip(noise, -1, 1)


def _sample(texture: Field, x: Field, y: Field) -> Field:
    """The lesion's texture at places given in lesion radii."""
    scale = texture.shape[0] / 3.2
    middle = texture.shape[0] / 2
    sampled: Field = cv2.remap(
        texture, x * scale + middle, y * scale + middle, cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT
    )
    return sampled


def _skin(tone: int, rng: np.random.Generator, size: int) -> Field:
    """Skin with blotches, fine furrows and a white balance of its own."""
    colour = _SKINS[tone] * rng.normal(1, 0.035, 3)
    blotches = 0.035 * _smooth_noise(rng, size, cells=6)
    furrows = 0.03 * _smooth_noise(rng, size, cells=max(8, size // 5))
    return np.asarray(colour * (1 + blotches + furrows)[..., None], dtype=np.float32)


def _light(rng: np.random.Generator, size: int) -> Field:
    """(size, size, 1) brightness that falls off to one side."""
    angle, fall = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.22)
    rows, columns = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    slope = np.cos(angle) * columns + np.sin(angle) * rows
    return np.asarray(rng.uniform(0.85, 1.08) * (1 - fall * slope)[..., None], dtype=np.float32)


def _vignette(rng: np.random.Generator, size: int) -> Field:
    """Dark corners, as a round lens leaves them."""
    rows, columns = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    distance = np.hypot(rows, columns).astype(np.float32)
    return 0.06 + 0.94 * _step(rng.uniform(1.05, 1.3) - distance, 0.09)


def _hairs(picture: Field, count: int, rng: np.random.Generator) -> None:
    """Bent dark hairs, drawn into ``picture``."""
    size = picture.shape[0]
    cover = np.zeros(picture.shape[:2], dtype=np.uint8)
    for _ in range(count):
        start, end = rng.uniform(-0.1, 1.1, (2, 2)) * size
        bend = (start + end) / 2 + rng.normal(0, 0.12, 2) * size
        t = np.linspace(0, 1, 24)[:, None]
        curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end
        # Three fractional bits: thin lines move by less than a pixel.
        points = np.round(curve * 8).astype(np.int32)[:, None]
        thickness = max(1, round(size / 160 * rng.uniform(0.7, 1.6)))
        cv2.polylines(cover, [points], False, 255, thickness, cv2.LINE_AA, 3)
    opacity = (cover.astype(np.float32) / 255 * rng.uniform(0.6, 0.95))[..., None]
    picture += opacity * (np.array((0.16, 0.11, 0.09), dtype=np.float32) - picture)


def _ruler(picture: Field, rng: np.random.Generator) -> None:
    """Millimetre marks along one edge, drawn into ``picture``."""
    size = picture.shape[0]
    cover = np.zeros(picture.shape[:2], dtype=np.uint8)
    spacing = size * rng.uniform(0.045, 0.08)
    for mark in range(int(size / spacing) + 1):
        length = size * (0.075 if mark % 5 == 0 else 0.04)
        place = round(mark * spacing)
        cv2.line(cover, (place, 0), (place, round(length)), 255, max(1, size // 150), cv2.LINE_AA)
    cover = np.rot90(cover, int(rng.integers(4)))
    picture *= 1 - 0.85 * (cover.astype(np.float32) / 255)[..., None]
