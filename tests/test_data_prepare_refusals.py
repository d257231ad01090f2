"""What ``prepare`` refuses, and what it warns of, in words that say what to do."""

from __future__ import annotations

import errno
import logging
from pathlib import Path

import pytest

from lentigo.data.phantom import generate
from lentigo.data.pixels import RowFile
from lentigo.data.prepare import prepare
from lentigo.errors import InputError, LentigoError


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("raw") / "phantom", lesions=28, seed=1, size=64)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"folds": 1}, "1 fold"),
        ({"test_share": 1.0}, "test share"),
        ({"workers": 0}, "0 workers"),
        ({"protocol": "as published"}, "no protocol"),
        ({"group_by": "doctor"}, "no grouping"),
    ],
)
def test_options_out_of_range_are_refused_before_any_work(
    phantom: Path, tmp_path: Path, wrong: dict[str, object], told: str
) -> None:
    with pytest.raises(LentigoError, match=told):
        prepare("phantom", phantom, tmp_path / "out", size=32, **wrong)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_a_set_of_other_options_is_kept_and_told_by_what_differs(
    phantom: Path, tmp_path: Path
) -> None:
    prepare("phantom", phantom, tmp_path / "out", size=32, workers=1)
    with pytest.raises(InputError) as caught:
        prepare("phantom", phantom, tmp_path / "out", size=48, folds=4, workers=1)
    told = caught.value.problem.partition("was prepared with ")[2]
    assert sorted(told.rstrip(".").split("; ")) == ["folds 5, not 4", "size 32, not 48"]


def test_an_unknown_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ham10000"):
        prepare("ham", tmp_path, tmp_path / "out")


def test_a_full_disk_is_said_plainly(
    phantom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(RowFile, "writing", full)
    with pytest.raises(LentigoError, match=r"No space left[^\0]*Make room on the disk"):
        prepare("phantom", phantom, tmp_path / "out", size=32, workers=1)


def test_a_place_that_cannot_be_a_folder_is_not_called_a_full_disk(
    phantom: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(LentigoError, match="Not a directory") as caught:
        prepare("phantom", phantom, tmp_path / "notes" / "out", size=32, workers=1)
    assert "room" not in str(caught.value)
    assert "folder that can be written" in str(caught.value)


def test_patients_on_both_sides_are_said_aloud_when_grouping_by_lesion(
    phantom: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        prepare("phantom", phantom, tmp_path / "strict", size=32)
    assert "both sides" not in caplog.text
    with caplog.at_level(logging.WARNING):
        by_lesion = prepare("phantom", phantom, tmp_path / "out", size=32, group_by="lesion")
    crossing = by_lesion.audit["crossings"]
    what = "group(s) of one patient, lesion or picture"
    assert f"{crossing['final'][0]['groups']} {what} sit on both sides of" in caplog.text
    assert f"{crossing['folds']} {what} sit in several folds" in caplog.text
    assert "what is kept together is each lesion" in caplog.text
    assert "Name no grouping" in caplog.text


def test_folds_that_cannot_validate_are_said_aloud(
    phantom: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        prepare("phantom", phantom, tmp_path / "few", size=32, folds=2)
    assert "cannot validate" not in caplog.text
    with caplog.at_level(logging.WARNING):
        made = prepare("phantom", phantom, tmp_path / "many", size=32, folds=1000)
    empty = 1000 - made.manifest.loc[made.manifest["split"] == "train", "fold"].nunique()
    assert f"{empty} of 1000 folds hold no image" in caplog.text


def test_a_published_protocol_is_told_and_not_advised_against(
    phantom: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        prepare(
            "phantom",
            phantom,
            tmp_path / "out",
            size=32,
            group_by="image",
            protocol="as-published",
        )
    assert "both sides" in caplog.text
    assert "the published protocol, they are stamped LEAKY" in caplog.text
    assert "--group-by" not in caplog.text
    assert "you " not in caplog.text
