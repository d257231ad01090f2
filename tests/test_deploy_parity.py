"""How far a bundle may be from its network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lentigo.deploy.parity import demand, measure
from lentigo.errors import ParityError

ROWS = np.eye(7)[np.arange(700) % 7]
LABELS = np.arange(700) % 7


def wrong_on(count: int) -> NDArray[np.float64]:
    """Answers that are wrong on the first ``count`` images."""
    answers = ROWS.copy()
    answers[:count] = np.roll(answers[:count], 1, axis=1)
    return answers


@pytest.mark.parametrize(
    ("quant", "kept", "broken"),
    [
        ("float32", ROWS * (1 - 9e-5), ROWS * (1 - 2e-4)),
        ("float16", wrong_on(3), wrong_on(4)),
        ("dynamic", wrong_on(14), wrong_on(21)),
        ("int8", wrong_on(14), wrong_on(21)),
    ],
)
def test_each_quantization_has_its_tolerance(
    quant: Any, kept: NDArray[np.float64], broken: NDArray[np.float64]
) -> None:
    demand(measure(quant, LABELS, ROWS, kept))
    with pytest.raises(ParityError, match="images compared: 700"):
        demand(measure(quant, LABELS, ROWS, broken))


def test_answers_that_are_no_numbers_are_refused() -> None:
    broken = ROWS.copy()
    broken[3, 2] = np.nan
    with pytest.raises(ParityError, match="no numbers for 1 of 700"):
        measure("int8", LABELS, ROWS, broken)
