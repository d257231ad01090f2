"""Optional records of the epochs in TensorBoard or MLflow."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from lentigo.errors import LentigoError, MissingExtraError
from lentigo.train.state import HistoryRow


class Tracker(Protocol):
    """Something that is told of each epoch."""

    def log(self, epoch: int, row: HistoryRow) -> None:
        """Record an epoch's row."""

    def close(self) -> None:
        """Write out what is pending."""


def _numbers(row: HistoryRow) -> dict[str, float]:
    return {k: float(v) for k, v in row.items() if k != "epoch" and not isinstance(v, str)}


def _import(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError:
        raise MissingExtraError(
            f"{module.partition('.')[0]} is not installed.", todo="pip install 'lentigo[logging]'"
        ) from None


class TensorBoardTracker:
    """Scalars in a TensorBoard event file, without TensorFlow."""

    def __init__(self, folder: Path) -> None:
        writer = _import("tensorboard.summary.writer.event_file_writer")
        self._event = _import("tensorboard.compat.proto.event_pb2").Event
        self._summary = _import("tensorboard.compat.proto.summary_pb2").Summary
        self._writer = writer.EventFileWriter(str(folder))

    def log(self, epoch: int, row: HistoryRow) -> None:
        """Record an epoch's row."""
        values = [
            self._summary.Value(tag=tag, simple_value=value) for tag, value in _numbers(row).items()
        ]
        summary = self._summary(value=values)
        self._writer.add_event(self._event(step=epoch, summary=summary))

    def close(self) -> None:
        """Write out what is pending."""
        self._writer.close()


class MlflowTracker:
    """Metrics of an MLflow run under ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._mlflow = _import("mlflow")
        self._folder = folder
        self._started = False

    def log(self, epoch: int, row: HistoryRow) -> None:
        """Record an epoch's row."""
        if not self._started:  # a run that was finished before leaves no empty record
            self._mlflow.set_tracking_uri(f"sqlite:///{self._folder.resolve()}/mlflow.db")
            self._mlflow.set_experiment("lentigo")
            self._mlflow.start_run()
            self._started = True
        self._mlflow.log_metrics(_numbers(row), step=epoch)

    def close(self) -> None:
        """Write out what is pending."""
        if self._started:
            self._mlflow.end_run()


TRACKERS: dict[str, Callable[[Path], Tracker]] = {
    "tensorboard": TensorBoardTracker,
    "mlflow": MlflowTracker,
}


def open_tracker(name: str, folder: Path) -> Tracker:
    """A tracker by name, writing under ``folder``.

    Raises:
        LentigoError: No tracker of that name.
        MissingExtraError: Its package is not installed.
    """
    if name not in TRACKERS:
        raise LentigoError(f"There is no tracker {name!r}.", todo=f"Known: {', '.join(TRACKERS)}.")
    folder.mkdir(parents=True, exist_ok=True)
    return TRACKERS[name](folder)
