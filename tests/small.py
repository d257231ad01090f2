"""What many tests begin with: recipes that train in seconds, a small set, the command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from lentigo.data.phantom import generate
from lentigo.data.prepare import prepare
from lentigo.data.prepared import PreparedSet

# Two epochs of ``tiny_network``.
SMALL = """
name = "tiny"
title = "tiny"
[network]
name = "tiny_network:build"
weights = "none"
size = 32
[[stages]]
name = "train"
epochs = 2
batch_size = 16
learning_rate = 3e-3
"""
TINY = """
name = "tiny"
title = "Two stages that use every part that keeps state"
command = "lentigo train tiny"
[network]
name = "tiny_network:build"
weights = "none"
size = 32
[head]
hidden = [8]
dropout = 0.3
[loss]
kind = "focal"
class_weights = "balanced"
label_smoothing = 0.05
[sampling]
kind = "weighted"
power = 0.5
[augmentation]
rotation_deg = 90
zoom = [0.9, 1.1]
flip_horizontal = true
hue = 0.05
contrast = [0.8, 1.2]
[[stages]]
name = "head"
epochs = 3
train = "head"
cached_views = 2
average_from = 1
schedule = "plateau"
plateau_patience = 1
batch_size = 16
[[stages]]
name = "all"
epochs = 4
optimizer = "adamw"
schedule = "cosine"
warmup_epochs = 0.5
batch_size = 16
reestimate_batches = 3
average_decay = 0.8
early_stopping_patience = 3
"""


class KilledError(Exception):
    """Stands in for a kill between two batches."""


def small_set(folder: Path, *, lesions: int = 70, side_px: int = 64, folds: int = 5) -> PreparedSet:
    """A phantom of 32 pixels in ``folder``; its images lie under ``images``, drawn larger."""
    generate(folder / "images", lesions=lesions, seed=0, size=side_px)
    return prepare(
        "phantom", folder / "images", folder / "prepared", size=32, workers=1, folds=folds
    )


def history(run: Path) -> str:
    """What a run's ``history.csv`` says."""
    return (run / "history.csv").read_text()


def environment(**changes: str) -> dict[str, str]:
    """For a process that finds lentigo and the tests' networks wherever it is started."""
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    return os.environ | {"PYTHONPATH": path} | changes


def lentigo(*arguments: object, code: int = 0, **changes: str) -> tuple[str, str]:
    """Run the command in a process of its own.

    Args:
        arguments: Of ``lentigo``.
        code: The exit code that is expected.
        changes: Of the environment.

    Returns:
        stdout and stderr.
    """
    done = subprocess.run(
        [sys.executable, "-m", "lentigo", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=environment(**changes),
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr
