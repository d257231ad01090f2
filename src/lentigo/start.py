"""Keras, imported in half of the time."""

from __future__ import annotations

import gc
import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path

from lentigo.errors import InputError, MissingExtraError

# What lentigo trains with, and what installs it.
BACKENDS = {"tensorflow": "lentigo[train]", "jax": "lentigo[gpu]"}


def check_backend() -> None:
    """Refuse a backend that Keras could not be imported with, or lentigo not train with.

    Raises:
        InputError: It is none that lentigo knows.
        MissingExtraError: It is not installed.
    """
    name, where = _backend()
    if name not in BACKENDS:
        raise InputError(
            f"{where} names the backend {name!r}, which lentigo does not train with.",
            todo=f"Set KERAS_BACKEND to one of {', '.join(BACKENDS)}, or leave it out.",
        )
    if find_spec(name) is None:
        others = [each for each in BACKENDS if find_spec(each) is not None]
        raise MissingExtraError(
            f"{where} names the backend {name}, which is not installed.",
            todo=f"pip install '{BACKENDS[name]}'"
            + "".join(f", or set KERAS_BACKEND={each}" for each in others),
        )


def _backend() -> tuple[str, str]:
    """What Keras would take, and where that is said."""
    if (named := os.environ.get("KERAS_BACKEND")) is not None:
        # An empty one is what Keras takes for none.
        return (named, "KERAS_BACKEND") if named else ("tensorflow", "Keras")
    home = os.environ.get("KERAS_HOME")
    settings = (Path(home) if home else Path.home() / ".keras") / "keras.json"
    try:
        return str(json.loads(settings.read_text())["backend"]), str(settings)
    except (OSError, ValueError, KeyError, TypeError):  # Keras passes over a broken one too
        return "tensorflow", "Keras"


def import_keras() -> None:
    """Import Keras sooner; where it is imported already, nothing happens.

    Half a million objects come with it that stay. Python searches them for garbage again and
    again while they come, and when the process ends: here it never does. And Keras imports
    scikit-learn, with SciPy and pandas, for wrappers that lentigo does without: they cannot be
    used in this process. What needs scikit-learn itself imports it later.
    """
    if "keras" in sys.modules:
        return
    hidden = "sklearn" not in sys.modules
    collects = gc.isenabled()
    gc.disable()
    if hidden:  # None is how Python says that a module is not here
        sys.modules["sklearn"] = None  # type: ignore[assignment]
    try:
        import keras  # noqa: F401, PLC0415 - the point
    finally:
        if hidden:
            del sys.modules["sklearn"]
        gc.freeze()
        if collects:
            gc.enable()
