"""The road to a device: wheels for its platform, the page at boot, and clear refusals."""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
from cryptography import x509

from lentigo.cli.app import app
from lentigo.deploy.bench import ROW_HEADER
from lentigo.deploy.doctor import check_certificate
from lentigo.machine import without_litert

ROOT = Path(__file__).parents[1]
UNIT = ROOT / "docs" / "how-to" / "lentigo.service"
LATER = dt.datetime(2200, 1, 1, tzinfo=dt.UTC)
PYTHONS = ("3.11", "3.12", "3.13")


@dataclass
class Until:
    """What is read of a certificate."""

    not_valid_after_utc: dt.datetime


def test_a_32_bit_system_is_told_to_take_a_64_bit_one() -> None:
    assert "64-bit Raspberry Pi OS" in str(without_litert(bits=32))
    assert "pip install ai-edge-litert" in str(without_litert(bits=64))


@pytest.mark.parametrize(("words", "code"), [(["predict", "x.jpg"], 2), (["doctor"], 1)])
def test_a_missing_litert_is_said_without_a_traceback(
    words: list[str], code: int, tmp_path: Path
) -> None:
    (tmp_path / "ai_edge_litert").mkdir()
    (tmp_path / "ai_edge_litert" / "__init__.py").write_text("raise ImportError('no build')")
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, "-m", "lentigo", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert "LiteRT, which runs the model, is not installed" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_looks_at_the_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_certificate(tmp_path).status == "warning"
    (tmp_path / "server.pem").write_text("-----BEGIN CERTIFICATE-----\nrubbish\n")
    assert "cannot be read" in check_certificate(tmp_path).found
    for ends, status in ((dt.datetime(2001, 1, 1, tzinfo=dt.UTC), "problem"), (LATER, "ok")):
        monkeypatch.setattr(x509, "load_pem_x509_certificate", lambda _, e=ends: Until(e))
        assert check_certificate(tmp_path).status == status


def test_the_table_of_devices_has_the_columns_that_bench_writes() -> None:
    page = (ROOT / "docs/reference/devices.md").read_text(encoding="utf-8").splitlines()
    place = page.index(ROW_HEADER)
    rows = [line for line in page[place + 2 :] if line.startswith("|")]
    assert rows
    assert {row.count("|") for row in rows} == {ROW_HEADER.count("|")}


def resolve(platform: str, python: str) -> subprocess.CompletedProcess[str]:
    """Resolve the plain install for a platform, evaluating its markers, without installing."""
    pytest.importorskip("uv", reason="uv, which resolves for other platforms, is not here")
    command = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "compile",
        "--quiet",
        "--no-header",
        "--no-annotate",
    ]
    command += ["--python-platform", platform, "--python-version", python]
    command += ["--only-binary", ":all:", str(ROOT / "pyproject.toml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    unreachable = ("error sending request", "Could not connect", "dns error", "Failed to fetch")
    if done.returncode and any(each in done.stderr for each in unreachable):
        pytest.skip("no package registry answers")
    return done


@pytest.mark.parametrize("python", PYTHONS)
def test_a_64_bit_pi_installs_from_wheels_alone(python: str) -> None:
    done = resolve("aarch64-manylinux_2_36", python)
    assert done.returncode == 0, done.stderr
    names = {line.split("==")[0] for line in done.stdout.splitlines()}
    assert {"ai-edge-litert", "numpy", "opencv-python-headless", "pydantic"} <= names
    assert not names & {"keras", "tensorflow", "tensorflow-cpu", "pandas", "scikit-learn"}


@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_the_wheels_for_a_pi_without_a_network_are_found_as_the_how_to_says(
    python: str, tmp_path: Path
) -> None:
    """pip takes the platforms that it is told literally, and no older one of the same kind."""
    text = (ROOT / "docs/how-to/run-on-a-raspberry-pi.md").read_text(encoding="utf-8")
    platforms = re.findall(r"--platform \S+", text)
    needs = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
    command += ["--target", str(tmp_path), "--only-binary", ":all:", "--implementation", "cp"]
    command += ["--python-version", python, *" ".join(platforms).split(), *needs]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "Retrying (" in done.stderr or "Could not fetch URL" in done.stderr:
        pytest.skip("no package registry answers")
    assert done.returncode == 0, done.stderr


def test_a_platform_without_a_build_of_litert_does_not_resolve() -> None:
    # uv knows no 32-bit ARM; this one has wheels of NumPy but none of LiteRT, as 32-bit ARM.
    done = resolve("riscv64-unknown-linux", "3.11")
    assert done.returncode != 0
    assert "no wheels with a matching platform tag" in " ".join(done.stderr.split())


def test_the_systemd_unit_is_in_order(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not here")
    unit = tmp_path / "lentigo.service"
    # It looks whether the program is there, which is only so on the Pi.
    unit.write_text(
        UNIT.read_text().replace("/opt/lentigo/bin/lentigo", shutil.which("true") or "")
    )
    command = [analyze, "verify", "--man=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "Failed to" in done.stderr and "manager" in done.stderr:
        pytest.skip(f"systemd-analyze cannot work here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    assert "lentigo.service" not in done.stderr


def test_the_unit_starts_what_the_command_line_knows() -> None:
    text = UNIT.read_text(encoding="utf-8")
    words = re.search(r"^ExecStart=\S+/lentigo (.+)$", text, re.MULTILINE)[1].split()  # type: ignore[index]
    assert words[0] == "serve"
    command = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]
    with command.make_context("serve", words[1:]) as context:
        assert context.params["host"] == "0.0.0.0"
