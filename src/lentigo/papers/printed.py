"""Figures as they stand in print: a value, and how finely it was written down."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema

_FORM = re.compile(r"([+-]?\d+(?:\.\d*)?|[+-]?\.\d+)\s*(%|[kKM]?)")
_UNITS = {"": Decimal(1), "%": Decimal("0.01"), "k": Decimal(10) ** 3, "M": Decimal(10) ** 6}
# Room for the last bit of a float; printed figures are at least a million times coarser.
SLACK = 1e-12


@dataclass(frozen=True)
class Printed:
    """A figure such as ``0.9106``, ``80.36%`` or ``3.23M``.

    Attributes:
        text: As printed.
        value: What it says; a share for per cent.
        step: One unit of its last digit.
    """

    text: str
    value: float
    step: float

    @classmethod
    def of(cls, text: str) -> Printed:
        """Read a figure.

        Raises:
            ValueError: It is no such figure.
        """
        bare = text.strip().replace(",", "").replace("\u2212", "-")
        form = _FORM.fullmatch(bare)
        if form is None:
            raise ValueError(f"{text!r} is no figure such as '0.9106', '80.36%' or '3.23M'")
        digits, unit = Decimal(form[1]), _UNITS[form[2].replace("K", "k")]
        exponent = digits.as_tuple().exponent
        assert isinstance(exponent, int)
        return cls(text.strip(), float(digits * unit), float(Decimal(10) ** exponent * unit))

    @property
    def rounded(self) -> tuple[float, float]:
        """Lowest and highest number that rounds to it, whichever way halves go."""
        return self.value - self.step / 2 - SLACK, self.value + self.step / 2 + SLACK

    @property
    def cut(self) -> tuple[float, float]:
        """Lowest and highest number of at least 0 that gives it when digits are cut off."""
        return self.value - SLACK, self.value + self.step - 2 * SLACK

    def reach(self, *, cut: bool = False) -> tuple[float, float]:
        """``cut`` or ``rounded``."""
        return self.cut if cut else self.rounded

    def holds(self, number: float, *, cut: bool = False) -> bool:
        """Whether ``number`` would be printed so."""
        low, high = self.reach(cut=cut)
        return low <= number <= high

    def __str__(self) -> str:
        return self.text

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _: Any, __: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _validated, serialization=core_schema.to_string_ser_schema()
        )


def _validated(value: object) -> Printed:
    if isinstance(value, Printed):
        return value
    if not isinstance(value, str):
        raise ValueError(  # noqa: TRY004 - pydantic collects ValueErrors only
            f"{value} must stand in quotes, as printed: a bare number loses its last zeros"
        )
    return Printed.of(value)
