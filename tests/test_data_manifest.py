"""The manifest survives its CSV form, whatever its cells hold."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lentigo.data.manifest import COLUMNS, manifest_text, read_manifest, write_manifest
from lentigo.errors import InputError

# No surrogates (not UTF-8) and no NUL; everything else, commas, quotes and newlines included.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)


def row(image_id: str, **cells: object) -> dict[str, object]:
    return {
        **dict.fromkeys(COLUMNS, ""),
        "image_id": image_id,
        "split": "train",
        "fold": 0,
        "age": math.nan,
        **cells,
    }


def frame_of(rows: list[dict[str, object]]) -> pd.DataFrame:
    text = {name: str for name in COLUMNS if name not in {"age", "fold"}}
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({**text, "age": float, "fold": int})


@settings(deadline=None, max_examples=60)
@given(
    st.lists(TEXT.filter(bool), min_size=1, max_size=5, unique=True),
    TEXT,
    st.one_of(st.just(math.nan), st.floats(0, 130)),
    st.integers(-1, 9),
)
def test_what_is_written_is_read_again(tmp_path_factory, ids, cell, age, fold) -> None:
    path = tmp_path_factory.mktemp("manifest") / "manifest.csv"
    frame = frame_of([row(each, site=cell, age=age, fold=fold) for each in ids])
    write_manifest(frame, path)
    pd.testing.assert_frame_equal(read_manifest(path), frame, check_dtype=False)
    assert manifest_text(read_manifest(path)) == path.read_bytes().decode()


@pytest.mark.parametrize("word", ["NA", "null", "None", "nan", "007", "1e5"])
def test_words_that_look_like_something_else_stay_words(tmp_path: Path, word: str) -> None:
    write_manifest(frame_of([row(word, lesion_id=word)]), tmp_path / "manifest.csv")
    again = read_manifest(tmp_path / "manifest.csv")
    assert again["image_id"].tolist() == again["lesion_id"].tolist() == [word]
    assert math.isnan(again["age"][0])


def test_the_header_is_the_first_line_and_in_order(tmp_path: Path) -> None:
    write_manifest(frame_of([row("a")])[list(reversed(COLUMNS))], tmp_path / "manifest.csv")
    assert (tmp_path / "manifest.csv").read_text().splitlines()[0] == ",".join(COLUMNS)


def test_all_problems_of_a_manifest_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    write_manifest(frame_of([row("a"), row("a", split="exam"), row("b")]), path)
    path.write_text(path.read_text().replace("train,0,,", "train,zero,old,", 1))
    with pytest.raises(InputError) as caught:
        read_manifest(path)
    for told in ("4 problem", "named before", "split", "fold", "age"):
        assert told in str(caught.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"", "not a manifest"), (b"image_id,path\na,b\n", "lacks"), (b"\xff\xfe\x00", "manifest")],
)
def test_a_file_that_is_no_manifest_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "manifest.csv"
    with pytest.raises(InputError, match="does not exist"):
        read_manifest(path)
    path.write_bytes(content)
    with pytest.raises(InputError, match=told):
        read_manifest(path)
