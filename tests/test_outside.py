"""What is wrong with a file that somebody hands in is said in sentences that name the place."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lentigo.errors import InputError, RecipeError
from lentigo.outside import Shelf, by_name, line, lines_of, problems

RECIPES = Shelf("lentigo.recipe", "files", "a recipe", RecipeError)
TEXT = """
top = 1
[[checks]]
name = "first"
count = 0
[[checks]]
odd = 3
"""


class Check(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    count: int = Field(default=1, ge=1)


class Checks(BaseModel):
    checks: list[Check] = Field(min_length=1)


def test_a_file_that_an_editor_on_windows_wrote_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbfname = 'mine'\n")
    assert RECIPES.content(RECIPES.text(str(path)), "here") == {"name": "mine"}


def test_a_file_that_ships_is_read_by_its_name() -> None:
    assert "handcrafted-svm" in RECIPES.names()
    text = RECIPES.text("handcrafted-svm")
    assert RECIPES.content(text, "here")["name"] == "handcrafted-svm"


@pytest.mark.parametrize("name", ["nobody", "../files/handcrafted-svm", "absent.toml"])
def test_a_name_that_leads_nowhere_is_refused_with_what_there_is(name: str) -> None:
    with pytest.raises(RecipeError, match="handcrafted-svm") as refused:
        RECIPES.text(name)
    assert name in refused.value.problem


def test_bytes_that_are_no_text_and_text_that_is_no_toml_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "some.toml"
    path.write_bytes(b"\xff")
    with pytest.raises(InputError, match="not UTF-8"):
        RECIPES.text(str(path))
    with pytest.raises(RecipeError, match=r"here is not valid TOML.*line 2"):
        RECIPES.content("a = 1\nb = \n", "here")


def test_every_problem_names_its_key_and_line_and_tables_by_their_names() -> None:
    content = RECIPES.content(TEXT, "here")
    with pytest.raises(ValidationError) as refused:
        Checks.model_validate(content)
    named = by_name(content["checks"], "checks", "check")
    told = problems(refused.value, "file", text=TEXT, named=named)
    assert told[0].startswith("check 'first'.count: Input should be greater than or equal to 1")
    assert told[0].endswith("(line 5)")
    assert told[1].startswith("check 2.name: Field required")
    assert told[2] == "check 2.odd: there is no such key (line 7)"


@pytest.mark.parametrize("content", [7, ["text"], [{"name": 3}], None])
def test_a_list_that_is_none_has_no_names_and_is_no_second_error(content: object) -> None:
    with pytest.raises(ValidationError) as refused:
        Checks.model_validate({"checks": content})
    assert problems(refused.value, "file", named=by_name(content, "checks", "check"))


def test_a_key_is_found_in_its_own_table_and_not_in_the_first_that_has_one() -> None:
    text = """
size = 1  # not [size]
[[stages]]
"size" = 2
[[stages]]
name = "[stages]"
size.of = 3
[stages.'in a']
size = 4
[other]
sizes = [
  { size = 5 },
]
"""
    lines = lines_of(text)
    assert line(lines, ("size",)) == " (line 2)"
    assert line(lines, ("stages", 0, "size")) == " (line 4)"
    assert line(lines, ("stages", 1, "size", "of")) == " (line 7)"
    assert line(lines, ("stages", 1, "in a", "size")) == " (line 9)"
    assert line(lines, ("other", "sizes", 0, "size")) == " (line 11)"
    assert line(lines, ("stages", 1, "absent")) == " (line 5)"
    assert line(lines, ("absent",)) == ""


class Round(BaseModel):
    kind: Literal["round"]
    radius: int


class Square(BaseModel):
    kind: Literal["square"]
    side: int


class Shapes(BaseModel):
    shapes: list[Annotated[Round | Square, Field(discriminator="kind")]]


def test_places_hold_no_word_that_stands_nowhere_in_the_file() -> None:
    content = {"shapes": [{"kind": "round", "radius": "wide"}, {"kind": "square"}]}
    with pytest.raises(ValidationError) as refused:
        Shapes.model_validate(content)
    told = problems(refused.value, "file", content=content)
    assert [each.partition(":")[0] for each in told] == ["shapes.0.radius", "shapes.1.side"]
