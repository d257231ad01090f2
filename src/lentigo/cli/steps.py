"""`lentigo download`, `prepare`, `train`, `evaluate`, `export` and `demo`."""

from __future__ import annotations

from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from lentigo.cli.output import (
    as_json,
    as_table,
    counting,
    figure,
    need_data,
    need_training,
    training_progress,
)
from lentigo.taxonomy import NOT_A_MEDICAL_DEVICE

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Seed = Annotated[int, typer.Option(help="All that is random is a function of it.", min=0)]
Headline = (
    "balanced_accuracy",
    "accuracy",
    "roc_auc.macro",
    "roc_auc.malignant",
    "expected_calibration_error",
)


class GroupBy(StrEnum):
    """What no split may cut."""

    lesion = "lesion"
    patient = "patient"
    image = "image"


class Protocol(StrEnum):
    """How a published protocol is asked for by name."""

    leak_free = "leak-free"
    as_published = "as-published"


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


def download(
    source: Annotated[str, typer.Argument(help="A source of `lentigo sources`.")],
    out: Annotated[Path, typer.Option(help="The folder to download into.")],
    *,
    json: Json = False,
) -> None:
    """Download a public data set; run again, it resumes."""
    need_data()
    from lentigo.data.download import download as run

    last = ""

    def tell(name: str, done: int, total: int | None) -> None:
        nonlocal last
        if name != last:
            last = name
            size = f" of {total:,} bytes" if total else ""
            typer.echo(f"{name}: {done:,}{size}", err=True)

    path = run(source, out, progress=tell)
    if json:
        as_json({"path": str(path), "source": source})
    else:
        print(f"Downloaded to {path}\nNext: lentigo prepare {source} {path} --out prepared")


def prepare(
    source: Annotated[str, typer.Argument(help="A source of `lentigo sources`.")],
    path: Annotated[Path, typer.Argument(help="Where its download lies.")],
    out: Annotated[Path, typer.Option(help="The prepared set to write.")],
    *,
    size: Annotated[int, typer.Option(help="Side in pixels.", min=32, max=1024)] = 224,
    folds: Annotated[int, typer.Option(help="Folds of the training split.", min=2)] = 5,
    group_by: Annotated[
        GroupBy | None, typer.Option(help="What no split may cut [default: the strictest known].")
    ] = None,
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="Go on without images that are absent.")
    ] = False,
    workers: Annotated[int | None, typer.Option(help="Processes [default: all cores].")] = None,
    seed: Seed = 0,
    hair_removal: Annotated[
        bool, typer.Option("--hair-removal", help="Black-hat hair removal with inpainting.")
    ] = False,
    colour_constancy: Annotated[
        bool, typer.Option("--colour-constancy", help="Shades-of-grey colour constancy.")
    ] = False,
    greyscale: Annotated[bool, typer.Option("--greyscale", help="Throw the colour away.")] = False,
    metadata: Annotated[
        Path | None, typer.Option(help="The table of labels, where it lies elsewhere.")
    ] = None,
    malignant: Annotated[
        str | None, typer.Option(help="Malignant classes of your own data, with commas.")
    ] = None,
    test_share: Annotated[
        float, typer.Option(help="Share of the groups that is test, where none is published.")
    ] = 0.2,
    splits_of: Annotated[
        Path | None,
        typer.Option(help="Adopt test list and folds of this prepared set of the same lesions."),
    ] = None,
    protocol: Annotated[
        Protocol, typer.Option(help="as-published stamps every result LEAKY.")
    ] = Protocol.leak_free,
    json: Json = False,
) -> None:
    """Turn a data set into a checked, split, preprocessed one."""
    need_data()
    from lentigo.data.prepare import prepare as run
    from lentigo.image import ColourConstancy, HairRemoval, PreprocessSpec

    spec = PreprocessSpec(
        size=size,
        hair_removal=HairRemoval() if hair_removal else None,
        colour_constancy=ColourConstancy() if colour_constancy else None,
        greyscale=greyscale,
    )
    with counting("preparing") as progress:
        prepared = run(
            source,
            path,
            out,
            size=size,
            folds=folds,
            group_by=None if group_by is None else group_by.value,
            skip_missing=skip_missing,
            workers=workers,
            seed=seed,
            spec=spec,
            protocol=protocol.value,
            metadata=metadata,
            malignant=None if malignant is None else _listed(malignant),
            test_share=test_share,
            splits_of=splits_of,
            progress=progress,
        )
    if json:
        as_json({"path": str(prepared.path), "digest": prepared.digest, "audit": prepared.audit})
        return
    splits = prepared.audit["splits"]
    rows = [
        {"class": code} | {split: each["classes"].get(code, 0) for split, each in splits.items()}
        for code in prepared.taxonomy.codes
    ]
    as_table(rows, {"class": "class"} | {split: split for split in splits})
    if prepared.leaky:
        print("LEAKY: lesions or patients may sit on both sides of the split.")
    print(f"Prepared set: {prepared.path} (what was found on the way: audit.json)")


def merge(
    first: Annotated[Path, typer.Argument(help="The prepared set whose test list stands.")],
    others: Annotated[
        list[str], typer.Argument(metavar="OTHER...", help="Sets that add training images.")
    ],
    out: Annotated[Path, typer.Option(help="The prepared set to write.")],
    *,
    labels: Annotated[
        list[Path] | None,
        typer.Option(help="Maps a set's classes onto the first's: one a set, in their order."),
    ] = None,
    json: Json = False,
) -> None:
    """Add the training images of other sets, without a leak. The first set keeps its split."""
    need_data()
    from lentigo.data.merge import merge as run
    from lentigo.data.merge import pair_labels

    merged = run(first, pair_labels([Path(each) for each in others], labels or []), out)
    told = merged.audit["merged"]
    if json:
        as_json({"path": str(merged.path), "digest": merged.digest, "merged": told})
        return
    as_table([{"class": k, "images": v} for k, v in told["added_classes"].items()], _ADDED)
    print(
        f"{told['added']} training images added to {told['first_images']} images; "
        f"{len(told['already_there'])} were there already, {len(told['excluded'])} show what is "
        "held out and were excluded (audit.json names them)."
    )
    print(f"Prepared set: {merged.path}")


_ADDED = {"class": "class", "images": "added"}


def _listed(text: str) -> frozenset[str]:
    return frozenset(part.strip() for part in text.split(",") if part.strip())


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
    keep = () if keep_float is None else tuple(sorted(_listed(keep_float)))
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
