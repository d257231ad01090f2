"""`lentigo leak`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from lentigo.cli.options import Cluster, Json
from lentigo.cli.output import as_json, figure, need_training, training_progress


def leak(
    recipe: Annotated[str, typer.Argument(help="A recipe of `lentigo recipes`, or a TOML path.")],
    data: Annotated[Path, typer.Option(help="A prepared set that keeps groups whole.")],
    *,
    seeds: Annotated[int, typer.Option(help="Dealings and trainings of each split.", min=1)] = 5,
    up_to: Annotated[
        float, typer.Option(help="Copies fill classes up to this share of the largest.")
    ] = 1.0,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe.")
    ] = None,
    cluster: Cluster = "",
    out: Annotated[Path, typer.Option(help="The folder of all that is made.")] = Path("leak"),
    json: Json = False,
) -> None:
    """Measure what a leak adds. A split by image, and oversampling before the split."""
    need_training()
    from lentigo.files import read_json
    from lentigo.papers.leak import NAMES, STAMP
    from lentigo.papers.leak import leak as run
    from lentigo.recipe import load_recipe
    from lentigo.taxonomy import NOT_A_MEDICAL_DEVICE

    resolved = load_recipe(recipe, changes or ())
    with training_progress() as report:
        done = run(
            resolved,
            data,
            seeds=seeds,
            up_to=up_to,
            cluster=cluster,
            out=out,
            say=lambda text: print(text, file=sys.stderr, flush=True),
            report=report,
        )
    if json:
        as_json({"page": str(done.page), "csv": str(done.csv), **read_json(done.json)})
        return
    print(f"{STAMP} By intent, where the split is by image.")
    print("Gained against the split by group, oversampled after it [95% interval over seeds]:")
    for way, each in done.inflation.items():
        print(NAMES[way])
        for name, estimate in each.items():
            print(f"  {name}: {figure(estimate)}")
    print(f"Page: {done.page}\n{NOT_A_MEDICAL_DEVICE}")
