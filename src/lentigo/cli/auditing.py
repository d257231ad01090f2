"""`lentigo audit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lentigo.cli.options import Json, Seed
from lentigo.cli.output import as_json, as_table, figure, need_data


def audit(
    data: Annotated[Path, typer.Argument(help="A prepared set.")],
    *,
    against: Annotated[
        list[Path] | None, typer.Option(help="Another prepared set; again for more.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the page and tables [default: DATA-audit].")
    ] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Look for copies, leaks, contradictions and poor images. And for telling sources."""
    need_data()
    from lentigo.evaluate.audit import audit as run

    folder = out or data.with_name(f"{data.name}-audit")
    found = run(data, against=against or (), out=folder, seed=seed)
    content = found.to_dict()
    if json:
        as_json({"path": str(folder)} | content)
        return
    rows: list[dict[str, Any]] = [{"kind": kind} | n for kind, n in content["pairs"].items()]
    as_table(rows, {"kind": "pairs", "within": "within a set", "across": "across sets"})
    unrelated = content["unrelated"]
    print(
        f"\nNear duplicates: at most {unrelated['threshold_bits']} of 256 bits; of unrelated "
        f"pairs at most {unrelated['false_rate_at_most']:.2g} lie so close.\n"
        f"Largest group joined: {content['largest_group']['images']} image(s)."
    )
    for each in content["crossings"]:
        print(f"CROSSES: {each['count']} of {each['what']} between {each['between']}.")
    print(
        f"Contradicting labels: {len(content['contradictions'])} pair(s); lesions of several "
        f"diagnoses {len(content['lesions_of_several_labels'])}, of several patients "
        f"{len(content['lesions_of_several_patients'])}.\n"
        f"Images that fail a check of quality: {len(content['poor_images'])}."
    )
    if (sources := found.sources) is not None:
        print(
            f"Source from pixels: balanced accuracy {figure(sources.source_from_pixels)} "
            f"(chance {1 / len(sources.sources):.3f}); malignant from source alone: ROC area "
            f"{figure(sources.label_from_source)} (chance 0.500)."
        )
    print(f"Page: {folder / 'audit.html'}")
