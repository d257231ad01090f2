"""Hair removal of 256-pixel images, and the loop that notebooks have.

Compared on the same images in memory, in turns: (1) ``lentigo.image.hair.remove_hair`` in as
many processes as cores, as ``prepare`` runs it; (2) one loop with OpenCV's black-hat,
threshold and ``cv2.inpaint`` of the same kernel, threshold and radius, OpenCV's own threads
as they come; and (3) lentigo in one process and one thread, to see what a core does.

Checked first: both give the same pixels. Expected: a core does as much as the loop, which is
the same arithmetic, and all cores so much more.

Run (IMAGES: a folder of images, each shrunk to 256 pixels; without one on drawn skin)::

    python benchmarks/hair_speed.py [IMAGES] [--images 2000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from lentigo.data.phantom import generate
from lentigo.data.pool import open_pool
from lentigo.image.hair import HairRemoval, hair_mask, remove_hair
from lentigo.machine import usable_cores

SIZE, CHUNK = 256, 64
HOW = HairRemoval()


def plain(images: np.ndarray) -> np.ndarray:
    """What a notebook does."""
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (HOW.kernel_px, HOW.kernel_px))
    done = np.empty_like(images)
    for place, image in enumerate(images):
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        black = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, kernel)
        _, mask = cv2.threshold(black, HOW.threshold, 255, cv2.THRESH_BINARY)
        done[place] = cv2.inpaint(image, mask, HOW.inpaint_radius_px, cv2.INPAINT_TELEA)
    return done


def ours(images: np.ndarray) -> np.ndarray:
    """One process."""
    return np.stack([remove_hair(each, HOW) for each in images])


def spread(pool: ProcessPoolExecutor, images: np.ndarray) -> np.ndarray:
    """Chunks over the processes of a pool."""
    chunks = [images[start : start + CHUNK] for start in range(0, len(images), CHUNK)]
    return np.concatenate(list(pool.map(ours, chunks)))


def read(folder: Path | None, count: int) -> np.ndarray:
    """(n, 256, 256, 3) RGB of a folder, or of phantoms where there is none."""
    if folder is None:
        import tempfile

        with tempfile.TemporaryDirectory() as made:
            generate(Path(made), lesions=count, size=SIZE, seed=0)
            return read(Path(made), count)
    paths = sorted(each for each in folder.rglob("*") if each.suffix.lower() in {".jpg", ".png"})
    found = [cv2.imread(str(path)) for path in paths[:count]]
    return np.stack(
        [
            cv2.cvtColor(
                cv2.resize(each, (SIZE, SIZE), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB
            )
            for each in found
            if each is not None
        ]
    )


def main() -> None:
    """Print images a second of every way, and the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", metavar="IMAGES")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    images, cores = read(args.folder, args.images), usable_cores()
    same = np.array_equal(plain(images[:50]), ours(images[:50]))
    hair = float(np.mean([hair_mask(each, HOW).mean() for each in images[:200]]))
    print(f"{len(images)} images of {SIZE} pixels, {hair:.1%} of them hair, {cores} cores")
    print(f"the same pixels: {'yes' if same else 'NO'}")
    threads = cv2.getNumThreads()
    taken: dict[str, list[float]] = {}
    spent: dict[str, list[float]] = {}
    with open_pool(cores) as pool:
        list(pool.map(abs, range(cores)))  # started before the clock is
        ways: dict[str, Callable[[np.ndarray], np.ndarray]] = {
            "lentigo, all cores": partial(spread, pool),
            "plain loop": plain,
            "lentigo, one core": ours,
        }
        for _ in range(args.rounds):
            for name, way in ways.items():
                cv2.setNumThreads(1 if name == "lentigo, one core" else threads)
                start, busy = time.perf_counter(), time.process_time()
                way(images)
                taken.setdefault(name, []).append(time.perf_counter() - start)
                spent.setdefault(name, []).append(time.process_time() - busy)
    rate = {name: len(images) / statistics.median(each) for name, each in taken.items()}
    for name, each in rate.items():
        own = f"   {len(images) / min(spent[name]):7.0f} a second of processor time"
        print(f"{name:20s} {each:7.0f} images/s{'' if name == 'lentigo, all cores' else own}")
    core = min(spent["plain loop"]) / min(spent["lentigo, one core"])
    print(f"RATIO {core:.2f} of one core to the loop, in processor time")
    print(f"RATIO {rate['lentigo, one core'] / rate['plain loop']:.2f} of one core to the loop")
    print(f"RATIO {rate['lentigo, all cores'] / rate['plain loop']:.2f} of all cores to the loop")


if __name__ == "__main__":
    main()
