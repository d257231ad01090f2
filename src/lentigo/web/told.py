"""An answer that travels with its page, so that it can be said again in another language.

The server keeps nothing of an answer. The page hands it back as this process has signed it, so
what comes back is shown without its photo, and nobody can have this server show what it never
said.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lentigo.deploy.bundle import BundleInfo
from lentigo.deploy.prediction import Prediction, read_off
from lentigo.web.pictures import Portrait
from lentigo.web.settings import MEGABYTE

TOLD_BYTES = 2 * MEGABYTE
"""Of a form with a signed answer; a photo of nothing but black and white noise makes 0.6 MB."""


@dataclass(frozen=True)
class Told:
    """What a result page shows, in whichever language.

    Attributes:
        prediction: The answer; its attention maps are in the portrait.
        portrait: The photo and its attention as they are drawn.
        scope: ``yes``, ``no`` or empty: whether the photo came through a dermatoscope.
        kept: Whether photo and answer were stored; None where that was not asked for.
    """

    prediction: Prediction
    portrait: Portrait
    scope: str
    kept: bool | None


class Seal:
    """Signs what this process has told (HMAC, RFC 2104) and knows it again.

    The key is made anew at each start and never leaves the process, so a signed answer is one of
    the bundle that is served now.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def sealed(self, told: Told) -> str:
        """For a hidden field: one line of ASCII, which browsers hand back as it is."""
        answer = told.prediction
        fields = {
            "image": answer.image,
            "probability": answer.probability,
            "warnings": answer.warnings,
            "unfamiliarity": None if answer.familiarity is None else answer.familiarity.score,
            "portrait": asdict(told.portrait),
            "scope": told.scope,
            "kept": told.kept,
        }
        text = json.dumps(fields)
        return f"{self._signature(text.encode())}.{text}"

    def opened(self, sealed: bytes, info: BundleInfo) -> Told | None:
        """What was sealed; None, and nothing of it is parsed, where this process did not sign it.

        Args:
            sealed: As it came back.
            info: Of the bundle that answered.
        """
        signature, _, text = sealed.partition(b".")
        if not hmac.compare_digest(signature, self._signature(text).encode()):
            return None
        fields: dict[str, Any] = json.loads(text)
        drawn = fields["portrait"]
        prediction = read_off(
            fields["image"],
            np.asarray(fields["probability"], np.float64),
            info,
            warnings=tuple(fields["warnings"]),
            unfamiliarity=fields["unfamiliarity"],
        )
        portrait = Portrait(**{**drawn, "box": tuple(drawn["box"])})
        return Told(prediction, portrait, fields["scope"], fields["kept"])

    def _signature(self, text: bytes) -> str:
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()
