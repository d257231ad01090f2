"""The parts of the report, in the order in which they are read.

A part is added in three steps: a function from ``Findings`` to what it shows (an empty dict
where it has nothing to say, and the part is left out), in a module here or beside; a template
``sections/NAME.html.j2`` that shows it; and one line in ``SECTIONS``. Besides its own values
a template sees ``asked``, ``scored``, ``metrics`` and ``looks``, the filters of
``lentigo.evaluate.formats``, and the macros of ``macros.html.j2``. Its styles stand in
``style.css.j2``. What it needs that ``Findings`` lacks becomes a field there, with a default.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lentigo.evaluate import forest
from lentigo.evaluate.facts import Findings
from lentigo.evaluate.sections import calibration, classes, decisions, overview, provenance


@dataclass(frozen=True)
class Section:
    """One part of the page.

    Attributes:
        name: Of its template, without ``.html.j2``.
        shows: From the findings to the template's values; empty leaves the part out.
    """

    name: str
    shows: Callable[[Findings], dict[str, Any]]


SECTIONS = (
    Section("asked", provenance.asked),
    Section("headline", overview.headline),
    Section("malignant", overview.malignant),
    Section("confusion", classes.confusion),
    Section("classes", classes.classes),
    Section("calibration", calibration.calibration),
    Section("points", decisions.points),
    Section("decision_curve", decisions.decision_curve),
    Section("subgroups", forest.section),
    Section("training", provenance.training),
    Section("errors", provenance.errors),
    Section("lesions", provenance.lesions),
    Section("holdings", provenance.holdings),
    Section("again", provenance.again),
)
