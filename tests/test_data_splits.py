"""What belongs together stays together, and who is test depends on ids and seed alone."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lentigo.data.sources import SOURCES, ReadOptions
from lentigo.data.splits import (
    assign,
    check_no_group_crosses,
    connected_groups,
    crossings,
    group_ids,
    split_digest,
)
from lentigo.errors import InputError, LeakageError

CLASSES = ("bcc", "mel", "nv")


def table(rows: list[tuple[str, str, str]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["image_id", "lesion_id", "patient_id"], dtype=str)


@st.composite
def tables(draw: st.DrawFn) -> tuple[pd.DataFrame, list[tuple[int, int]]]:
    """A random table with unknown cells, and random duplicates."""
    n = draw(st.integers(1, 40))
    lesion = st.sampled_from(["", *(f"L{i}" for i in range(15))])
    patient = st.sampled_from(["", *(f"P{i}" for i in range(10))])
    frame = table([(f"I{i:02}", draw(lesion), draw(patient)) for i in range(n)])
    frame["label"] = draw(st.lists(st.sampled_from(CLASSES), min_size=n, max_size=n))
    rows = st.integers(0, n - 1)
    return frame, draw(st.lists(st.tuples(rows, rows), max_size=8))


def divided(
    frame: pd.DataFrame, pairs: list[tuple[int, int]], seed: int = 0, by: str | None = None
) -> pd.DataFrame:
    groups = group_ids(frame, pairs, by)
    official = frame.get("official", pd.Series([""] * len(frame))).tolist()
    split, fold = assign(groups, frame["label"].tolist(), official, seed=seed)
    return frame.assign(group_id=groups, split=split, fold=fold)


def test_components_are_named_by_their_smallest_member() -> None:
    assert connected_groups(6, [(4, 1), (5, 4), (2, 3)]).tolist() == [0, 1, 2, 2, 1, 1]


@settings(deadline=None)
@given(tables(), st.integers(0, 5))
def test_no_group_is_on_two_sides(made: tuple[pd.DataFrame, list[tuple[int, int]]], seed: int):
    frame, pairs = made
    result = divided(frame, pairs, seed, by=None)
    check_no_group_crosses(result)
    side = result["split"] + result["fold"].astype(str)
    for i, j in pairs:
        assert side[i] == side[j]
    assert (side[frame["lesion_id"] != ""].groupby(frame["lesion_id"]).nunique() == 1).all()
    assert (side[frame["patient_id"] != ""].groupby(frame["patient_id"]).nunique() == 1).all()


@settings(deadline=None)
@given(tables(), st.randoms())
def test_the_order_of_rows_does_not_matter(made, random) -> None:
    frame, pairs = made
    order = list(range(len(frame)))
    random.shuffle(order)
    place = {old: new for new, old in enumerate(order)}
    shuffled = frame.iloc[order].reset_index(drop=True)
    moved = [(place[j], place[i]) for i, j in reversed(pairs)]
    first, second = divided(frame, pairs), divided(shuffled, moved)
    columns = ["image_id", "group_id", "split", "fold"]
    again = second[columns].sort_values("image_id").reset_index(drop=True)
    pd.testing.assert_frame_equal(first[columns], again)
    assert split_digest(first, "test") == split_digest(second, "test")


@settings(deadline=None)
@given(tables(), st.lists(st.sampled_from(["train", "validation", "test", ""]), min_size=40))
def test_official_splits_are_kept_and_crossing_rows_only_leave_training(made, splits) -> None:
    frame, pairs = made
    frame["official"] = splits[: len(frame)]
    if not frame["official"].any():
        return
    result = divided(frame, pairs)
    check_no_group_crosses(result)
    meant = frame["official"].replace("", "train")
    assert (result["split"][meant == "test"] == "test").all()
    changed = result["split"] != meant
    assert set(result["split"][changed]) <= {"excluded"}
    assert ((result["fold"] >= 0) == (result["split"] == "train")).all()


def test_every_class_with_enough_groups_is_in_test_and_in_each_fold() -> None:
    sizes = {"bcc": 6, "mel": 11, "nv": 200}
    labels = [label for label, n in sizes.items() for _ in range(n)]
    groups = [f"{label}{i}" for i, label in enumerate(labels)]
    split, fold = assign(groups, labels, [""] * len(labels), seed=3)
    places = Counter(zip(labels, split, fold, strict=True))
    for label in sizes:
        assert places[label, "test", -1] >= 1
        assert all(places[label, "train", k] >= 1 for k in range(5))
    assert places["nv", "test", -1] == 40


def test_a_class_of_one_group_is_training() -> None:
    split, _ = assign(["a", "b", "c"], ["rare", "nv", "nv"], ["", "", ""], seed=0)
    assert split[0] == "train"
    assert split[1:].count("test") == 1


def test_another_seed_draws_another_test_list() -> None:
    groups = [f"g{i}" for i in range(100)]
    lists = [assign(groups, ["nv"] * 100, [""] * 100, seed=seed)[0] for seed in (0, 1)]
    assert lists[0] != lists[1]
    assert lists[0].count("test") == lists[1].count("test") == 20


def test_groupings_join_what_they_say() -> None:
    frame = table([("a", "L2", "P1"), ("b", "L1", "P1"), ("c", "", ""), ("d", "L3", "P2")])
    assert group_ids(frame, [(2, 3)], "patient") == ["L1", "L1", "L3", "L3"]
    assert group_ids(frame, [(2, 3)], "lesion") == ["L2", "L1", "L3", "L3"]
    assert group_ids(frame, [(2, 3)], "image") == ["a", "b", "c", "d"]


def test_the_default_grouping_is_the_strictest_that_the_table_supports() -> None:
    known = table([("a", "L1", "P1"), ("b", "L2", "P1")])
    unknown = known.assign(patient_id="")
    assert group_ids(known, []) == ["L1", "L1"]
    assert group_ids(unknown, []) == ["L1", "L2"]


def test_groups_are_named_by_lesion_else_patient_else_image() -> None:
    frame = table([("a", "", "P1"), ("b", "", "P1"), ("c", "", "")])
    assert group_ids(frame, []) == ["P1", "P1", "c"]


def test_an_image_named_as_a_lesion_shares_its_group() -> None:
    frame = table([("L1", "", ""), ("b", "L1", "")])
    assert group_ids(frame, []) == ["L1", "L1"]


def test_grouping_by_patients_that_nobody_names_is_refused() -> None:
    with pytest.raises(InputError, match="no patients"):
        group_ids(table([("a", "L1", "")]), [], "patient")
    with pytest.raises(InputError, match="no grouping"):
        group_ids(table([("a", "L1", "")]), [], "doctor")


def test_options_out_of_range_are_named_all_at_once() -> None:
    with pytest.raises(InputError) as caught:
        assign(["a"], ["nv"], ["exam"], seed=0, test_share=1.5, folds=1)
    assert all(word in str(caught.value) for word in ("1.5", "1 fold", "exam"))


def test_what_crosses_an_official_split_is_counted() -> None:
    groups = pd.Series(["g", "g", "g", "h", "i"])
    split = pd.Series(["train", "train", "test", "test", "validation"])
    assert crossings(groups, split) == [{"between": "train/test", "groups": 1, "images": 2}]


def test_the_published_protocol_keeps_what_crosses() -> None:
    split, fold = assign(
        ["g", "g"], ["nv", "nv"], ["train", "test"], seed=0, exclude_crossing=False
    )
    assert split == ["train", "test"]
    assert fold == [0, -1]


def test_a_crossing_group_is_named() -> None:
    frame = pd.DataFrame(
        {"group_id": ["L7", "L7", "L8"], "split": ["train", "test", "test"], "fold": [0, -1, -1]}
    )
    with pytest.raises(LeakageError, match="L7: fold 0, test"):
        check_no_group_crosses(frame)


@pytest.mark.real_data
def test_no_lesion_of_ham10000_is_on_two_sides(shared_data: Path) -> None:
    frame = SOURCES["ham10000"].read(shared_data / "ham10000", ReadOptions()).frame
    result = divided(frame, [])
    check_no_group_crosses(result)
    assert len(frame) == 10_015
    assert result["group_id"].nunique() == 7_470
    counts = {"nv": 6705, "mel": 1113, "bkl": 1099, "bcc": 514, "akiec": 327, "vasc": 142}
    assert frame["label"].value_counts().to_dict() == {**counts, "df": 115}
    test_share = result.groupby("label")["split"].apply(lambda side: (side == "test").mean())
    assert np.allclose(test_share, 0.2, atol=0.03)
