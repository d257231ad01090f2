"""What epochs cost, and how much faster one kind is than another: seconds with intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lentigo.score.estimate import FEW_GROUPS, NONE, Estimate, summarise
from lentigo.train import Run

REPLICATES = 1000


def timing_told(before: Sequence[Run], after: Sequence[Run]) -> str:
    """What the seconds of these trainings rest on, in words."""
    told = _first_told((*before, *after))
    if min(sum(map(len, epochs_of(each))) for each in (before, after)) < 2:
        return f"{told}; one epoch gives no interval"
    if max(len(before), len(after)) < 2:
        return f"{told}; of one training each, the interval draws epochs alone"
    return f"{told}; the interval draws trainings, and epochs within them"


def _first_told(runs: Sequence[Run]) -> str:
    if min(len(run.info.epoch_seconds) for run in runs) > 1:
        return "the first epoch of each training compiles and is left out"
    return "a training of one epoch is counted with the compiling in it"


def epochs_of(runs: Sequence[Run]) -> list[NDArray[np.float64]]:
    """Seconds of each training's epochs; the first compiles and is left out where others are."""
    seconds = [np.array(run.info.epoch_seconds) for run in runs]
    return [each[1:] if len(each) > 1 else each for each in seconds]


def seconds_per_epoch(runs: Sequence[Run], seed: int = 0) -> Estimate:
    """The mean over all epochs of some trainings, without the first of each, which compiles.

    The interval is that of ``speed_up``. Runs of before ``epoch_seconds`` was kept have the
    mean of the whole and no interval.

    Args:
        runs: Of networks, at least one.
        seed: Of the bootstrap.

    Returns:
        Its ``n_groups`` is the number of epochs.
    """
    trainings = epochs_of(runs)
    if not all(map(len, trainings)):
        mean = float(np.mean([run.info.seconds / len(run.history()) for run in runs]))
        return Estimate(mean, None, None, 0, f"{NONE}the seconds of single epochs were not kept")
    mean, count = float(np.concatenate(trainings).mean()), sum(map(len, trainings))
    if count < 2:
        left = len(runs[0].info.epoch_seconds) > 1
        told = f"{NONE}one epoch{' is left after the first, which compiles' if left else ''}"
        return Estimate(mean, None, None, count, told)
    random = np.random.default_rng(seed)
    means = np.array([_drawn(trainings, random) for _ in range(REPLICATES)])
    told = f"over {count} epochs of {len(runs)} training{'s' * (len(runs) > 1)}"
    told += f"; {_first_told(runs)}" + "; a rough guide, of so few" * (count < FEW_GROUPS)
    return summarise(mean, means, count, reason=told)


def speed_up(
    before: Sequence[NDArray[np.float64]], after: Sequence[NDArray[np.float64]], seed: int = 0
) -> dict[str, Estimate]:
    """``speed_up``, mean seconds an epoch before / after, and ``time_saved``, 1 - after / before.

    The percentile interval of a bootstrap in two steps: trainings are drawn, then epochs
    within each. One epoch of either kind scatters not at all, and gives none.

    Args:
        before: Seconds of the epochs of each training, one array a seed.
        after: Of the other kind.
        seed: Of the bootstrap.
    """
    ratio = float(np.concatenate(before).mean() / np.concatenate(after).mean())
    if min(sum(map(len, before)), sum(map(len, after))) < 2:
        told = "one epoch has no interval"
        values = {"speed_up": ratio, "time_saved": 1 - 1 / ratio}
        return {key: Estimate(each, None, None, 2, told) for key, each in values.items()}
    random = np.random.default_rng(seed)
    ratios = np.array([_drawn(before, random) / _drawn(after, random) for _ in range(REPLICATES)])
    count = len(before) + len(after)
    return {
        "speed_up": summarise(ratio, ratios, count),
        "time_saved": summarise(1 - 1 / ratio, 1 - 1 / ratios, count),
    }


def _drawn(trainings: Sequence[NDArray[np.float64]], random: np.random.Generator) -> float:
    """The mean of one draw: trainings are drawn, then epochs within each."""
    chosen = [trainings[i] for i in random.integers(0, len(trainings), len(trainings))]
    return float(np.concatenate([random.choice(e, len(e)) for e in chosen]).mean())
