"""The conversion as a process of its own: what it is told, and what comes back.

Training may have run on JAX, and a process has one Keras backend for life; only TensorFlow's
converts to LiteRT.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from lentigo.deploy.bundle import AttentionKind, Quantization
from lentigo.errors import LentigoError, RunError
from lentigo.files import read_json, write_json
from lentigo.score.familiarity import Subspace, as_arrays

_LAST_LINES = 12


class ConversionJob(BaseModel):
    """What the converter is told, as a JSON file.

    Attributes:
        model: A ``.keras`` file.
        quantization: What to convert to.
        representative: An ``.npy`` of training images (n, S, S, 3) uint8, for int8 and
            float16.
        subspaces: An ``.npz`` of `lentigo.score.familiarity.as_arrays`; with it the graph has
            a third output.
        sight: How far off the maps are, down and across, in cells; the graph's make up for it.
        modules: Modules to import first, because they register layers of the model.
        keep_float: With int8, layers to leave in float32: parts of their names, or ``auto``.
        graph: Where the graph goes.
        result: Where the `ConversionResult` goes, written last.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Path
    quantization: Quantization
    representative: Path | None = None
    subspaces: Path | None = None
    sight: tuple[float, float] | None = None
    modules: tuple[str, ...] = ()
    keep_float: tuple[str, ...] = ()
    graph: Path
    result: Path


class ConversionResult(BaseModel):
    """What the converter found out.

    Attributes:
        attention: What the graph's second output shows.
        tensorflow: The converter's version.
        kept_float: Layers that int8 left in float32.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    attention: AttentionKind
    tensorflow: str
    kept_float: tuple[str, ...] = ()


@dataclass(frozen=True)
class Converted:
    """A LiteRT graph and what is known about it."""

    graph: bytes
    attention: AttentionKind
    tensorflow: str
    kept_float: tuple[str, ...] = ()


def convert_apart(
    model: Path,
    quantization: Quantization,
    *,
    representative: NDArray[np.uint8] | None = None,
    subspaces: Sequence[Subspace] = (),
    sight: tuple[float, float] | None = None,
    modules: tuple[str, ...] = (),
    keep_float: tuple[str, ...] = (),
) -> Converted:
    """Convert a ``.keras`` file in a process of its own, on the TensorFlow backend.

    Args:
        model: RGB in [0, 255] (B, S, S, 3) to logits (B, k).
        quantization: What to convert to.
        representative: Training images (n, S, S, 3), which int8 needs and float16 is better with.
        subspaces: What training images fill, one a level; the graph then says how far outside
            them an image lies.
        sight: How far off the model's maps are, down and across, in cells.
        modules: Modules that register layers of the model.
        keep_float: With int8, layers to leave in float32; ``("auto",)`` finds them.

    Raises:
        LentigoError: The conversion failed; its last lines are shown.
        RunError: There is no such file.
    """
    if not model.is_file():
        raise RunError(f"{model} does not exist.", todo="Only a finished network can be exported.")
    with tempfile.TemporaryDirectory(prefix="lentigo-convert-") as name:
        folder = Path(name)
        images = None
        if representative is not None:
            images = folder / "representative.npy"
            np.save(images, representative)
        directions = None
        if subspaces:
            directions = folder / "subspaces.npz"
            np.savez(directions, **as_arrays(subspaces))
        job = ConversionJob(
            model=model.resolve(),
            quantization=quantization,
            representative=images,
            subspaces=directions,
            sight=sight,
            modules=modules,
            keep_float=keep_float,
            graph=folder / "graph.tflite",
            result=folder / "result.json",
        )
        write_json(folder / "job.json", job.model_dump(mode="json"))
        _run(folder / "job.json", quantization)
        result = ConversionResult.model_validate(read_json(job.result))
        return Converted(job.graph.read_bytes(), **result.model_dump())


def _run(job: Path, quantization: str) -> None:
    environment = {
        **os.environ,
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        # Conversion needs no accelerator, and one that trains must not be disturbed.
        "CUDA_VISIBLE_DEVICES": "-1",
        # The child finds what its parent finds, a recipe's own module included.
        "PYTHONPATH": os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path),
    }
    child = subprocess.run(  # noqa: S603 - this Python, on a file of our own
        # -P: else a code.py of the folder one works in is taken for Python's own.
        [sys.executable, "-P", "-m", "lentigo.deploy.convert", str(job)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        text=True,
        errors="replace",
    )
    if child.returncode == 0:
        return
    lines = [line for line in child.stdout.splitlines() if line.strip(" ^~")][-_LAST_LINES:]
    reason = (
        f"it was killed by signal {-child.returncode}, often for want of memory"
        if child.returncode < 0
        else f"exit code {child.returncode}"
    )
    said = "".join(f"\n  {line}" for line in lines)
    raise LentigoError(f"The conversion to {quantization} failed ({reason}). It said:{said}")
