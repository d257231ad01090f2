"""`lentigo predict` and `lentigo show`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lentigo.cli.options import Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lentigo.deploy.bundle import BundleInfo
    from lentigo.deploy.prediction import Failure, Prediction
    from lentigo.deploy.runtime import BundlePredictor


def predict(
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGE...", help="Files, folders or globs.")
    ],
    *,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="BUNDLE",
            help="A file, or the name of a model that ships [default: lentigo-ham10000].",
        ),
    ] = None,
    json: Json = False,
    csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV: image, and a column a class.")
    ] = False,
    threads: Annotated[int | None, typer.Option(help="[default: all cores]", min=1)] = None,
) -> None:
    """Say what a model sees in photographs. Exit code 1 where some could not be read."""
    from lentigo.cli.output import complain
    from lentigo.deploy.paths import expand
    from lentigo.deploy.prediction import Failure, describe
    from lentigo.deploy.runtime import BundlePredictor, load_default
    from lentigo.errors import InputError

    if json and csv:
        raise InputError("--json and --csv exclude each other.")
    predictor = (
        load_default(threads=threads) if model is None else BundlePredictor(model, threads=threads)
    )
    paths = expand(images)
    if len(paths) == 1:  # one image alone is answered soonest by all threads together
        answers = iter([_one(predictor, paths[0])])
    else:  # CSV has no room for warnings about the photo
        answers = predictor.predict_files(paths, quality=not csv)
    if csv:
        print(",".join(["image", *predictor.taxonomy.codes]))
    collected: list[Prediction | Failure] = []
    failed = False
    for answer in answers:
        if json:
            collected.append(answer)
        if isinstance(answer, Failure):
            failed = True
            complain(answer.told)
        elif not json:
            print(_csv_line(answer) if csv else describe(answer, predictor.info))
    _end(collected if json else None, predictor.info if csv else None)
    if failed:
        raise typer.Exit(1)


def _one(predictor: BundlePredictor, path: Path) -> Prediction | Failure:
    from lentigo.deploy.prediction import Failure
    from lentigo.errors import ImageError

    try:
        return predictor.predict_file(path)
    except ImageError as error:
        return Failure.of(str(path), error)


def _end(collected: Sequence[Prediction | Failure] | None, table_of: BundleInfo | None) -> None:
    """The list of JSON; or on stderr what CSV has no column for and the others say each time."""
    from lentigo.cli.output import as_json
    from lentigo.deploy.prediction import LEAKY
    from lentigo.taxonomy import NOT_A_MEDICAL_DEVICE

    if collected is not None:
        as_json([each.to_dict() for each in collected])
    if table_of is not None:
        sys.stdout.flush()  # where nobody reads the table, nothing more is said
        for each in (*([LEAKY] if table_of.leaky else []), NOT_A_MEDICAL_DEVICE):
            print(each, file=sys.stderr)


def _csv_line(answer: Prediction) -> str:
    name = answer.image
    if any(mark in name for mark in ',"\n'):
        name = '"' + name.replace('"', '""') + '"'
    return ",".join([name, *(f"{p:.6f}" for p in answer.probability)])


def show(
    what: Annotated[Path, typer.Argument(metavar="DATA_OR_IMAGE", help="A prepared set or image.")],
    *,
    out: Annotated[Path, typer.Option(help="The PNG to write.")] = Path("sheet.png"),
    recipe: Annotated[
        str, typer.Option(help="Whose augmentation to show.")
    ] = "lentigo-mobilenetv2",
    rows: Annotated[int, typer.Option(help="Images of a prepared set.", min=1, max=100)] = 8,
    seed: Annotated[int, typer.Option(help="Which images and augmentations.", min=0)] = 0,
    json: Json = False,
) -> None:
    """Write a contact sheet. Raw beside preprocessed beside augmented."""
    from lentigo.cli.output import as_json, need_training

    need_training()
    from lentigo.cli.sheets import show_sheet

    path = show_sheet(what, out, recipe=recipe, rows=rows, seed=seed)
    if json:
        as_json({"path": str(path)})
    else:
        print(f"Contact sheet: {path}")
