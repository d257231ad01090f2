"""For whom a model is worse, in sentences: what its card must not hide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lentigo.evaluate.forest import figure_name
from lentigo.evaluate.formats import with_interval
from lentigo.evaluate.strata import UNKNOWN
from lentigo.evaluate.subgroups import Division, Subgroups


def weaknesses(subgroups: Subgroups, keys: Sequence[str]) -> list[str]:
    """A sentence for each stratum whose interval lies below that of its axis' reference.

    Args:
        subgroups: Of an evaluation.
        keys: The figures to speak of, in the order in which they matter.

    Returns:
        The sentences; behind them those on strata with too few malignant groups for a
        sensitivity, where ``keys`` has one.
    """
    worse = [text for key in keys for each in subgroups.divisions for text in _worse(each, key)]
    found = next((key for key in keys if key.startswith("sensitivity.malignant")), None)
    silent = (_unfound(each, found) for each in subgroups.divisions if found is not None)
    return [*worse, *filter(None, silent)]


def _worse(division: Division, key: str) -> Iterator[str]:
    for each in division.strata:
        gap = each.differences.get(key)
        if each.name != UNKNOWN and gap is not None and gap.high is not None and gap.high < 0:
            figure = figure_name(key)
            figure = figure if figure.startswith("AUC") else figure[0].lower() + figure[1:]
            less = with_interval(gap).replace("-", "−")
            yield (
                f"{division.title}, {each.name}: {figure}, {with_interval(each.metrics[key])}; "
                f"{less} beside {division.reference}."
            )


def _unfound(division: Division, key: str) -> str:
    """The strata that have figures, but none of how many malignant images are found."""
    names = [
        each.name
        for each in division.strata
        if each.name != UNKNOWN and each.status == "given" and each.metrics[key].value is None
    ]
    if not names:
        return ""
    shown = ", ".join(names)
    return f"{division.title}: too few malignant lesions to say how many are found in {shown}."
