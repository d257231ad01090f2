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
        f"\nNear duplicates: at most {unrelated['threshold_bits']} of 256 bits (the distances of "
        f"unrelated pairs alone would allow {unrelated['measured_threshold_bits']}); of unrelated "
        f"pairs at most {unrelated['false_rate_at_most']:.2g} lie so close.\n"
        f"Largest group joined: {content['largest_group']['images']} image(s)."
    )
    _print_precision(content["precision"])
    _print_meetings(content)
    kinds = ", ".join(f"{n} {kind}" for kind, n in content["poor_kinds"].items())
    print(
        f"Contradicting labels: {len(content['contradictions'])} pair(s); lesions of several "
        f"diagnoses {len(content['lesions_of_several_labels'])}, of several patients "
        f"{len(content['lesions_of_several_patients'])}.\n"
        f"Images that fail a check of quality: {len(content['poor_images'])} ({kinds})."
    )
    if (sources := found.sources) is not None:
        print(
            f"Source from pixels: balanced accuracy {figure(sources.source_from_pixels)} "
            f"(chance {1 / len(sources.sources):.3f}); malignant from source alone: ROC area "
            f"{figure(sources.label_from_source)} (chance 0.500)."
        )
    print(f"Page: {folder / 'audit.html'}")


def _print_precision(how: dict[str, Any]) -> None:
    if how["precision"] is None:
        return
    print(
        f"Of {how['found']} pairs found by likeness {how['of_different_lesions']} are of different "
        f"lesions; expected to be false {how['false_expected']:.1f}, at most "
        f"{how['false_at_most']:.1f}."
    )


def _print_meetings(content: dict[str, Any]) -> None:
    for each in content["crossings"]:
        print(f"CROSSES: {each['count']} of {each['what']} between {each['between']}.")
    for each in content["shared"]:
        print(f"Shared, no line crossed: {each['count']} of {each['what']}, {each['between']}.")
    if (named := content["published_pairs"])["listed"]:
        print(
            f"Published pairs: {named['listed']}; both images here {named['both_present']} (found "
            f"by pixels {named['found_by_pixels']}, crossing a line {named['crossing']}), one "
            f"{named['one_present']}, none {named['none_present']}."
        )
