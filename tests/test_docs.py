"""The documentation says what the code does: pages, rows, commands, links, the tutorial."""

from __future__ import annotations

import ast
import inspect
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import command_page
import generate
import pytest

import lentigo
from lentigo.data.manifest import COLUMNS
from lentigo.data.sources import SOURCES
from lentigo.deploy.bundle import BundleInfo, read_bundle, shipped_models
from lentigo.deploy.export import QUANTIZATIONS
from lentigo.model import NETWORKS, build_backbone
from lentigo.recipe import load_recipe, packaged_recipes
from lentigo.score.panel import RANK_METRICS, THRESHOLD_METRICS, WHOLE_METRICS
from lentigo.train.info import RunInfo

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])
TUTORIAL = DOCS / "tutorial" / "first-classifier.md"
SETTINGS = "LESIONS, EPOCHS = 280, 14"
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


def page_name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path, language: str) -> list[str]:
    """Code blocks of one language, without the indentation that a list gives them."""
    found = BLOCK.findall(path.read_text(encoding="utf-8"))
    return [
        re.sub(f"^{indent}", "", text, flags=re.MULTILINE)
        for indent, kind, text in found
        if kind == language
    ]


def command_lines() -> list[tuple[str, list[str]]]:
    """Every ``lentigo ...`` of a console block: where, and its words after ``lentigo``."""
    found = []
    for path in PAGES:
        for line in "".join(blocks(path, "console")).splitlines():
            assert line.startswith("$ "), f"{page_name(path)}: a console block begins with '$ '"
            words = shlex.split(line[2:])
            while re.match(r"[A-Z_]+=", words[0]):
                words.pop(0)
            if words[0] == "lentigo":
                found.append((page_name(path), words[1:]))
    return found


@pytest.fixture(scope="module")
def commands() -> dict[str, Any]:
    return dict(command_page.commands())


def reference(name: str) -> str:
    return (DOCS / "reference" / name).read_text(encoding="utf-8")


def test_generated_pages_are_up_to_date() -> None:
    assert generate.stale_pages() == [], "run `make reference`"


def test_the_check_names_a_stale_page(tmp_path: Path) -> None:
    for name, write in generate.PAGES.items():
        (tmp_path / name).write_text(write(), encoding="utf-8")
    assert generate.stale_pages(tmp_path) == []
    (tmp_path / "cli.md").write_text("old", encoding="utf-8")
    (tmp_path / "networks.md").unlink()
    assert generate.stale_pages(tmp_path) == ["cli.md", "networks.md"]


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("networks.md", [*NETWORKS]),
        ("sources.md", [*SOURCES]),
        ("recipes.md", [*packaged_recipes()]),
    ],
)
def test_every_registry_entry_has_its_row(page: str, names: list[str]) -> None:
    rows = re.findall(r"^\| `([^`]+)` \|", reference(page), flags=re.MULTILINE)
    assert rows == names


def test_every_command_and_option_is_in_the_reference(commands: dict[str, Any]) -> None:
    sections = reference("cli.md").split("\n## lentigo ")[1:]
    text = {each.split("\n", 1)[0]: each for each in sections}
    assert set(text) == set(commands)
    for name, command in commands.items():
        for parameter in command.params:
            if parameter.param_type_name == "option" and parameter.name != "help":
                for option in (*parameter.opts, *parameter.secondary_opts):
                    assert f"`{option}`" in text[name], f"{name} {option}"


def test_every_recipe_key_is_in_the_reference() -> None:
    text = reference("recipe.md")
    recipe = packaged_recipes()["phantom-quick"]
    dumped = recipe.model_dump()
    keys = [*dumped, *(f"stages.N.{key}" for key in dumped["stages"][0])]
    for part in ("network", "head", "loss", "sampling", "augmentation"):
        keys += [f"{part}.{key}" for key in dumped[part]]
    assert [key for key in keys if f"| `{key}` |" not in text] == []


def test_files_page_names_every_column_key_and_field() -> None:
    text = reference("files.md")
    wanted = [*COLUMNS, *THRESHOLD_METRICS, *WHOLE_METRICS, *BundleInfo.model_fields]
    missing = [name for name in wanted if f"`{name}`" not in text]
    missing += [name for name in RANK_METRICS if f"`{name}.WHAT`" not in text]
    assert missing == []
    # A new field of run.json is to be described too.
    assert len(RunInfo.model_fields) == 28


def test_every_function_of_the_python_api_takes_paths_as_texts() -> None:
    only_paths = {
        (name, parameter.name)
        for name in lentigo.__all__
        if inspect.isfunction(function := getattr(lentigo, name))
        for parameter in inspect.signature(function).parameters.values()
        if "Path" in str(parameter.annotation) and "str" not in str(parameter.annotation)
    }
    assert not only_paths


def test_the_python_reference_states_the_signatures_as_they_are() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `\1\(([^`]*)\)`", reference("python-api.md"), re.MULTILINE)
    assert len(rows) >= 13
    for name, stated in rows:
        told = ast.parse(f"def {name}({stated}): ...").body[0].args
        parts = (told.args, told.kwonlyargs)
        signature = inspect.signature(getattr(lentigo, name)).parameters.values()
        kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        for each, kind in zip(parts, kinds, strict=True):
            assert [a.arg for a in each] == [p.name for p in signature if p.kind is kind], name


def test_every_public_name_is_in_the_python_reference() -> None:
    text = reference("python-api.md")
    assert [name for name in lentigo.__all__ if not re.search(rf"`{name}\b", text)] == []


def test_every_dependency_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"].values()
    groups = project["dependency-groups"].values()
    lines = [*project["project"]["dependencies"]]
    lines += [line for several in (*extras, *groups) for line in several]
    names = {re.split(r"[\[<>=;~! ]", line)[0] for line in lines} - {"lentigo"}
    text = (DOCS / "explanation" / "dependencies.md").read_text(encoding="utf-8")
    assert sorted(name for name in names if f"`{name}`" not in text) == []


def test_every_quantization_is_explained() -> None:
    text = (DOCS / "how-to" / "export-and-copy-the-bundle.md").read_text(encoding="utf-8")
    assert [name for name in QUANTIZATIONS if f"| `{name}` |" not in text] == []


def test_a_measured_row_under_a_shipped_model_s_name_is_of_that_model() -> None:
    rows = re.findall(
        r"^\|(.+)\|$", (DOCS / "reference/devices.md").read_text("utf-8"), re.MULTILINE
    )
    heads, _, *told = ([cell.strip() for cell in row.split("|")] for row in rows)
    assert told
    models = shipped_models()
    for row in (dict(zip(heads, cells, strict=True)) for cells in told):
        if row["model"] in models:
            info = read_bundle(row["model"]).info
            assert (row["pixels"], row["quantization"]) == (str(info.spec.size), info.quantization)


@pytest.mark.parametrize(
    ("page", "words"),
    [pytest.param(page, words, id=f"{page}: {' '.join(words)}") for page, words in command_lines()],
)
def test_every_documented_command_line_parses(
    commands: dict[str, Any], page: str, words: list[str]
) -> None:
    name, *arguments = words
    assert name in commands, page
    # Parses, checks and converts every value; calls nothing.
    with commands[name].make_context(name, list(arguments)) as context:
        given = dict(context.params)
    if name in {"prepare", "download"}:
        assert given["source"] in SOURCES
    if name == "train":
        known = given["recipe"] if given["recipe"] in packaged_recipes() else "phantom-quick"
        assert known == given["recipe"] or given["recipe"].endswith(".toml")
        load_recipe(known, given["changes"] or ())


def test_every_make_target_in_the_pages_exists() -> None:
    targets = re.findall(
        r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        named = re.findall(r"(?:`|^\$ )make ([a-z-]+)", text, flags=re.MULTILINE)
        assert set(named) <= set(targets), page_name(path)


def anchors(path: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_links_between_pages_resolve(path: Path) -> None:
    text = BLOCK.sub("", path.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+://", target):
            continue
        file, _, anchor = target.partition("#")
        found = (path.parent / file) if file else path
        assert found.exists(), f"{page_name(path)} links to {target}"
        if anchor:
            assert anchor in anchors(found), f"{page_name(path)} links to {target}"


def test_every_page_can_be_reached_from_the_index() -> None:
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    linked = {(DOCS / target).resolve() for target in re.findall(r"\]\(([^)#]+)\)", text)}
    assert {page for page in DOCS.rglob("*.md") if page.name != "index.md"} <= linked


@pytest.mark.parametrize("name", ["README.md", "docs/index.md", "docs/results.md"])
def test_pages_with_results_say_that_this_is_no_medical_device(name: str) -> None:
    assert "not a medical device" in (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_python_blocks_are_python(path: Path) -> None:
    for block in blocks(path, "python"):
        ast.parse(block)


def test_the_network_of_the_how_to_can_be_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (block,) = blocks(DOCS / "how-to" / "use-your-own-network.md", "python")
    (tmp_path / "mynets.py").write_text(block, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    backbone, _ = build_backbone("mynets:small", size=64, weights="none")
    assert backbone.output_shape == (None, 8, 8, 64)


def run_tutorial(folder: Path, *, lesions: int, epochs: int) -> str:
    """What the tutorial prints, typed into a fresh interpreter as a reader does."""
    script = "\n".join(blocks(TUTORIAL, "python"))
    assert SETTINGS in script
    script = script.replace(SETTINGS, f"LESIONS, EPOCHS = {lesions}, {epochs}")
    environment = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (folder / "phantom.tflite").is_file()
    return done.stdout


def test_the_tutorial_runs_with_few_images(tmp_path: Path) -> None:
    printed = run_tutorial(tmp_path, lesions=70, epochs=1)
    assert "balanced_accuracy" in printed
    assert "most like training images labelled" in printed
    assert "not a medical device" in printed


@pytest.mark.soak
def test_the_tutorial_runs_as_it_is_written(tmp_path: Path) -> None:
    printed = run_tutorial(tmp_path, lesions=280, epochs=14)
    value = float(re.search(r"balanced_accuracy (\S+)", printed)[1])  # type: ignore[index]
    assert value > 0.4, "a reader sees a classifier that learned something"
