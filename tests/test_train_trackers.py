"""Epochs also recorded elsewhere, where the user wants that."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from lentigo.errors import LentigoError, MissingExtraError
from lentigo.train import open_tracker

ROW = {"epoch": 2, "stage": "head", "loss": 0.5, "val_accuracy": 0.75}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_gets_every_number_of_an_epoch(tmp_path: Path) -> None:
    tracker = open_tracker("tensorboard", tmp_path)
    tracker.log(2, ROW)
    tracker.close()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert events.Tags()["scalars"] == ["loss", "val_accuracy"]
    (event,) = events.Scalars("loss")
    assert (event.step, event.value) == (2, 0.5)


def test_mlflow_is_started_by_the_first_epoch_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, object]] = []
    names = ("set_tracking_uri", "set_experiment", "start_run", "end_run")
    fake = {n: lambda *a, n=n: calls.append((n, a)) for n in names}
    fake["log_metrics"] = lambda values, step: calls.append(("log", (values, step)))
    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace(**fake))
    idle = open_tracker("mlflow", tmp_path)
    idle.close()
    assert not calls
    tracker = open_tracker("mlflow", tmp_path)
    tracker.log(2, ROW)
    tracker.close()
    assert [name for name, _ in calls][-3:] == ["start_run", "log", "end_run"]
    assert calls[-2][1] == ({"loss": 0.5, "val_accuracy": 0.75}, 2)


def test_a_tracker_that_is_not_known_or_not_installed_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LentigoError, match="tensorboard"):
        open_tracker("notebook", tmp_path)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(MissingExtraError, match="logging"):
        open_tracker("mlflow", tmp_path)
