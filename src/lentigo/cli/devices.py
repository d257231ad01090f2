"""Commands about a bundle and the device it is to run on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lentigo.cli.options import Json
from lentigo.cli.output import as_json, as_table


def inspect(
    bundle: Annotated[Path, typer.Argument(help="A .tflite file, or a model that ships by name.")],
    *,
    card: Annotated[bool, typer.Option("--card", help="Print its model card instead.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
) -> None:
    """Check a bundle and print all that it carries."""
    from lentigo.deploy.bundle import read_bundle
    from lentigo.deploy.inspection import check_graph, describe_bundle
    from lentigo.errors import visible

    found = read_bundle(bundle)
    check_graph(found)
    if json:
        content = found.info.model_dump(mode="json") | {"graph_bytes": len(found.graph)}
        as_json(content | {"model_card": found.model_card})
    elif card:
        print(visible(found.model_card, keep="\n\t") or "This bundle carries no model card.")
    else:
        print(describe_bundle(found))


def bench(
    bundle: Annotated[
        Path | None, typer.Argument(help="[default: the model that ships]", show_default=False)
    ] = None,
    *,
    threads: Annotated[
        list[int] | None, typer.Option(help="Number of threads; again for more than one.", min=1)
    ] = None,
    rounds: Annotated[int, typer.Option(help="Answers for each number of threads.", min=1)] = 100,
    json: Json = False,
) -> None:
    """Measure how fast a bundle answers on this device."""
    from lentigo.deploy.bench import ROW_HEADER, THREADS
    from lentigo.deploy.bench import bench as run
    from lentigo.deploy.bundle import read_bundle
    from lentigo.deploy.runtime import load_default

    content = load_default().bundle if bundle is None else read_bundle(bundle)
    found = run(content, threads=threads or THREADS, rounds=rounds)
    if json:
        as_json(found.to_dict() | {"row": found.row})
        return
    print(f"{found.bundle} on {found.device.model}, {found.device.cores} core(s)\n")
    rows: list[dict[str, Any]] = [
        {
            "threads": each.threads,
            "p50": f"{each.p50_ms:.2f} ms",
            "p95": f"{each.p95_ms:.2f} ms",
            "first": f"{each.first_ms:.1f} ms",
        }
        for each in found.latencies
    ]
    as_table(rows, {"threads": "threads", "p50": "p50", "p95": "p95", "first": "load and first"})
    if found.peak_mb is not None:
        print(f"\npeak memory {found.peak_mb:.0f} MB")
    print(f"\nThe row for the table of measured devices:\n{ROW_HEADER}\n{found.row}")


def doctor(
    *, json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False
) -> None:
    """Check this device. Say what to do about what is missing; exit code 1 on a problem."""
    from lentigo.deploy.doctor import examine

    findings = examine()
    if json:
        as_json([each.to_dict() for each in findings])
    else:
        as_table(
            [each.to_dict() for each in findings],
            {"check": "check", "status": "status", "found": "found"},
        )
        for each in findings:
            if each.todo:
                print(f"\n{each.check}: {each.todo}")
    if any(each.status == "problem" for each in findings):
        raise typer.Exit(1)
