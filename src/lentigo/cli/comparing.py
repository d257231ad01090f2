"""Commands that judge models by what they answered, their own or anyone's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lentigo.cli.options import Json, Seed
from lentigo.cli.output import as_json, as_table, figure, need_data
from lentigo.taxonomy import NOT_A_MEDICAL_DEVICE

if TYPE_CHECKING:
    from lentigo.score.estimate import Estimate


def compare(
    models: Annotated[
        list[Path], typer.Argument(metavar="RUN_OR_BUNDLE...", help="Evaluated runs or bundles.")
    ],
    *,
    metric: Annotated[
        list[str] | None, typer.Option(help="What to compare; again for more than one.")
    ] = None,
    split: Annotated[str, typer.Option(help="The split they were evaluated on.")] = "test",
    data: Annotated[Path | None, typer.Option(help="The prepared set, where it moved.")] = None,
    replicates: Annotated[int, typer.Option(help="Of the bootstrap.", min=100)] = 1000,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Compare models on the same images. Paired differences, tests, a sentence each."""
    need_data()
    from lentigo.evaluate.comparison import compare as run
    from lentigo.evaluate.sides import find_evaluation, read_sides

    folders = [find_evaluation(each, split) for each in models]
    found = run(read_sides(folders, data), metric, replicates=replicates, seed=seed)
    if json:
        as_json(found.to_dict() | {"notice": NOT_A_MEDICAL_DEVICE})
        return
    if found.leaky:
        print(f"LEAKY: what was trained on also sits among these images: {', '.join(found.leaky)}.")
    for caution, names in found.cautions.items():
        print(f"Caution: {caution} ({', '.join(names)})")
    print(
        f"{found.images} images of {found.groups} groups; "
        f"{found.replicates} paired bootstrap replicates.\n"
    )
    rows: list[dict[str, Any]] = [
        {"model": name} | {key: figure(each) for key, each in figures.items()}
        for name, figures in found.scores.items()
    ]
    as_table(rows, {key: key for key in rows[0]})
    print()
    for difference in found.differences:
        print(difference.sentence)
    if found.images > found.groups:
        print("\nDeLong's and McNemar's tests take images as independent; these are not.")
    for family in found.families:
        print(
            f"{family.metric}: {len(family.runs)} runs of {family.recipe} give "
            f"{figure(family.mean)}; seeds and folds move it by {family.between_runs:.3f} "
            f"(standard deviation), other test images by {family.test_noise:.3f}."
        )
    print(NOT_A_MEDICAL_DEVICE)


def score(
    truth: Annotated[Path, typer.Argument(help="Ground truth in a challenge's format.")],
    prediction: Annotated[Path, typer.Argument(help="A submission in the same format.")],
    *,
    weights: Annotated[
        Path | None, typer.Option(help="CSV with image and score_weight; may stand in TRUTH too.")
    ] = None,
    groups: Annotated[
        Path | None,
        typer.Option(
            help="CSV with image and patient_id, lesion_id or group_id: what is resampled for the "
            "intervals [default: such a column of TRUTH, else single images]."
        ),
    ] = None,
    replicates: Annotated[int, typer.Option(help="Of the bootstrap; 0: no intervals.", min=0)] = (
        1000
    ),
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Score a submission as the ISIC challenges do. Whoever trained the model."""
    need_data()
    from lentigo.evaluate.submission import score_files

    found = score_files(truth, prediction, weights, groups, replicates=replicates, seed=seed)
    if json:
        as_json(found.to_dict())
        return
    told = f"; {found.groups} groups by {found.grouped_by} are resampled" if replicates else ""
    print(f"{found.images} images, {found.challenge}{told}.\n")
    if found.empty:
        print(f"No image here is {', '.join(found.empty)}, so there is no score of that.\n")
    rows = [{"class": name} | _rounded(row) for name, row in found.per_category.items()]
    if len(rows) > 1:
        rows.append({"class": "mean"} | _rounded(found.macro_average))
    as_table(rows, {key: key for key in rows[0]})
    print()
    if found.intervals:
        as_table(_spans(found.intervals), {"class": "95% interval", **{k: k for k in _SPANNED}})
        print()
    for name, value in found.whole.items():
        span = found.intervals.get(name)
        print(f"{name} {value:.6f}{'' if span is None else f' {_span(span)}'}")


def _rounded(row: dict[str, float]) -> dict[str, str]:
    return {name: f"{value:.4f}" for name, value in row.items()}


_SPANNED = ("sensitivity", "specificity", "auc", "auc_sens_80", "ap")


def _spans(intervals: dict[str, Estimate]) -> list[dict[str, str]]:
    """The intervals of the scores that matter most, a row a class; --json has all of them."""
    classes = dict.fromkeys(name.rsplit(".", 1)[0] for name in intervals if "." in name)
    return [
        {"class": "mean" if name == "macro" else name}
        | {key: _span(intervals[f"{name}.{key}"]) for key in _SPANNED}
        for name in classes
    ]


def _span(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return "[none]"
    return f"[{estimate.low:.3f}, {estimate.high:.3f}]"
