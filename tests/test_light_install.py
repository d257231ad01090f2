"""The plain install predicts without Keras, TensorFlow, pandas and scikit-learn."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import cv2
import numpy as np
import pytest

CHECKOUT = Path(__file__).parents[1]
HEAVY = ("keras", "tensorflow", "pandas", "sklearn", "scipy", "matplotlib", "jax")


@pytest.fixture(scope="module")
def empty_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new virtual environment with ``pip install lentigo`` and nothing else."""
    folder = tmp_path_factory.mktemp("light") / "venv"
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*install, CHECKOUT], capture_output=True, text=True, check=False)
    if done.returncode and "No matching distribution" in done.stderr:
        pytest.skip("no package registry to install the light set from")
    assert done.returncode == 0, done.stderr
    return python


def test_the_light_install_predicts_with_the_shipped_model(
    empty_environment: Path, tmp_path: Path
) -> None:
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), np.full((300, 400, 3), (120, 150, 200), np.uint8))
    command = [empty_environment.parent / "lentigo", "predict", photo]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "not a medical device" in done.stdout


def test_the_light_install_has_nothing_heavy_and_says_what_it_lacks(
    empty_environment: Path, tmp_path: Path
) -> None:
    probe = f"import importlib.util as u; print([n for n in {HEAVY!r} if u.find_spec(n)])"
    found = subprocess.run(
        [empty_environment, "-c", probe], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
    command = [empty_environment, "-m", "lentigo", "train", "x", "--data", "y"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert "lentigo[train]" in done.stderr


def test_the_heavy_packages_stay_out_of_a_prediction_which_says_nothing(tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), np.full((64, 64, 3), 128, np.uint8))
    probe = (
        "import sys, lentigo\n"
        f"lentigo.load_default().predict_file({str(photo)!r})\n"
        f"print([n for n in {(*HEAVY, 'jinja2', 'fastapi')!r} if n in sys.modules])"
    )
    command = [sys.executable, "-W", "error", "-c", probe]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
