"""`lentigo check-scores`."""

from __future__ import annotations

from typing import Annotated

import typer

from lentigo.cli.output import as_json


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
