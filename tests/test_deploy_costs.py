"""One table of what each quantization costs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lentigo.cli.app import app
from lentigo.deploy import costs as costs_module
from lentigo.deploy.costs import HEADINGS, VARIANTS, Cost, as_csv, as_markdown, costs
from lentigo.errors import InputError
from lentigo.recipe import parse_recipe
from lentigo.score.estimate import Estimate
from lentigo.taxonomy import NOT_A_MEDICAL_DEVICE
from lentigo.train import Run, train
from small import SMALL, small_set


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("costs")
    return train(parse_recipe(SMALL, "tiny"), small_set(folder), out=folder / "runs")


@pytest.fixture(scope="module")
def table(run: Run) -> list[Cost]:
    variants = ("float32", "dynamic")
    return costs([run.path], variants=variants, rounds=3, replicates=100)


def test_the_first_row_differs_from_itself_in_nothing(table: Sequence[Cost]) -> None:
    first = table[0]
    assert first.top1_agreement == 1
    assert first.max_difference == 0
    for each in first.differences.values():
        assert each.value == 0
        assert {each.low, each.high} <= {0, None}, "or none, where draws lack a class"


def test_every_row_has_size_scores_speed_and_memory(table: Sequence[Cost]) -> None:
    assert [each.variant for each in table] == ["float32", "dynamic"]
    for each in table:
        assert 0 < each.compressed_bytes < each.size_bytes
        assert set(each.latency_ms) == {1, 2, 4}
        assert all(0 < p50 <= p95 for p50, p95 in each.latency_ms.values())
        assert each.peak_mb is None or each.peak_mb < 250, "not the memory of the parent"
        assert set(each.scores) == set(each.differences) >= {"balanced_accuracy"}
    assert table[1].size_bytes < table[0].size_bytes
    first, second = (each.scores["balanced_accuracy"].value for each in table)
    assert first is not None
    assert second is not None
    assert table[1].differences["balanced_accuracy"].value == pytest.approx(second - first)


def test_the_table_is_markdown_csv_and_json(table: Sequence[Cost]) -> None:
    lines = as_markdown(table).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 2 + len(table)
    assert {line.count("|") for line in rows} == {len(HEADINGS) + 1}
    rows = list(csv.DictReader(io.StringIO(as_csv(table))))
    assert float(rows[1]["p50_ms.2"]) == table[1].latency_ms[2][0]
    assert float(rows[0]["difference.balanced_accuracy"]) == 0
    plain = json.loads(json.dumps([each.to_dict() for each in table]))
    assert plain[0]["scores"]["balanced_accuracy"]["n_groups"] > 0


def test_why_a_figure_has_no_interval_stands_beneath_the_table(table: Sequence[Cost]) -> None:
    told = "no interval: undefined in 30 of 100 replicates"
    first = table[0]
    scores = first.scores | {"balanced_accuracy": Estimate(0.5, None, None, 9, told)}
    changed = replace(first, scores=scores)
    assert f"- {told}: balanced_accuracy (float32)" in as_markdown([changed])
    row = next(csv.DictReader(io.StringIO(as_csv([changed]))))
    assert row["balanced_accuracy.reason"] == told


def test_a_leaky_run_and_a_look_are_stamped(table: Sequence[Cost]) -> None:
    assert "LEAKY" not in as_markdown(table)
    stamped = [replace(each, leaky=True, caution="SCALE 0.05: a look.") for each in table]
    text = as_markdown(stamped)
    assert text.count(f"LEAKY: {table[0].model} ") == 1
    assert text.count("SCALE 0.05") == 1
    assert text.endswith(f"{NOT_A_MEDICAL_DEVICE}\n")
    assert {row["leaky"] for row in csv.DictReader(io.StringIO(as_csv(stamped)))} == {"True"}


def test_every_variant_is_a_quantization_that_export_knows() -> None:
    assert {quant for quant, _ in VARIANTS.values()} == {"float32", "float16", "dynamic", "int8"}
    assert next(iter(VARIANTS)) == "float32"


def test_a_table_of_another_ending_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["quantizations", "run", "--out", str(tmp_path / "t.xlsx")])
    assert isinstance(result.exception, InputError)
    assert ".csv" in str(result.exception)


@pytest.mark.parametrize("command", ["export", "quantizations"])
def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    command: str, tmp_path: Path
) -> None:
    (tmp_path / "folder.md").mkdir()
    (tmp_path / "file").touch()
    for out, told in ((tmp_path / "folder.md", "folder"), (tmp_path / "file" / "a.md", "written")):
        # There is no such run: nothing was begun.
        result = CliRunner().invoke(app, [command, "run", "--out", str(out)])
        assert isinstance(result.exception, InputError)
        assert told in result.exception.problem


def test_a_graph_that_lost_its_wits_is_marked_refused(run: Run) -> None:
    drafted = costs_module.draft(run, quant="dynamic")
    assert costs_module._refusal(drafted) is None
    figures = {"balanced_accuracy_keras": 0.9, "balanced_accuracy_bundle": 0.2}
    worse = replace(drafted, parity=drafted.parity.model_copy(update=figures))
    assert "0.02" in str(costs_module._refusal(worse))
