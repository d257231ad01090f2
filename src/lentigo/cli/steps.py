"""`lentigo train`, `evaluate`, `export` and `demo`."""

from __future__ import annotations

from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from lentigo.cli.options import Json, Seed, names_in
from lentigo.cli.output import (
    as_json,
    as_table,
    counting,
    figure,
    need_training,
    training_progress,
)
from lentigo.taxonomy import NOT_A_MEDICAL_DEVICE

Headline = (
    "balanced_accuracy",
    "accuracy",
    "roc_auc.macro",
    "roc_auc.malignant",
    "expected_calibration_error",
)


class Split(StrEnum):
    """Which images are measured."""

    test = "test"
    validation = "validation"
    train = "train"
    all = "all"


class Quantization(StrEnum):
    """How the graph keeps its weights."""

    float32 = "float32"
    float16 = "float16"
    int8 = "int8"
    dynamic = "dynamic"


def train(
    recipe: Annotated[str, typer.Argument(help="A recipe of `lentigo recipes`, or a TOML path.")],
    data: Annotated[Path, typer.Option(help="The prepared set.")],
    *,
    fold: Annotated[int | None, typer.Option(help="The fold that validates.", min=0)] = None,
    out: Annotated[Path, typer.Option(help="The folder of runs.")] = Path("runs"),
    seed: Seed = 0,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe: stages.0.epochs=5"),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume/--restart", help="Go on with an unfinished run, or begin anew."),
    ] = True,
    log: Annotated[
        list[str] | None, typer.Option(help="Also log to tensorboard or mlflow, in OUT.")
    ] = None,
    devices: Annotated[int, typer.Option(help="Accelerators that share a batch (JAX).")] = 1,
    json: Json = False,
) -> None:
    """Train a recipe. A killed training goes on from its last epoch."""
    need_training()
    from lentigo.recipe import load_recipe
    from lentigo.train import open_tracker
    from lentigo.train import train as run
    from lentigo.train.devices import spread

    resolved = load_recipe(recipe, changes or ())
    with ExitStack() as stack:
        stack.enter_context(spread(devices))
        report = stack.enter_context(training_progress())
        trackers = [open_tracker(name, out / "logs" / resolved.name) for name in log or ()]
        for tracker in trackers:
            stack.callback(tracker.close)
        finished = run(
            resolved,
            data,
            out=out,
            fold=fold,
            seed=seed,
            restart=not resume,
            report=report,
            trackers=trackers,
        )
    if json:
        as_json({"path": str(finished.path), **finished.info.model_dump(mode="json")})
        return
    print(f"Run: {finished.path} (best epoch {finished.info.best_epoch})")
    print(f"Next: lentigo evaluate {finished.path} --data {data}")


def evaluate(
    model: Annotated[Path, typer.Argument(metavar="RUN_OR_BUNDLE", help="What to measure.")],
    data: Annotated[Path, typer.Option(help="The prepared set.")],
    *,
    split: Annotated[Split, typer.Option(help="Which images.")] = Split.test,
    fold: Annotated[int | None, typer.Option(help="The fold that validates.", min=0)] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to write.")] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Maps another set's classes onto the model's.")
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Lesion outlines: how much attention is inside?"),
    ] = None,
    prevalence: Annotated[
        float | None,
        typer.Option(help="Restate predictive values for this share of malignant lesions."),
    ] = None,
    seed: Seed = 0,
    replicates: Annotated[int, typer.Option(help="Of the bootstrap.", min=100)] = 1000,
    json: Json = False,
) -> None:
    """Measure a run or a bundle. Every figure comes with its interval."""
    need_training()
    from lentigo.deploy.evaluating import evaluate as run

    with counting("predicting") as progress:
        result = run(
            model,
            data,
            out=out,
            split=split.value,
            fold=fold,
            labels_map=labels,
            seed=seed,
            replicates=replicates,
            masks=masks,
            prevalence=prevalence,
            progress=progress,
        )
    if json:
        metrics = {name: estimate.to_dict() for name, estimate in result.metrics.items()}
        facts: dict[str, Any] = {
            "leaky": result.leaky,
            "cautions": list(result.cautions),
            "looks": result.looks,
        }
        if result.lesions is not None:
            facts["attention"] = result.lesions.to_dict()
        as_json({"path": str(result.path), **facts, "metrics": metrics})
        return
    if result.leaky:
        print("LEAKY: what was trained on also sits among these images.")
    for caution in result.cautions:
        print(f"Caution: {caution}")
    rows = [
        {"metric": name, "value": figure(result.metrics[name])}
        for name in Headline
        if name in result.metrics
    ]
    if result.lesions is not None:
        shares = result.lesions.estimates.items()
        rows += [{"metric": name, "value": figure(each)} for name, each in shares]
    as_table(rows, {"metric": "metric", "value": "value [95% interval]"})
    print(f"{result.images} images of {result.groups} groups; look number {result.looks} at them.")
    print(f"Report: {result.report}\n{NOT_A_MEDICAL_DEVICE}")


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The run.")],
    *,
    data: Annotated[Path | None, typer.Option(help="The prepared set, where it has moved.")] = None,
    quant: Annotated[Quantization, typer.Option(help="Weights.")] = Quantization.float32,
    prune: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="First prune: this share of the large kernels becomes zero, and a run of its "
            "own beside RUN is fine-tuned.",
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(help="Of fine-tuning after --prune.", min=1)] = 5,
    keep_float: Annotated[
        str | None,
        typer.Option(
            metavar="LAYERS",
            help="With int8, layers to leave in float32: parts of names, with commas; or auto.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The bundle to write.")] = None,
    json: Json = False,
) -> None:
    """Write the one-file bundle. Refused where it does not agree with the run."""
    need_training()
    from lentigo.deploy.export import export as write
    from lentigo.deploy.parity import figures

    if prune is not None:
        from lentigo.train import open_run
        from lentigo.train.pruning import prune as pruned

        with training_progress() as report:
            made = pruned(open_run(run), prune, data=data, epochs=epochs, report=report)
        run = made.path
    keep = () if keep_float is None else tuple(sorted(names_in(keep_float)))
    written = write(run, data=data, quant=quant.value, out=out, keep_float=keep)
    if json:
        parity = written.parity.model_dump(mode="json")
        sizes = {"path": str(written.path), "size_bytes": written.size_bytes, "run": str(run)}
        as_json(sizes | {"kept_float": written.kept_float, "parity": parity})
        return
    print(figures(written.parity))
    if written.kept_float:
        print(f"  left in float32: {', '.join(written.kept_float)}")
    if prune is not None:
        print(f"Pruned run: {run}")
    print(f"Bundle: {written.path} ({written.size_bytes / 1e6:.2f} MB)")
    print(f"Next: lentigo predict PHOTO --model {written.path}")


def demo(
    out: Annotated[Path, typer.Option(help="The folder to work in.")] = Path("demo"),
    *,
    lesions: Annotated[int, typer.Option(help="Generated lesions.", min=70)] = 280,
    json: Json = False,
) -> None:
    """Run the whole path on generated images. Prepare, train, evaluate, export, predict."""
    need_training()
    from lentigo.cli.demonstration import demonstrate

    demonstrate(out, lesions=lesions, json=json)
