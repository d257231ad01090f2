"""`lentigo download`, `prepare` and `merge`: from a public data set to a prepared one."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lentigo.cli.options import Json, Seed, names_in
from lentigo.cli.output import (
    arriving,
    as_json,
    as_table,
    counting,
    need_data,
    say_next,
)


class GroupBy(StrEnum):
    """What no split may cut."""

    lesion = "lesion"
    patient = "patient"
    image = "image"


class Protocol(StrEnum):
    """How a published protocol is asked for by name."""

    leak_free = "leak-free"
    as_published = "as-published"


def download(
    source: Annotated[str, typer.Argument(help="A source of `lentigo sources`.")],
    out: Annotated[Path, typer.Option(help="The folder to download into.")],
    *,
    mirror: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Where the archives lie instead of on the publisher's server."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Download a public data set; run again, it resumes."""
    need_data()
    from lentigo.data.download import download as run

    with arriving() as progress:
        path = run(source, out, base_url=mirror, progress=progress)
    if json:
        as_json({"path": str(path), "source": source})
    else:
        print(f"Downloaded to {path}")
        say_next("lentigo", "prepare", source, path, "--out", "prepared")


def prepare(
    source: Annotated[str, typer.Argument(help="A source of `lentigo sources`.")],
    path: Annotated[Path, typer.Argument(help="Where its download lies.")],
    out: Annotated[Path, typer.Option(help="The prepared set to write.")],
    *,
    size: Annotated[int, typer.Option(help="Side in pixels.", min=32, max=1024)] = 224,
    first_size: Annotated[
        int | None,
        typer.Option(
            help="Resize by way of this side, which hair and colour steps work on.",
            min=32,
            max=1024,
        ),
    ] = None,
    folds: Annotated[int, typer.Option(help="Folds of the training split.", min=2)] = 5,
    group_by: Annotated[
        GroupBy | None, typer.Option(help="What no split may cut [default: the strictest known].")
    ] = None,
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="Go on without images that are absent.")
    ] = False,
    workers: Annotated[int | None, typer.Option(help="Processes [default: all cores].")] = None,
    seed: Seed = 0,
    hair_removal: Annotated[
        bool, typer.Option("--hair-removal", help="Black-hat hair removal with inpainting.")
    ] = False,
    colour_constancy: Annotated[
        bool, typer.Option("--colour-constancy", help="Shades-of-grey colour constancy.")
    ] = False,
    greyscale: Annotated[bool, typer.Option("--greyscale", help="Throw the colour away.")] = False,
    metadata: Annotated[
        Path | None, typer.Option(help="The table of labels, where it lies elsewhere.")
    ] = None,
    malignant: Annotated[
        str | None, typer.Option(help="Malignant classes of your own data, with commas.")
    ] = None,
    test_share: Annotated[
        float, typer.Option(help="Share of the groups that is test, where none is published.")
    ] = 0.2,
    splits_of: Annotated[
        Path | None,
        typer.Option(help="Adopt test list and folds of this prepared set of the same lesions."),
    ] = None,
    protocol: Annotated[
        Protocol, typer.Option(help="as-published stamps every result LEAKY.")
    ] = Protocol.leak_free,
    json: Json = False,
) -> None:
    """Turn a data set into a checked, split, preprocessed one."""
    need_data()
    if workers != 1 and not out.exists():
        from lentigo.data.processes import get_ready

        get_ready()  # the rest is imported meanwhile
    from lentigo.data.prepare import prepare as run
    from lentigo.image import ColourConstancy, HairRemoval, PreprocessSpec

    spec = PreprocessSpec(
        size=size,
        first_size=first_size,
        hair_removal=HairRemoval() if hair_removal else None,
        colour_constancy=ColourConstancy() if colour_constancy else None,
        greyscale=greyscale,
    )
    with counting("preparing") as progress:
        prepared = run(
            source,
            path,
            out,
            size=size,
            folds=folds,
            group_by=None if group_by is None else group_by.value,
            skip_missing=skip_missing,
            workers=workers,
            seed=seed,
            spec=spec,
            protocol=protocol.value,
            metadata=metadata,
            malignant=None if malignant is None else names_in(malignant),
            test_share=test_share,
            splits_of=splits_of,
            progress=progress,
        )
    classes = prepared.taxonomy.classes
    malignant_codes = [each.code for each in classes if each.malignant]
    if json:
        sizes = {"path": str(prepared.path), "digest": prepared.digest}
        as_json(sizes | {"malignant": malignant_codes, "audit": prepared.audit})
        return
    splits = prepared.audit["splits"]
    rows = [
        {"class": code} | {split: each["classes"].get(code, 0) for split, each in splits.items()}
        for code in prepared.taxonomy.codes
    ]
    as_table(rows, {"class": "class"} | {split: split for split in splits})
    if malignant_codes:
        print(f"Counted as malignant: {', '.join(malignant_codes)}.")
    else:
        print("No class counts as malignant, so there will be no thresholds: see --malignant.")
    if prepared.leaky:
        print("LEAKY: lesions or patients may sit on both sides of the split.")
    print(f"Prepared set: {prepared.path} (what was found on the way: audit.json)")


def merge(
    first: Annotated[Path, typer.Argument(help="The prepared set whose test list stands.")],
    others: Annotated[
        list[str], typer.Argument(metavar="OTHER...", help="Sets that add training images.")
    ],
    out: Annotated[Path, typer.Option(help="The prepared set to write.")],
    *,
    labels: Annotated[
        list[Path] | None,
        typer.Option(help="Maps a set's classes onto the first's: one a set, in their order."),
    ] = None,
    json: Json = False,
) -> None:
    """Add the training images of other sets, without a leak. The first set keeps its split."""
    need_data()
    from lentigo.data.merge import merge as run
    from lentigo.data.merge import pair_labels
    from lentigo.data.prepared import open_prepared

    host = open_prepared(first)
    paths = [Path(each) for each in others]
    merged = run(host, pair_labels(paths, labels or [], host.taxonomy.codes), out)
    told = merged.audit["merged"]
    if json:
        as_json({"path": str(merged.path), "digest": merged.digest, "merged": told})
        return
    as_table([{"class": k, "images": v} for k, v in told["added_classes"].items()], _ADDED)
    print(
        f"{told['added']} training images added to {told['first_images']} images; "
        f"{len(told['already_there'])} were there already, {len(told['excluded'])} show what is "
        "held out and were excluded (audit.json names them)."
    )
    print(f"Prepared set: {merged.path}")


_ADDED = {"class": "class", "images": "added"}
