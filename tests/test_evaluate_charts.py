"""Plots: round ticks, escaped text, and a band that holds its curve."""

from __future__ import annotations

import numpy as np
import pytest

from lentigo.evaluate.charts import training_curves
from lentigo.evaluate.svg import Plot, round_ticks
from lentigo.score.curves import roc_band
from lentigo.score.official import roc_points


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, ["0", "0.2", "0.4", "0.6", "0.8", "1"]), (1, 24, ["5", "10", "15", "20"])],
)
def test_ticks_are_round_numbers_within_the_range(low, high, expected) -> None:
    assert [text for _, text in round_ticks(low, high)] == expected


def test_ticks_of_a_flat_curve_do_not_fail() -> None:
    assert len(round_ticks(0.5, 0.5)) >= 1


def test_text_in_a_plot_is_escaped() -> None:
    plot = Plot((0, 1), (0, 1), 'a "title"', "<b>")
    plot.text(0, 0, "<script>")
    drawn = str(plot.render())
    assert "<script>" not in drawn
    assert "<b>" not in drawn


def test_the_band_holds_the_curve_and_narrows_with_more_groups() -> None:
    widths = []
    for n in (60, 2000):
        rng = np.random.default_rng(0)
        truth = rng.random(n) < 0.3
        value = rng.normal(size=n) + 1.5 * truth
        band = roc_band(truth, value, np.arange(n), replicates=200)
        fpr, tpr, _ = roc_points(truth, value)
        inside = np.interp(band.at, fpr, tpr)
        assert ((band.low <= inside + 0.02) & (inside <= band.high + 0.02)).mean() > 0.95
        widths.append((band.high - band.low).mean())
    assert widths[1] < widths[0] / 2


def test_one_epoch_makes_no_curve() -> None:
    assert training_curves([{"epoch": 1, "loss": 0.3}]) == []


def test_columns_that_are_not_numbers_make_no_curve() -> None:
    history = [{"epoch": e, "loss": 0.3, "stage": "one", "val_f1": float("nan")} for e in (1, 2)]
    assert [names for _, _, names in training_curves(history)] == [["training loss"]]
