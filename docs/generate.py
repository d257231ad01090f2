"""Writes the reference pages that follow from the code; ``--check`` names the stale ones.

``python docs/generate.py`` writes ``docs/reference/{cli,recipe,networks,sources,recipes}.md``.
Nothing in them depends on the terminal, the machine or the day.
"""  # noqa: INP001 - a script beside the pages it writes, not a package

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from command_page import cli_page
from markdown_pages import markdown, page, table
from pydantic import BaseModel

from lentigo.data.sources import SOURCES
from lentigo.image.handcrafted import Descriptors
from lentigo.model import NETWORKS
from lentigo.recipe import (
    Augmentation,
    Classic,
    Distillation,
    GeneratorRanges,
    Head,
    Loss,
    Metadata,
    Network,
    Output,
    Recipe,
    Sampling,
    Soup,
    Stage,
    TorchvisionRanges,
    packaged_recipes,
)

REFERENCE = Path(__file__).parent / "reference"
SCALINGS = {
    "minus-one-to-one": "RGB in [-1, 1]",
    "inside": "RGB in [0, 255]; it scales inside",
    "bgr-minus-mean": "BGR minus the ImageNet mean",
}
PARTS: dict[str, type[BaseModel]] = {
    "network": Network,
    "head": Head,
    "loss": Loss,
    "sampling": Sampling,
    "augmentation": Augmentation,
    "augmentation.image_data_generator": GeneratorRanges,
    "augmentation.torchvision": TorchvisionRanges,
    "output": Output,
    "metadata": Metadata,
    "distillation": Distillation,
    "soup": Soup,
    "classic": Classic,
    "classic.features": Descriptors,
    "stages.N": Stage,
}
# Keys of the recipe itself, which its docstring does not go through one by one.
RECIPE_NOTES = {
    "schema_version": "Of this format.",
    "name": "Begins the run folder's name.",
    "title": "One line for `lentigo recipes`.",
    "citation": "The paper that it repeats, where there is one.",
    "command": "How it is meant to be run.",
    "claims": "The paper's own scores, by metric key.",
    "notes": "What the paper leaves unsaid, and what was chosen instead.",
    "caution": "Stands first on every report of its runs, such as that it is a look on few images.",
    "protocol": "`as-published` is needed for leaky data, and stamps every result LEAKY.",
    "precision": "Of the computation; logits are float32 in all of them.",
    "selection_metric": "Chooses the best epoch, on validation.",
    "keep": "Which epoch's model is kept: the best, or the last as some papers do.",
    "stages": "For a network, one or more, in order; see below.",
}


def recipe_page() -> str:
    """Every key of a recipe, with what may stand there."""
    schema = Recipe.model_json_schema()
    definitions = schema["$defs"]
    opening = (
        "A recipe is a TOML file. Unknown keys are refused. `--set KEY=VALUE` changes a key for "
        "one run; `N` counts the stages from 0: `--set stages.0.epochs=5`. A run keeps the "
        "resolved recipe, every key written out, as `recipe.toml`. Its digest covers all that "
        "shapes the model; title, citation, command, claims, notes and caution are "
        "prose and do not count."
    )
    parts = [
        opening,
        markdown(Recipe.__doc__ or ""),
        table(
            ("key", "value", "default", "meaning"),
            [(*row, _note(row[0].strip("`"))) for row in _key_rows("", schema)],
        ),
    ]
    for prefix, part in PARTS.items():
        heading = "[[stages]]" if prefix == "stages.N" else f"[{prefix}]"
        rows = _key_rows(f"{prefix}.", definitions[part.__name__])
        prose = markdown(part.__doc__ or "")
        parts += [f"## {heading}", prose, table(("key", "value", "default"), rows)]
    return page("Recipe keys", *parts)


def _note(key: str) -> str:
    return "See below." if key in PARTS else RECIPE_NOTES[key]


def _key_rows(prefix: str, schema: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    required = set(schema.get("required", ()))
    return [
        (f"`{prefix}{key}`", _value(value), "required" if key in required else _initial(value))
        for key, value in schema["properties"].items()
    ]


def _initial(value: Mapping[str, Any]) -> str:
    """The default of a key, as its table shows it."""
    if "$ref" in value:
        return "defaults below"
    if value.get("type") == "object":
        return "empty"
    default = value.get("default")
    return "left out" if default is None else f"`{json.dumps(default)}`"


def _value(value: Mapping[str, Any]) -> str:
    """What a JSON schema allows, in words."""
    if "$ref" in value:
        return "table"
    if "anyOf" in value:
        options = [each for each in value["anyOf"] if each.get("type") != "null"]
        return " or ".join(_value(each) for each in options)
    if "enum" in value or "const" in value:
        return ", ".join(f"`{each}`" for each in value.get("enum", [value.get("const")]))
    kind = value.get("type")
    if kind == "array":
        return _array(value)
    if kind == "object":
        return "table of numbers"
    words = {
        "integer": "whole number",
        "number": "number",
        "string": "text",
        "boolean": "true or false",
    }
    limits = [
        f"{sign} {value[key]:,.15g}"
        for key, sign in (
            ("minimum", "≥"),
            ("exclusiveMinimum", ">"),
            ("maximum", "≤"),
            ("exclusiveMaximum", "<"),
        )
        if key in value
    ]
    pattern = f" matching `{value['pattern']}`" if "pattern" in value else ""
    return " ".join([words[str(kind)], ", ".join(limits)]).strip() + pattern


def _array(value: Mapping[str, Any]) -> str:
    if "prefixItems" in value:
        return f"two values, each {_value(value['prefixItems'][0])}"
    if "$ref" in value["items"]:
        return "list of tables"
    return f"list of {_value(value['items'])}"


def networks_page() -> str:
    """Every network of the registry."""
    rows = [
        (
            f"`{each.name}`",
            SCALINGS[each.scaling],
            ", ".join(f"{width:g}" for width in each.widths) or "1 (no multiplier)",
            f"{each.smallest}",
        )
        for each in NETWORKS.values()
    ]
    return page(
        "Networks",
        "What `network.name` of a recipe may say; `lentigo networks` prints the same. Each comes "
        "from `keras.applications`, without its top. The scaling it was trained with stands "
        "inside the graph, so every model takes RGB in [0, 255]. Widths are those with ImageNet "
        'weights; other widths train from `weights = "none"`.',
        table(("network", "expects (done inside)", "widths", "smallest side, pixels"), rows),
        "A network of your own is named `module:function`: "
        "[how to](../how-to/use-your-own-network.md).",
    )


def sources_page() -> str:
    """Every source of the registry."""
    rows = []
    for each in SOURCES.values():
        title = f"[{each.title}]({each.url})" if each.url else each.title
        classes = "your own"
        if each.taxonomy is not None:
            classes = ", ".join(
                f"**{c.code}**" if c.malignant else c.code for c in each.taxonomy.classes
            )
        fetched = "yes" if each.download is not None else "no"
        # Angle brackets would be taken for HTML outside of code.
        layout = each.layout.replace("<", "&lt;").replace(">", "&gt;")
        rows.append((f"`{each.name}`", title, classes, layout, each.license or "your own", fetched))
    header = ("source", "what", "classes", "layout", "images' licence", "`download`")
    return page(
        "Sources",
        "What `lentigo prepare SOURCE PATH` reads; `lentigo sources` prints the same. Classes in "
        "bold count as malignant. A model trained on a source inherits the conditions of its "
        "images' licence.",
        table(header, rows),
    )


def recipes_page() -> str:
    """Every packaged recipe."""
    found = packaged_recipes().values()
    rows = [
        (
            f"`{each.name}`",
            each.title,
            f"{each.network.name}, width {each.network.alpha:g}"
            if each.classic is None
            else f"none: {each.classic.kind}",
            f"{each.network.size}",
            f"{each.epochs}",
            each.network.weights if each.classic is None else "none",
        )
        for each in found
    ]
    header = ("recipe", "what", "network", "pixels", "epochs", "weights")
    opening = (
        "What `lentigo train RECIPE` may name; `lentigo recipes --json` prints every key. A "
        "recipe of your own is a TOML file: [every key](recipe.md)."
    )
    parts = [opening, table(header, rows)]
    for each in found:
        parts.append(f"## {each.name}")
        parts.append(f"Command: `{each.command}`. Citation: {each.citation or 'none'}.")
        if each.claims:
            parts.append(
                table(("claimed", "value"), [(k, f"{v:g}") for k, v in each.claims.items()])
            )
        if each.notes:
            parts.append(markdown(each.notes))
    return page("Packaged recipes", *parts)


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": cli_page,
    "recipe.md": recipe_page,
    "networks.md": networks_page,
    "sources.md": sources_page,
    "recipes.md": recipes_page,
}


def stale_pages(folder: Path = REFERENCE) -> list[str]:
    """Names of pages in ``folder`` that differ from what the code says."""
    return [
        name
        for name, write in PAGES.items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != write()
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages, or with ``--check`` say which are stale; the exit code."""
    parser = argparse.ArgumentParser(description="Write the generated reference pages.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if stale")
    if parser.parse_args(arguments).check:
        stale = stale_pages()
        for name in stale:
            sys.stderr.write(f"docs/reference/{name} is stale: run `make reference`\n")
        return 1 if stale else 0
    for name, write in PAGES.items():
        (REFERENCE / name).write_text(write(), encoding="utf-8", newline="\n")
        sys.stdout.write(f"docs/reference/{name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
