"""What each quantization of a run costs: ONE table of size, agreement, scores, speed and memory.

Everything is measured on the run's validation images, so no test list is looked at. Speed and
memory are measured in a light process of their own, as a device has them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lentigo.data.prepared import PreparedSet, open_prepared
from lentigo.deploy.bundle import Quantization, write_bundle
from lentigo.deploy.export import Draft, draft
from lentigo.deploy.parity import demand
from lentigo.errors import LentigoError, ParityError, RunError
from lentigo.score.bootstrap import group_numbers, grouped_bootstrap
from lentigo.score.estimate import Estimate, summarise
from lentigo.score.panel import Panel
from lentigo.score.trainings import scarce_groups
from lentigo.taxonomy import NOT_A_MEDICAL_DEVICE
from lentigo.train.run import NetworkRun, Run, open_network
from lentigo.train.second_input import need_image_alone

VARIANTS: dict[str, tuple[Quantization, tuple[str, ...]]] = {
    "float32": ("float32", ()),
    "float16": ("float16", ()),
    "dynamic": ("dynamic", ()),
    "int8": ("int8", ()),
    "int8, some in float": ("int8", ("auto",)),
}
"""What is converted to, by the name of its row; the first is what the others are held against."""


@dataclass(frozen=True)
class Cost:
    """One row.

    Attributes:
        model: The run's folder.
        variant: A key of `VARIANTS`.
        refused: Why export refuses it; None where it does not.
        kept_float: Layers that int8 left in float32.
        size_bytes: Of the bundle's file.
        compressed_bytes: Of the same in a zip (deflate): zeros of a pruned model only show here.
        zeros: Share of the run's convolution and dense weights that are zero.
        top1_agreement: Share of images with the same most probable class as the first row.
        max_difference: Largest difference of a probability from the first row.
        scores: Balanced accuracy and ROC areas, with intervals.
        differences: The same minus the first row's, resampled together.
        latency_ms: Of one image, by threads: (median, 95th percentile).
        peak_mb: Memory of a process that only runs this bundle.
        leaky: Whether the run was trained by a protocol that flatters its figures.
        caution: What its recipe says of its figures; empty where nothing.
    """

    model: str
    variant: str
    refused: str | None
    kept_float: tuple[str, ...]
    size_bytes: int
    compressed_bytes: int
    zeros: float
    top1_agreement: float
    max_difference: float
    scores: dict[str, Estimate]
    differences: dict[str, Estimate]
    latency_ms: dict[int, tuple[float, float]]
    peak_mb: float | None
    leaky: bool = False
    caution: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        estimates = {
            name: {key: each.to_dict() for key, each in getattr(self, name).items()}
            for name in ("scores", "differences")
        }
        return asdict(self) | estimates


@dataclass(frozen=True)
class _Reference:
    """The first row, which the others are held against."""

    probability: NDArray[np.float64]
    panel: Panel
    rows: NDArray[np.int64]


def costs(
    runs: Sequence[Path | str],
    *,
    data: Path | str | None = None,
    variants: Sequence[str] = tuple(VARIANTS),
    rounds: int = 100,
    replicates: int = 1000,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[Cost]:
    """Convert each run to each variant and measure it.

    Args:
        runs: Folders of runs of one prepared set, such as a run and its pruned one. The first
            run's first variant is what all others are held against.
        data: The prepared set, where it has moved.
        variants: Keys of `VARIANTS`.
        rounds: Of the measurement of speed.
        replicates: Of the paired bootstrap.
        seed: Of the same.
        progress: Told of (conversions done, all).

    Raises:
        LentigoError: A run or set that cannot be used; see `lentigo.deploy.export.export`.
        RunError: The runs were validated on different images.
    """
    opened = [open_network(run, "only networks are quantized") for run in runs]
    for each in opened:  # before any of them is converted
        need_image_alone(each.info.metadata, each.path, "a bundle is given an image alone")
    prepared = open_prepared(data if data is not None else opened[0].info.prepared_path)
    found: list[Cost] = []
    reference: _Reference | None = None
    for run in opened:
        zeros = _zeros(run)
        for variant in variants:
            quant, keep = VARIANTS[variant]
            drafted = draft(run, data=prepared, quant=quant, keep_float=keep)
            panel = _panel(run, prepared, drafted)
            reference = reference or _Reference(drafted.probability, panel, drafted.rows)
            if not np.array_equal(reference.rows, drafted.rows):
                raise RunError(f"{run.path} was validated on other images than {runs[0]}.")
            groups = prepared.groups[drafted.rows]
            scores, differences = _paired(panel, reference.panel, groups, replicates, seed)
            found.append(
                Cost(
                    model=run.path.name,
                    variant=variant,
                    refused=_refusal(drafted),
                    kept_float=drafted.kept_float,
                    zeros=zeros,
                    top1_agreement=_agreement(reference.probability, drafted.probability),
                    max_difference=float(np.abs(reference.probability - drafted.probability).max()),
                    scores=scores,
                    differences=differences,
                    leaky=run.info.leaky,
                    caution=run.recipe().caution,
                    **_on_device(drafted, rounds),
                )
            )
            if progress is not None:
                progress(len(found), len(opened) * len(variants))
    return found


def _agreement(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    return float((first.argmax(axis=1) == second.argmax(axis=1)).mean())


def _refusal(drafted: Draft) -> str | None:
    try:
        demand(drafted.parity)
    except ParityError:
        return f"not {drafted.parity.rule}"
    return None


def _panel(run: Run, prepared: PreparedSet, drafted: Draft) -> Panel:
    taxonomy = run.taxonomy
    labels = prepared.labels[drafted.rows]
    return Panel.of(labels, drafted.probability, taxonomy.codes, taxonomy.malignant)


def _paired(
    panel: Panel, first: Panel, groups: NDArray[Any], replicates: int, seed: int
) -> tuple[dict[str, Estimate], dict[str, Estimate]]:
    """Scores, and their differences from the first row's, on the same drawn groups."""
    keys = [
        key
        for key in ("balanced_accuracy", "roc_auc.mel", "roc_auc.malignant")
        if key in panel.keys
    ]
    places = [panel.keys.index(key) for key in keys]
    scores = panel.estimates(groups, replicates=replicates, seed=seed)
    ones = np.ones((len(panel.labels), 1))
    gaps = (panel.compute(ones) - first.compute(ones))[places, 0]
    drawn = grouped_bootstrap(
        lambda weights: (panel.draw(weights) - first.draw(weights))[places],
        groups,
        replicates=replicates,
        seed=seed,
    )
    numbers, n_groups = group_numbers(groups)
    differences: dict[str, Estimate] = {
        key: summarise(
            float(gap), values, n_groups, scarce=scarce_groups([panel, first], [numbers] * 2, key)
        )
        for key, gap, values in zip(keys, gaps, drawn, strict=True)
    }
    return {key: scores[key] for key in keys}, differences


def _on_device(drafted: Draft, rounds: int) -> dict[str, Any]:
    """Size, speed and memory of the bundle as a file, in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="lentigo-costs-") as folder:
        path = Path(folder) / "bundle.tflite"
        write_bundle(drafted.bundle.graph, drafted.bundle.info, path)
        content = path.read_bytes()
        command = [sys.executable, "-P", "-m", "lentigo", "bench", str(path)]
        done = subprocess.run(  # noqa: S603 - this Python, on a file of our own
            [*command, "--json", "--rounds", str(rounds)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
    if done.returncode != 0:
        raise LentigoError(f"Measuring the speed failed: {done.stderr.strip()}")
    found = json.loads(done.stdout)
    return {
        "size_bytes": len(content),
        "compressed_bytes": len(zlib.compress(content, 9)),
        "latency_ms": {
            each["threads"]: (each["p50_ms"], each["p95_ms"]) for each in found["latencies"]
        },
        "peak_mb": found["peak_mb"],
    }


def _zeros(run: NetworkRun) -> float:
    kernels = [np.asarray(v) for v in run.model.trainable_variables if len(v.shape) > 1]
    return sum(int((k == 0).sum()) for k in kernels) / sum(k.size for k in kernels)


# Training leaves a few weights of any network at zero.
_WORTH_SAYING = 0.01

HEADINGS = (
    *("model", "variant", "size", "compressed", "same class", "largest difference"),
    *("balanced accuracy", "difference", "ROC area, melanoma", "difference"),
    *("1 thread p50 / p95, ms", "2 threads", "4 threads", "peak memory", "export"),
)


def cells(cost: Cost) -> list[str]:
    """The row's cells under `HEADINGS`; the ROC area is of malignant where none is of melanoma."""
    scored = []
    for key in _shown(cost):
        scored += [_figure(cost.scores.get(key)), _figure(cost.differences.get(key), "+.3f")]
    return [
        cost.model if cost.zeros < _WORTH_SAYING else f"{cost.model} ({cost.zeros:.0%} zeros)",
        cost.variant,
        f"{cost.size_bytes / 1e6:.2f} MB",
        f"{cost.compressed_bytes / 1e6:.2f} MB",
        f"{cost.top1_agreement:.1%}",
        f"{cost.max_difference:.2g}",
        *scored,
        *(f"{p50:.1f} / {p95:.1f}" for p50, p95 in cost.latency_ms.values()),
        "–" if cost.peak_mb is None else f"{cost.peak_mb:.0f} MB",
        "refused" if cost.refused else "allowed",
    ]


def _shown(cost: Cost) -> tuple[str, str]:
    ranked = "roc_auc.mel" if "roc_auc.mel" in cost.scores else "roc_auc.malignant"
    return "balanced_accuracy", ranked


def _figure(each: Estimate | None, form: str = ".3f") -> str:
    if each is None or each.value is None:
        return "–"
    if each.low is None or each.high is None:
        return f"{each.value:{form}}"
    return f"{each.value:{form}} [{each.low:{form}}, {each.high:{form}}]"


def as_markdown(table: Sequence[Cost]) -> str:
    """The table in Markdown, and beneath it what must be known of its figures."""
    lines = [HEADINGS, ["---"] * len(HEADINGS), *map(cells, table)]
    rows = ["| " + " | ".join(line) + " |" for line in lines]
    told = [f"- {reason}: {', '.join(of)}" for reason, of in _reasons(table).items()]
    told += dict.fromkeys(f"- {c.model}: {c.caution}" for c in table if c.caution)
    told += dict.fromkeys(f"- **LEAKY: {c.model} was trained by a protocol that flatters its "
                          "figures.**" for c in table if c.leaky)  # fmt: skip
    return "\n".join([*rows, "", *told, *[""] * bool(told), NOT_A_MEDICAL_DEVICE]) + "\n"


def _reasons(table: Sequence[Cost]) -> dict[str, list[str]]:
    """Which figures each reason is told of, by the reason."""
    found: dict[str, list[str]] = {}
    for cost in table:
        for kind, estimates in (("", cost.scores), ("difference of ", cost.differences)):
            for key in _shown(cost):
                reason = None if key not in estimates else estimates[key].reason
                if reason is not None:
                    found.setdefault(reason, []).append(f"{kind}{key} ({cost.variant})")
    return found


def as_csv(table: Sequence[Cost]) -> str:
    """The table as CSV: plain numbers, an interval's ends in columns of their own."""
    import pandas as pd  # noqa: PLC0415 - for this alone

    rows = []
    for each in table:
        row = {k: v for k, v in asdict(each).items() if not isinstance(v, dict | tuple)}
        row["kept_float"] = " ".join(each.kept_float)
        for kind, estimates in (("", each.scores), ("difference.", each.differences)):
            for key, estimate in estimates.items():
                row |= {
                    f"{kind}{key}": estimate.value,
                    f"{kind}{key}.low": estimate.low,
                    f"{kind}{key}.high": estimate.high,
                    f"{kind}{key}.reason": estimate.reason,
                }
        for threads, (p50, p95) in each.latency_ms.items():
            row |= {f"p50_ms.{threads}": p50, f"p95_ms.{threads}": p95}
        rows.append(row)
    return pd.DataFrame(rows).to_csv(index=False)
