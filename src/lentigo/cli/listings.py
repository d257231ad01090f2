"""`lentigo recipes`, `networks` and `sources`."""

from __future__ import annotations

import typer

from lentigo.cli.output import as_json, as_table, need_data, need_training

Json = typer.Option(False, "--json", help="Print JSON.")


def recipes(*, json: bool = Json) -> None:
    """List the packaged recipes."""
    from lentigo.recipe import packaged_recipes

    found = packaged_recipes()
    if json:
        as_json([each.model_dump(mode="json") for each in found.values()])
        return
    rows = [
        {
            "name": each.name,
            "network": f"{each.network.name} {each.network.alpha:g}"
            if each.classic is None
            else each.classic.kind,
            "size": each.network.size,
            "epochs": each.epochs,
            "title": each.title,
        }
        for each in found.values()
    ]
    columns = {"name": "recipe", "network": "network", "size": "pixels", "epochs": "epochs"}
    as_table(rows, columns | {"title": "what"})


def networks(*, json: bool = Json) -> None:
    """List the networks a recipe can name."""
    need_training()
    from lentigo.model import NETWORKS

    rows = [
        {
            "name": each.name,
            "scaling": each.scaling,
            "widths": list(each.widths) or [1.0],
            "smallest_px": each.smallest,
        }
        for each in NETWORKS.values()
    ]
    if json:
        as_json(rows)
        return
    shown = [{**row, "widths": " ".join(f"{w:g}" for w in row["widths"])} for row in rows]  # type: ignore[attr-defined]
    columns = {"name": "network", "scaling": "expects", "widths": "widths with ImageNet weights"}
    as_table(shown, columns | {"smallest_px": "smallest side"})


def sources(*, json: bool = Json) -> None:
    """List the data sets that `prepare` reads."""
    need_data()
    from lentigo.data.sources import SOURCES

    rows = [
        {
            "name": each.name,
            "title": each.title,
            "license": each.license,
            "classes": list(each.taxonomy.codes) if each.taxonomy else None,
            "malignant": [c.code for c in each.taxonomy.classes if c.malignant]
            if each.taxonomy
            else None,
            "layout": each.layout,
            "url": each.url,
            "download": each.download is not None,
        }
        for each in SOURCES.values()
    ]
    if json:
        as_json(rows)
        return
    as_table(rows, {"name": "source", "title": "what", "license": "licence", "layout": "layout"})
