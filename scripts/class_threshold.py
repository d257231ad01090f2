"""How a model finds one class at a threshold of its own, as sealed points find malignant lesions.

    python scripts/class_threshold.py VALIDATION TEST [--of mel] [--sensitivity 0.9]

Both are folders of evaluations, with ``predictions.csv``. The threshold on the class's probability
is where so many of its validation images lie at or above it; what it gives on the test images is
printed with 95% intervals over images (on lists of several images a lesion they are too narrow).
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lentigo.score import Estimate, bootstrap_estimate, threshold_for_sensitivity

Flags = NDArray[np.bool_]


def read(folder: Path, code: str) -> tuple[Flags, NDArray[np.float64]]:
    """Whether each image is of the class (n,), and the probability that it is (n,)."""
    with (folder / "predictions.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    if not rows or code not in rows[0]:
        raise SystemExit(f"{folder} has no predictions of a class {code!r}.")
    return np.array([row["label"] == code for row in rows]), np.array(
        [float(row[code]) for row in rows]
    )


def share(of: Flags, right: Flags) -> Estimate:
    """The share of the images ``of`` which ``right`` holds."""

    def weighted(weights: NDArray[np.floating[Any]]) -> float:
        return float(weights[of & right].sum() / weights[of].sum())

    return bootstrap_estimate(weighted, np.arange(len(of)), replicates=2000, proportion=True)


def found_at(
    validation: Path, test: Path, code: str = "mel", wanted: float = 0.9
) -> tuple[float, Estimate, Estimate]:
    """The threshold that finds ``wanted`` of validation's, and sensitivity, specificity on test."""
    threshold = threshold_for_sensitivity(*read(validation, code), wanted)
    truth, probability = read(test, code)
    called = probability >= threshold
    return threshold, share(truth, called), share(~truth, ~called)


def main() -> None:
    """Print the threshold, and sensitivity and specificity at it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("validation", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--of", default="mel", metavar="CLASS")
    parser.add_argument("--sensitivity", type=float, default=0.9)
    args = parser.parse_args()
    threshold, *shares = found_at(args.validation, args.test, args.of, args.sensitivity)
    truth, _ = read(args.test, args.of)
    told = [f"{args.of} from {threshold:.4f} on; {truth.sum()} of {len(truth)} images are it"]
    for name, each in zip(("sensitivity", "specificity"), shares, strict=True):
        told.append(f"{name}  {each.value:.3f} [{each.low:.3f}, {each.high:.3f}]")
    sys.stdout.write("\n".join([*told, ""]))


if __name__ == "__main__":
    main()
