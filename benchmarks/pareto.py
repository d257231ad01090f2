"""Balanced accuracy against size and against latency: our bundles and the published yardsticks.

Compared: the bundles named, with the balanced accuracy that their evaluation found, beside
networks that were published with a split by lesion on HAM10000 (the whole photographs, other
test lists: no paired comparison, and no interval was printed), and beside plain MobileNetV2 at
224 pixels, as `baseline_keras.py` trains it (``--plain``; without it for its latency alone). Of
six networks with test-time augmentation together neither size nor latency was published: they
are a line. Milliseconds are processor time of LiteRT on one thread, the
least of rounds taken in turns, since a busy machine only ever adds. The yardsticks' graphs have
random weights, which cost the same, and float32, in which they were published.

Expected: the shipped bundle at most 1.3 times the latency of plain MobileNetV2 at 224.

Run (two panels are written as SVG; METRICS is the ``metrics.json`` of an evaluation)::

    python benchmarks/pareto.py --out docs/images/pareto.svg NAME=BUNDLE=METRICS ...
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from ai_edge_litert.interpreter import Interpreter

from drawing import side_by_side
from lentigo.deploy.bundle import read_bundle
from lentigo.evaluate.svg import Plot, round_ticks
from lentigo.files import write_text

# Balanced accuracies of networks on HAM10000 with lesions kept together.
PUBLISHED = {"EfficientNetB0": 0.739, "ResNet50": 0.722, "ConvNeXtTiny": 0.779}
SIX_NETWORKS = 0.804
PLAIN = "MobileNetV2"
STYLE = """
svg{font:11px system-ui,sans-serif;background:#fff}
.grid{stroke:#ddd;fill:none}.tick{fill:#444}.axis-label{fill:#222}.name{fill:#111}
.ours{fill:#0a6ebd}.published{fill:#fff;stroke:#8a4b00;stroke-width:1.5}
.interval{stroke:#0a6ebd;stroke-width:1.5;fill:none}.wanted{stroke:#888;stroke-dasharray:4 3}
"""


@dataclass
class Point:
    """One network in the picture."""

    name: str
    graph: bytes
    megabytes: float
    score: float | None
    low: float | None = None
    high: float | None = None
    ms: float = math.inf

    @property
    def ours(self) -> bool:
        """Whether its balanced accuracy was measured here."""
        return self.low is not None


def plain_graph(name: str) -> tuple[bytes, float]:
    """A network of `keras.applications` as a float32 graph for one image, and its megabytes."""
    network = getattr(keras.applications, name)(
        include_top=False, weights=None, input_shape=(224, 224, 3), pooling="avg"
    )
    logits = keras.layers.Dense(7)(network.output)
    model = keras.Model(network.input, logits)
    signature = keras.InputSpec(shape=(1, 224, 224, 3), dtype="float32", name="image")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plain.tflite"
        model.export(path, format="litert", input_signature=[signature], verbose=False)
        graph = path.read_bytes()
    return graph, len(graph) / 1e6


def timer(graph: bytes) -> Callable[[], float]:
    """A function that gives the milliseconds of processor time of one answer."""
    interpreter = Interpreter(model_content=graph, num_threads=1)
    interpreter.allocate_tensors()
    details = interpreter.get_input_details()[0]
    image = np.random.default_rng(0).integers(0, 256, details["shape"]).astype(details["dtype"])

    def once() -> float:
        interpreter.set_tensor(details["index"], image)
        start = time.process_time()
        interpreter.invoke()
        return 1000 * (time.process_time() - start)

    return once


def measure(points: list[Point], rounds: int) -> None:
    """Fill in the milliseconds."""
    timers = [timer(point.graph) for point in points]
    for _ in range(rounds):
        for point, once in zip(points, timers, strict=True):
            point.ms = min(point.ms, once())


def panel(
    points: list[Point], label: str, of: Callable[[Point], float], lines: dict[str, float]
) -> Plot:
    """Balanced accuracy against something that is better when smaller, on a logarithmic axis."""
    shown = [point for point in points if point.score is not None]
    values = [math.log10(of(point)) for point in shown]
    across = (min(values) - 0.15, max(values) + 0.55)
    bounds = [x for point in shown for x in (point.score, point.low, point.high) if x is not None]
    up = (min(bounds) - 0.02, max(*bounds, *lines.values()) + 0.02)
    told = "; ".join(f"{p.name}: {p.score:.3f} at {of(p):.3g}" for p in shown)
    plot = Plot(across, up, f"Balanced accuracy against {label}", told, width=420, height=340)
    powers = range(math.floor(across[0]), math.ceil(across[1]) + 1)
    ticks = [(math.log10(f * 10.0**p), f"{f * 10.0**p:g}") for p in powers for f in (1, 3)]
    inside = [tick for tick in ticks if across[0] <= tick[0] <= across[1]]
    plot.axes(label, "balanced accuracy", inside, round_ticks(*up))
    for name, height in lines.items():
        plot.line(np.array(across), np.array([height, height]), "wanted")
        plot.text(plot.across(across[1]) - 4, plot.up(height) - 4, f"{name} {height:g}", "end")
    for point, at in zip(shown, values, strict=True):
        if point.low is not None and point.high is not None:
            plot.line(np.array([at, at]), np.array([point.low, point.high]), "interval")
        plot.dot(at, point.score or 0, "ours" if point.ours else "published")
        # Ours at the end of their intervals, and no name out of the picture: so none meets another.
        room = plot.width - plot.across(at) > 7 * len(point.name) + 20
        beside, anchor = (6, "start") if room else (-6, "end")
        x, y = plot.across(at) + beside, plot.up(point.low or point.score or 0)
        plot.text(x, y + (0 if point.ours else -5), point.name, anchor, kind="name")
    return plot


def picture(points: list[Point], lines: dict[str, float]) -> str:
    """Both panels side by side as one SVG document."""
    panels = [
        panel(points, "megabytes", lambda p: p.megabytes, lines),
        panel(points, "milliseconds an image, one thread", lambda p: p.ms, lines),
    ]
    return side_by_side(panels, STYLE)


def main() -> None:
    """Print the table and write the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("ours", nargs="+", metavar="NAME=BUNDLE=METRICS")
    parser.add_argument("--out", type=Path, default=Path("pareto.svg"))
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--wanted", type=float, default=0.83)
    parser.add_argument("--plain", type=float, nargs=3, metavar=("VALUE", "LOW", "HIGH"))
    args = parser.parse_args()
    points = []
    for each in args.ours:
        name, bundle, metrics = each.split("=")
        found = json.loads(Path(metrics).read_text("utf-8"))["balanced_accuracy"]
        size = Path(bundle).stat().st_size / 1e6
        graph = read_bundle(Path(bundle)).graph
        points.append(Point(name, graph, size, found["value"], found["low"], found["high"]))
    for name, score in PUBLISHED.items():
        points.append(Point(name, *plain_graph(name), score))
    plain = Point(PLAIN, *plain_graph(PLAIN), *(args.plain or (None,)))
    points.append(plain)
    measure(points, args.rounds)
    print(f"{'':28s} {'MB':>7s} {'ms':>7s} {'RATIO':>6s}  balanced accuracy")
    for point in points:
        told = "" if point.score is None else f"{point.score:.3f}"
        told += f" [{point.low:.3f}, {point.high:.3f}]" if point.ours else ""
        print(
            f"{point.name:28s} {point.megabytes:7.2f} {point.ms:7.2f} {point.ms / plain.ms:6.2f}"
            f"  {told}"
        )
    plain.name += ", plain script"
    lines = {"wanted": args.wanted, "six networks": SIX_NETWORKS}
    write_text(args.out, picture(points, lines))


if __name__ == "__main__":
    main()
