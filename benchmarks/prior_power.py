"""How much of the prior to give back: one recipe's runs, answered under every power.

``output.prior_power`` adds so many times the logarithm of each class's share to the logits, after
training. So runs need no second training to be answered under another one: their validation
logits, which they keep, are moved by the difference. Printed is the mean over the runs, each on
the fold that it validated on, and what sets it apart from the power that the runs were made with:
an interval of the paired difference over groups, and one over the runs.

Expected: balanced accuracy falls and accuracy rises with the power; ROC areas of one class against
the others move little, as all images are moved alike.

No test image is looked at. The temperature is left out, so no figure here speaks of calibration.

Run::

    python benchmarks/prior_power.py DATA RUN [RUN ...] [--powers 0 0.15 0.3 0.5 0.75 1]
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

POWERS = (0.0, 0.15, 0.3, 0.5, 0.75, 1.0)
SHOWN = ("balanced_accuracy", "accuracy", "roc_auc.macro", "roc_auc.malignant")


class Answers:
    """One run's validation logits, and what moves them."""

    def __init__(self, folder: Path, data: Any) -> None:
        import pandas as pd

        from lentigo.recipe import Sampling
        from lentigo.train import open_run
        from lentigo.train.sampling import drawn_share

        run, codes = open_run(folder), list(data.taxonomy.codes)
        self.taxonomy = data.taxonomy
        table = pd.read_csv(folder / "validation_predictions.csv", dtype={"image_id": str})
        place = {name: row for row, name in enumerate(data.manifest["image_id"])}
        self.rows = np.array([place[name] for name in table["image_id"]])
        self.labels = data.labels[self.rows]
        self.logits = table[[f"logit_{code}" for code in codes]].to_numpy()
        train = data.labels[data.rows("train", run.info.fold)]
        self.prior = np.log(drawn_share(train, Sampling(), len(codes)))
        self.power = run.recipe().output.prior_power

    def under(self, power: float) -> Any:
        """The figures' panel, as if the recipe had said ``power``."""
        from lentigo.score.calibration import softmax
        from lentigo.score.panel import Panel

        probability = softmax(self.logits + (power - self.power) * self.prior)
        return Panel.of(self.labels, probability, self.taxonomy.codes, self.taxonomy.malignant)


def gaps(triples: list[Any], chosen: list[int], weights: Any) -> Any:
    """The runs' mean difference (figures, r) of each pair of panels, under weights (n, r)."""
    return np.mean(
        [
            (ours.draw(weights[rows]) - own.draw(weights[rows]))[chosen]
            for ours, own, rows in triples
        ],
        axis=0,
    )


def main() -> None:
    """Print a row a power."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--powers", type=float, nargs="+", default=POWERS)
    parser.add_argument("--metrics", nargs="+", default=SHOWN, help="keys of the panel")
    arguments = parser.parse_args()
    from lentigo.data.prepared import open_prepared
    from lentigo.papers.measured import student
    from lentigo.score.bootstrap import REPLICATES, grouped_bootstrap

    data = open_prepared(arguments.data)
    runs = [Answers(each, data) for each in arguments.runs]
    everything = np.unique(np.concatenate([each.rows for each in runs]))
    places = [np.searchsorted(everything, each.rows) for each in runs]

    print(f"{len(runs)} runs, {len(everything)} images; as made: {sorted({r.power for r in runs})}")
    print(f"{'':8}" + "".join(f"{name:>24}" for name in arguments.metrics))
    ones, groups = np.ones((len(everything), 1)), data.groups[everything]
    own = [run.under(run.power) for run in runs]
    chosen = [own[0].keys.index(name) for name in arguments.metrics]
    for power in arguments.powers:
        panels = [run.under(power) for run in runs]
        triples = list(zip(panels, own, places, strict=True))
        found = np.stack([each.compute(ones[rows])[chosen, 0] for each, _, rows in triples])
        print(f"{power:<8}" + "".join(f"{value:24.3f}" for value in found.mean(axis=0)))
        drawn = grouped_bootstrap(partial(gaps, triples, chosen), groups, replicates=REPLICATES)
        apart = found - [each.compute(ones[rows])[chosen, 0] for _, each, rows in triples]
        for place, name in enumerate(arguments.metrics):
            low, high = np.nanpercentile(drawn[place], [2.5, 97.5])
            over = student(apart[:, place].tolist(), "runs")
            told = "" if over.low is None else f"; [{over.low:+.3f}, {over.high:+.3f}]"
            print(f"    {name}: {apart[:, place].mean():+.3f} [{low:+.3f}, {high:+.3f}]{told}")


if __name__ == "__main__":
    main()
