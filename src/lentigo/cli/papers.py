"""`lentigo check-scores` and `lentigo reproduce`."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

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
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say whether any confusion matrix can give the scores that a paper prints."""
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
    out: Annotated[Path, typer.Option(help="The folder of all that is made.")] = Path("reproduced"),
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run a paper: its claims, its own protocol, and what is left without the leak."""
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
