"""On a local Ray a killed worker costs its unsaved epochs, and no run is done twice."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import keras
import pytest

from lentigo.data.phantom import generate
from lentigo.errors import InputError, RunError
from lentigo.papers.cluster import (
    RETRIES,
    THREADS,
    _begin,
    _reach,
    _reason,
    _results,
    check_address,
    rooted,
)
from lentigo.papers.reproduce import Request, reproduce
from lentigo.papers.running import Task
from lentigo.recipe import Distillation, Network, load_recipe
from lentigo.train.state import load_checkpoint
from small import SMALL, environment, lentigo, small_set

EPOCHS = 40
PAPER = f"""
schema_version = 1
name = "spread2031"
title = "Spread"
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
epochs = {EPOCHS}
batch_size = 8
[[variants]]
name = "one"
[[variants]]
name = "two"
set = {{ "recipe.stages.0.batch_size" = 16 }}
[[variants]]
name = "impossible"
set = {{ "recipe.network.name" = "no_such_module:build" }}
[[tables]]
title = "Table 1"
columns = [{{ title = "Accuracy", key = "accuracy" }}]
[tables.rows]
one = ["0.9"]
two = ["0.8"]
impossible = ["0.7"]
"""


def holder(lock: Path) -> int | None:
    """The process that has a file open."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.readlink() == lock:
                return int(link.parts[2])
        except OSError:
            continue
    return None


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="finds the worker by /proc")
def test_a_killed_worker_loses_its_unsaved_epochs_and_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="ray is not installed")
    images = generate(tmp_path / "images", lesions=60, seed=0, size=48)
    paper, out = tmp_path / "spread2031.toml", tmp_path / "out"
    paper.write_text(PAPER, encoding="utf-8")
    command = [sys.executable, "-m", "lentigo", "reproduce", str(paper), "--protocol", "leak-free"]
    command += ["--data", f"phantom={images}", "--cluster", "local:1", "--out", "out", "--json"]
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen(
            command, env=environment(), cwd=tmp_path, stdout=said, stderr=said
        )
    runs = out.resolve() / "spread2031" / "runs"
    deadline, before, threads = time.monotonic() + 300, None, [b""]
    while before is None and time.monotonic() < deadline and process.poll() is None:
        for last in runs.glob("*/checkpoint/last.npz"):
            worker = holder(last.parents[1] / ".lock")
            if worker is not None and worker != process.pid:
                threads = Path(f"/proc/{worker}/environ").read_bytes().split(b"\0")
                os.kill(worker, signal.SIGKILL)
                before = (last.parents[1], load_checkpoint(last)[0])
                break
        time.sleep(0.05)
    assert before is not None, (tmp_path / "said").read_text()
    assert process.wait(300) == 1, (tmp_path / "said").read_text()  # one variant cannot be
    written = out / "spread2031"
    assert all((written / name).is_file() for name in ("reproduction.html", "table.csv"))
    assert b"TF_NUM_INTRAOP_THREADS=1" in threads
    run, standing = before
    assert 0 < standing.epoch < EPOCHS
    info = json.loads((run / "run.json").read_text())
    # What had been saved was not computed again: its timings are those of before the kill.
    assert list(info["epoch_seconds"][: standing.epoch]) == standing.epoch_seconds
    assert len(info["epoch_seconds"]) == EPOCHS
    # Two runs, one each; the variant that cannot be failed alone.
    assert len(list(runs.glob("*/run.json"))) == 2
    said = (tmp_path / "said").read_text()
    assert "no_such_module" in said
    # Here, without a cluster, nothing is left to train.
    steps: list[object] = []
    request = Request(given={"phantom": images}, protocols=("leak-free",), variants=("one", "two"))
    again = reproduce(str(paper), request, out / "spread2031", report=steps.append)
    assert not steps
    assert all(each.figures for each in again.outcomes)


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """The address of a Ray that another process started."""
    pytest.importorskip("ray", reason="ray is not installed")
    ports = [free_port(), free_port()]
    with TemporaryDirectory(prefix="ray") as folder:  # sockets' paths may not be long
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
        command += [f"--port={ports[0]}", f"--ray-client-server-port={ports[1]}", "--num-cpus=1"]
        command += ["--include-dashboard=false", "--disable-usage-stats", f"--temp-dir={folder}"]
        said = Path(folder) / "said"
        with said.open("w") as log:
            process = subprocess.Popen(
                command, env=environment(PYTHONUNBUFFERED="1"), stdout=log, stderr=log
            )
        try:
            deadline = time.monotonic() + 120
            # Who calls as soon as the port listens may be turned away.
            while "Ray runtime started" not in said.read_text():
                assert process.poll() is None, said.read_text()
                assert time.monotonic() < deadline, said.read_text()
                time.sleep(0.2)
            yield f"ray://127.0.0.1:{ports[1]}"
        finally:
            process.terminate()  # takes all that it started with it
            process.wait(60)


def test_a_ray_that_runs_already_takes_the_trainings(elsewhere: str, tmp_path: Path) -> None:
    data, recipe = small_set(tmp_path), tmp_path / "tiny.toml"
    recipe.write_text(SMALL, encoding="utf-8")
    over = ("--over", "stages.0.batch_size=8,32")
    said, _ = lentigo("sweep", recipe, "--data", data.path, *over, "--cluster", elsewhere,
                      "--out", tmp_path / "out", "--json")  # fmt: skip
    points = json.loads(said)["points"]
    assert [each["failure"] for each in points] == ["", ""]
    runs = [json.loads(each.read_text()) for each in tmp_path.glob("out/runs/*/run.json")]
    assert len(runs) == 2


def test_a_failed_training_is_told_with_its_reason_and_what_to_do() -> None:
    told = _reason(RunError("Training diverged.", todo="Lower the learning rate."))
    assert told == "Training diverged.\n  -> Lower the learning rate."
    assert _reason(RuntimeError("Traceback ...\nMemoryError: too large")) == (
        "MemoryError: too large"
    )
    assert _reason(KeyError()) == "KeyError"


class FakeRay:
    """Remembers what it was asked for; each task answers its key."""

    def __init__(self, **resources: float) -> None:
        self.resources, self.asked = resources, list[dict[str, Any]]()

    def init(self, **options: Any) -> None:
        self.asked.append(options)

    def cluster_resources(self) -> dict[str, float]:
        return self.resources

    def remote(self, **options: Any) -> Any:
        self.asked.append(options)
        return lambda _: SimpleNamespace(remote=lambda task: task.key)

    def wait(self, waiting: list[str], **_: Any) -> Any:
        return waiting[:1], waiting[1:]

    def get(self, key: str) -> Path:
        return Path(key)


@pytest.mark.parametrize(("there", "wanted"), [({"GPU": 2.0}, 1), ({}, 0)])
def test_a_training_gets_an_accelerator_where_the_cluster_has_some(
    there: dict[str, float], wanted: int
) -> None:
    ray = FakeRay(CPU=8.0, **there)
    task = Task(load_recipe("phantom-quick"), Path("prepared"), Path("runs"), 0, None, "test")
    assert _results(ray, {task.key: task}, 2, None) == {task.key: Path(rooted(task).key)}
    assert ray.asked == [{"num_cpus": 2, "num_gpus": wanted, "max_retries": RETRIES}]


@pytest.mark.parametrize(
    ("address", "threads"), [("local", "2"), ("local:1", "1"), ("ray://head:10001", "2")]
)
def test_workers_train_on_the_same_backend_with_as_many_threads_as_they_were_given(
    address: str, threads: str
) -> None:
    ray = FakeRay()
    _begin(ray, address)
    told = ray.asked[0]["runtime_env"]["env_vars"]
    assert told == dict.fromkeys(THREADS, threads) | {"KERAS_BACKEND": keras.backend.backend()}


def test_a_head_that_could_not_fork_is_asked_again_and_any_other_failure_told() -> None:
    class Young(FakeRay):
        said = "RuntimeError: Starting Ray client server failed. See ray_client_server_23000.err"

        def init(self, **options: Any) -> None:
            super().init(**options)
            if len(self.asked) == 1:
                raise ConnectionAbortedError(self.said)

    young, absent = Young(), Young()
    _reach(young, "ray://head:10001")
    assert len(young.asked) == 2
    absent.said = "ray client connection timeout"
    with pytest.raises(ConnectionAbortedError, match="timeout"):
        _reach(absent, "ray://head:10001")
    assert len(absent.asked) == 1


def test_workers_are_told_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = load_recipe("lentigo-small").model_copy(
        update={
            "network": Network(weights="weights.h5"),
            "distillation": Distillation(teachers=("teacher", "/shared/teacher")),
        }
    )
    task = Task(recipe, Path("prepared"), Path("runs"), 0, None, "test")
    sent = rooted(task)
    assert sent.data == tmp_path / "prepared"
    assert sent.runs == tmp_path / "runs"
    assert sent.recipe.network.weights == str(tmp_path / "weights.h5")
    assert sent.recipe.distillation is not None
    assert sent.recipe.distillation.teachers == (str(tmp_path / "teacher"), "/shared/teacher")
    named = recipe.model_copy(update={"network": Network(), "distillation": None})
    assert rooted(dataclasses.replace(task, recipe=named)).recipe == named


def test_another_address_is_refused_before_anything_is_prepared() -> None:
    for bad in ("http://machine:80", "local:0", "local:", "ray://"):
        with pytest.raises(InputError, match="no cluster"):
            check_address(bad)
