"""A support vector machine on hand-crafted features: grid search, calibration, one model.

Every fit scales anew by its own training part, and its kernel matrix is computed once for all
values of ``c``. Resampled images count by weight, which is the same optimum with fewer rows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lentigo.data.kept import kept_descriptions, read_array, write_array
from lentigo.data.prepared import PreparedSet
from lentigo.data.splits import assign
from lentigo.errors import MissingExtraError, RecipeError
from lentigo.machine import usable_cores
from lentigo.recipe import Classic, Kernel, Recipe, Sampling
from lentigo.train.machine import Floats, Machine, Scaling, gamma_of, gram
from lentigo.train.sampling import drawn_share, epoch_order, used_rows
from lentigo.train.state import HistoryRow
from lentigo.train.validation import selection_score, validation_scores

_log = logging.getLogger(__name__)

Labels = NDArray[np.int64]
Tell = Callable[[str, int, int], None]
# Of the logistic regression on decision values, of which there are few: nearly none.
_LOOSE = 100.0


@dataclass(frozen=True)
class Fitted:
    """A machine, and how it was found.

    Attributes:
        machine: What answers.
        logits: (v, k) of the validation images.
        history: A row a point of the grid, with the scores of held-out training images.
        best: The row that was taken, from 1.
        mixture: (k,) how common its probabilities take each class to be.
    """

    machine: Machine
    logits: NDArray[np.float32]
    history: list[HistoryRow]
    best: int
    mixture: Floats


@dataclass(frozen=True)
class _Part:
    """One fit's training rows, scaled, and what they weigh."""

    scaling: Scaling
    gamma: float
    features: Floats
    labels: Labels
    weights: Floats


def fit_classic(
    recipe: Recipe,
    data: PreparedSet,
    fold: int | None,
    seed: int,
    folder: Path,
    tell: Tell,
    kept: Path | None = None,
) -> Fitted:
    """Search the grid and fit the best machine on all training images.

    Args:
        recipe: With ``classic``.
        data: The prepared set.
        fold: The fold that validates.
        seed: Of resampling, and of how groups are dealt to the parts of the search.
        folder: For what a killed search has done; the caller removes it.
        tell: Told of (what is done, steps done, steps).
        kept: Where features are kept for other runs; None is ``folder``.

    Raises:
        RecipeError: Classes with too few groups for the search.
        MissingExtraError: scikit-learn is not installed.
    """
    plan, classes = _plan(recipe), len(data.taxonomy.codes)
    training = used_rows(data, recipe.sampling, fold=fold, seed=seed)
    validation = data.rows("validation", fold)
    labels = data.labels[training]
    parts = _parts(data, training, plan.folds, seed)
    _check(data, labels, parts, plan.folds)
    steps = 1 + len(plan.kernels)
    tell("features", 0, steps)
    wanted = np.concatenate([training, validation])
    features = kept_descriptions(
        data, wanted, plan.features, kept or folder, workers=usable_cores()
    )
    own, held_out = features[: len(training)], features[len(training) :]
    mixture = drawn_share(labels, recipe.sampling, classes)
    history: list[HistoryRow] = []
    decided: list[Floats] = []
    for place, kernel in enumerate(plan.kernels):
        tell(f"svm {kernel}", 1 + place, steps)
        found = _searched(folder / f"grid-{kernel}.npy", recipe, kernel, own, labels, parts, seed)
        for c, decisions in zip(plan.c, found, strict=True):
            weights, offset = _to_logits(decisions, labels, recipe.sampling, classes)
            logits = (decisions @ weights + offset).astype(np.float32)
            scores = validation_scores(logits, labels, data.taxonomy.malignant)
            row: HistoryRow = {"epoch": len(history) + 1, "stage": kernel, "c": c}
            history.append(row | {f"val_{name}": value for name, value in scores.items()})
            decided.append(decisions)
    ranked = [selection_score(row, recipe.selection_metric) for row in history]
    if not np.isfinite(ranked).any():
        raise RecipeError(
            f"The selection metric {recipe.selection_metric!r} is undefined on these images.",
            todo="Choose another: --set selection_metric=balanced_accuracy",
        )
    best = int(np.nanargmax(ranked))
    kernel, c = plan.kernels[best // len(plan.c)], plan.c[best % len(plan.c)]
    part = _part(own, labels, recipe.sampling, seed, 0)
    after = _to_logits(decided[best], labels, recipe.sampling, classes)
    machine = _machine(part, kernel, c, after)
    tell(f"svm {kernel}", steps, steps)
    return Fitted(machine, machine.logits(held_out), history, best + 1, mixture / mixture.sum())


def _plan(recipe: Recipe) -> Classic:
    if recipe.classic is None:
        raise RecipeError(f"{recipe.name} is a network's recipe.")
    try:
        import sklearn  # noqa: F401, PLC0415 - what only classic recipes need
    except ImportError:
        raise MissingExtraError(
            "scikit-learn, which fits support vector machines, is not installed.",
            todo="pip install 'lentigo[train]'",
        ) from None
    return recipe.classic


def _parts(data: PreparedSet, training: Labels, folds: int, seed: int) -> Labels:
    """(n,) which part of the search holds each training image out; groups stay whole."""
    rows = data.manifest.iloc[training]
    groups, labels = rows["group_id"].tolist(), rows["label"].tolist()
    official = ["train"] * len(rows)
    _, found = assign(groups, labels, official, seed=seed, test_share=0, folds=folds)
    return np.array(found, np.int64)


def _check(data: PreparedSet, labels: Labels, parts: Labels, folds: int) -> None:
    codes = data.taxonomy.codes
    absent = [code for place, code in enumerate(codes) if not (labels == place).any()]
    if absent:
        raise RecipeError(f"No training image is of {', '.join(absent)}.")
    for part in range(folds):
        left = set(labels[parts != part].tolist())
        thin = [code for place, code in enumerate(codes) if place not in left]
        if thin or not (parts == part).any():
            raise RecipeError(
                f"Without one of {folds} parts of the training groups, none is left of "
                f"{', '.join(thin) or 'another'}.",
                todo="The search needs two groups or more of every class.",
            )


def _searched(
    path: Path,
    recipe: Recipe,
    kernel: Kernel,
    features: Floats,
    labels: Labels,
    parts: Labels,
    seed: int,
) -> Floats:
    """Decisions (c, n, pairs) on every training image by a machine that did not see its part."""
    if (known := read_array(path)) is not None:
        return known
    plan, pairs = _plan(recipe), _pairs(int(labels.max()) + 1)
    found = np.empty((len(plan.c), len(labels), len(pairs)))
    with ThreadPoolExecutor(usable_cores()) as pool:  # libsvm lets go of the interpreter
        for which in range(plan.folds):
            out = parts == which
            kept = _part(features[~out], labels[~out], recipe.sampling, seed, which)
            own = gram(kernel, kept.gamma, kept.features, kept.features)
            across = gram(kernel, kept.gamma, kept.scaling(features[out]), kept.features)

            def decide(c: float, own: Floats = own, kept: _Part = kept) -> tuple[Floats, Floats]:
                return _solve(own, kept.labels, kept.weights, c)

            for place, (weights, offset) in enumerate(pool.map(decide, plan.c)):
                found[place, out] = across @ weights + offset
    write_array(path, found)
    return found


def _part(features: Floats, labels: Labels, sampling: Sampling, seed: int, draw: int) -> _Part:
    """The rows that resampling leaves, each once, and how often it was drawn."""
    order = epoch_order(labels, sampling, seed=seed, epoch=draw)
    often = np.bincount(order, minlength=len(labels)).astype(np.float64)
    kept = often > 0
    scaling = Scaling.of(features[kept])
    scaled = scaling(features[kept])
    return _Part(scaling, gamma_of(scaled), scaled, labels[kept], often[kept])


def _pairs(classes: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(classes) for j in range(i + 1, classes)]


def _solve(own: Floats, labels: Labels, weights: Floats, c: float) -> tuple[Floats, Floats]:
    """Of a kernel matrix (n, n), what makes decisions of kernel values: (n, pairs), (pairs,).

    A decision above 0 speaks for the first class of its pair. All pairs of classes are apart
    in libsvm; here each is one column over all training rows.
    """
    from sklearn.svm import SVC  # noqa: PLC0415 - what only classic recipes need

    solver = SVC(C=c, kernel="precomputed", decision_function_shape="ovo", cache_size=50)
    solver.fit(own, labels, sample_weight=weights)
    pairs, support = _pairs(len(solver.classes_)), solver.support_
    if len(pairs) == 1:  # scikit-learn turns the sign of two classes round
        found = np.zeros((len(labels), 1))
        found[support, 0] = -solver.dual_coef_[0]
        return found, -solver.intercept_
    found = np.zeros((len(labels), len(pairs)))
    ends = np.concatenate([[0], np.cumsum(solver.n_support_)])
    for place, (i, j) in enumerate(pairs):
        of_i, of_j = slice(ends[i], ends[i + 1]), slice(ends[j], ends[j + 1])
        found[support[of_i], place] = solver.dual_coef_[j - 1, of_i]
        found[support[of_j], place] = solver.dual_coef_[i, of_j]
    return found, np.asarray(solver.intercept_, np.float64)


def _to_logits(
    decisions: Floats, labels: Labels, sampling: Sampling, classes: int
) -> tuple[Floats, Floats]:
    """Logistic regression of labels on held-out decisions: (pairs, k) and (k,).

    Images weigh as their classes are drawn, so the probabilities speak of that mixture.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - as above

    drawn, natural = (drawn_share(labels, each, classes) for each in (sampling, Sampling()))
    fitted = LogisticRegression(C=_LOOSE, max_iter=2000)
    fitted.fit(decisions, labels, sample_weight=(drawn / natural)[labels])
    if classes == 2:
        zeros = np.zeros_like(fitted.coef_[0])
        return np.stack([zeros, fitted.coef_[0]], axis=1), np.array([0, fitted.intercept_[0]])
    return fitted.coef_.T, fitted.intercept_


def _machine(part: _Part, kernel: Kernel, c: float, after: tuple[Floats, Floats]) -> Machine:
    own = gram(kernel, part.gamma, part.features, part.features)
    weights, offset = _solve(own, part.labels, part.weights, c)
    support = (weights != 0).any(axis=1)
    to_logits, bias = after
    return Machine(
        kernel,
        part.gamma,
        part.scaling,
        part.features[support],
        weights[support] @ to_logits,
        offset @ to_logits + bias,
    )


def describe_machine(machine: Machine, best: HistoryRow) -> Iterator[tuple[str, str | int | float]]:
    """What a report says of it."""
    yield "model", "support vector machine on hand-crafted features"
    yield "kernel", machine.kernel
    yield "c", best["c"]
    yield "gamma", float(f"{machine.gamma:.4g}")
    yield "support vectors", len(machine.support)
    yield "features", machine.support.shape[1]
