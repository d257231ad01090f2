"""What the attention map and the familiarity score cost on the device.

Compared: the same MobileNetV2 (random weights) as a LiteRT graph with the logits alone, with
the attention map, and with map and familiarity score, for a head with a class activation map
and two with Grad-CAM. Milliseconds an image are processor time on one thread, the best of rounds
taken in turns, since a busy machine only ever adds.

Expected: at most 1.05 times the graph with the logits alone.

Run::

    KERAS_BACKEND=tensorflow python benchmarks/attention_cost.py [--size 224]
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from lentigo.deploy import convert
from lentigo.model import Sight, build_model, dissect
from lentigo.model.levels import tapped
from lentigo.recipe import Head, Network, Recipe, Stage
from lentigo.score.familiarity import fit_subspace

HEADS = {
    "pooled, one dense layer (class activation)": Head(),
    "pooled, 256 hidden units (Grad-CAM)": Head(hidden=(256,)),
    "2x2 pooled, flattened, 128 hidden units (Grad-CAM)": Head(
        kind="pool2x2-flatten", hidden=(128,)
    ),
}
OUTPUTS = {
    "logits": ("logits",),
    "and attention": ("logits", "attention"),
    "and familiarity": ("logits", "attention", "unfamiliarity"),
}


def graphs_of(head: Head, size: int, classes: int) -> dict[str, bytes]:
    """A graph for each choice of outputs, all from one network."""
    recipe = Recipe(
        name="cost",
        title="Cost",
        network=Network(name="MobileNetV2", size=size, weights="none"),
        head=head,
        stages=(Stage(epochs=1),),
    )
    keras.utils.set_random_seed(0)
    anatomy = dissect(build_model(recipe, classes), Sight(0.16, 0.16))
    levels = [each.shape[-1] for each in tapped(anatomy.trunk[-1]).outputs]
    draws = np.random.default_rng(0)
    spaces = [fit_subspace(draws.normal(0, 1, (200, channels))) for channels in levels]

    def serve(image: Any) -> dict[str, Any]:
        seen = anatomy.see(tf.cast(image, tf.float32))
        outputs = {"logits": seen.logits, "attention": seen.maps}
        outputs["unfamiliarity"] = convert.distance_from(seen.levels, spaces)
        return outputs

    made = {}
    for name, wanted in OUTPUTS.items():

        def some(image: Any, wanted: tuple[str, ...] = wanted) -> dict[str, Any]:
            return {key: value for key, value in serve(image).items() if key in wanted}

        made[name] = convert._graph(some, size, "float16", None)
    return made


def timer(graph: bytes, runs: int) -> Any:
    """A function that gives the milliseconds of one invocation, the mean of ``runs``."""
    interpreter = Interpreter(model_content=graph, num_threads=1)
    interpreter.allocate_tensors()
    details = interpreter.get_input_details()[0]
    image = np.random.default_rng(0).integers(0, 256, details["shape"], np.uint8)

    def once() -> float:
        start = time.process_time()
        for _ in range(runs):
            interpreter.set_tensor(details["index"], image)
            interpreter.invoke()
        return 1000 * (time.process_time() - start) / runs

    return once


def main() -> None:
    """Print milliseconds, bytes and their ratios to the graph with the logits alone."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--classes", type=int, default=7)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--runs", type=int, default=10)
    args = parser.parse_args()
    for title, head in HEADS.items():
        graphs = graphs_of(head, args.size, args.classes)
        timers = {name: timer(graph, args.runs) for name, graph in graphs.items()}
        best = dict.fromkeys(timers, float("inf"))
        for _ in range(args.rounds):
            for name, once in timers.items():
                best[name] = min(best[name], once())
        print(f"{title}, {args.size} pixels")
        for name, ms in best.items():
            size = len(graphs[name])
            print(
                f"  {name:16s} {ms:7.3f} ms  RATIO {ms / best['logits']:.3f}"
                f"  {size / 1e6:6.3f} MB  RATIO {size / len(graphs['logits']):.3f}"
            )


if __name__ == "__main__":
    main()
