"""What a finished run weighs and how fast it answers: never at the cost of its figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lentigo.papers import deployed
from lentigo.papers.deployed import INFERENCE, KEYS, cost_of
from lentigo.recipe import parse_recipe
from lentigo.train import train
from small import SMALL, small_set


def test_a_measurement_that_fails_says_why_and_leaves_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = small_set(tmp_path)
    run = train(parse_recipe(SMALL, "tiny"), data, out=tmp_path / "runs")
    rows = np.asarray(data.rows("test"))

    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(deployed, "bench", fail)
    found = cost_of(run, data, rows, {INFERENCE, "file_mb"})
    assert found[INFERENCE].value is not None
    for key in KEYS:
        assert (found[key].value, found[key].reason) == (None, "not measured: MemoryError")
    assert cost_of(run, data, rows, set()) == {}
