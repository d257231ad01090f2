"""Keras comes without what it is not used for, and nothing is in the way of what comes later."""

from __future__ import annotations

import subprocess
import sys

from small import environment

LATER = """
import gc, sys
from lentigo.start import import_keras

import_keras()
assert "keras" in sys.modules and "sklearn" not in sys.modules
assert gc.isenabled() and gc.get_freeze_count() > 100_000
frozen = gc.get_freeze_count()
from sklearn.svm import SVC

import_keras()
assert gc.get_freeze_count() <= frozen
"""


def test_scikit_learn_is_left_out_and_can_be_imported_later() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LATER],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
