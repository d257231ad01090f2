"""What age, sex and site know without an image, what they would add, and what they confound.

All on the training and validation images of prepared sets; no test image is looked at. The
numbers are those that ``[metadata]`` of a recipe gives a network (`lentigo.data.metadata`), the
rule is a multinomial logistic regression, and every image is answered by a rule that was fitted
without its group (five parts). Printed are ROC areas with 95% intervals, groups resampled:

- of the diagnosis in the first set, by each column alone and by all;
- with ``--runs`` that validated on its images (one run a fold), of their sealed answers, of a
  rule on their answers alone and beside age, sex and site, and the paired difference of these
  two: what a second input would add without interactions. Of a run that was told, the same
  network's answers where nothing is known stand beside;
- of the source, where there are several (in the first set or in further ones), by the same
  columns and by the words that the sources write for a site: what a network could learn in place
  of medicine. 0.5 is chance;
- of malignant lesions in each source, by a rule of its own and by that of each other source.

Expected: metadata alone far above chance for the diagnosis, and for the source as well.

Run (half a minute on an idle core)::

    python benchmarks/metadata_alone.py PREPARED [OTHER ...] [--runs RUN ...]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from lentigo.data.metadata import Column, meaning, vectors
from lentigo.data.prepared import PreparedSet, open_prepared
from lentigo.score.bootstrap import grouped_bootstrap
from lentigo.score.rank import Ranking

COLUMNS: tuple[Column, ...] = ("age", "sex", "site")
PARTS = 5
LEAST = 1e-7
# By name, the rankings whose areas' mean a figure is.
Areas = dict[str, list[Ranking]]


def rule() -> LogisticRegression:
    """Regularised as scikit-learn does unasked."""
    return LogisticRegression(max_iter=5000)


def answers(features: Any, labels: Any, groups: Any, seed: int) -> Any:
    """Probabilities (n, k), each by a rule that did not see the image's group."""
    parts = StratifiedGroupKFold(PARTS, shuffle=True, random_state=seed)
    return cross_val_predict(
        rule(), features, labels, groups=groups, cv=parts, method="predict_proba"
    )


def areas_of(data: PreparedSet, labels: Any, probability: Any) -> Areas:
    """Of melanoma where it is a class, of malignant lesions, and the mean of the classes."""
    bad, codes = np.asarray(data.taxonomy.malignant), data.taxonomy.codes
    single = [Ranking.of(labels == c, probability[:, c]) for c in range(len(codes))]
    found = {"melanoma": [single[codes.index("mel")]]} if "mel" in codes else {}
    found["malignant"] = [Ranking.of(bad[labels], probability[:, bad].sum(axis=1))]
    return found | {"mean of classes": single}


def line(name: str, areas: Areas, groups: Any, args: Any, less: Any = 0.0) -> Any:
    """Print a line of figures, less those of another line.

    Returns:
        (figures, 1 + replicates), the first column being the observed ones.
    """

    def all_of(weights: Any) -> Any:
        return np.stack(
            [np.nanmean([each.scores(weights)[0] for each in many], 0) for many in areas.values()]
        )

    observed = all_of(np.ones((len(groups), 1), np.float32))
    drawn = grouped_bootstrap(all_of, groups, replicates=args.replicates, seed=args.seed)
    found = np.hstack([observed, drawn])
    low, high = np.nanquantile((found - less)[:, 1:], [0.025, 0.975], axis=1)
    sign = "" if isinstance(less, float) else "+"
    told = [
        f"{key} {value:{sign}.3f} [{a:{sign}.3f}, {b:{sign}.3f}]"
        for key, value, a, b in zip(areas, (found - less)[:, 0], low, high, strict=True)
    ]
    print(f"  {name:34}" + "; ".join(told), flush=True)
    return found


def known(data: PreparedSet) -> pd.DataFrame:
    """The manifest's rows of training and validation, with their labels and row numbers."""
    table = data.manifest.assign(number=data.labels, row=np.arange(len(data.labels)))
    return table[table["split"].isin(["train", "validation"])].reset_index(drop=True)


def diagnosis(data: PreparedSet, args: Any) -> None:
    """What metadata says of the diagnosis, column by column."""
    table = known(data)
    groups, labels = table["group_id"].to_numpy(), table["number"].to_numpy()
    print(f"{data.path.name}: {len(table)} images of {table['group_id'].nunique()} groups")
    for columns in (*((each,) for each in COLUMNS), COLUMNS):
        probability = answers(vectors(table, columns), labels, groups, args.seed)
        line(", ".join(columns), areas_of(data, labels, probability), groups, args)


def added(data: PreparedSet, args: Any) -> None:
    """What metadata adds to what runs answered to the images that they validated on."""
    codes = list(data.taxonomy.codes)
    sealed = pd.concat([pd.read_csv(run / "validation_predictions.csv") for run in args.runs])
    if sealed["image_id"].duplicated().any():
        raise SystemExit("Two of the runs validated on the same images: name one a fold.")
    table = known(data).merge(sealed[["image_id", *codes]], on="image_id")
    assert len(table) == len(sealed), "an image that validated is not of this set"
    groups, labels = table["group_id"].to_numpy(), table["number"].to_numpy()
    said = table[codes].to_numpy()
    said /= said.sum(axis=1, keepdims=True)
    print(f"{len(args.runs)} run(s) on the {len(table)} images that they validated on")
    network = areas_of(data, labels, said)
    line("network", network, groups, args)
    logs = np.log(said.clip(LEAST))
    both = np.hstack([logs, vectors(table, COLUMNS)])
    alone, joined = (
        areas_of(data, labels, answers(each, labels, groups, args.seed)) for each in (logs, both)
    )
    less = line("rule on its answers", alone, groups, args)
    line("rule on its answers and metadata", joined, groups, args)
    line("what metadata adds", joined, groups, args, less)
    if all(json.loads((run / "run.json").read_text()).get("metadata") for run in args.runs):
        untold = areas_of(data, labels, where_nothing_is_known(data, table, sealed, args))
        less = line("network where nothing is known", untold, groups, args)
        line("what it makes of metadata", network, groups, args, less)


def where_nothing_is_known(data: PreparedSet, table: Any, sealed: Any, args: Any) -> Any:
    """Probabilities (n, k) of runs that take metadata and are given none."""
    from lentigo.train import open_run

    row_of = dict(zip(table["image_id"], table["row"], strict=True))
    found: dict[str, Any] = {}
    start = 0
    for run in map(open_run, args.runs):
        ids = sealed["image_id"].iloc[start : start + run.calibration.images]
        start += len(ids)
        images = np.stack([data.images[row_of[each]] for each in ids])
        found |= dict(zip(ids, run.predict(images), strict=True))
    return np.stack([found[each] for each in table["image_id"]])


def sources(sets: list[PreparedSet], args: Any) -> None:
    """What metadata says of the source, and what a rule of one source is worth in another."""
    tables = [known(each) for each in sets]
    table = pd.concat(
        [
            each.assign(
                malignant=np.asarray(data.taxonomy.malignant)[each["number"]],
                group_id=f"{place}/" + each["group_id"],
            )
            for place, (data, each) in enumerate(zip(sets, tables, strict=True))
        ],
        ignore_index=True,
    )
    names, number = np.unique(table["source"], return_inverse=True)
    if len(names) < 2:
        print("one source: there is none to tell")
        return
    groups, bad = table["group_id"].to_numpy(), table["malignant"].to_numpy()
    print(
        "the source, of " + ", ".join(f"{n} ({(number == k).sum()})" for k, n in enumerate(names))
    )

    def told(name: str, features: Any) -> None:
        said = answers(features, number, groups, args.seed)
        single = [Ranking.of(number == k, said[:, k]) for k in range(len(names))]
        line(name, {"source": single}, groups, args)

    some: tuple[tuple[Column, ...], ...] = (*((c,) for c in COLUMNS), ("age", "sex"), COLUMNS)
    for columns in some:
        told(", ".join(columns), vectors(table, columns))
    told("site as it is written", np.asarray(pd.get_dummies(table["site"]), np.float32))
    gaps = [place for place, name in enumerate(meaning(COLUMNS)) if name.endswith("not known")]
    told("what is not known", vectors(table, COLUMNS)[:, gaps])
    told("malignant or not", bad[:, None].astype(np.float32))
    features = vectors(table, COLUMNS)
    for there, name in enumerate(names):
        own = number == there
        said = answers(features[own], bad[own], groups[own], args.seed)[:, 1]

        def area(said: Any, truth: Any = bad[own]) -> Areas:
            return {"malignant": [Ranking.of(truth, said)]}

        line(f"{name} by a rule of its own", area(said), groups[own], args)
        for here, other in enumerate(names):
            if here != there:
                fitted = rule().fit(features[number == here], bad[number == here])
                said = fitted.predict_proba(features[own])[:, 1]
                line(f"{name} by the rule of {other}", area(said), groups[own], args)


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sets", type=Path, nargs="+", metavar="PREPARED")
    parser.add_argument("--runs", type=Path, nargs="+", default=[], help="one a fold")
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    sets = [open_prepared(each) for each in args.sets]
    diagnosis(sets[0], args)
    if args.runs:
        added(sets[0], args)
    sources(sets, args)


if __name__ == "__main__":
    main()
