"""What every test may use: the real images where they exist, a phantom where they do not."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

from browsing import app, app_folder, app_host, browser, context, installed_wheel, page, spot
from sixth_paper import sixth_file, sixth_images

__all__ = ["app", "app_folder", "app_host", "browser", "context", "installed_wheel", "page", "spot"]
__all__ += ["sixth_file", "sixth_images"]

# How long one example takes on a machine that does other things too proves nothing.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

_OWN = Path(tempfile.mkdtemp(prefix="lentigo-tests-"))

# What one test looked at must not count in another, nor in the log of whoever runs them.
os.environ["XDG_STATE_HOME"] = str(_OWN / "state")

# Processes that train the same on JAX compile it once.
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(_OWN / "jax")
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"


def pytest_unconfigure() -> None:
    """Leave nothing behind."""
    shutil.rmtree(_OWN, ignore_errors=True)


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test counts its looks by itself."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))


SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images beside the checkout."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip("the real images (../shared/data) are not on this machine")
    return folder


@pytest.fixture(scope="session")
def shared_weights() -> Path:
    """The folder of ImageNet weights beside the checkout."""
    folder = SHARED / "weights"
    if not folder.is_dir():
        pytest.skip("the ImageNet weights (../shared/weights) are not on this machine")
    return folder


@pytest.fixture(scope="session")
def golden() -> Path:
    """Outputs of official scorers beside the checkout."""
    folder = SHARED / "golden"
    if not folder.is_dir():
        pytest.skip("the golden scores (../shared/golden) are not on this machine")
    return folder
