"""What the estimated skin tone is worth, measured without a ground truth: docs/results.md.

Four questions: how much lesion is taken for skin (HAM10000's outlines judge), how far the
angle moves for that, how far it agrees with itself over images of one lesion (HAM10000) or
one patient (ISIC 2020), and what each colour correction does to both.

    python scripts/skin_tone_reliability.py ../shared/data
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lentigo.image.colour import ColourConstancy, shades_of_grey
from lentigo.image.decode import decode
from lentigo.image.regions import lesion_and_skin, shrunk, usable, without_hair
from lentigo.image.skin import (
    BANDS,
    LEAST_YELLOW,
    SIDE_PX,
    band_of,
    grey_edge_gains,
    typology_angle,
)

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def plain(rgb: Image, _: Mask) -> NDArray[np.float64]:
    """No correction."""
    return rgb.astype(np.float64)


def shades(rgb: Image, _: Mask) -> NDArray[np.float64]:
    """Shades of grey, power 6."""
    return shades_of_grey(rgb, ColourConstancy()).astype(np.float64)


def white_patch(rgb: Image, where: Mask) -> NDArray[np.float64]:
    """The 99th percentile of each channel becomes neutral; brightness is kept."""
    top = np.quantile(rgb[where], 0.99, axis=0)
    return np.asarray(np.clip(rgb * (top.mean() / np.maximum(top, 1)), 0, 255))


def grey_edge(rgb: Image, where: Mask) -> NDArray[np.float64]:
    """What lentigo does."""
    return np.asarray(np.clip(rgb * grey_edge_gains(rgb, where), 0, 255))


CORRECTIONS: dict[str, Callable[[Image, Mask], NDArray[np.float64]]] = {
    "none": plain,
    "shades of grey": shades,
    "white patch": white_patch,
    "grey-edge": grey_edge,
}


def angles_of(path: Path) -> dict[str, float]:
    """Angle and b* of the skin after each correction."""
    rgb = shrunk(decode(path), SIDE_PX)
    where = usable(rgb)
    _, skin = lesion_and_skin(rgb, where)
    skin = without_hair(rgb, skin)
    found: dict[str, float] = {"share": float(skin.mean())}
    if skin.sum() < 200:
        return found
    for name, correct in CORRECTIONS.items():
        colours = (correct(rgb, where)[skin] / 255).astype(np.float32)
        lab = cv2.cvtColor(colours[None], cv2.COLOR_RGB2LAB)[0]
        light, _, yellow = np.median(lab, axis=0)
        found[f"{name} b*"] = float(yellow)
        found[f"{name} angle"] = float(np.degrees(np.arctan2(light - 50, yellow)))
    return found


def many(paths: Iterable[Path]) -> pd.DataFrame:
    """``angles_of`` over two threads."""
    with ThreadPoolExecutor(2) as pool:
        return pd.DataFrame(list(pool.map(angles_of, paths)))


def agreement(values: pd.Series[float], owner: pd.Series[str]) -> tuple[float, float, int]:
    """Intraclass correlation (one-way, Shrout and Fleiss 1979), spread within, owners."""
    known = pd.DataFrame({"x": values, "g": owner}).dropna()
    known = known[known.groupby("g")["x"].transform("size") > 1]
    groups = known.groupby("g")["x"]
    size, n, k = groups.size(), len(known), groups.ngroups
    if k < 2 or n == k:
        return float("nan"), float("nan"), k
    within = ((known["x"] - groups.transform("mean")) ** 2).sum() / (n - k)
    between = (size * (groups.mean() - known["x"].mean()) ** 2).sum() / (k - 1)
    usual = (n - (size**2).sum() / n) / (k - 1)
    return (between - within) / (between + (usual - 1) * within), float(within**0.5), k


def report(title: str, found: pd.DataFrame, owner: pd.Series[str]) -> None:
    """One table of corrections."""
    say(f"\n{title}: {len(found)} images\n")
    say("| correction | median angle | b* under 5 | ICC | spread within | bands, light to dark |")
    say("| --- | ---: | ---: | ---: | ---: | --- |")
    for name in CORRECTIONS:
        angle, yellow = found[f"{name} angle"], found[f"{name} b*"]
        kept = angle.where(yellow >= LEAST_YELLOW)
        icc, spread, owners = agreement(kept, owner)
        shares = [
            f"{(kept.dropna().map(band_of) == band).sum() / len(found):.0%}" for band, _ in BANDS
        ]
        say(
            f"| {name} | {angle.median():.0f}° | {(yellow < LEAST_YELLOW).mean():.0%} "
            f"| {icc:.2f} ({owners}) | {spread:.1f}° | {' '.join(shares)} |"
        )


def masks(folder: Path, every: int) -> None:
    """How much of what is taken for skin is lesion, and what that does to the angle."""
    wrong, shares, gaps, withheld = [], [], [], 0
    for file in sorted((folder / "masks").iterdir())[::every]:
        rgb = decode(folder / "images" / f"{file.name[:12]}.jpg")
        lesion = np.asarray(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)) > 0
        small = shrunk(rgb, SIDE_PX)
        size = (small.shape[1], small.shape[0])
        inside = cv2.resize(lesion.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        _, skin = lesion_and_skin(small, usable(small))
        shares.append(skin.mean())
        wrong.append((skin & inside).sum() / max(skin.sum(), 1))
        around = cv2.dilate(lesion.astype(np.uint8), np.ones((15, 15), np.uint8)) == 0
        own, judged = typology_angle(rgb), typology_angle(rgb, around)
        withheld += own.angle_deg is None
        if own.angle_deg is not None and judged.angle_deg is not None and around.mean() > 0.1:
            gaps.append(abs(own.angle_deg - judged.angle_deg))
    say(f"\nSkin without a mask, {len(wrong)} frames of HAM10000:")
    say(f"- taken for skin: median {np.median(shares):.0%} of the frame")
    tail = np.quantile(wrong, 0.9)
    say(f"- of that lesion: median {np.median(wrong):.1%}, 90th percentile {tail:.1%}")
    say(f"- angle against that of the skin outside the outline ({len(gaps)} frames):")
    say(
        f"  median difference {np.median(gaps):.1f}°, 90th percentile {np.quantile(gaps, 0.9):.1f}°"
    )
    say(f"- no angle: {withheld / len(wrong):.1%}")


def say(text: str) -> None:
    """A line of the result."""
    sys.stdout.write(f"{text}\n")


def main() -> None:
    """All four questions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="The folder with ham10000/ and isic2020/.")
    parser.add_argument("--every", type=int, default=10, help="Every n-th mask of HAM10000.")
    data = parser.parse_args().data
    ham = data / "ham10000"
    masks(ham, parser.parse_args().every)
    table = pd.read_csv(ham / "HAM10000_metadata.csv")
    repeated = table[table.groupby("lesion_id")["image_id"].transform("size") > 1]
    repeated = repeated.sort_values("image_id").reset_index(drop=True)
    found = many(ham / "images" / f"{each}.jpg" for each in repeated["image_id"])
    report("HAM10000, lesions with several images", found, repeated["lesion_id"])
    truth = pd.read_csv(data / "isic2020" / "ISIC_2020_Training_GroundTruth_v2.csv")
    here = {path.stem: path for path in (data / "isic2020" / "train").iterdir()}
    truth = truth[truth["image_name"].isin(here)].reset_index(drop=True)
    found = many(here[name] for name in truth["image_name"])
    report("ISIC 2020, patients", found, truth["patient_id"])


if __name__ == "__main__":
    main()
