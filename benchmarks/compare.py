"""Two sets of predictions on the same test images: which is better, and by how much?

Compared: two ``predictions.csv`` files (``image_id``, ``label``, a probability a class), such
as those of ``lentigo evaluate`` and of ``baseline_keras.py``. The groups of the prepared set
(lesions or patients) are resampled together for both sides, so that what is hard for both
cancels: the interval of the difference is narrower than the two intervals suggest.

Expected: lentigo's recipe above the plain script in balanced accuracy and in melanoma AUC.
RATIO is that of the errors, (1 - ours) / (1 - baseline): below 1 is wanted.

Run::

    python benchmarks/compare.py RUN/evaluation/.../predictions.csv baseline.csv --data PREPARED
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

from lentigo.score.bootstrap import grouped_bootstrap
from lentigo.score.estimate import Estimate, summarise
from lentigo.score.panel import Panel


def read(path: Path) -> pd.DataFrame:
    """A predictions file, by image."""
    frame = pd.read_csv(path, dtype={"image_id": str, "label": str}).set_index("image_id")
    if frame.index.has_duplicates:
        raise SystemExit(f"{path} names an image twice.")
    return frame


def panel_of(frame: pd.DataFrame, codes: list[str], malignant: list[bool]) -> Panel:
    """All scores of one side."""
    labels = frame["label"].map(codes.index).to_numpy()
    probability = frame[codes].to_numpy(np.float64)
    probability = probability / probability.sum(axis=1, keepdims=True)
    return Panel.of(labels, probability, codes, malignant)


def shown(estimate: Estimate, *, signed: bool = False) -> str:
    """A value and its interval."""
    form = "+.4f" if signed else ".4f"
    if estimate.value is None:
        return "undefined"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:{form}} [no interval]"
    return f"{estimate.value:{form}} [{estimate.low:{form}}, {estimate.high:{form}}]"


def main() -> None:
    """Print both sides, their paired difference and the ratio of their errors."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("ours", type=Path)
    parser.add_argument("baseline", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="the prepared set: its groups")
    parser.add_argument("--metrics", nargs="+", default=["balanced_accuracy", "roc_auc.mel"])
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    ours, baseline = read(args.ours), read(args.baseline)
    if set(ours.index) != set(baseline.index):
        apart = len(set(ours.index) ^ set(baseline.index))
        raise SystemExit(f"Not the same test images: {apart} are in one file only.")
    baseline = baseline.loc[ours.index]
    if not (ours["label"] == baseline["label"]).all():
        raise SystemExit("The two files disagree about labels.")
    manifest = pd.read_csv(args.data / "manifest.csv", dtype=str, keep_default_na=False)
    groups = manifest.set_index("image_id")["group_id"].reindex(ours.index)
    if groups.isna().any():
        raise SystemExit(f"{groups.isna().sum()} images are not in {args.data}.")
    taxonomy = json.loads((args.data / "prepared.json").read_text("utf-8"))["taxonomy"]
    # A class that neither set of images has may lack its column.
    classes = [each for each in taxonomy["classes"] if {each["code"]} <= {*ours, *baseline}]
    codes = [each["code"] for each in classes]
    malignant = [each["malignant"] for each in classes]
    sides = [panel_of(frame, codes, malignant) for frame in (ours, baseline)]
    unknown = [name for name in args.metrics if name not in sides[0].keys]
    if unknown:
        known = [name for name in sides[0].keys if name.count(".") < 2]
        raise SystemExit(f"No such scores: {unknown}. Known: {', '.join(known)}, ...")
    rows = [sides[0].keys.index(name) for name in args.metrics]

    def both(weights: np.ndarray) -> np.ndarray:
        return np.concatenate([side.compute(weights)[rows] for side in sides])

    ids = groups.to_numpy()
    observed = both(np.ones((len(ours), 1)))[:, 0]
    drawn = grouped_bootstrap(both, ids, replicates=args.replicates, seed=args.seed)
    count, n_groups = len(rows), len(set(ids))
    print(f"{len(ours)} images, {n_groups} groups, {args.replicates} paired replicates")
    for i, name in enumerate(args.metrics):
        values = observed[i], observed[i + count]
        replicates = drawn[i], drawn[i + count]
        left, right = (summarise(v, r, n_groups) for v, r in zip(values, replicates, strict=True))
        gain = summarise(values[0] - values[1], replicates[0] - replicates[1], n_groups)
        better = float(np.mean(replicates[0] > replicates[1]))
        print(f"{name}")
        print(f"  ours        {shown(left)}")
        print(f"  baseline    {shown(right)}")
        print(f"  difference  {shown(gain, signed=True)}   better in {better:.1%} of replicates")
        print(f"  RATIO of errors {(1 - values[0]) / max(1 - values[1], 1e-12):.3f}")


if __name__ == "__main__":
    main()
