"""From a recipe and a prepared set to a finished run."""

from lentigo.train.info import RunInfo
from lentigo.train.loop import Progress
from lentigo.train.run import ClassicRun, NetworkRun, Run, open_run
from lentigo.train.seal import Calibration
from lentigo.train.trackers import open_tracker
from lentigo.train.train import check_fits, run_folder, train

__all__ = [
    "Calibration",
    "ClassicRun",
    "NetworkRun",
    "Progress",
    "Run",
    "RunInfo",
    "check_fits",
    "open_run",
    "open_tracker",
    "run_folder",
    "train",
]
