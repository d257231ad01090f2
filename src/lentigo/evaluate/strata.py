"""Into which parts a set of images falls: age band, sex, site, source, diagnosis, skin tone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lentigo.data.oversampling import Images
from lentigo.image.skin import BANDS, band_of, typology_angle
from lentigo.machine import usable_cores

if TYPE_CHECKING:
    import pandas as pd

    from lentigo.data.prepared import PreparedSet

UNKNOWN = "unknown"
# In whole years, the first of each band.
_AGE_BANDS = (("0-29", 0), ("30-44", 30), ("45-59", 45), ("60-74", 60), ("75 or more", 75))
SKIN_TYPES = ("I", "II", "III", "IV", "V", "VI")
SKIN_PAIRS = ("I-II", "III-IV", "V-VI")
_ARABIC = dict(zip("123456", SKIN_TYPES, strict=True))

ESTIMATE_NOTE = (
    "Estimated from the skin around the lesion (individual typology angle after grey-edge "
    "colour correction, the median of a patient's or lesion's images). A rough guess: "
    "dermoscopy light, gel, polarisation, vignette and white balance all change it, and "
    "there is no ground truth here to check it against."
)


@dataclass(frozen=True)
class Axis:
    """One way to divide the images.

    Attributes:
        name: In files.
        title: For people.
        values: (n,) the stratum of each image.
        strata: All strata in the order they are shown, those without images included.
        note: What a reader must know of it; may be empty.
    """

    name: str
    title: str
    values: NDArray[np.object_]
    strata: tuple[str, ...]
    note: str = ""

    def masks(self) -> dict[str, NDArray[np.bool_]]:
        """(n,) which images belong, by stratum."""
        return {name: np.asarray(self.values == name) for name in self.strata}


def axes_of(prepared: PreparedSet, rows: NDArray[np.integer]) -> list[Axis]:
    """Every division of some rows of a prepared set.

    Skin tones that nobody noted are estimated from the prepared images, which takes about
    two milliseconds each.

    Args:
        prepared: The set.
        rows: (n,) row numbers.
    """
    known = prepared.manifest.iloc[rows]
    axes = [
        Axis("age", "Age", age_bands(known["age"]), tuple(n for n, _ in _AGE_BANDS)),
        _plain("sex", "Sex", known["sex"], ("female", "male")),
        _plain("site", "Site", known["site"]),
        _plain("source", "Source", known["source"]),
        _plain("confirmed_by", "How the diagnosis was made", known["confirmed_by"]),
        stated_tones(known["skin_tone"]),
    ]
    axes = [_with_unknown(axis) for axis in axes]
    if (axes[-1].values == UNKNOWN).any() and not prepared.spec.greyscale:
        axes.append(_with_unknown(estimated_tones(prepared, rows)))
    return axes


def age_bands(age: pd.Series[float]) -> NDArray[np.object_]:
    """The band of each age in years (n,)."""
    years = age.to_numpy(dtype=np.float64)
    starts = np.array([start for _, start in _AGE_BANDS])
    names = np.array([name for name, _ in _AGE_BANDS], dtype=object)
    bands = names[np.searchsorted(starts, np.nan_to_num(years), side="right") - 1]
    return np.where(np.isnan(years), UNKNOWN, bands)


def stated_tones(stated: pd.Series[str]) -> Axis:
    """Fitzpatrick types as the source states them.

    All six types are shown, with or without images; the three pairs where the source knows
    pairs only. What is neither (another scale) is shown as it is written.
    """
    values = [_tone(text) for text in stated]
    pairs = any(value in SKIN_PAIRS for value in values)
    if pairs:
        values = [
            SKIN_PAIRS[SKIN_TYPES.index(value) // 2] if value in SKIN_TYPES else value
            for value in values
        ]
    expected = SKIN_PAIRS if pairs else SKIN_TYPES
    other = sorted({*values} - {*expected, UNKNOWN})
    note = "Types stated in pairs: what holds for each of the two is not known." if pairs else ""
    title = "Skin tone, stated (Fitzpatrick type)"
    return Axis("skin_tone", title, np.array(values, dtype=object), (*expected, *other), note)


def _tone(text: str) -> str:
    """``I`` to ``VI``, a pair of them, or the text as it stands."""
    plain = text.strip().upper().removesuffix(".0")
    plain = re.sub(r"^(FITZPATRICK|TYPE|SKIN TYPE)\s*", "", plain)
    plain = _ARABIC.get(plain, plain)
    if plain in SKIN_TYPES or plain in SKIN_PAIRS:
        return plain
    return text.strip() or UNKNOWN


def estimated_tones(prepared: PreparedSet, rows: NDArray[np.integer]) -> Axis:
    """Bands of the individual typology angle: one estimate a group, shared by its images."""
    angles = typology_angles(prepared.images, rows)
    groups = prepared.groups[rows]
    pooled = pooled_by(groups, angles)
    values = [UNKNOWN if np.isnan(angle) else band_of(float(angle)) for angle in pooled]
    return Axis(
        "skin_tone_estimate",
        "Skin tone, estimated (ITA)",
        np.array(values, dtype=object),
        tuple(name for name, _ in BANDS),
        ESTIMATE_NOTE,
    )


def typology_angles(images: Images, rows: NDArray[np.integer]) -> NDArray[np.float64]:
    """The estimated angle (n,) of each row in degrees, NaN where there is none.

    Args:
        images: (N, S, S, 3) uint8, read row by row.
        rows: (n,) row numbers.
    """

    def angle(row: int) -> float:
        found = typology_angle(np.ascontiguousarray(images[row])).angle_deg
        return float("nan") if found is None else found

    with ThreadPoolExecutor(usable_cores()) as pool:
        return np.array(list(pool.map(angle, rows.tolist())), dtype=np.float64)


def pooled_by(groups: NDArray[np.object_], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each value (n,) replaced by the median of its group's, NaN where none is known."""
    _, numbers = np.unique(groups.astype(str), return_inverse=True)
    pooled = np.full(len(values), np.nan)
    order = np.argsort(numbers, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1):
        known = values[members][~np.isnan(values[members])]
        if len(known):
            pooled[members] = np.median(known)
    return pooled


def _plain(name: str, title: str, cells: pd.Series[str], expected: Sequence[str] = ()) -> Axis:
    """Strata as the cells name them, the largest first, after those that are expected."""
    values = np.array([text.strip().lower() or UNKNOWN for text in cells], dtype=object)
    found, counts = np.unique(values.astype(str), return_counts=True)
    by_size = [str(found[i]) for i in np.argsort(-counts, kind="stable")]
    others = [each for each in by_size if each not in {*expected, UNKNOWN}]
    return Axis(name, title, values, (*expected, *others))


def _with_unknown(axis: Axis) -> Axis:
    """The axis with a last stratum of what is not known, where there is any."""
    if UNKNOWN in axis.strata or not (axis.values == UNKNOWN).any():
        return axis
    return Axis(axis.name, axis.title, axis.values, (*axis.strata, UNKNOWN), axis.note)
