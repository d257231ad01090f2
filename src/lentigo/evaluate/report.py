"""One self-contained page: what was asked of which images, and how far to trust the answers.

The page is a frame around ``lentigo.evaluate.sections.SECTIONS``, which says how one is added.
"""

from __future__ import annotations

from importlib.metadata import version
from importlib.resources import files

import jinja2
from markupsafe import Markup

from lentigo.evaluate.facts import Findings
from lentigo.evaluate.formats import FILTERS
from lentigo.evaluate.sections import SECTIONS
from lentigo.taxonomy import NOT_A_MEDICAL_DEVICE

FRAME = "report.html.j2"


def render(findings: Findings) -> str:
    """The page as HTML text, without a reference to any other file."""
    environment = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FunctionLoader(_source),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    common = {
        "asked": findings.asked,
        "scored": findings.scored,
        "same_list": findings.asked.description.get("test_digest") == findings.asked.list_digest,
        "metrics": findings.metrics,
        "looks": findings.looks,
        "replicates": findings.replicates,
        "version": version("lentigo"),
        "disclaimer": NOT_A_MEDICAL_DEVICE,
    }
    parts = []
    for section in SECTIONS:
        if values := section.shows(findings):
            template = environment.get_template(f"{section.name}.html.j2")
            # Jinja escaped every value that went in.
            parts.append(Markup(template.render({**common, **values})))  # noqa: S704
    return environment.get_template(FRAME).render(**common, parts=parts)


def _source(name: str) -> str:
    return files("lentigo.evaluate.sections").joinpath(name).read_text(encoding="utf-8")
