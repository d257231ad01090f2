"""`lentigo evaluate` and `report`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lentigo.cli.options import Json, Seed
from lentigo.cli.output import as_json, as_table, counting, figure, need_training
from lentigo.taxonomy import NOT_A_MEDICAL_DEVICE

if TYPE_CHECKING:
    from lentigo.evaluate import Evaluation

Headline = (
    "balanced_accuracy",
    "accuracy",
    "roc_auc.macro",
    "roc_auc.malignant",
    "expected_calibration_error",
)

Prevalence = Annotated[
    float | None,
    typer.Option(help="Restate predictive values for this share of malignant lesions."),
]


class Split(StrEnum):
    """Which images are measured."""

    test = "test"
    validation = "validation"
    train = "train"
    all = "all"


class MaskCrop(StrEnum):
    """What was cut from the frames that masks were drawn on."""

    none = "none"
    center_square = "center-square"


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
    mask_crop: Annotated[
        MaskCrop, typer.Option(help="Masks are of whole frames, images their central squares.")
    ] = MaskCrop.none,
    prevalence: Prevalence = None,
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
            mask_crop=mask_crop.value,
            prevalence=prevalence,
            progress=progress,
        )
    if json:
        as_json(_as_facts(result))
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
    if result.restated:
        _print_restated(result, prevalence)
    if result.dropped:
        told = ", ".join(f"{n} {code}" for code, n in result.dropped.items())
        print(f"Left out, because no class of the model stands for them: {told} images.")
    print(f"{result.images} images of {result.groups} groups; look number {result.looks} at them.")
    print(f"Report: {result.report}\n{NOT_A_MEDICAL_DEVICE}")


def _as_facts(result: Evaluation) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "path": str(result.path),
        "report": str(result.report),
        "images": result.images,
        "groups": result.groups,
        "leaky": result.leaky,
        "cautions": list(result.cautions),
        "dropped": dict(result.dropped),
        "looks": result.looks,
    }
    if result.lesions is not None:
        facts["attention"] = result.lesions.to_dict()
    if result.restated:
        facts["prevalence"] = [
            {
                "name": point.name,
                "precision": positive.to_dict(),
                "negative_predictive_value": negative.to_dict(),
            }
            for point, positive, negative in result.restated
        ]
    facts["metrics"] = {key: each.to_dict() for key, each in result.metrics.items()}
    return facts | {"notice": NOT_A_MEDICAL_DEVICE}


def _print_restated(result: Evaluation, prevalence: float | None) -> None:
    print(f"\nPredictive values where {prevalence:.2%} of the lesions are malignant:")
    rows = [
        {
            "point": f"{point.target_sensitivity:.0%}",
            "positive": figure(positive),
            "negative": figure(negative),
        }
        for point, positive, negative in result.restated
    ]
    titles = {"point": "wanted sensitivity", "positive": "positive", "negative": "negative"}
    as_table(rows, titles)
    print()


def report(
    model: Annotated[Path, typer.Argument(metavar="RUN_OR_BUNDLE", help="What was evaluated.")],
    *,
    split: Annotated[
        str, typer.Option(help="Which evaluation: a split, or the name or path of its folder.")
    ] = "test",
    data: Annotated[Path | None, typer.Option(help="The prepared set, where it moved.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder to write [default: that of the evaluation].")
    ] = None,
    prevalence: Prevalence = None,
    json: Json = False,
) -> None:
    """Write the report of a finished evaluation anew. No prediction, no look at the images."""
    need_training()
    from lentigo.deploy.evaluating import report as write

    page = write(model, split=split, data=data, out=out, prevalence=prevalence)
    if json:
        as_json({"path": str(page)})
    else:
        print(f"Report: {page}")
