"""The result page: what is shown of an answer, and in which words."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from lentigo.deploy.bundle import BundleInfo
from lentigo.deploy.prediction import Prediction, Reading
from lentigo.web.kept import keep
from lentigo.web.server import Server, server_of
from lentigo.web.strings import Words, hint_of
from lentigo.web.told import Told
from lentigo.web.views import page, words_for

SCALE_PX = 400
"""Width of the drawn scale in units of its own."""
SCOPES = ("yes", "no")
"""What a visitor may answer to the question whether a dermatoscope was used."""


@dataclass(frozen=True)
class Row:
    """A class on the result page.

    Attributes:
        code: As everywhere.
        name: In plain words.
        malignant: Whether it counts as malignant.
        probability: In [0, 1].
    """

    code: str
    name: str
    malignant: bool
    probability: float


async def show_result(request: Request, content: bytes, filename: str, scope: str) -> Response:
    """Answer a photo with the result page.

    Args:
        request: Whose photo it is.
        content: The encoded photo.
        filename: What the visitor calls it.
        scope: ``yes`` or ``no``: whether it came through a dermatoscope; anything else counts
            as not answered.

    Raises:
        Refusal: The photo is refused, or the queue is full.
    """
    server = server_of(request)
    prediction, drawn = await server.desk.portray(content, filename or "photo")
    scope = scope if scope in SCOPES else ""
    kept = await keep_if_asked(server, content, prediction, scope)
    return show_told(request, Told(prediction, drawn, scope, kept))


def show_told(request: Request, told: Told) -> Response:
    """The result page in the visitor's language."""
    server, words, prediction = server_of(request), words_for(request), told.prediction
    info = server.desk.info
    return page(
        request,
        "result.html",
        prediction=prediction,
        portrait=told.portrait,
        kept=told.kept,
        answer=json.dumps(_record(told)),
        sealed=server.seal.sealed(told),
        rows=_rows(prediction, info, words),
        info=info,
        scope=told.scope,
        warnings=[words.warning(each) for each in prediction.warnings],
        unfamiliar=_unfamiliar(prediction),
        thresholds=", ".join(words.percent(each.threshold) for each in prediction.readings),
        readings=[sentence(each, info, words) for each in prediction.readings],
        above=any(each.above for each in prediction.readings),
        mixture=_malignant_before(info),
        width=SCALE_PX,
    )


async def keep_if_asked(
    server: Server, content: bytes, prediction: Prediction, scope: str = ""
) -> bool | None:
    """Store photo and answer where the operator wants it; None where not."""
    folder = server.settings.keep
    if folder is None:
        return None
    return await asyncio.to_thread(keep, folder, content, prediction, scope)


def _record(told: Told) -> dict[str, object]:
    """What a browser keeps of an answer: its figures, and all that makes them doubtful."""
    return {
        **told.prediction.to_dict(),
        "scope": told.scope or None,
        "hints": [hint_of(each) for each in told.prediction.warnings],
    }


def _rows(prediction: Prediction, info: BundleInfo, words: Words) -> list[Row]:
    classes = info.taxonomy.classes
    rows = [
        Row(each.code, words.class_name(each.code, each.name), each.malignant, probability)
        for each, probability in zip(classes, prediction.probability, strict=True)
    ]
    return sorted(rows, key=lambda row: -row.probability)


def sentence(reading: Reading, info: BundleInfo, words: Words) -> str:
    """A reading in words: what lies below a threshold too, and what the test showed of it."""
    side, share = "above" if reading.above else "below", reading.target_sensitivity
    told = words(
        f"result.{side}",
        threshold=words.percent(reading.threshold),
        share=words.percent(share),
        missed=words.percent(1 - share),
    )
    found = info.held_out_sensitivity(reading.name)
    if found is None or found.value is None or found.low is None or found.high is None:
        return told
    shares = (found.value, found.low, found.high)
    if not reading.above:
        shares = (1 - found.value, 1 - found.high, 1 - found.low)
    named = dict(zip(("share", "low", "high"), map(words.percent, shares), strict=True))
    return f"{told} {words(f'result.{side}.measured', **named)}"


def _unfamiliar(prediction: Prediction) -> bool:
    """Whether the answer itself says that it does not know such pictures."""
    familiarity = prediction.to_dict().get("familiarity")
    return isinstance(familiarity, dict) and familiarity.get("unfamiliar") is True


def _malignant_before(info: BundleInfo) -> float | None:
    if info.mixture is None:
        return None
    return float(np.asarray(info.mixture)[np.asarray(info.taxonomy.malignant)].sum())
