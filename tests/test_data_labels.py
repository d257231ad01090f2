"""Maps of classes: two forms, every problem at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from lentigo.data.labels import DROPPED, class_table, read_labels_map
from lentigo.errors import InputError

EXPECTED = {"nevus": "nv", "melanoma": "mel", "other": ""}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("map.toml", 'nevus = "nv"\nmelanoma = "mel"\nother = ""\n'),
        ("map.toml", '[labels]\nnevus = "nv"\nmelanoma = "mel"\nother = ""\n'),
        ("map.csv", "from,to\nnevus,nv\nmelanoma, mel\n\nother,\n"),
        ("map.csv", "\ufefffrom,to\r\nnevus,nv\r\nmelanoma,mel\r\nother,\r\n"),
    ],
)
def test_a_map_is_read_from_toml_and_csv(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    assert read_labels_map(tmp_path / name) == EXPECTED


@pytest.mark.parametrize("header", ["", "from,to\n"])
def test_a_table_without_a_header_loses_no_class(tmp_path: Path, header: str) -> None:
    (tmp_path / "map.csv").write_text(header + "Mel,mel\nNV,nv\n")
    found = read_labels_map(tmp_path / "map.csv", ("Mel", "NV"), ("mel", "nv"))
    assert found == {"Mel": "mel", "NV": "nv"}


def test_a_mistyped_class_in_the_first_line_is_not_taken_for_a_header(tmp_path: Path) -> None:
    (tmp_path / "map.csv").write_text("Mell,mel\nNV,nv\n")
    found = read_labels_map(tmp_path / "map.csv", ("Mel", "NV"), ("mel", "nv"))
    with pytest.raises(InputError, match="Mell: the set has no such class"):
        class_table(("Mel", "NV"), ("mel", "nv"), found)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("map.toml", "nevus = \n", "Invalid value"),
        ("map.toml", "nevus = 3\n", "3 is not text"),
        ("map.toml", "", "no classes"),
        ("map.csv", "from,to\n", "no classes"),
        ("map.csv", "from,to\na,b,c\nd\n", r"line 2: 3 columns[\s\S]*line 3: 1 columns"),
        ("map.csv", "from,to\na,b\na,c\n", "a is mapped twice"),
    ],
)
def test_every_bad_line_of_a_map_is_named(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        read_labels_map(tmp_path / name)


def test_a_missing_map_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml cannot be read"):
        read_labels_map(tmp_path / "none.toml")


def test_equal_codes_need_no_map_whatever_their_order() -> None:
    assert class_table(("b", "a"), ("a", "b", "c"), None).tolist() == [1, 0]


def test_classes_mapped_to_nothing_or_not_named_are_dropped() -> None:
    table = class_table(("a", "b", "c"), ("x", "y"), {"a": "y", "b": ""})
    assert table.tolist() == [1, DROPPED, DROPPED]


def test_all_classes_that_do_not_fit_are_named_at_once() -> None:
    with pytest.raises(InputError, match=r"q: the set has no such class[\s\S]*a -> z: the model"):
        class_table(("a",), ("x",), {"q": "x", "a": "z"})
