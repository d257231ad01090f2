"""The page's sentences in four languages, all from one catalogue."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

LANGUAGES = {
    "en": "English",
    "es": "Español",
    "id": "Bahasa Indonesia",
    "tr": "Türkçe",
}
DEFAULT = "en"
# Warnings come from the library as English sentences, which the catalogue holds as well.
_WARNINGS = "warning."
SAME_CLASS = {
    "ack": "ak",
    "actinic_keratosis": "ak",
    "basal_cell_carcinoma": "bcc",
    "dermatofibroma": "df",
    "melanoma": "mel",
    "nev": "nv",
    "nevus": "nv",
    "pigmented_benign_keratosis": "bkl",
    "sek": "seborrheic_keratosis",
    "squamous_cell_carcinoma": "scc",
    "vascular_lesion": "vasc",
}
"""Codes that data sets use for one class, and the code that the catalogue has it under."""


@cache
def catalogue() -> Mapping[str, Mapping[str, str]]:
    """Key to language to sentence; a class is there under each of its codes."""
    text = (files("lentigo") / "web" / "catalogue.toml").read_text("utf-8")
    said = tomllib.loads(text)
    return said | {f"class.{other}": said[f"class.{code}"] for other, code in SAME_CLASS.items()}


@dataclass(frozen=True)
class Words:
    """The sentences of one language.

    Attributes:
        language: A key of ``LANGUAGES``.
    """

    language: str = DEFAULT

    def __call__(self, key: str, **values: object) -> str:
        """The sentence of a key with its ``{name}`` filled in; KeyError for an unknown key."""
        return catalogue()[key][self.language].format(**values)

    def under(self, *beginnings: str) -> dict[str, str]:
        """The sentences whose keys begin so, for a script of the page."""
        found = (key for key in catalogue() if key.startswith(beginnings))
        return {key: catalogue()[key][self.language] for key in found}

    def class_name(self, code: str, name: str) -> str:
        """A class in plain words; the name its bundle gives it where the catalogue has none."""
        found = catalogue().get(f"class.{code.lower()}")
        return name if found is None else found[self.language]

    def warning(self, sentence: str) -> str:
        """A sentence of the library in this language; the sentence itself where it is new."""
        hint = hint_of(sentence)
        return sentence if hint is None else self(f"{_WARNINGS}{hint}")

    def stated(self, key: str, sentence: str) -> tuple[str, str]:
        """What a bundle states of itself: in this language, and what is left in its own words.

        Args:
            key: Such as ``model.limits``, of which the catalogue holds the library's default.
            sentence: As the bundle has it.
        """
        default = catalogue()[f"{key}.default"]
        if f"{sentence} ".startswith(f"{default[DEFAULT]} "):
            return default[self.language], sentence.removeprefix(default[DEFAULT]).strip()
        return "", sentence

    def plain(self, kind: str, name: str) -> str | None:
        """What a name of a bundle means; None where the catalogue does not know it.

        Args:
            kind: ``metric`` for a figure, ``stored`` for a quantization.
            name: Such as ``brier_score`` or ``float16``.
        """
        found = catalogue().get(f"{kind}.{name}")
        return None if found is None else found[self.language]

    def number(self, value: float) -> str:
        """A figure with three decimals: 0.912, and 0,912 where people write a comma."""
        digits = f"{value:.3f}"
        return digits if self.language == "en" else digits.replace(".", ",")

    def percent(self, share: float) -> str:
        """A share as people write it: 4.2%, 4,2 %, %4,2; what rounds to 0 or 100 is bounded."""
        value = 100 * share
        sign = ""
        if value < 0.1:
            sign, value = "<", 0.1
        elif value > 99.9:
            sign, value = ">", 99.9
        digits = f"{value:.1f}"
        if self.language == "en":
            return f"{sign}{digits}%"
        digits = digits.replace(".", ",")
        patterns = {
            "es": f"{sign}{digits}\N{NO-BREAK SPACE}%",
            "id": f"{sign}{digits}%",
            "tr": f"{sign}%{digits}",
        }
        return patterns[self.language]


def hint_of(sentence: str) -> str | None:
    """What the catalogue calls a warning of the library, such as ``blur``; None where it is new."""
    return _hints().get(sentence)


@cache
def _hints() -> Mapping[str, str]:
    return {
        sentences[DEFAULT]: key.removeprefix(_WARNINGS)
        for key, sentences in catalogue().items()
        if key.startswith(_WARNINGS)
    }


def choose(*wishes: str | None, accepted: str = "") -> Words:
    """The first wish that is spoken here, else what the browser accepts, else English.

    Args:
        wishes: Language codes in order, of a query or a cookie.
        accepted: An ``Accept-Language`` header.
    """
    for wish in wishes:
        if wish in LANGUAGES:
            return Words(wish)
    ranked = sorted(_ranges(accepted), key=lambda each: -each[1])
    for language, weight in ranked:
        if language in LANGUAGES and weight > 0:
            return Words(language)
    return Words()


def _ranges(accepted: str) -> list[tuple[str, float]]:
    """Primary language and weight of each range of the header (RFC 9110, 12.5.4)."""
    found = []
    for part in accepted.split(",")[:20]:
        name, _, weight = part.strip().partition(";q=")
        primary = name.split("-")[0].lower()
        # Browsers of Indonesian users have long sent the code of before 1989.
        primary = {"in": "id"}.get(primary, primary)
        try:
            found.append((primary, float(weight) if weight else 1.0))
        except ValueError:
            continue
    return found
