"""Two models' answers held against each other as if both spoke of one mixture of classes.

    python scripts/same_mixture.py BUNDLE EVALUATION OTHER ITS_EVALUATION [--data PREPARED]

A model whose recipe gives more of the prior back (``output.prior_power``) names common classes
more often than one that gives back less. What parts the two is then partly that choice and not
what they learned. Each bundle states the mixture that its probabilities speak of, so either can be
moved to the other's, exactly but for the temperature, which stays (Saerens 2002, equation 2.4).

Each EVALUATION is a folder that `lentigo evaluate BUNDLE` wrote, of the same images. Printed are
the differences, first minus other: as the bundles answer, both under the mixture of the first,
and both under that of the other; 95% intervals, groups resampled for both together.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lentigo.data.prepared import open_prepared
from lentigo.deploy.bundle import BundleInfo, read_bundle
from lentigo.score.bootstrap import REPLICATES, grouped_bootstrap
from lentigo.score.calibration import softmax
from lentigo.score.panel import Panel

METRICS = (
    "balanced_accuracy",
    "accuracy",
    "roc_auc.mel",
    "roc_auc.malignant",
    "roc_auc.macro",
    "sensitivity.mel.argmax",
)


def under(probability: Any, info: BundleInfo, mixture: Any) -> Any:
    """Probabilities (n, k) of a bundle as if its classes were mixed so (k,)."""
    moved = np.log(mixture) - np.log(np.array(info.mixture))
    return softmax(np.log(probability) + moved / info.temperature)


def paired(panels: list[Panel], chosen: list[int], weights: Any) -> Any:
    """The differences (figures, r), first minus second, under weights (n, r)."""
    ours, theirs = (each.draw(weights) for each in panels)
    return (ours - theirs)[chosen]


def main() -> None:
    """Print three tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("evaluation", type=Path)
    parser.add_argument("other", type=Path)
    parser.add_argument("its_evaluation", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="the prepared set of both")
    parser.add_argument("--metrics", nargs="+", default=METRICS)
    arguments = parser.parse_args()
    data = open_prepared(arguments.data)
    codes = list(data.taxonomy.codes)
    infos = [read_bundle(each).info for each in (arguments.bundle, arguments.other)]
    tables = [
        pd.read_csv(each / "predictions.csv").set_index("image_id")
        for each in (arguments.evaluation, arguments.its_evaluation)
    ]
    ids = tables[0].index
    if set(ids) != set(tables[1].index):
        raise SystemExit("The two evaluations are of different images.")
    place = {name: row for row, name in enumerate(data.manifest["image_id"])}
    rows = np.array([place[name] for name in ids])
    answers = [each.loc[ids, codes].to_numpy() for each in tables]
    mixtures = {
        "as they answer": [np.array(each.mixture) for each in infos],
        "both under the first one's mixture": [np.array(infos[0].mixture)] * 2,
        "both under the other one's mixture": [np.array(infos[1].mixture)] * 2,
    }
    for title, pair in mixtures.items():
        panels = [
            Panel.of(data.labels[rows], under(p, info, m), codes, data.taxonomy.malignant)
            for p, info, m in zip(answers, infos, pair, strict=True)
        ]
        chosen = [panels[0].keys.index(name) for name in arguments.metrics]
        values = [each.compute(np.ones((len(rows), 1)))[chosen, 0] for each in panels]
        drawn = grouped_bootstrap(
            partial(paired, panels, chosen), data.groups[rows], replicates=REPLICATES
        )
        print(f"{title} ({len(rows)} images)")  # noqa: T201 - a script's result
        for at, name in enumerate(arguments.metrics):
            low, high = np.nanpercentile(drawn[at], [2.5, 97.5])
            ours, theirs = values[0][at], values[1][at]
            print(  # noqa: T201 - a script's result
                f"  {name:26} {ours:.3f} {theirs:.3f}  {ours - theirs:+.3f} "
                f"[{low:+.3f}, {high:+.3f}]"
            )


if __name__ == "__main__":
    main()
