"""Keras, imported in half of the time."""

from __future__ import annotations

import gc
import sys


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
