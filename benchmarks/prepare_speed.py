"""`lentigo prepare` beside a bare decode-and-resize loop with as many processes.

Compared: the command ``lentigo prepare ham10000 PATH`` (which also hashes every file, finds
near duplicates, groups, splits, audits and can be killed and resumed) and a loop that does
nothing but ``cv2.imread``, the central square and ``cv2.resize``: once as the loop anyone would
write, which keeps its pixels in a file, and once throwing them away. All are whole processes,
start to exit, with a warm file cache, in turns.

Expected: RATIO at most 1.3 on the 10,015 images of HAM10000 (at 224 pixels they are 1.5 GB,
which only the storing loop has to write), and less than 1 GB of memory for the parent and its
workers together (sum of resident sizes, which counts shared pages once a process and so errs
upwards).

Run::

    python benchmarks/prepare_speed.py PATH_OF_HAM10000 [--workers 2] [--rounds 3]

With reduced images what is done beside decoding weighs more than it does for a user;
``--enlarge 3`` measures on copies as large as the public download's (600 x 450 of 200 x 150).
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHUNK_IMAGES = 64


# ---- the bare side; this file runs itself for it, so it must import nothing else ------------


def bare_chunk(task: tuple[list[str], int, int, str]) -> int:
    """Decode and resize a chunk of images; with a file's name also write the rows."""
    import cv2
    import numpy as np

    paths, size, start, store = task
    cv2.setNumThreads(1)
    rows = np.empty((len(paths), size, size, 3), np.uint8)
    for i, path in enumerate(paths):
        image = cv2.imread(path)
        assert image is not None, path
        side = min(image.shape[:2])
        top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
        square = image[top : top + side, left : left + side]
        shrinks = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
        resized = cv2.resize(square, (size, size), interpolation=shrinks)
        cv2.cvtColor(resized, cv2.COLOR_BGR2RGB, dst=rows[i])
    if store:
        with open(store, "r+b") as stream:  # noqa: PTH123
            stream.seek(start * size * size * 3)
            stream.write(rows.data)
    return len(paths)


def bare(folder: Path, size: int, workers: int, limit: int, store: str) -> None:
    """The whole bare loop over the JPEGs under ``folder``."""
    paths = sorted(str(path) for path in folder.rglob("*.jpg"))[: limit or None]
    if store:
        with open(store, "wb") as stream:  # noqa: PTH123
            stream.truncate(len(paths) * size * size * 3)
    starts = range(0, len(paths), CHUNK_IMAGES)
    tasks = [(paths[start : start + CHUNK_IMAGES], size, start, store) for start in starts]
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        done = sum(pool.imap_unordered(bare_chunk, tasks))
    print(done)


def enlarged(folder: Path, times: int, out: Path) -> Path:
    """A copy of a data set whose JPEGs are so many times as wide and high."""
    import cv2

    for source in sorted(each for each in folder.rglob("*") if each.is_file()):
        target = out / source.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix != ".jpg":
            shutil.copyfile(source, target)
            continue
        image = cv2.imread(str(source))
        assert image is not None, source
        larger = cv2.resize(image, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(target), larger)
    return out


# ---- measuring ---------------------------------------------------------------------------


def tree_of(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    for each in found:
        try:
            tasks = os.listdir(f"/proc/{each}/task")  # noqa: PTH208
            for task in tasks:
                text = Path(f"/proc/{each}/task/{task}/children").read_text("ascii")
                found += [int(child) for child in text.split()]
        except OSError:
            continue
    return found


def resident_bytes(pid: int) -> int:
    """Resident size of a process; 0 once it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def measure(command: list[str]) -> tuple[float, float]:
    """Seconds from start to exit, and the peak of the memory of all its processes in MB."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        peak = max(peak, sum(resident_bytes(pid) for pid in tree_of(process.pid)))
        try:
            process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
    seconds = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return seconds, peak / 1e6


def main() -> None:
    """Measure both sides in turns and print the ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("path", type=Path, help="the data set's folder")
    parser.add_argument("--source", default="ham10000")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--enlarge", type=int, default=1, help="measure on enlarged copies")
    parser.add_argument("--limit", type=int, default=0, help="bare side only: to try it")
    parser.add_argument("--skip-missing", action="store_true")
    parser.add_argument("--work", type=Path, help="where to write (a temporary folder there)")
    parser.add_argument("--bare", metavar="STORE", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.bare is not None:
        bare(args.path, args.size, args.workers, args.limit, args.bare)
        return
    common = ["--size", str(args.size), "--workers", str(args.workers)]
    results: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory(dir=args.work) as work:
        path = args.path
        if args.enlarge > 1:
            path = enlarged(path, args.enlarge, Path(work) / "enlarged")
        loop = [sys.executable, __file__, str(path), *common, "--limit", str(args.limit)]
        ours = [sys.executable, "-m", "lentigo", "prepare", args.source, str(path), *common]
        ours += ["--skip-missing"] if args.skip_missing else []
        out, store = Path(work) / "prepared", Path(work) / "bare.raw"
        sides = {
            "bare loop": [*loop, "--bare", ""],
            "bare loop, storing": [*loop, "--bare", str(store)],
            "lentigo prepare": [*ours, "--out", str(out)],
        }
        measure(sides["bare loop"])  # warms the file cache
        for number in range(args.rounds):
            for name, command in sides.items():
                results.setdefault(name, []).append(measure(command))
                # What one side wrote must not take the file cache from the next.
                shutil.rmtree(out, ignore_errors=True)
                store.unlink(missing_ok=True)
            told = ", ".join(f"{name} {values[-1][0]:.2f} s" for name, values in results.items())
            print(f"round {number + 1}: {told}", file=sys.stderr, flush=True)
    print(f"{args.workers} workers, {args.size} pixels, median of {args.rounds} rounds")
    seconds = {}
    for name, values in results.items():
        seconds[name] = statistics.median(each[0] for each in values)
        peak = max(each[1] for each in values)
        print(f"{name:20s} {seconds[name]:7.2f} s  peak {peak:6.0f} MB")
    print("wanted of lentigo: a peak below 1000 MB")
    for name in ("bare loop, storing", "bare loop"):
        ratio = seconds["lentigo prepare"] / seconds[name]
        print(f"RATIO {ratio:.2f} to the {name} (wanted: at most 1.3)")


if __name__ == "__main__":
    main()
