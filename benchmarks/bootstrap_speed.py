"""2,000 grouped-bootstrap replicates of all scores: ours beside a plain loop.

``python benchmarks/bootstrap_speed.py``. The plain loop draws groups, copies the rows and
calls scikit-learn for AUC, average precision, confusion matrix and the rest; it runs few
replicates and is scaled up, because all of them would take many minutes.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings

import numpy as np
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    precision_recall_fscore_support,
    roc_auc_score,
)

from lentigo.score.panel import Panel
from lentigo.taxonomy import HAM10000


def main() -> None:
    """Time both and print the ratio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--replicates", type=int, default=2_000)
    parser.add_argument("--plain", type=int, default=10, help="replicates of the plain loop")
    asked = parser.parse_args()
    rng = np.random.default_rng(0)
    k = len(HAM10000.codes)
    labels = rng.integers(0, k, asked.images)
    logits = 2 * np.eye(k)[labels] + rng.normal(size=(asked.images, k))
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    groups = np.arange(asked.images) * 3 // 4

    start, began = time.perf_counter(), time.process_time()
    points = {"low": 0.1, "middle": 0.3, "high": 0.5}
    panel = Panel.of(labels, probability, HAM10000.codes, HAM10000.malignant, points)
    panel.estimates(groups, replicates=asked.replicates)
    ours, busy = time.perf_counter() - start, time.process_time() - began

    start, began = time.perf_counter(), time.process_time()
    rows_of = np.split(np.arange(asked.images), np.flatnonzero(np.diff(groups)) + 1)
    for _ in range(asked.plain):
        drawn = rng.integers(0, len(rows_of), len(rows_of))
        rows = np.concatenate([rows_of[g] for g in drawn])
        _plain(labels[rows], probability[rows], k)
    scale = asked.replicates / asked.plain
    plain, plain_busy = (time.perf_counter() - start) * scale, (time.process_time() - began) * scale

    load = os.getloadavg()[0]
    print(f"{asked.images} images, {asked.replicates} replicates, {len(panel.keys)} scores")
    print(f"lentigo    {ours:8.1f} s, of processor time {busy:.1f} s")
    print(f"plain loop {plain:8.1f} s, from {asked.plain} replicates and fewer scores")
    print(f"ratio      {plain / ours:8.1f}, of processor times {plain_busy / busy:.1f}")
    print(f"load of the machine {load:.1f}")


def _plain(labels: np.ndarray, probability: np.ndarray, k: int) -> None:
    called = probability.argmax(axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        balanced_accuracy_score(labels, called)
        precision_recall_fscore_support(labels, called, labels=range(k))
        for c in range(k):
            roc_auc_score(labels == c, probability[:, c])
            average_precision_score(labels == c, probability[:, c])


if __name__ == "__main__":
    main()
