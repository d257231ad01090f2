"""What a variant came to under one protocol: figures with intervals, from finished runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lentigo.data.prepared import PreparedSet
from lentigo.errors import InputError
from lentigo.papers.schema import Protocol
from lentigo.papers.timing import seconds_per_epoch
from lentigo.score.bootstrap import REPLICATES, group_numbers, grouped_bootstrap
from lentigo.score.calibration import softmax
from lentigo.score.estimate import LEVEL, NONE, Estimate, summarise
from lentigo.score.panel import Panel
from lentigo.score.trainings import mean_estimates, scarce_groups
from lentigo.train import Run

NO_INTERVAL = "a fact of the run, not an estimate"
# Differences of the same figures in another order are not the same to the last digit.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Outcome:
    """One variant under one protocol.

    Attributes:
        variant: Its name.
        protocol: Which split.
        leaky: Whether the measured images share lesions or patients with the training.
        figures: By key; empty where it failed.
        images: How many were measured.
        groups: Of how many groups.
        seeds: How many trainings of each fold the figures are the mean of.
        folds: How many folds validated in turn.
        reports: The evaluations' pages.
        failure: Why there are no figures; empty where there are.
        remarks: What must be said of its data and weights.
        derived: Whether it follows from other outcomes.
    """

    variant: str
    protocol: Protocol
    leaky: bool = False
    figures: Mapping[str, Estimate] | None = None
    images: int = 0
    groups: int = 0
    seeds: int = 0
    folds: int = 1
    reports: tuple[Path, ...] = ()
    failure: str = ""
    remarks: tuple[str, ...] = ()
    derived: bool = False


@dataclass(frozen=True)
class Measured:
    """Figures by key, and on how many images and groups they rest."""

    figures: Mapping[str, Estimate]
    images: int
    groups: int


def figures_of(runs: Sequence[Run], evaluations: Sequence[Path], data: PreparedSet) -> Measured:
    """The mean of several trainings' figures, with intervals.

    The interval is of the mean: in each replicate the same groups are drawn for all
    trainings, so folds that validate on parts of their own are drawn together. It holds the
    doubt that comes with the images, not that of the training.

    Args:
        runs: Finished, one a seed or fold.
        evaluations: Folders of their evaluations, on the same images or each on its fold's.
        data: The prepared set.
    """
    tables = [_answers(each) for each in evaluations]
    places, groups = _places(tables, data)
    panels = [_panel(table, data) for table in tables]
    found = mean_estimates(panels, places, groups)
    facts = _facts(runs)
    facts |= _validation(runs, facts, data)
    figures = found | _false_positives(found) | facts
    return Measured(figures, len(groups), len(set(groups.tolist())))


@dataclass(frozen=True)
class Difference:
    """How far two ways of training lie apart in one figure, the second subtracted.

    Attributes:
        by_group: The mean of all trainings, with an interval over groups: the doubt that
            comes with the images.
        by_fold: The same mean with Student's interval over folds, each the mean of its seeds:
            the doubt that comes with the training, and some of the images'. Folds share most
            of their training images, so it is too narrow rather than too wide (Bengio and
            Grandvalet 2004). Without folds it is over seeds.
    """

    by_group: Estimate
    by_fold: Estimate


def differences_of(
    evaluations: Sequence[Path],
    baseline: Sequence[Path],
    folds: Sequence[int | None],
    data: PreparedSet,
) -> dict[str, Difference]:
    """Paired differences between several trainings of two kinds, fold by fold, seed by seed.

    Args:
        evaluations: Folders of evaluations, one a training.
        baseline: Those to subtract, of the same images in the same order.
        folds: (n,) the fold of each training.
        data: The prepared set that knows which images belong together.

    Raises:
        InputError: A pair of evaluations on different images.
    """
    pairs = [(_answers(a), _answers(b)) for a, b in zip(evaluations, baseline, strict=True)]
    for (ours, theirs), folder in zip(pairs, evaluations, strict=True):
        if ours[["image_id", "label"]].to_numpy().tolist() != (
            theirs[["image_id", "label"]].to_numpy().tolist()
        ):
            raise InputError(f"{folder} is of other images than what it is compared with.")
    places, groups = _places([ours for ours, _ in pairs], data)
    panels = [(_panel(ours, data), _panel(theirs, data)) for ours, theirs in pairs]
    keys = panels[0][0].keys

    def drawn_gaps(weights: Any) -> Any:
        own = zip(panels, places, strict=True)
        return np.mean([a.draw(weights[rows]) - b.draw(weights[rows]) for (a, b), rows in own], 0)

    alone = [(np.ones((len(rows), 1)), pair) for pair, rows in zip(panels, places, strict=True)]
    observed = np.array([(a.compute(one) - b.compute(one))[:, 0] for one, (a, b) in alone])
    drawn = grouped_bootstrap(drawn_gaps, groups, replicates=REPLICATES)
    numbers, n_groups = group_numbers(groups)
    parts = [numbers[rows] for rows in places]
    scarce = partial(scarce_groups, [first for first, _ in panels], parts)
    units, what = _units(observed, folds)
    return {
        key: Difference(
            summarise(float(observed[:, row].mean()), drawn[row], n_groups, scarce=scarce(key)),
            student(units[:, row].tolist(), what),
        )
        for row, key in enumerate(keys)
    }


def _units(
    observed: np.ndarray[Any, Any], folds: Sequence[int | None]
) -> tuple[np.ndarray[Any, Any], str]:
    """What is independent among trainings: folds, each the mean of its seeds, else seeds."""
    names = list(dict.fromkeys(folds))
    if len(names) == 1:
        return observed, "seeds"
    of = np.array([names.index(fold) for fold in folds])
    return np.array([observed[of == fold].mean(axis=0) for fold in range(len(names))]), "folds"


def student(values: Sequence[float], what: str) -> Estimate:
    """A mean with Student's 95% interval over independent values.

    Args:
        values: (n,); NaN where undefined.
        what: What they are one each of, in the plural.

    Returns:
        Its ``n_groups`` is n; without an interval where n is 1, or where all are the same:
        that says how rough the figure is, and nothing of how sure.
    """
    mean = float(np.mean(values))
    if not np.isfinite(mean):
        return Estimate(None, None, None, len(values), f"undefined with some {what}")
    if len(values) < 2:
        return Estimate(mean, None, None, len(values), f"one of {what} has no interval")
    if np.ptp(values) < _ROUNDING:
        return Estimate(mean, None, None, len(values), f"{NONE}all {what} gave the same")
    from scipy.stats import t  # noqa: PLC0415 - comes with scikit-learn, and takes a while

    reach = float(t.ppf((1 + LEVEL) / 2, len(values) - 1) * np.std(values, ddof=1))
    reach /= float(np.sqrt(len(values)))
    text = f"Student's interval over {what}"
    return Estimate(mean, mean - reach, mean + reach, len(values), text)


def _answers(evaluation: Path) -> pd.DataFrame:
    return pd.read_csv(evaluation / "predictions.csv", dtype={"image_id": str})


def _places(
    tables: Sequence[pd.DataFrame], data: PreparedSet
) -> tuple[list[Any], np.ndarray[Any, Any]]:
    """Where each table's rows stand among the images of all, and those images' groups."""
    row_of = {name: row for row, name in enumerate(data.manifest["image_id"])}
    rows = [table["image_id"].map(row_of).to_numpy() for table in tables]
    everything = np.unique(np.concatenate(rows))
    groups = data.groups[everything]
    return [np.searchsorted(everything, each) for each in rows], groups


def _panel(table: pd.DataFrame, data: PreparedSet) -> Panel:
    codes = data.taxonomy.codes
    labels = table["label"].map({code: i for i, code in enumerate(codes)}).to_numpy()
    return Panel.of(labels, table[list(codes)].to_numpy(), codes, data.taxonomy.malignant)


def _false_positives(found: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """``false_positive_rate.WHAT.POINT``: 1 less each specificity, interval turned round."""

    def rest(value: float | None) -> float | None:
        return None if value is None else 1 - value

    return {
        key.replace("specificity", "false_positive_rate", 1): Estimate(
            rest(each.value), rest(each.high), rest(each.low), each.n_groups, each.reason
        )
        for key, each in found.items()
        if key.startswith("specificity.")
    }


def _validation(
    runs: Sequence[Run], facts: Mapping[str, Estimate], data: PreparedSet
) -> dict[str, Estimate]:
    """``history.val_accuracy`` and ``.val_loss`` with intervals over groups, from kept answers.

    What is recorded of an epoch is the mean over images of right and wrong, and of the log loss
    at temperature 1, whatever loss was trained with. A figure is left out where the answers
    that a run keeps do not give it, as with several views, which the epochs were not
    validated with.
    """
    paths = [run.path / "validation_predictions.csv" for run in runs]
    if not all(path.is_file() for path in paths):
        return {}
    tables = [pd.read_csv(path, dtype={"image_id": str, "label": str}) for path in paths]
    places, groups = _places(tables, data)
    found = {}
    for place, key in enumerate(("history.val_accuracy", "history.val_loss")):
        if key not in facts:
            continue
        scores = [_by_image(table, data.taxonomy.codes)[place] for table in tables]
        mean = partial(_mean_over_images, scores, places)
        observed = float(mean(np.ones((len(groups), 1)))[0])
        if np.isclose(observed, facts[key].value or 0.0, atol=1e-4):
            replicates = grouped_bootstrap(mean, groups, replicates=REPLICATES)
            share = key == "history.val_accuracy"
            n_groups = len(set(groups.tolist()))
            found[key] = summarise(observed, replicates, n_groups, proportion=share)
    return found


def _by_image(
    table: pd.DataFrame, codes: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Whether each answer (n,) is right, as 0 or 1, and its log loss at temperature 1."""
    logits = table[[f"logit_{code}" for code in codes]].to_numpy()
    truth = np.array([list(codes).index(label) for label in table["label"]])
    of_truth = softmax(logits)[np.arange(len(truth)), truth]
    return (logits.argmax(axis=1) == truth).astype(float), -np.log(np.maximum(of_truth, 1e-12))


def _mean_over_images(
    scores: Sequence[NDArray[np.float64]], places: Sequence[Any], weights: NDArray[np.float64]
) -> Any:
    """The trainings' mean of each one's mean score, (r,), under weights (n, r) of all images."""
    means = [
        own @ weights[where] / np.maximum(weights[where].sum(axis=0), 1)
        for own, where in zip(scores, places, strict=True)
    ]
    return np.mean(means, axis=0)


def _facts(runs: Sequence[Run]) -> dict[str, Estimate]:
    """Means over the runs of what stands in their records; classic models have no epochs."""
    rows = []
    for run in runs:
        history = run.history()
        best = history[run.info.best_epoch - 1]
        row = {f"history.{k}": v for k, v in best.items() if isinstance(v, int | float)}
        row |= {"parameters": run.info.parameters, "seconds": run.info.seconds}
        if run.info.kind == "network":  # a classic model's rows are points of a grid
            row["epochs"] = len(history)
        rows.append(row)
    means = pd.DataFrame(rows).mean()
    found = {
        str(key): Estimate(float(value), None, None, 0, NO_INTERVAL) for key, value in means.items()
    }
    timed = all(run.info.kind == "network" for run in runs)
    return found | ({"seconds_per_epoch": seconds_per_epoch(runs)} if timed else {})
