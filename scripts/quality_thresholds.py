"""Choose the thresholds of photo quality on real images, and measure what they do.

Real images are dealt in two halves by a digest of their name. On the first half the limits
are proposed: what one image in 200 of a set goes beyond, the loosest of the sets. On the
second half, with the limits that lentigo has (or that a file names), false alarms are
counted as they are, and hits on images that were spoilt on purpose. Framing is judged by
HAM10000's outlines.

    python scripts/quality_thresholds.py ../shared/data --n 800
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lentigo.image.decode import decode
from lentigo.image.quality import assess
from lentigo.image.subject import study
from lentigo.image.verdict import CHECKS, Verdict, judge

Image = NDArray[np.uint8]
SETS = {
    "HAM10000 frames": "ham10000/images/*.jpg",
    "HAM10000 crops": "ham10000_224/images/*.jpg",
    "ISIC 2017": "isic2017/ISIC-2017_Training_Data/*.jpg",
    "ISIC 2020": "isic2020/train/*.jpg",
}
TAIL = 0.005


def number(path: Path) -> int:
    """A number that only the file's name decides."""
    return int(hashlib.sha256(path.name.encode()).hexdigest()[:8], 16)


def sampled(data: Path, pattern: str, n: int) -> list[Path]:
    """At most n files, the same everywhere."""
    return sorted(data.glob(pattern), key=number)[:n]


def half(paths: Iterable[Path], which: int) -> list[Path]:
    """The first (0) or second (1) half."""
    return [path for path in paths if number(path) // 7 % 2 == which]


def blurred(rgb: Image, sigma: float) -> Image:
    """Gaussian blur of sigma pixels at 224."""
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), sigma * min(rgb.shape[:2]) / 224), np.uint8)


def scaled(rgb: Image, gains: tuple[float, float, float]) -> Image:
    """Each channel times its factor."""
    return np.asarray(np.clip(rgb * np.array(gains), 0, 255), np.uint8)


def with_glare(rgb: Image, rng: np.random.Generator) -> Image:
    """Six soft white ellipses anywhere, 3 to 7% of the shorter side in radius."""
    height, width = rgb.shape[:2]
    light = np.zeros((height, width), np.float32)
    for _ in range(6):
        size = rng.uniform(0.03, 0.07, 2) * min(height, width)
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        axes = (max(1, int(size[0])), max(1, int(size[1])))
        cv2.ellipse(light, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1.0, -1)
    soft = cv2.GaussianBlur(light, (0, 0), 0.008 * min(height, width) + 0.3)[..., None]
    return np.asarray(rgb * (1 - soft) + 255 * soft, dtype=np.uint8)


def with_ink(rgb: Image, rng: np.random.Generator) -> Image:
    """Three violet strokes of a skin marker near the border."""
    height, width = rgb.shape[:2]
    short = min(height, width)
    marked = rgb.copy()
    for _ in range(3):
        side = rng.integers(4)
        x, y = rng.uniform(0.05, 0.95) * width, rng.uniform(0.05, 0.95) * height
        x = (0.08 * width, 0.92 * width, x, x)[side]
        y = (y, y, 0.08 * height, 0.92 * height)[side]
        for _ in range(4):
            step = rng.uniform(-0.08, 0.08, 4) * short
            start = (int(x + step[0]), int(y + step[1]))
            end = (int(x + step[2]), int(y + step[3]))
            cv2.line(marked, start, end, (92, 60, 140), max(1, round(0.012 * short)), cv2.LINE_AA)
    return marked


def compressed(rgb: Image, quality: int) -> Image:
    """Through JPEG and back."""
    encoded = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(
        np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)[..., ::-1]
    )


SPOILT: dict[str, tuple[str, Callable[[Image, np.random.Generator], Image]]] = {
    "blur, 2 pixels at 224": ("sharpness", lambda x, _: blurred(x, 2)),
    "blur, 3 pixels at 224": ("sharpness", lambda x, _: blurred(x, 3)),
    "0.3 of the light": ("not too dark", lambda x, _: scaled(x, (0.3, 0.3, 0.3))),
    "1.8 of the light": ("not burnt out", lambda x, _: scaled(x, (1.8, 1.8, 1.8))),
    "six reflections": ("no glare", with_glare),
    "tungsten light": ("no colour cast", lambda x, _: scaled(x, (1.3, 1.0, 0.5))),
    "blue light": ("no colour cast", lambda x, _: scaled(x, (0.65, 0.9, 1.4))),
    "green light": ("no colour cast", lambda x, _: scaled(x, (0.8, 1.2, 0.7))),
    "ink, three strokes": ("no ink or sticker", with_ink),
    "JPEG of quality 10": ("no JPEG blocks", lambda x, _: compressed(x, 10)),
    "JPEG of quality 20": ("no JPEG blocks", lambda x, _: compressed(x, 20)),
}


def masked(data: Path, paths: Iterable[Path]) -> Iterator[tuple[Image, NDArray[np.bool_]]]:
    """HAM10000 frames with their outlines."""
    for path in paths:
        mask = next((data / "ham10000" / "masks").glob(f"{path.stem}*"))
        yield decode(path), np.asarray(cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE)) > 0


def half_out(rgb: Image, lesion: NDArray[np.bool_]) -> Image | None:
    """Cropped through the middle of the lesion; None where hardly anything would be left."""
    columns = np.flatnonzero(lesion.any(axis=0))
    if not len(columns):
        return None
    middle = int(columns.mean())
    left, right = rgb[:, middle:], rgb[:, :middle]
    kept = left if left.shape[1] >= right.shape[1] else right
    return np.ascontiguousarray(kept) if kept.shape[1] >= 80 else None


def skin_only(rgb: Image, lesion: NDArray[np.bool_]) -> Image | None:
    """The largest of some squares that hold no lesion; None under 64 pixels."""
    clear = (cv2.dilate(lesion.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0).astype(np.uint8)
    padded = cv2.copyMakeBorder(clear, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    room = cv2.distanceTransform(padded, cv2.DIST_C, 3)[1:-1, 1:-1]
    row, column = np.unravel_index(int(room.argmax()), room.shape)
    reach = int(room[row, column]) - 1
    if 2 * reach < 64:
        return None
    return np.ascontiguousarray(rgb[row - reach : row + reach, column - reach : column + reach])


def shrunken(rgb: Image, lesion: NDArray[np.bool_], share: float) -> Image | None:
    """The lesion made small, to a share of the frame, on its own skin; None where it was smaller.

    What it covered is filled from the skin around it, so that the light stays as it was.
    """
    was = float(lesion.mean())
    rows, columns = np.nonzero(lesion)
    if was <= share or not len(rows):
        return None
    rim = cv2.dilate(lesion.astype(np.uint8), np.ones((11, 11), np.uint8))
    if rim.mean() > 0.6:
        return None  # hardly any skin to fill with
    skin = cv2.inpaint(rgb, rim, 5, cv2.INPAINT_TELEA)
    top, left = max(rows.min() - 5, 0), max(columns.min() - 5, 0)
    place = slice(top, rows.max() + 6), slice(left, columns.max() + 6)
    by = (share / was) ** 0.5
    small = cv2.resize(rgb[place], None, fx=by, fy=by, interpolation=cv2.INTER_AREA)
    soft = cv2.resize(rim[place].astype(np.float32), small.shape[1::-1])[..., None]
    height, width = small.shape[:2]
    down, across = (rgb.shape[0] - height) // 2, (rgb.shape[1] - width) // 2
    there = slice(down, down + height), slice(across, across + width)
    skin[there] = (skin[there] * (1 - soft) + small * soft).astype(np.uint8)
    return np.asarray(skin, np.uint8)


def everyday(data: Path) -> list[tuple[str, Image]]:
    """Photographs that show no skin: those of the data, scikit-learn's and scikit-image's."""
    found = [(path.name, decode(path)) for path in sorted((data / "not_skin").iterdir())]
    try:
        from sklearn.datasets import load_sample_images  # noqa: PLC0415 - may be absent

        found += [(f"sklearn {i}", image) for i, image in enumerate(load_sample_images().images)]
    except ImportError:
        say("scikit-learn is not installed; its samples are left out.")
    try:
        from skimage import data as samples  # noqa: PLC0415 - may be absent
    except ImportError:
        say("scikit-image is not installed; its samples are left out.")
        return found
    folder = Path(samples.__file__).parent
    for path in sorted([*folder.glob("*.png"), *folder.glob("*.jpg")]):
        image = decode(path)
        if min(image.shape[:2]) >= 64:
            found.append((path.name, image))
    return found


def share(hits: int, n: int) -> str:
    """``12.3% (of 400)``."""
    return f"{hits / n:.1%} (of {n})" if n else "–"


def say(text: str) -> None:
    """A line of the result."""
    sys.stdout.write(f"{text}\n")


def measured(images: Iterable[Image]) -> list[Verdict]:
    """Both looks at each image, over two threads."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda image: judge(assess(image), study(image)), images))


def propose(found: dict[str, list[Verdict]]) -> None:
    """What one image in 200 of each set goes beyond."""
    say("| limit | now | " + " | ".join(found) + " |\n| --- | ---: " + "| ---: " * len(found) + "|")
    for i, check in enumerate(CHECKS):
        tail = TAIL if check.limit.startswith("min_") else 1 - TAIL
        cells = [
            f"{np.quantile([v.findings[i].value for v in verdicts], tail):.3g}"
            for verdicts in found.values()
        ]
        limit = next(iter(found.values()))[0].findings[i].limit
        say(f"| `{check.limit}` | {limit:g} | {' | '.join(cells)} |")


def false_alarms(found: dict[str, list[Verdict]]) -> None:
    """Warnings on real images as they are."""
    say("\n| check | " + " | ".join(found) + " |\n| --- " + "| ---: " * len(found) + "|")
    for check in CHECKS:
        cells = [
            f"{sum(check.name in v.failed for v in each) / len(each):.1%}"
            for each in found.values()
        ]
        say(f"| {check.name} | {' | '.join(cells)} |")
    first = {check.name for check in CHECKS if not check.closer}
    for title, kept in (("any that `predict` asks", first), ("any", {c.name for c in CHECKS})):
        cells = [
            share(sum(bool(kept & {*v.failed}) for v in each), len(each)) for each in found.values()
        ]
        say(f"| {title} | {' | '.join(cells)} |")


def hits(title: str, wanted: str, verdicts: list[Verdict]) -> None:
    """A line: how often the wanted check, and how often any, warned."""
    own = share(sum(wanted in v.failed for v in verdicts), len(verdicts))
    anyone = share(sum(not v.good for v in verdicts), len(verdicts))
    say(f"| {title} | {wanted} | {own} | {anyone} |")


def framing(data: Path, paths: list[Path]) -> None:
    """Lesions cut, absent and small, by the outlines."""
    pairs = list(masked(data, paths))
    cut = [each for each in (half_out(*pair) for pair in pairs) if each is not None]
    hits("cropped through the lesion", "lesion not cut off", measured(cut))
    bare = [each for each in (skin_only(*pair) for pair in pairs) if each is not None]
    hits("skin without the lesion", "a lesion stands out", measured(bare))
    for share in (0.01, 0.005):
        small = [each for each in (shrunken(*pair, share) for pair in pairs) if each is not None]
        title = f"lesion shrunk to {share:.1%} of the frame"
        hits(title, "lesion large enough", measured(small))
    tiny = [rgb for rgb, lesion in pairs if lesion.mean() < 0.02]
    hits("outline under 2% of the frame", "lesion large enough", measured(tiny))


def main() -> None:
    """Proposals, false alarms, hits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--n", type=int, default=800, help="Images a set.")
    args = parser.parse_args()
    files = {name: sampled(args.data, glob, args.n) for name, glob in SETS.items()}
    say("Proposed on the first half:\n")
    propose({name: measured(map(decode, half(each, 0))) for name, each in files.items()})
    say("\nFalse alarms on the second half:")
    second = {name: half(each, 1) for name, each in files.items()}
    false_alarms({name: measured(map(decode, each)) for name, each in second.items()})
    say("\n| spoilt | check | found by it | by any |\n| --- | --- | ---: | ---: |")
    some = [path for each in second.values() for path in each[: args.n // 4]]
    for title, (wanted, spoil) in SPOILT.items():
        rng = np.random.default_rng(0)
        hits(title, wanted, measured([spoil(decode(path), rng) for path in some]))
    framing(args.data, second["HAM10000 frames"])
    others = everyday(args.data)
    verdicts = measured(image for _, image in others)
    like = [name for (name, _), v in zip(others, verdicts, strict=True) if v.skin_like]
    say(f"| not skin at all | skin | {share(len(others) - len(like), len(others))} | |")
    say(f"\nTaken for skin all the same: {', '.join(like) or 'none'}.")


if __name__ == "__main__":
    main()
