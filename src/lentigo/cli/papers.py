"""`lentigo check-scores`, `reproduce` and `sweep`."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lentigo.cli.options import Cluster, Json
from lentigo.cli.output import as_json, complain, need_training, training_progress
from lentigo.errors import InputError


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
        str | None, typer.Option(help="Names with commas. [default: all]", show_default=False)
    ] = None,
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
    """Run a paper. Its claims, its own protocol, and what is left without the leak.

    Exit code 1 where a variant failed.
    """
    need_training()
    from lentigo.papers.paper import read_paper
    from lentigo.papers.reproduce import Request, parse_pairs
    from lentigo.papers.reproduce import reproduce as run
    from lentigo.papers.schema import PROTOCOLS

    read = read_paper(paper)
    named = tuple(each.strip() for each in (variants or "").split(",") if each.strip())
    if variants is not None and not named:
        raise InputError(f"--variants {variants!r} names none.", todo="Leave it out for all.")
    request = Request(
        given={name: Path(each) for name, each in parse_pairs(data, "--data", "NAME=DIR").items()},
        protocols=tuple(each for each in PROTOCOLS if protocol in {Which.both, each}),
        variants=named,
        scale=scale,
        seeds=seeds,
        weights=parse_pairs(weights or [], "--weights", "NETWORK=FILE"),
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
    else:
        print(done.markdown.read_text(encoding="utf-8"))
        print(f"Page: {done.page}")
    for each in failed:
        if not each.derived:
            complain(f"{each.variant}, {each.protocol} failed: {each.failure}")
    if failed:
        raise typer.Exit(1)


def sweep(
    recipe: Annotated[str, typer.Argument(help="A recipe of `lentigo recipes`, or a TOML path.")],
    data: Annotated[Path, typer.Option(help="The prepared set.")],
    *,
    over: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=A,B,...", help="Repeatable; all combinations."),
    ] = None,
    trials: Annotated[
        str | None,
        typer.Option(
            metavar="NAME_OR_FILE",
            help="Named changes, packaged (lentigo-small) or from a TOML, in place of --over.",
        ),
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Holds at every point.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Trainings a point and fold.", min=1)] = 1,
    fold: Annotated[
        list[int] | None, typer.Option(help="A fold that validates; repeatable.", min=0)
    ] = None,
    all_folds: Annotated[
        bool, typer.Option("--all-folds", help="Every fold validates in turn.")
    ] = False,
    split: Annotated[str, typer.Option(help="validation, or test, which it wears out.")] = (
        "validation"
    ),
    metric: Annotated[
        list[str] | None,
        typer.Option(help="Shown too, such as roc_auc.mel; repeatable."),
    ] = None,
    cluster: Cluster = "",
    out: Annotated[Path, typer.Option(help="The folder of runs and tables.")] = Path("sweep"),
    json: Json = False,
) -> None:
    """Train a recipe in several ways. Every one is measured alike, beside the first.

    Exit code 1 where one of them failed.
    """
    need_training()
    from lentigo.papers.sweep import sweep as run
    from lentigo.papers.sweep import words
    from lentigo.papers.trials import overrides, parse_grid, read_trials, trials_of

    if (over is None) == (trials is None):
        raise InputError("Give either --over or --trials.")
    if fold and all_folds:
        raise InputError("Give either --fold or --all-folds.")
    read = read_trials(trials) if trials is not None else None
    tried = trials_of(parse_grid(over or [])) if read is None else read.trials
    with training_progress() as report:
        done = run(
            recipe,
            data,
            tried,
            out=out,
            seeds=seeds,
            folds=None if all_folds else fold or (None,),
            split=split,
            changes=[*(overrides(read.set) if read else ()), *(changes or ())],
            metrics=metric or (),
            title=read.title if read else "",
            choices=read.choices if read else (),
            cluster=cluster,
            say=lambda text: print(text, file=sys.stderr, flush=True),
            report=report,
        )
    if json:
        points = [
            {
                "trial": each.trial.name,
                "values": dict(each.trial.set),
                "failure": each.failure,
                "figures": {k: v.to_dict() for k, v in each.figures.items()},
                "difference": {
                    k: {"by_group": v.by_group.to_dict(), "by_fold": v.by_fold.to_dict()}
                    for k, v in each.apart.items()
                },
            }
            for each in done.points
        ]
        paths = {"csv": str(done.csv), "markdown": str(done.markdown)}
        facts = {"split": split, "folds": len(done.table.folds), "seeds": seeds}
        as_json({**paths, **facts, "leaky": done.table.data.leaky, "points": points})
    else:
        print(done.markdown.read_text(encoding="utf-8"))
        print(f"Table: {done.csv}")
    failed = [each for each in done.points if each.failure]
    for each in failed:
        complain(f"{each.trial.name or words(each.trial.set)} failed: {each.failure}")
    if failed:
        raise typer.Exit(1)
