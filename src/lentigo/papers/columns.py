"""Which figures a paper's tables can ask for: a misspelt key is told before anything trains."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from lentigo.data.sources import SOURCES
from lentigo.outside import Location
from lentigo.papers.counts import NAMED_SIDES
from lentigo.papers.schema import DataPlan
from lentigo.papers.tables import ClaimTable
from lentigo.score.panel import Panel

_OF_RUNS = ("parameters", "seconds", "seconds_per_epoch", "epochs")
_OF_FILES = ("file_mb", "response_ms", "response_p95_ms", "inference_s")
_OF_ROWS = ("p_value", "difference", "spread", "speed_up", "time_saved")
# Two classes of any name.
_ANY = ("<a>", "<b>")
_HISTORY = (
    "loss",
    "accuracy",
    "learning_rate",
    "val_loss",
    "val_accuracy",
    "val_balanced_accuracy",
    "val_roc_auc.macro",
    "val_roc_auc.malignant",
)


def classes_of(plan: DataPlan) -> set[str] | None:
    """The classes that a plan's images can have; None where only the images tell."""
    found: set[str] = set()
    for source in (*plan.sources, *(each for some in plan.stand_ins.values() for each in some)):
        taxonomy = SOURCES[source].taxonomy
        if source in plan.labels:
            found |= set(plan.labels[source].values())
        elif taxonomy is None:
            return None
        else:
            found |= set(taxonomy.codes)
    return found


def data_problems(plan: DataPlan) -> list[str]:
    """Classes that a plan names and its sources do not have."""
    found = []
    for source, labels in plan.labels.items():
        taxonomy = SOURCES[source].taxonomy
        if taxonomy is not None:
            unknown = sorted(labels.keys() - set(taxonomy.codes))
            known = ", ".join(taxonomy.codes)
            found += [f"data.labels.{source}: {each!r} is not of {known}" for each in unknown]
    classes = classes_of(plan)
    if classes is not None:
        named = [("data.malignant", plan.malignant), ("data.per_class", plan.per_class)]
        found += [
            f"{where}: {each!r} is not of {', '.join(sorted(classes))}"
            for where, some in named
            for each in some
            if each not in classes
        ]
    return found


def column_problems(
    tables: Mapping[int, ClaimTable], plans: Iterable[DataPlan]
) -> list[tuple[Location, str]]:
    """Keys of columns that no figure has, with the nearest that one has, and where they stand.

    Args:
        tables: By their numbers.
        plans: The data of all variants. Where one's classes are told by its images alone, any
            name may be one of a class.
    """
    of_plans = [classes_of(plan) for plan in plans]
    if not of_plans:
        return []  # which is told of the data
    classes = {code for each in of_plans for code in each or _ANY}
    known = sorted({*figure_keys(sorted(classes)), *_OF_FILES, *_OF_ROWS, *_counts(classes)})
    may_be = re.compile("|".join(re.sub("<[ab]>", ".+", re.escape(key)) for key in known))
    known = [key for key in known if "<" not in key]
    found: list[tuple[Location, str]] = []
    for number, table in tables.items():
        own = {column.key for column in table.columns}
        places = (place for line in table.lines for place in line)
        for place in (each for each in places if each.key and not may_be.fullmatch(each.key)):
            near = difflib.get_close_matches(place.key, known, n=1)
            hint = f"; the nearest is {near[0]!r}" if near else ""
            row = "" if place.key in own else f", row {place.row!r}"
            stands: Location = ("rows", place.row) if row else ("columns",)
            told = (
                f"table {table.title!r}, column {place.column!r}{row}: "
                f"no figure has the key {place.key!r}{hint}"
            )
            found.append((("tables", number, *stands), told))
    return list(dict.fromkeys(found))


def figure_keys(codes: Sequence[str]) -> set[str]:
    """Every key that the figures of a run on these classes may have."""
    # The keys of any answers to these classes, one of them malignant.
    labels, answers = np.arange(len(codes)), np.eye(len(codes))
    scores = Panel.of(labels, answers, codes, labels == 0).keys
    rates = [
        key.replace("specificity", "false_positive_rate", 1)
        for key in scores
        if key.startswith("specificity.")
    ]
    return {*scores, *rates, *(f"history.{each}" for each in _HISTORY), *_OF_RUNS}


def _counts(codes: Iterable[str]) -> list[str]:
    sides = [f"images.{side}" for side in NAMED_SIDES]
    return sides + [f"{side}.{code}" for code in codes for side in sides]
