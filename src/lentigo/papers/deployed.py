"""What a variant weighs and how fast it answers: files, milliseconds, seconds for a test set."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection

import numpy as np
from numpy.typing import NDArray

from lentigo.data.prepared import PreparedSet
from lentigo.deploy.bench import bench
from lentigo.deploy.bundle import read_bundle
from lentigo.deploy.export import export
from lentigo.errors import InputError, LentigoError, in_one_line
from lentigo.files import read_json, write_json
from lentigo.papers.schema import Paper
from lentigo.score.estimate import Estimate
from lentigo.train import Run

logger = logging.getLogger(__name__)

KEYS = ("file_mb", "response_ms", "response_p95_ms")
INFERENCE = "inference_s"
ROUNDS = 100
_PART = 256


def wanted(paper: Paper, variant: str) -> set[str]:
    """What of ``KEYS`` and ``INFERENCE`` a table of the paper asks for of this variant."""
    places = (place for table in paper.tables for line in table.lines for place in line)
    asked = {place.key for place in places if variant in place.of}
    return asked & {*KEYS, INFERENCE}


def cost_of(
    run: Run, data: PreparedSet, rows: NDArray[np.int64], asked: Collection[str]
) -> dict[str, Estimate]:
    """What is asked for of a finished run's size and speed; where that fails, the reason."""
    ways: dict[tuple[str, ...], Callable[[], dict[str, Estimate]]]
    ways = {(INFERENCE,): lambda: inference(run, data, rows), KEYS: lambda: deployed(run)}
    found: dict[str, Estimate] = {}
    for keys, way in ways.items():
        if set(keys).isdisjoint(asked):
            continue
        try:
            found |= way()
        except Exception as error:  # the training's figures are not lost with its last minute's
            logger.exception("%s could not be timed", run.path)
            told = f"not measured: {in_one_line(str(error) or type(error).__name__)}"
            found |= {key: Estimate(None, None, None, 0, told) for key in keys}
    return found


def deployed(run: Run) -> dict[str, Estimate]:
    """Size in MB of the float32 file, and its median and 95th percentile in milliseconds.

    The file carries its description and a second output for attention. One thread, on this
    machine, from a prepared image to the answer. Measured once and kept with the run.
    """
    kept = run.path / "export" / "response.json"
    try:
        values = read_json(kept)
    except InputError:
        try:
            exported = export(run)
        except LentigoError as error:
            return {key: Estimate(None, None, None, 0, error.problem) for key in KEYS}
        latency = bench(read_bundle(exported.path), threads=(1,), rounds=ROUNDS).latencies[0]
        measured = (exported.size_bytes / 1e6, latency.p50_ms, latency.p95_ms)
        values = dict(zip(KEYS, measured, strict=True))
        write_json(kept, values)
    told = f"of the exported file, one thread, {ROUNDS} answers on this machine"
    return {key: Estimate(float(values[key]), None, None, 0, told) for key in KEYS}


def inference(run: Run, data: PreparedSet, rows: NDArray[np.int64]) -> dict[str, Estimate]:
    """Seconds that the run takes to answer all of ``rows``, reading them included.

    On this machine, in batches, after one that compiles. Measured once and kept with the run.
    """
    kept = run.path / "export" / "inference.json"
    try:
        values = read_json(kept)
    except InputError:
        run.predict(data.images[rows[:_PART]])
        start = time.perf_counter()
        for at in range(0, len(rows), _PART):
            run.predict(data.images[rows[at : at + _PART]])
        values = {"seconds": time.perf_counter() - start, "images": len(rows)}
        write_json(kept, values)
    told = f"of {values['images']:,} images on this machine"
    return {INFERENCE: Estimate(float(values["seconds"]), None, None, 0, told)}
