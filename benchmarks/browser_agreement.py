"""How far the browser's answers lie from Python's: golden images, and photographs of a folder.

    python benchmarks/browser_agreement.py [FOLDER] [--count 200] [--seed 7]

Writes the offline app of the model that ships, opens it in Chromium, hands every image to both
sides, and prints one line a set: share of input pixels within 2 grey levels (least and mean over
images), largest difference of a probability, images with the same first class, and the median
time of one photo in the browser, all steps. Needs Playwright, Chromium and LiteRT.js in place
(`make offline-app`).
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from browsing import MODEL, hosted, in_base64, start_chromium
from golden_images import GOLDEN, golden
from lentigo.deploy.runtime import BundlePredictor
from lentigo.image.spec import preprocess
from lentigo.web.static_app import write_app

LOAD = """async () => {
  const { Predictor } = await import("/predict.js");
  const bytes = new Uint8Array(await (await fetch("/model.tflite")).arrayBuffer());
  globalThis.predictor = await Predictor.load(bytes, "/litert/");
}"""
PREDICT = """async (b64) => {
  const bytes = Uint8Array.from(atob(b64), (c) => c.charCodeAt(0));
  const started = performance.now();
  const { prediction, input } = await predictor.predict(bytes, "x");
  return { prediction, input: [...input], ms: performance.now() - started };
}"""


def compare(page: Any, predictor: BundlePredictor, images: Iterable[bytes]) -> dict[str, Any]:
    """What the two sides make of the same files."""
    within, differences, same, times = [], [], 0, []
    for content in images:
        theirs = page.evaluate(PREDICT, in_base64(content))
        ours = predictor.predict_bytes(content).to_dict()
        pixels = preprocess(content, predictor.spec)
        others = np.array(theirs["input"], np.uint8).reshape(pixels.shape)
        within.append(float((np.abs(pixels.astype(int) - others).max(axis=-1) <= 2).mean()))
        found = theirs["prediction"]
        pairs = ((ours["probability"][c], found["probability"][c]) for c in ours["probability"])
        differences.append(max(abs(a - b) for a, b in pairs))
        same += found["top"] == ours["top"]
        times.append(theirs["ms"])
    return {
        "images": len(within),
        "least": min(within),
        "mean": statistics.mean(within),
        "difference": max(differences),
        "same": same,
        "ms": statistics.median(times),
    }


def chosen(folder: Path, count: int, seed: int) -> Iterator[bytes]:
    """A random sample of a folder's JPEGs."""
    paths = sorted(folder.rglob("*.jpg"))
    for path in random.Random(seed).sample(paths, min(count, len(paths))):
        yield path.read_bytes()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="*", type=Path)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    predictor = BundlePredictor(MODEL)
    sets: dict[str, Iterable[bytes]] = {"golden": (golden(name) for name in GOLDEN)}
    for folder in asked.folder:
        sets[folder.name] = chosen(folder, asked.count, asked.seed)
    print("set images within2(least) within2(mean) largest-difference same-class ms")
    with tempfile.TemporaryDirectory() as out, sync_playwright() as playwright:
        write_app(MODEL, Path(out) / "app")
        with hosted(Path(out) / "app") as host:
            browser = start_chromium(playwright.chromium)
            page = browser.new_page()
            page.goto(f"{host.url}LICENSES.txt")
            page.evaluate(LOAD)
            for name, images in sets.items():
                r = compare(page, predictor, images)
                figures = f"{r['least']:.5f} {r['mean']:.5f} {r['difference']:.5f}"
                print(f"{name} {r['images']} {figures} {r['same']} {r['ms']:.0f}", flush=True)
            browser.close()


if __name__ == "__main__":
    main()
