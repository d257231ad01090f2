"""Whether a per-class report can be: integer programming over the margins of its matrix.

A class of n images with t right and m called so has recall t/n, precision t/m and F1
2t/(n+m); so each class has a short list of pairs (t, m) that print as its row. One pair a
class must be chosen so that all m add up to all images, and so that accuracy and the averages
come out as printed: linear in the choice, and solved exactly. The rest of the matrix can be
filled in if and only if no class has more wrong, in its row and column together, than there
are wrong answers in all.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lentigo.papers.printed import Printed

ROWS = ("precision", "recall", "f1", "class_accuracy")
AVERAGED = ("precision", "recall", "f1")


# Of all classes together; the integer program has a variable a pair, and takes seconds by then.
MOST_PAIRS = 200_000
LARGEST_GRID = 20_000_000
_TOO_COARSE = "The figures are too coarse, of too many images, for every report to be searched."


class UndecidedError(RuntimeError):
    """The search is too large, or the solver gave up before it knew."""


@dataclass(frozen=True)
class Pairs:
    """The pairs of one class that print as its row: right (k,), called (k,), scores (3, k)."""

    right: NDArray[np.floating[Any]]
    called: NDArray[np.floating[Any]]
    scores: NDArray[np.float64]


@dataclass(frozen=True)
class _Demand:
    """One linear demand on the choice: ``low <= sum of values of the chosen <= high``."""

    name: str
    values: tuple[NDArray[Any], ...]
    low: float
    high: float


def class_pairs(row: Mapping[str, Printed], support: int, total: int) -> Pairs:
    """Every (right, called) of a class of ``support`` images that prints as ``row``.

    Raises:
        UndecidedError: Too many have to be looked at.
    """
    right = np.arange(support + 1)
    for name in ("recall", "class_accuracy"):
        if name in row:
            low, high = row[name].rounded
            right = right[(right / support >= low) & (right / support <= high)]
    if len(right) * (total + 1) > LARGEST_GRID:
        raise UndecidedError(_TOO_COARSE)
    grid = np.repeat(right, total + 1).astype(np.float64)
    called = np.tile(np.arange(total + 1.0), len(right))
    possible = (called >= grid) & (called - grid <= total - support)
    grid, called = grid[possible], called[possible]
    precision = np.divide(grid, called, out=np.zeros(len(grid)), where=called > 0)
    scores = np.stack([precision, grid / support, 2 * grid / (support + called)])
    fits = np.ones(len(grid), bool)
    for place, name in enumerate(AVERAGED):
        if name in row:
            low, high = row[name].rounded
            fits &= (scores[place] >= low) & (scores[place] <= high)
    return Pairs(grid[fits], called[fits], scores[:, fits])


def explain(
    supports: Sequence[int],
    rows: Mapping[str, Sequence[Printed]],
    whole: Mapping[str, Printed],
) -> tuple[bool, tuple[str, ...]]:
    """Whether a report can be, and the arithmetic in sentences.

    Args:
        supports: Images of each class, (k,).
        rows: By the names of ``ROWS``, one figure a class.
        whole: ``accuracy``, ``precision_macro``, ``f1_weighted`` and the like.

    Raises:
        UndecidedError: The figures are too coarse to search, or the solver gave up.
    """
    total = sum(supports)
    classes = [{name: each[c] for name, each in rows.items()} for c in range(len(supports))]
    found: list[Pairs] = []
    for row, support in zip(classes, supports, strict=True):
        found.append(class_pairs(row, support, total))
        if sum(len(each.right) for each in found) > MOST_PAIRS:
            raise UndecidedError(_TOO_COARSE)
    empty = [c for c, each in enumerate(found) if not len(each.right)]
    if empty:
        return False, tuple(_why_empty(c, classes[c], supports[c]) for c in empty)
    demands = [*_matrix_demands(found, supports), *_printed_demands(found, supports, whole)]
    for last in range(2, len(demands) + 1):
        chosen = _solve(found, demands[:last])
        if chosen is None:
            return False, (
                f"Each row alone can be, by {[len(p.right) for p in found]} pairs.",
                f"No choice of them also gives: {demands[last - 1].name}.",
                *_left_over(found, demands[:last]),
            )
    right = [int(p.right[i]) for p, i in zip(found, chosen or (), strict=True)]
    called = [int(p.called[i]) for p, i in zip(found, chosen or (), strict=True)]
    return True, (f"Right by class {right}, called so {called}: every figure follows.",)


def _why_empty(place: int, row: Mapping[str, Printed], support: int) -> str:
    figures = ", ".join(f"{name.replace('_', ' ')} {each}" for name, each in row.items())
    reach = {name: row[name] for name in ("recall", "class_accuracy") if name in row}
    near = [f"{each} {_needed(each, support)}" for each in reach.values()]
    shown = f" ({'; '.join(near)})" if near else ""
    return f"Class {place}, {support} images: no count gives {figures}{shown}."


def _needed(share: Printed, support: int) -> str:
    low, high = np.ceil(share.rounded[0] * support), np.floor(share.rounded[1] * support)
    if low > high:
        return f"is no count of {support}"
    return f"needs {low:.0f} right" if low == high else f"needs {low:.0f} to {high:.0f} right"


def _matrix_demands(found: Sequence[Pairs], supports: Sequence[int]) -> list[_Demand]:
    total = float(sum(supports))
    called = tuple(each.called for each in found)
    demands = [_Demand(f"{total:.0f} images called in all", called, total, total)]
    for c, support in enumerate(supports):
        # wrong in row c + wrong in column c <= all wrong = total - all right
        values = tuple(
            p.right + (support - p.right + p.called - p.right if i == c else 0)
            for i, p in enumerate(found)
        )
        demands.append(_Demand("a matrix with these margins", values, -np.inf, total))
    return demands


def _printed_demands(
    found: Sequence[Pairs], supports: Sequence[int], whole: Mapping[str, Printed]
) -> list[_Demand]:
    total, k = sum(supports), len(supports)
    demands = []
    for name, printed in whole.items():
        if name == "accuracy":
            values = tuple(each.right / total for each in found)
        else:
            score, _, mean = name.rpartition("_")
            shares = [1 / k if mean == "macro" else n / total for n in supports]
            place = AVERAGED.index(score)
            values = tuple(s * p.scores[place] for s, p in zip(shares, found, strict=True))
        low, high = printed.rounded
        demands.append(_Demand(f"{name.replace('_', ' ')} {printed}", values, low, high))
    return demands


def _left_over(found: Sequence[Pairs], demands: Sequence[_Demand]) -> tuple[str, ...]:
    """What the last demand would have to be, by all before it."""
    *others, last = demands
    reached = []
    for sign in (1.0, -1.0):
        chosen = _solve(found, others, objective=[sign * each for each in last.values])
        assert chosen is not None, "the demands before the last can be met"
        reached.append(sum(float(v[i]) for v, i in zip(last.values, chosen, strict=True)))
    return (f"All before it leave {reached[0]:.4f} to {reached[1]:.4f}.",)


def _solve(
    found: Sequence[Pairs],
    demands: Sequence[_Demand],
    objective: Sequence[NDArray[Any]] | None = None,
) -> list[int] | None:
    """The place of one chosen pair a class, or None where there is no such choice.

    With an objective, a value a pair, the choice has the smallest sum of it.

    Raises:
        UndecidedError: The solver gave up before it knew.
    """
    from scipy.optimize import LinearConstraint, milp  # noqa: PLC0415 - an extra

    sizes = [len(each.right) for each in found]
    one_each = np.repeat(np.eye(len(sizes)), sizes, axis=1)
    matrix = np.stack([np.concatenate(each.values) for each in demands])
    result = milp(
        np.zeros(sum(sizes)) if objective is None else np.concatenate(objective),
        integrality=np.ones(sum(sizes)),
        bounds=(0, 1),
        constraints=[
            LinearConstraint(one_each, 1, 1),
            LinearConstraint(matrix, [d.low for d in demands], [d.high for d in demands]),
        ],
    )
    if result.status == 2:
        return None
    if result.x is None:
        raise UndecidedError(f"The search was given up undecided: {result.message}")
    starts = np.cumsum([0, *sizes])
    return [int(np.argmax(result.x[a:b])) for a, b in itertools.pairwise(starts)]
