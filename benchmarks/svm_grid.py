"""The grid search of a support vector machine, and scikit-learn's own way of doing it.

Compared on the same hand-crafted features, labels (malignant or not) and three parts, kernels
linear, rbf and poly with four values of C, in turns: (1) lentigo's search, whose kernel matrix
is computed once a part and kernel for all values of C; (2) ``GridSearchCV`` over
``make_pipeline(MinMaxScaler(), SVC())`` with ``n_jobs=1`` and (3) with as many processes as
cores. Also (4): lentigo's search with one thread, to see whether threads pay.

Checked first: the accuracy of every point of the grid is the same, give or take one image in a
hundred. Expected: (1) faster than (2) and (3).

Run::

    python benchmarks/svm_grid.py PREPARED [--images 3000] [--rounds 1]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# As in handcrafted_speed.py: spinning threads are no fair alternative on a busy machine.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC

from lentigo.data.descriptors import describe_images
from lentigo.data.prepared import open_prepared
from lentigo.image.handcrafted import Descriptors
from lentigo.machine import usable_cores
from lentigo.recipe import parse_recipe
from lentigo.train import classic

KERNELS, VALUES = ("linear", "rbf", "poly"), (0.1, 1.0, 10.0, 100.0)
RECIPE = parse_recipe('name="grid"\ntitle="grid"\n[classic]\n', "here")


def ours(features: Any, labels: Any, parts: Any, threads: int) -> np.ndarray:
    """Accuracy of every point, (kernels, values)."""
    before, classic.usable_cores = classic.usable_cores, lambda: threads  # type: ignore[attr-defined]
    try:
        with tempfile.TemporaryDirectory() as folder:
            found = [
                classic._searched(Path(folder) / k, RECIPE, k, features, labels, parts, 0)  # type: ignore[arg-type]
                for k in KERNELS
            ]
    finally:
        classic.usable_cores = before  # type: ignore[attr-defined]
    right = (np.array(found)[..., 0] <= 0) == (labels == 1)
    return np.asarray(right.mean(axis=-1))


def theirs(features: Any, labels: Any, parts: Any, jobs: int) -> np.ndarray:
    """The same by scikit-learn."""
    grid = {"svc__kernel": list(KERNELS), "svc__C": list(VALUES)}
    search = GridSearchCV(
        make_pipeline(MinMaxScaler(), SVC()),
        grid,
        cv=PredefinedSplit(parts),
        n_jobs=jobs,
        refit=False,
    )
    search.fit(features, labels)
    found = search.cv_results_
    return np.array(
        [
            [
                float(found["mean_test_score"][place])
                for value in VALUES
                for place, each in enumerate(found["params"])
                if each == {"svc__kernel": kernel, "svc__C": value}
            ]
            for kernel in KERNELS
        ]
    )


def main() -> None:
    """Print the seconds of every way, and the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("prepared", type=Path)
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_args()
    data, cores = open_prepared(args.prepared), usable_cores()
    rows = np.random.default_rng(0).permutation(data.rows("train"))[: args.images]
    rows.sort()
    labels = np.array(data.taxonomy.malignant, int)[data.labels[rows]]
    features = describe_images(data.images, rows, Descriptors(), workers=cores)
    parts = np.arange(len(rows)) % 3
    ways: dict[str, Callable[[], np.ndarray]] = {
        "lentigo": lambda: ours(features, labels, parts, cores),
        "lentigo, one thread": lambda: ours(features, labels, parts, 1),
        "GridSearchCV": lambda: theirs(features, labels, parts, 1),
        "GridSearchCV, all cores": lambda: theirs(features, labels, parts, cores),
    }
    print(f"{len(rows)} images, {features.shape[1]} features, {cores} cores")
    taken: dict[str, list[float]] = {name: [] for name in ways}
    scores: dict[str, np.ndarray] = {}
    for _ in range(args.rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            scores[name] = way()
            taken[name].append(time.perf_counter() - start)
    apart = max(float(np.abs(each - scores["lentigo"]).max()) for each in scores.values())
    print(f"largest difference of a point's accuracy: {apart:.4f} (wanted: at most 0.01)")
    middle = {name: statistics.median(each) for name, each in taken.items()}
    for name, seconds in middle.items():
        print(f"{name:28s} {seconds:7.2f} s")
    print(f"RATIO {middle['lentigo, one thread'] / middle['lentigo']:.2f} of one thread to all")
    print(f"RATIO {middle['GridSearchCV, all cores'] / middle['lentigo']:.2f} with all cores each")
    print(f"RATIO {middle['GridSearchCV'] / middle['lentigo']:.2f} against the plain search")


if __name__ == "__main__":
    main()
