"""`lentigo predict` beside full Keras, and a thousand images beside bare LiteRT.

Compared:

1. one 12-megapixel JPEG (generated), process start to exit: ``lentigo predict`` and a script
   of a few lines with the same network in TensorFlow and Keras. Seconds (median) and peak
   resident memory of the process (largest).
2. many images: ``BundlePredictor.predict_files`` (reading, decoding, preprocessing, looking at
   the photo's quality) and LiteRT alone on one image in memory, over and over, with as many
   threads: one interpreter with all of them, or an interpreter a thread, whichever is faster.

Expected: at most 0.6 s and 150 MB for one image; at least 0.8 of the bare rate for many.

Run (without ``--model`` the shipped model; ``--keras RUN/model.keras`` for the run it came
from, else the same network with random weights; without ``--images`` generated JPEGs)::

    python benchmarks/predict_speed.py [--model BUNDLE] [--keras MODEL] [--images FOLDER]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

# A process starts with the resident size of the one that made it, so a small one does.
MEASURE = """
import json, os, sys, time
start = time.perf_counter()
nowhere = os.open(os.devnull, os.O_WRONLY)
quiet = [(os.POSIX_SPAWN_DUP2, nowhere, 1), (os.POSIX_SPAWN_DUP2, nowhere, 2)]
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=quiet)
_, status, usage = os.wait4(pid, 0)
seconds = time.perf_counter() - start
unit = 1 if sys.platform == "darwin" else 1024
print(json.dumps([seconds, usage.ru_maxrss * unit / 1e6, os.waitstatus_to_exitcode(status)]))
"""

FULL_KERAS = """
import sys
import cv2
import keras
import numpy as np

model = keras.saving.load_model(sys.argv[1], compile=False)
image = cv2.cvtColor(cv2.imread(sys.argv[2]), cv2.COLOR_BGR2RGB)
side, size = min(image.shape[:2]), model.input_shape[1]
top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
square = image[top : top + side, left : left + side]
image = cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA)
print(keras.ops.softmax(model.predict_on_batch(image[None].astype(np.float32))))
"""

RANDOM_KERAS = """
import sys
import keras

size, classes, alpha = int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
image = keras.Input((size, size, 3))
features = keras.applications.MobileNetV2(
    input_shape=(size, size, 3), alpha=alpha, include_top=False, weights=None
)(keras.layers.Rescaling(1 / 127.5, -1.0)(image))
features = keras.layers.GlobalAveragePooling2D()(features)
keras.Model(image, keras.layers.Dense(classes)(features)).save(sys.argv[1])
"""


def measure(command: list[str]) -> tuple[float, float]:
    """Seconds from start to exit and peak resident memory in MB of a command."""
    helper = [sys.executable, "-I", "-S", "-c", MEASURE, *command]
    answer = subprocess.run(helper, check=True, capture_output=True, text=True)
    seconds, megabytes, code = json.loads(answer.stdout)
    if code:
        raise SystemExit(f"{' '.join(command)[-200:]} ended with {code}")
    return seconds, megabytes


def write_jpeg(path: Path, width: int, height: int, seed: int) -> None:
    """A JPEG with detail at several scales, as large on disk as a photograph."""
    import cv2
    import numpy as np

    generator = np.random.default_rng(seed)
    image = np.zeros((height, width, 3), np.float32)
    for cells, strength in ((6, 60), (60, 30), (400, 15)):
        coarse = generator.normal(0, strength, (cells, cells, 3)).astype(np.float32)
        image += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    image += np.array([120, 150, 200], np.float32)
    pixels = np.clip(image, 0, 255).astype(np.uint8)
    if not cv2.imwrite(str(path), pixels, [cv2.IMWRITE_JPEG_QUALITY, 90]):
        raise SystemExit(f"{path} cannot be written.")


def one_image(args: argparse.Namespace, work: Path) -> None:
    """Part 1."""
    photo, keras_file = work / "photo.jpg", args.keras or work / "random.keras"
    write_jpeg(photo, 4000, 3000, seed=0)
    ours = [sys.executable, "-m", "lentigo", "predict", str(photo)]
    ours += ["--model", str(args.model)] if args.model else []
    if not args.keras:
        info = predictor_of(args).info
        alpha = "1.0" if args.alpha is None else str(args.alpha)
        sizes = [str(info.spec.size), str(len(info.taxonomy.codes)), alpha]
        measure([sys.executable, "-c", RANDOM_KERAS, str(keras_file), *sizes])
    theirs = [sys.executable, "-c", FULL_KERAS, str(keras_file), str(photo)]
    results: dict[str, list[tuple[float, float]]] = {"lentigo predict": [], "full Keras": []}
    for number in range(args.rounds + 1):
        for name, command in (("full Keras", theirs), ("lentigo predict", ours)):
            result = measure(command)
            if number:  # the first round warms the file cache
                results[name].append(result)
    seconds, megabytes = {}, {}
    print(f"one 12-megapixel JPEG ({photo.stat().st_size / 1e6:.1f} MB), start to exit")
    for name, values in results.items():
        seconds[name] = statistics.median(each[0] for each in values)
        megabytes[name] = max(each[1] for each in values)
        print(f"  {name:16s} {seconds[name]:6.2f} s  peak {megabytes[name]:6.0f} MB")
    for name, side, wanted in (("seconds", seconds, "0.6 s"), ("memory", megabytes, "150 MB")):
        ratio = side["lentigo predict"] / side["full Keras"]
        print(f"  RATIO of {name} {ratio:.3f} (wanted of lentigo: at most {wanted})")


def predictor_of(args: argparse.Namespace) -> Any:
    """The predictor under test."""
    from lentigo.deploy.runtime import BundlePredictor, load_default

    if args.model:
        return BundlePredictor(args.model, threads=args.threads)
    return load_default(threads=args.threads)


def bare_litert(graph: bytes, interpreters: int, threads: int, runs: int) -> Callable[[], None]:
    """``runs`` invocations, dealt over interpreters of ``threads`` threads each."""
    from ai_edge_litert.interpreter import Interpreter

    made = []
    for _ in range(interpreters):
        interpreter = Interpreter(model_content=graph, num_threads=threads)
        interpreter.allocate_tensors()
        made.append(interpreter)

    def work(interpreter: Any, count: int) -> None:
        import numpy as np

        details = interpreter.get_input_details()[0]
        image = np.full(details["shape"], 127, np.uint8)
        for _ in range(count):
            interpreter.set_tensor(details["index"], image)
            interpreter.invoke()

    def once() -> None:
        shares = [runs // interpreters + (i < runs % interpreters) for i in range(interpreters)]
        with ThreadPoolExecutor(interpreters) as pool:
            list(pool.map(work, made, shares))

    return once


def images_of(args: argparse.Namespace, work: Path) -> list[Path]:
    """The first images of the folder, or as many generated ones."""
    if args.images:
        found = (p for p in sorted(args.images.rglob("*")) if p.suffix.lower() in {".jpg", ".png"})
        return list(islice(found, args.count))
    paths = [work / f"image-{number}.jpg" for number in range(args.count)]
    for number, path in enumerate(paths):
        write_jpeg(path, 600, 450, seed=number)
    return paths


def through(predictor: Any, paths: list[Path], *, quality: bool) -> Callable[[], None]:
    """All images through ``predict_files``."""

    def once() -> None:
        answers = list(predictor.predict_files(paths, quality=quality))
        unread = [each for each in answers if not hasattr(each, "probability")]
        if unread:
            raise SystemExit(f"{len(unread)} images could not be read: {unread[0]}")

    return once


def many_images(args: argparse.Namespace, work: Path) -> None:
    """Part 2."""
    predictor = predictor_of(args)
    paths = images_of(args, work)
    threads, graph, runs = predictor.threads, predictor.bundle.graph, len(paths)
    sides = {
        "lentigo": through(predictor, paths, quality=True),
        "lentigo, quality not judged": through(predictor, paths, quality=False),
        "LiteRT, one interpreter": bare_litert(graph, 1, threads, runs),
        "LiteRT, one a thread": bare_litert(graph, threads, 1, runs),
    }
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(args.rounds + 1):
        for name, once in sides.items():
            start = time.perf_counter()
            once()
            if number:  # the first round makes interpreters and warms the file cache
                rates[name].append(runs / (time.perf_counter() - start))
    print(f"{runs} images, {threads} threads, median of {args.rounds} rounds")
    medians = {name: statistics.median(values) for name, values in rates.items()}
    for name, rate in medians.items():
        print(f"  {name:28s} {rate:8.1f} images/s")
    fastest = max(medians["LiteRT, one interpreter"], medians["LiteRT, one a thread"])
    for name in ("lentigo", "lentigo, quality not judged"):
        print(f"  RATIO {medians[name] / fastest:.2f} {name} (wanted: at least 0.8)")


def main() -> None:
    """Measure both parts in turns and print the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=Path, help="a bundle; else the model that ships")
    parser.add_argument("--keras", type=Path, help="the same network as a .keras file")
    parser.add_argument("--alpha", type=float, help="width of the random network instead of it")
    parser.add_argument("--images", type=Path, help="a folder of images; else generated ones")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--part", choices=["one", "many", "both"], default="both")
    args = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    with tempfile.TemporaryDirectory() as work:
        if args.part != "many":
            one_image(args, Path(work))
        if args.part != "one":
            many_images(args, Path(work))


if __name__ == "__main__":
    main()
