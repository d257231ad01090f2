"""What a variant weighs and how fast it answers once it is exported: files and milliseconds."""

from __future__ import annotations

from lentigo.deploy.bench import bench
from lentigo.deploy.bundle import read_bundle
from lentigo.deploy.export import export
from lentigo.errors import InputError, LentigoError
from lentigo.files import read_json, write_json
from lentigo.papers.schema import Paper
from lentigo.score.estimate import Estimate
from lentigo.train import Run

KEYS = ("file_mb", "response_ms", "response_p95_ms")
ROUNDS = 100


def wanted(paper: Paper, variant: str) -> bool:
    """Whether a table of the paper asks for any of ``KEYS`` in this variant's row."""
    return any(
        column.key in KEYS
        for table in paper.tables
        if variant in table.rows
        for column in table.columns
    )


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
