"""`lentigo check-scores`, `reproduce` and `sweep`."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lentigo.cli.options import Cluster, Json
from lentigo.cli.output import as_json, need_training, training_progress


class Which(StrEnum):
    """Which protocols `reproduce` runs."""

    as_published = "as-published"
    leak_free = "leak-free"
    both = "both"


def check_scores(
    file: Annotated[
        str, typer.Argument(help="A TOML of printed scores, or a packaged paper's name.")
    ],
    *,
    json: Json = False,
) -> None:
    """Say whether printed scores are possible. That is, whether any confusion matrix gives them."""
    from lentigo.papers.check_scores import check_scores as check
    from lentigo.papers.check_scores import read_scores

    read = read_scores(file)
    findings = check(read)
    if json:
        as_json({"name": read.name, "checks": [each.to_dict() for each in findings]})
        return
    print(f"{read.citation}\n")
    for each in findings:
        print(f"{each.verdict.upper()}: {each.name}" + (f" ({each.where})" if each.where else ""))
        for sentence in each.arithmetic:
            print(f"  {sentence}")
    counts = {
        verdict: sum(each.verdict == verdict for each in findings)
        for verdict in ("consistent", "inconsistent", "undecidable")
    }
    print("\n" + ", ".join(f"{count} {verdict}" for verdict, count in counts.items()))


def reproduce(
    paper: Annotated[str, typer.Argument(help="A packaged paper, or a TOML path.")],
    *,
    data: Annotated[
        list[str], typer.Option(metavar="NAME=DIR", help="A source and its folder; repeatable.")
    ],
    protocol: Annotated[
        Which, typer.Option(help="as-published is LEAKY, and stamped so.")
    ] = Which.both,
    variants: Annotated[
        str, typer.Option(help="Names with commas. [default: all]", show_default=False)
    ] = "",
    scale: Annotated[
        float, typer.Option(help="Share of images and epochs, for a look; it is stamped.")
    ] = 1.0,
    seeds: Annotated[int, typer.Option(help="Trainings of each.", min=1)] = 1,
    weights: Annotated[
        list[str] | None,
        typer.Option(metavar="NETWORK=FILE", help="In place of ImageNet's download; or none."),
    ] = None,
    cluster: Cluster = "",
    out: Annotated[Path, typer.Option(help="The folder of all that is made.")] = Path("reproduced"),
    json: Json = False,
) -> None:
    """Run a paper. Its claims, its own protocol, and what is left without the leak."""
    need_training()
    from lentigo.papers.paper import read_paper
    from lentigo.papers.reproduce import Request, parse_pairs
    from lentigo.papers.reproduce import reproduce as run
    from lentigo.papers.schema import PROTOCOLS

    read = read_paper(paper)
    request = Request(
        given={name: Path(each) for name, each in parse_pairs(data, "--data").items()},
        protocols=tuple(each for each in PROTOCOLS if protocol in {Which.both, each}),
        variants=tuple(each.strip() for each in variants.split(",") if each.strip()),
        scale=scale,
        seeds=seeds,
        weights=parse_pairs(weights or [], "--weights"),
        cluster=cluster,
    )
    with training_progress() as report:
        done = run(
            read,
            request,
            out / read.name,
            say=lambda text: print(text, file=sys.stderr, flush=True),
            report=report,
        )
    failed = [each for each in done.outcomes if each.failure]
    if json:
        failures = [
            {"variant": e.variant, "protocol": e.protocol, "why": e.failure} for e in failed
        ]
        paths = {"page": str(done.page), "csv": str(done.csv), "markdown": str(done.markdown)}
        as_json({**paths, "scale": scale, "failed": failures})
        return
    print(done.markdown.read_text(encoding="utf-8"))
    print(f"Page: {done.page}")


def sweep(
    recipe: Annotated[str, typer.Argument(help="A recipe of `lentigo recipes`, or a TOML path.")],
    data: Annotated[Path, typer.Option(help="The prepared set.")],
    *,
    over: Annotated[
        list[str], typer.Option(metavar="KEY=A,B,...", help="Repeatable; all combinations.")
    ],
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Holds at every point.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Trainings a point.", min=1)] = 1,
    fold: Annotated[int | None, typer.Option(help="The fold that validates.", min=0)] = None,
    split: Annotated[str, typer.Option(help="validation, or test, which it wears out.")] = (
        "validation"
    ),
    cluster: Cluster = "",
    out: Annotated[Path, typer.Option(help="The folder of runs and tables.")] = Path("sweep"),
    json: Json = False,
) -> None:
    """Train a recipe over a grid of values. Every point is measured alike."""
    need_training()
    from lentigo.papers.sweep import parse_grid
    from lentigo.papers.sweep import sweep as run

    with training_progress() as report:
        done = run(
            recipe,
            data,
            parse_grid(over),
            out=out,
            seeds=seeds,
            fold=fold,
            split=split,
            changes=changes or (),
            cluster=cluster,
            say=lambda text: print(text, file=sys.stderr, flush=True),
            report=report,
        )
    if json:
        points = [
            {
                "values": dict(each.values),
                "failure": each.failure,
                "figures": {k: v.to_dict() for k, v in each.figures.items()},
            }
            for each in done.points
        ]
        as_json({"csv": str(done.csv), "markdown": str(done.markdown), "points": points})
        return
    print(done.markdown.read_text(encoding="utf-8"))
    print(f"Table: {done.csv}")
