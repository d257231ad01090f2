"""`lentigo train`, `export` and `demo`."""

from __future__ import annotations

from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lentigo.cli.options import Json, Seed, names_in
from lentigo.cli.output import (
    as_json,
    need_data,
    need_training,
    say_next,
    training_progress,
)


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
    need_data()
    from lentigo.recipe import load_recipe

    resolved = load_recipe(recipe, changes or ())  # refused, where it is, before Keras is imported
    need_training()
    from lentigo.train import open_tracker
    from lentigo.train import train as run
    from lentigo.train.devices import spread

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
    print(f"Run: {finished.path} ({finished.row_name} {finished.info.best_epoch} was best)")
    say_next("lentigo", "evaluate", finished.path, "--data", data)


def soup(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Two runs or more.")],
    *,
    data: Annotated[
        Path | None, typer.Option(help="The prepared set, where not the first run's.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder of runs, where not the first run's.")
    ] = None,
    json: Json = False,
) -> None:
    """Average the weights of several fine-tunings. The mean is a run of its own."""
    need_training()
    from lentigo.train.soup import soup as average

    made = average(runs, data=data, out=out)
    if json:
        as_json({"path": str(made.path), **made.info.model_dump(mode="json")})
        return
    print(f"Run: {made.path}")
    say_next("lentigo", "evaluate", made.path, "--data", made.info.prepared_path)


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
    from lentigo.files import need_place

    if out is not None:
        need_place(out)
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
    say_next("lentigo", "predict", "PHOTO", "--model", written.path)


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
