"""Adopting another set's split: the same test list, and nothing of it in training."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from lentigo.data.adopted import adopt
from lentigo.data.phantom import generate
from lentigo.data.prepare import prepare
from lentigo.data.splits import check_no_group_crosses
from lentigo.errors import InputError, LeakageError


def table(*rows: tuple[str, str, str, int]) -> pd.DataFrame:
    """(image_id, lesion_id, split, fold), of one class."""
    frame = pd.DataFrame(rows, columns=["image_id", "lesion_id", "split", "fold"])
    return frame.assign(patient_id="", label="nv")


REFERENCE = table(
    ("a", "A", "test", -1),
    ("b", "B", "train", 0),
    ("c", "C", "train", 1),
    # A copy of a under another lesion, and a photograph of B that shows C as well.
    ("x", "X", "excluded", -1),
    ("b9", "B", "excluded", -1),
)


def adopted(*rows: tuple[str, str], groups: list[str] | None = None) -> list[tuple[str, int]]:
    frame = table(*((image, lesion, "", -1) for image, lesion in rows))
    names = groups or frame["lesion_id"].tolist()
    return list(zip(*adopt(frame, names, REFERENCE, seed=0, folds=2), strict=True))


def test_the_same_images_are_test_and_other_photographs_of_their_lesions_step_aside() -> None:
    assert adopted(("a", "A"), ("a2", "A")) == [("test", -1), ("excluded", -1)]


def test_a_known_lesion_keeps_its_fold_with_all_its_photographs() -> None:
    assert adopted(("c", "C"), ("c2", "C"), ("b", "B")) == [
        ("train", 1),
        ("train", 1),
        ("train", 0),
    ]


def test_a_group_that_now_joins_two_sides_is_used_on_neither() -> None:
    rows = [("a", "A"), ("b", "B"), ("b2", "B"), ("c", "C")]
    assert adopted(*rows, groups=["A", "A", "A", "C"]) == [
        ("test", -1),
        ("excluded", -1),
        ("excluded", -1),
        ("train", 1),
    ]
    assert adopted(*rows[1:], groups=["B", "B", "B"]) == [("excluded", -1)] * 3


def test_what_the_other_set_excluded_does_not_train_where_its_reason_is_absent() -> None:
    assert adopted(("x", "X"), ("x2", "X"), ("b", "B")) == [
        ("excluded", -1),
        ("excluded", -1),
        ("train", 0),
    ]


def test_test_images_that_are_not_here_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    adopted(("a", "A"), ("b", "B"))
    assert not caplog.messages
    adopted(("b", "B"))
    assert "1 of the 1 test images of the adopted split are not here" in caplog.text


def test_unknown_lesions_are_dealt_to_the_folds() -> None:
    dealt = adopted(("b", "B"), *((f"n{i}", f"N{i}") for i in range(6)))
    assert sorted(fold for _, fold in dealt[1:]) == [0, 0, 0, 1, 1, 1]


def test_sets_that_share_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="shares no image"):
        adopted(("n", "N"))
    with pytest.raises(InputError, match="shares no image"):
        adopted(("x", "X"))  # nothing that the other set uses


def test_a_set_of_another_size_is_measured_on_the_very_same_list(tmp_path: Path) -> None:
    raw = generate(tmp_path / "raw", lesions=42, seed=1, size=64)
    first = prepare("phantom", raw, tmp_path / "first", size=32, folds=3, seed=5, workers=1)
    second = prepare(
        "phantom", raw, tmp_path / "second", size=48, seed=9, splits_of=str(first.path), workers=1
    )
    assert second.test_digest == first.test_digest
    assert second.folds == 3
    check_no_group_crosses(second.manifest)
    for name in ("split", "fold"):
        assert second.manifest[name].tolist() == first.manifest[name].tolist()


def test_a_set_grouped_by_lesion_follows_a_split_that_was(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    raw = generate(tmp_path / "raw", lesions=42, seed=1, size=64)
    first = prepare("phantom", raw, tmp_path / "first", size=32, group_by="lesion", workers=1)
    caplog.clear()
    alike = prepare(
        "phantom", raw, tmp_path / "alike", size=48, group_by="lesion", splits_of=first.path,
        workers=1,
    )  # fmt: skip
    for name in ("split", "fold"):
        assert alike.manifest[name].tolist() == first.manifest[name].tolist()
    assert "are excluded" not in caplog.text
    # By patient nothing may leak, so patients who are on several sides there are out, aloud.
    strict = prepare("phantom", raw, tmp_path / "strict", size=48, splits_of=first.path, workers=1)
    assert strict.test_digest == first.test_digest
    sides = strict.manifest.groupby("patient_id")["split"].agg(set)
    assert not any({"train", "test"} <= each for each in sides)
    out = int((strict.manifest["split"] == "excluded").sum())
    assert f"{out} training images of the adopted split are excluded" in caplog.text


def test_another_split_does_not_pass_for_the_same_preparation(tmp_path: Path) -> None:
    raw = generate(tmp_path / "raw", lesions=42, seed=1, size=64)
    first = prepare("phantom", raw, tmp_path / "first", size=32, seed=5, workers=1)
    prepare("phantom", raw, tmp_path / "second", size=32, splits_of=first.path, workers=1)
    with pytest.raises(InputError, match="with splits of"):
        prepare("phantom", raw, tmp_path / "second", size=32, workers=1)


def test_nothing_is_adopted_by_a_leaky_protocol(tmp_path: Path) -> None:
    raw = generate(tmp_path / "raw", lesions=42, seed=1, size=64)
    first = prepare("phantom", raw, tmp_path / "first", size=32, workers=1)
    with pytest.raises(LeakageError, match="nothing to adopt"):
        prepare(
            "phantom",
            raw,
            tmp_path / "second",
            size=32,
            group_by="image",
            protocol="as-published",
            splits_of=first.path,
            workers=1,
        )
