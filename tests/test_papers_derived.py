"""Rows that follow from others: means, one test for all, and speed-ups or why there is none."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lentigo.data.phantom import generate
from lentigo.errors import InputError
from lentigo.files import write_json
from lentigo.papers.derived import _difference, _spread, derive
from lentigo.papers.paper import read_paper
from lentigo.papers.reproduce import Reproduction, Request, reproduce
from lentigo.papers.timing import seconds_per_epoch, speed_up, timing_told
from lentigo.train import open_run, precision

PAPER = """
schema_version = 1
name = "derived2031"
title = "Derived"
citation = "Nobody 2031"

[data]
sources = ["phantom"]
malignant = ["star", "bicolour"]
size = 32
[protocols.as-published]
group_by = "image"
[protocols.leak-free]

[recipe.network]
name = "tiny_network:build"
weights = "none"
[[recipe.stages]]
name = "train"
epochs = 2
batch_size = 16

[[variants]]
name = "a"
[[variants]]
name = "b"
set = { "recipe.stages.0.learning_rate" = 1e-7 }
[[variants]]
name = "half"
set = { "recipe.precision" = "mixed_float16" }

[[derived]]
name = "mean-ab"
title = "Mean of a and b"
kind = "mean"
of = ["a", "b"]
[[derived]]
name = "differ"
title = "a or b"
kind = "difference"
levels = { a = ["a"], b = ["b"] }
[[derived]]
name = "faster"
title = "Half precision against float32"
kind = "speed-up"
baseline = "a"
variant = "half"

[[tables]]
title = "Table 1"
columns = [{ title = "Accuracy", key = "accuracy" }]
[tables.rows]
a = ["0.9"]
b = ["0.8"]
mean-ab = ["0.85"]
[[tables]]
title = "Differences"
columns = [
  { title = "p", key = "p_value" },
  { title = "Spread", key = "spread" },
  { title = "b less a", key = "difference" },
]
[tables.rows]
differ = ["", "", ""]
[[tables]]
title = "Files"
columns = [{ title = "MB", key = "file_mb" }, { title = "ms", key = "response_ms" }]
[tables.rows]
a = ["17", ""]
[[tables]]
title = "Speed"
columns = [{ title = "Times as fast", key = "speed_up" }]
[tables.rows]
faster = ["1.09"]
"""


@pytest.fixture(scope="module")
def paper_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("papers") / "derived2031.toml"
    path.write_text(PAPER, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def done(paper_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Reproduction:
    images = generate(tmp_path_factory.mktemp("raw") / "images", lesions=70, seed=0, size=48)
    request = Request(given={"phantom": images}, protocols=("leak-free",), seeds=2)
    return reproduce(str(paper_file), request, tmp_path_factory.mktemp("out"))


def figures(done: Reproduction, name: str) -> dict:
    return next(each.figures for each in done.outcomes if each.variant == name)


def test_a_mean_row_is_the_mean_of_its_variants_with_an_interval(done: Reproduction) -> None:
    mean, a, b = (figures(done, name)["accuracy"] for name in ("mean-ab", "a", "b"))
    assert mean.value == pytest.approx((a.value + b.value) / 2)
    assert mean.low < mean.value < mean.high
    assert "| Mean of a and b | 0.85 |" in done.markdown.read_text()


def test_the_spread_is_that_of_the_levels_and_p_a_probability(done: Reproduction) -> None:
    found = figures(done, "differ")
    a, b = (figures(done, name)["accuracy"].value for name in "ab")
    assert found["spread"].value == pytest.approx(abs(a - b))
    assert 0 < found["p_value"].value <= 1
    assert "does not know how other trainings would differ" in done.markdown.read_text()


def test_a_difference_of_two_levels_says_which_is_better_and_how_sure(
    done: Reproduction,
) -> None:
    found = figures(done, "differ")["difference"]
    a, b = (figures(done, name)["accuracy"].value for name in "ab")
    assert found.value == pytest.approx(b - a)
    assert found.low <= found.value <= found.high
    text = done.markdown.read_text()
    assert f"| {found.value:+z.3f} [{found.low:+z.3f}, {found.high:+z.3f}] |" in text
    assert "a or b: accuracy of b less that of a on the same images." in text


def test_a_difference_is_paired_and_draws_groups() -> None:
    hard = np.arange(40) % 2  # what is hard for both cancels
    right = pd.DataFrame({"plain": hard * 1.0, "mined": hard * 1.0})
    still, told = _difference(right, np.arange(40))
    assert (still.value, still.low, still.high) == (0.0, 0.0, 0.0)
    assert told == "accuracy of mined less that of plain on the same images"
    right["mined"] = np.maximum(hard, np.arange(40) < 20)
    alone, _ = _difference(right, np.arange(40))
    together, _ = _difference(right, np.arange(40) // 4)
    assert alone.value == together.value == 0.25
    assert _difference(right[["mined", "plain"]], np.arange(40))[0].value == -0.25
    assert together.high - together.low > alone.high - alone.low > 0
    few, _ = _difference(right, np.arange(40) // 8)
    assert "rests on 5 group(s)" in few.reason


def test_of_three_levels_there_is_a_range_without_an_interval_and_no_difference() -> None:
    right = pd.DataFrame({"a": [1.0, 0.0], "b": [1.0, 1.0], "c": [0.0, 0.0]})
    apart, told = _difference(right, np.arange(2))
    assert (apart.value, told) == (None, "")
    assert "more than two levels" in apart.reason
    spread = _spread(right, 2)
    assert (spread.value, spread.low) == (1.0, None)
    assert spread.reason == "no interval: a range, from c to b, widens with every draw"


def test_a_run_knows_the_seconds_of_its_epochs(done: Reproduction) -> None:
    for outcome in (o for o in done.outcomes if not o.derived):
        info = json.loads((outcome.reports[0].parents[2] / "run.json").read_text())
        assert len(info["epoch_seconds"]) == 2
        assert sum(info["epoch_seconds"]) == pytest.approx(info["seconds"], abs=0.1)
        assert (info["half_speed"] is None) == (outcome.variant != "half")


@pytest.mark.parametrize(("half_speed", "shown"), [(0.4, False), (3.0, True)])
def test_a_speed_up_is_shown_only_where_half_precision_is_fast(
    done: Reproduction, paper_file: Path, half_speed: float, shown: bool
) -> None:
    outcomes = [each for each in done.outcomes if not each.derived]
    for report in next(o.reports for o in outcomes if o.variant == "half"):
        path = report.parents[2] / "run.json"
        write_json(path, json.loads(path.read_text()) | {"half_speed": half_speed})
    found = derive(read_paper(str(paper_file)), outcomes, ["leak-free"])
    row = next(each for each in found if each.variant == "faster")
    if shown:
        speed = row.figures["speed_up"]
        assert speed.low <= speed.value <= speed.high
    else:
        assert row.figures["speed_up"].value is None
        assert "no fast float16 here (its matrix products: 0.40 times" in row.remarks[0]


def test_the_file_and_its_response_time_are_measured_where_a_table_asks(
    done: Reproduction,
) -> None:
    found = figures(done, "a")
    run = next(o.reports[0].parents[2] for o in done.outcomes if o.variant == "a")
    (file,) = (run / "export").glob("*.tflite")
    assert found["file_mb"].value == pytest.approx(file.stat().st_size / 1e6)
    assert 0 < found["response_ms"].value <= found["response_p95_ms"].value
    assert "file_mb" not in figures(done, "b")


def test_the_interval_of_a_speed_up_holds_the_truth() -> None:
    random = np.random.default_rng(0)
    held = 0
    for seed in range(40):
        before = [random.normal(10 * wobble, 0.3, 12) for wobble in random.normal(1, 0.01, 4)]
        after = [random.normal(8 * wobble, 0.3, 12) for wobble in random.normal(1, 0.01, 4)]
        found = speed_up(before, after, seed)["speed_up"]
        held += found.low <= 1.25 <= found.high
    assert held >= 32  # 95% of 40, less three standard errors, few trainings


def test_one_epoch_of_each_has_a_ratio_and_no_interval() -> None:
    found = speed_up([np.array([3.0])], [np.array([1.5])])["speed_up"]
    assert (found.value, found.low, found.high) == (2.0, None, None)
    assert found.reason == "one epoch has no interval"


@pytest.mark.parametrize(
    ("epochs", "trainings", "told", "never"),
    [
        (1, 1, "one epoch gives no interval", "left out"),
        (3, 1, "the interval draws epochs alone", "draws trainings"),
        (1, 2, "the interval draws trainings", "left out"),
        (3, 2, "left out; the interval draws trainings", "alone"),
    ],
)
def test_what_is_said_of_seconds_is_true_of_these_trainings(
    epochs: int, trainings: int, told: str, never: str
) -> None:
    info = SimpleNamespace(epoch_seconds=(1.0,) * epochs)
    runs = [SimpleNamespace(info=info)] * trainings
    said = timing_told(runs, runs)
    assert told in said
    assert never not in said


def _timed(*seconds: tuple[float, ...]) -> list[SimpleNamespace]:
    return [SimpleNamespace(info=SimpleNamespace(epoch_seconds=each)) for each in seconds]


def test_seconds_an_epoch_leave_out_the_first_which_compiles() -> None:
    found = seconds_per_epoch(_timed((60.0, *[9.0, 11.0] * 10)))
    assert found.value == pytest.approx(10.0)
    assert 9.0 < found.low < 10.0 < found.high < 11.0
    assert found.n_groups == 20
    assert found.reason == (
        "over 20 epochs of 1 training; the first epoch of each training compiles and is left out"
    )


def test_seconds_an_epoch_of_several_trainings_scatter_with_the_trainings() -> None:
    one = seconds_per_epoch(_timed((60.0, *[9.0, 11.0] * 10)))
    two = seconds_per_epoch(_timed((60.0, *[9.0, 11.0] * 10), (60.0, *[19.0, 21.0] * 10)))
    assert two.value == pytest.approx(15.0)
    assert two.high - two.low > 5 * (one.high - one.low)
    assert "a rough guide" in seconds_per_epoch(_timed((60.0, 9.0, 11.0))).reason


@pytest.mark.parametrize(
    ("seconds", "value", "told"),
    [
        ((3.0,), 3.0, "no interval: one epoch"),
        ((9.0, 3.0), 3.0, "no interval: one epoch is left after the first, which compiles"),
    ],
)
def test_one_epoch_has_seconds_and_no_interval(
    seconds: tuple[float, ...], value: float, told: str
) -> None:
    found = seconds_per_epoch(_timed(seconds))
    assert (found.value, found.low, found.high, found.reason) == (value, None, None, told)


def test_work_that_slows_both_precisions_does_not_make_half_precision_look_fast(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter(np.cumsum([0.0, *[1.0] * 2 * (2 + 2 * precision._TRIES)]).tolist())
    monkeypatch.setattr(precision.time, "perf_counter", lambda: next(clock))
    assert precision.half_speed("mixed_bfloat16") == 1.0
    slow = [9.0 if place < 20 else 1.0 for place in range(2 + 2 * precision._TRIES)]
    times = iter(slow)
    monkeypatch.setattr(precision, "_seconds", lambda _: next(times))
    assert precision.half_speed("mixed_float16") == 1.0


def test_variants_measured_on_other_images_are_not_averaged(
    tmp_path: Path,
) -> None:
    path = tmp_path / "other.toml"
    text = PAPER.replace(
        '{ "recipe.stages.0.learning_rate" = 1e-7 }', '{ "protocols.leak-free.test_share" = 0.4 }'
    )
    path.write_text(text, encoding="utf-8")
    images = generate(tmp_path / "images", lesions=70, seed=0, size=48)
    request = Request(given={"phantom": images}, protocols=("leak-free",), variants=("a", "b"))
    other = reproduce(str(path), request, tmp_path / "out")
    row = next(each for each in other.outcomes if each.variant == "mean-ab")
    assert row.failure == "its variants were not measured on the same images"
    assert not [each for each in other.outcomes if each.variant == "faster"]
    assert "failed" in other.markdown.read_text()


def test_colour_and_greyscale_of_one_split_are_compared(tmp_path: Path) -> None:
    path = tmp_path / "grey.toml"
    text = PAPER.replace(
        '{ "recipe.stages.0.learning_rate" = 1e-7 }', '{ "data.greyscale" = true }'
    )
    path.write_text(text, encoding="utf-8")
    images = generate(tmp_path / "images", lesions=70, seed=0, size=48)
    request = Request(given={"phantom": images}, protocols=("leak-free",), variants=("a", "b"))
    done = reproduce(str(path), request, tmp_path / "out")
    in_colour, grey = (open_run(done.outcomes[i].reports[0].parents[2]).info for i in (0, 1))
    assert in_colour.prepared_digest != grey.prepared_digest
    assert in_colour.test_digest == grey.test_digest
    assert 0 < figures(done, "differ")["p_value"].value <= 1


def test_a_derived_row_of_no_variant_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(PAPER.replace('of = ["a", "b"]', 'of = ["a", "c"]'), encoding="utf-8")
    with pytest.raises(InputError, match="'mean-ab' needs 'c'"):
        read_paper(str(path))
