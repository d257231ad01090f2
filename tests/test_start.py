"""Keras comes without what it is not used for, and nothing is in the way of what comes later."""

from __future__ import annotations

import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest

from lentigo import start
from lentigo.errors import InputError, MissingExtraError
from small import environment, lentigo

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


@pytest.mark.parametrize(
    "command", [("train", "phantom-quick"), ("evaluate", "run"), ("networks",)]
)
def test_a_mistyped_backend_is_refused_in_a_sentence(command: tuple[str, ...]) -> None:
    data = () if command == ("networks",) else ("--data", "nowhere")
    _, told = lentigo(*command, *data, code=2, KERAS_BACKEND="tensorfow")
    assert "KERAS_BACKEND names the backend 'tensorfow'" in told
    assert "-> Set KERAS_BACKEND to one of tensorflow, jax" in told


def test_a_backend_that_is_not_installed_says_what_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def without_jax(name: str) -> object:
        return None if name == "jax" else util.find_spec(name)

    monkeypatch.setattr(start, "find_spec", without_jax)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(MissingExtraError, match=r"pip install 'lentigo\[gpu\]', or set .*=tensorf"):
        start.check_backend()


def test_the_backend_of_keras_own_file_is_checked_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    start.check_backend()
    (tmp_path / "keras.json").write_text('{"backend": "theano"}')
    with pytest.raises(InputError, match=r"keras\.json names the backend 'theano'"):
        start.check_backend()
