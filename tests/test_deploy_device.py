"""`inspect`, `bench` and `doctor`: what a bundle carries, and what a device makes of it."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from importlib.resources import files
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lentigo.cli import main
from lentigo.cli.app import app
from lentigo.deploy.bench import ROW_HEADER, bench
from lentigo.deploy.bundle import read_bundle, write_bundle
from lentigo.deploy.doctor import (
    CHECKS,
    check_architecture,
    check_camera,
    check_litert,
    check_python,
    examine,
)
from lentigo.deploy.inspection import describe_bundle
from lentigo.errors import BundleError, InputError
from lentigo.image import verdict
from lentigo.taxonomy import NOT_A_MEDICAL_DEVICE

SHIPPED = Path(str(files("lentigo") / "models" / "lentigo-ham10000.tflite"))


def test_inspect_prints_every_fact_that_a_bundle_carries() -> None:
    bundle = read_bundle(SHIPPED)
    text = describe_bundle(bundle)
    info = bundle.info
    for fact in (info.graph_sha256, info.recipe_digest, info.data_digest, info.test_digest):
        assert fact in text
    for each in info.taxonomy.classes:
        assert f"{each.code}: {each.name}" in text
    for point in info.operating_points:
        assert point.name in text
    for key in info.metrics or {}:
        assert f"  {key}: " in text
    assert info.familiarity is not None
    assert f"above {info.familiarity.threshold:.4g}" in text
    for check in verdict.CHECKS:
        limit = getattr(info.quality or verdict.DEFAULT_THRESHOLDS, check.limit)
        assert f"  {check.name}: at " in text
        assert f" {limit:g} {check.unit}" in text
    assert info.license in text
    assert text.endswith(NOT_A_MEDICAL_DEVICE)


def test_inspect_as_json_is_the_description_itself() -> None:
    told = CliRunner().invoke(app, ["inspect", str(SHIPPED), "--json"])
    content = json.loads(told.output)
    assert content.pop("model_card")
    assert content.pop("graph_bytes") == len(read_bundle(SHIPPED).graph)
    assert content == read_bundle(SHIPPED).info.model_dump(mode="json")


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda b: b[:-2000], "damaged|cut short"),
        (lambda b: b[:5000] + bytes([b[5000] ^ 1]) + b[5001:], "damaged"),
        (lambda b: b.replace(b'"schema_version": 1', b'"schema_version": 9'), "damaged|Upgrade"),
        (lambda _: b"GIF89a", "not a LiteRT graph"),
    ],
)
def test_a_harmed_file_is_refused_with_the_reason(
    tmp_path: Path,
    harm: object,
    told: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import re

    path = tmp_path / "harmed.tflite"
    path.write_bytes(harm(SHIPPED.read_bytes()))  # type: ignore[operator]
    monkeypatch.setattr("sys.argv", ["lentigo", "inspect", str(path)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert re.search(told, capsys.readouterr().err)


def _changed(path: Path, **changes: object) -> Path:
    """The model that ships, with another description."""
    bundle = read_bundle(SHIPPED)
    write_bundle(
        bundle.graph, bundle.info.model_copy(update=changes), path, model_card=bundle.model_card
    )
    return path


def test_a_bundle_that_takes_other_images_than_it_says_is_no_more_inspected_than_run(
    tmp_path: Path,
) -> None:
    spec = read_bundle(SHIPPED).info.spec.model_copy(update={"size": 100})
    path = _changed(tmp_path / "other.tflite", spec=spec)
    for options in ([], ["--json"], ["--card"]):
        told = CliRunner().invoke(app, ["inspect", str(path), *options])
        assert isinstance(told.exception, BundleError)
        assert "100 pixels a side" in str(told.exception)
        assert not told.output


def test_without_litert_a_bundle_is_inspected_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "lentigo.deploy.engine", raising=False)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    assert CliRunner().invoke(app, ["inspect", str(SHIPPED)]).exit_code == 0


def test_what_a_bundle_says_cannot_steer_the_terminal(tmp_path: Path) -> None:
    path = _changed(tmp_path / "steering.tflite", limits="\x1b[31mred\r\nfold  7\u202e")
    told = CliRunner().invoke(app, ["inspect", str(path)]).output
    assert r"\x1b[31mred\r\nfold  7\u202e" in told
    assert not [each for each in told if each != "\n" and unicodedata.category(each)[0] == "C"]


def test_a_model_card_keeps_its_lines_and_loses_its_control_characters(tmp_path: Path) -> None:
    bundle = read_bundle(SHIPPED)
    path = tmp_path / "card.tflite"
    write_bundle(bundle.graph, bundle.info, path, model_card="# Title\n\x1b]0;owned\x07\ttext")
    told = CliRunner().invoke(app, ["inspect", str(path), "--card"]).output
    assert told == "# Title\n\\x1b]0;owned\\x07\ttext\n"


def test_bench_measures_each_number_of_threads_and_gives_a_row() -> None:
    found = bench(read_bundle(SHIPPED), threads=(1, 2), rounds=3)
    assert [each.threads for each in found.latencies] == [1, 2]
    for each in found.latencies:
        assert 0 < each.p50_ms <= each.p95_ms
        assert each.first_ms > 0
    assert found.device.cores == len(os.sched_getaffinity(0))
    assert found.row.count("|") == ROW_HEADER.count("|")
    assert "–" in found.row, "4 threads were not measured"


def test_bench_without_rounds_is_refused() -> None:
    with pytest.raises(InputError, match="at least one"):
        bench(read_bundle(SHIPPED), rounds=0)


def test_the_bench_command_prints_the_row_it_asks_for() -> None:
    told = CliRunner().invoke(app, ["bench", "--threads", "1", "--rounds", "2", "--json"])
    content = json.loads(told.output)
    assert content["row"].startswith("| ")
    assert content["rounds"] == 2


@pytest.mark.parametrize(
    ("machine", "bits", "status"),
    [
        ("aarch64", 64, "ok"),
        ("x86_64", 64, "ok"),
        ("armv7l", 32, "problem"),
        ("aarch64", 32, "problem"),
        ("riscv64", 64, "warning"),
    ],
)
def test_a_processor_without_litert_is_told_what_to_do(
    machine: str, bits: int, status: str
) -> None:
    found = check_architecture(machine, bits)
    assert found.status == status
    assert bool(found.todo) == (status != "ok")
    if status == "problem":
        assert "64-bit Raspberry Pi OS" in found.todo


@pytest.mark.parametrize(
    ("version", "status"), [((3, 10), "problem"), ((3, 11), "ok"), ((3, 14), "problem")]
)
def test_a_python_out_of_range_is_a_problem(version: tuple[int, int], status: str) -> None:
    assert check_python(version).status == status


def test_a_model_that_cannot_answer_is_a_finding_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert check_litert().status == "ok"

    def broken(**_: object) -> None:
        raise ImportError("libnothing.so: cannot open")

    monkeypatch.setattr("lentigo.deploy.runtime.load_default", broken)
    found = check_litert()
    assert found.status == "problem"
    assert "libnothing.so" in found.found


def test_cameras_are_found_by_their_device_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert check_camera(tmp_path).status == "warning"
    (tmp_path / "video0").touch()
    assert "video0" in check_camera(tmp_path).found
    program = tmp_path / "rpicam-vid"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert "rpicam" in check_camera(tmp_path).found


def test_what_decodes_video_on_a_pi_is_no_camera(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    devices, known = tmp_path / "dev", tmp_path / "sys"
    devices.mkdir()
    for name, bus, index in (
        *(("video10", "platform", 0), ("video11", "vchiq-bus", 0)),
        *(("video0", "usb", 0), ("video1", "usb", 1)),
    ):
        (devices / name).touch()
        (known / name / "device").mkdir(parents=True)
        (known / name / "index").write_text(f"{index}\n")
        (tmp_path / "bus" / bus).mkdir(parents=True, exist_ok=True)
        (known / name / "device" / "subsystem").symlink_to(tmp_path / "bus" / bus)
    assert check_camera(devices, known).found == str(devices / "video0")
    (devices / "video0").unlink()
    assert check_camera(devices, known).found == "none"


def test_doctor_runs_every_check_and_exits_with_1_on_a_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert len(examine()) == len(CHECKS)
    shown = CliRunner().invoke(app, ["doctor", "--json"])
    assert {each["check"] for each in json.loads(shown.output)} >= {"architecture", "camera"}
    monkeypatch.setitem(CHECKS, "architecture", lambda: check_architecture("armv7l", 32))
    stopped = CliRunner().invoke(app, ["doctor"])
    assert stopped.exit_code == 1
    assert "64-bit Raspberry Pi OS" in stopped.output
