"""Merging: the first set's list stands, the others only train, and nothing leaks."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from lentigo.data.merge import Addition, merge, pair_labels
from lentigo.data.phantom import generate
from lentigo.data.prepare import prepare
from lentigo.data.prepared import PreparedSet, open_prepared
from lentigo.data.splits import check_no_group_crosses
from lentigo.errors import InputError, LeakageError
from small import lentigo


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    folder = tmp_path_factory.mktemp("first")
    raw = generate(folder / "raw", lesions=42, seed=1, size=64)
    return prepare("phantom", raw, folder / "set", size=48, folds=3, workers=1)


def folder_set(root: Path, pictures: dict[str, np.ndarray], **options: object) -> PreparedSet:
    """A set of one subfolder a class; ``pictures`` maps ``class/name`` to RGB."""
    for name, rgb in pictures.items():
        path = root / "raw" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    return prepare(
        "folder",
        root / "raw",
        root / "set",
        size=48,
        workers=1,
        malignant=frozenset({"mole"}),
        **{"test_share": 0.0} | options,
    )


def noise(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (64, 64), interpolation=cv2.INTER_CUBIC))


def detailed(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 255, (24, 24, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (96, 96), interpolation=cv2.INTER_CUBIC))


def picture(data: PreparedSet, split: str, fold: int = -1) -> np.ndarray:
    rows = data.manifest.query("split == @split and fold == @fold").index
    return np.asarray(data.images[rows[0]])


MAP = {"mole": "disc", "other": "ring"}


def table_set(root: Path, rows: list[tuple[np.ndarray, str, str, str]]) -> PreparedSet:
    """A set of which all trains: (RGB, image_id, lesion_id, patient_id); classes alternate."""
    root.mkdir()
    lines = ["image,image_id,label,lesion_id,patient_id"]
    for number, (rgb, *names) in enumerate(rows):
        image_id, lesion, patient = names
        cv2.imwrite(str(root / f"{image_id}.png"), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
        label = tuple(MAP)[number % 2]
        lines.append(f"{image_id}.png,{image_id},{label},{lesion},{patient}")
    (root / "table.csv").write_text("\n".join(lines) + "\n")
    return prepare(
        "table", root / "table.csv", root / "set",
        size=48, workers=1, test_share=0.0, malignant=frozenset({"mole"}),
    )  # fmt: skip


def test_what_is_added_trains_and_is_never_measured(first: PreparedSet, tmp_path: Path) -> None:
    other = folder_set(
        tmp_path, {f"{k}/{i}": noise(i + 9 * (k == "mole")) for k in MAP for i in range(4)}
    )
    merged = merge(first, [Addition(other, MAP)], tmp_path / "merged")
    assert merged.test_digest == first.test_digest
    assert merged.audit["merged"]["added_classes"] == {"disc": 4, "ring": 4}
    check_no_group_crosses(merged.manifest)
    for fold in range(3):
        assert len(merged.rows("train", fold)) == len(first.rows("train", fold)) + 8
        np.testing.assert_array_equal(
            merged.rows("validation", fold), first.rows("validation", fold)
        )
    np.testing.assert_array_equal(merged.images[: len(first.images)], first.images)
    for row, name in enumerate(other.manifest["image_id"]):
        (place,) = np.flatnonzero(merged.manifest["image_id"] == name)
        np.testing.assert_array_equal(merged.images[place], other.images[row])
    assert merged.info.source == "phantom+folder"


def test_a_picture_of_a_test_lesion_does_not_train(first: PreparedSet, tmp_path: Path) -> None:
    mirrored = np.ascontiguousarray(picture(first, "test")[:, ::-1])
    known = picture(first, "train", 2)
    pictures = {
        "mole/test": mirrored,
        "mole/known": known,
        "mole/new": noise(1),
        "other/a": noise(2),
    }
    merged = merge(first, [Addition(folder_set(tmp_path, pictures), MAP)], tmp_path / "merged")
    told = merged.audit["merged"]
    assert len(told["excluded"]) == 1
    assert "test" in told["excluded"][0]
    assert told["added"] == 3
    assert told["in_a_fold"] == 1
    known_row = merged.manifest[merged.manifest["image_id"].str.contains("known")].iloc[0]
    assert known_row["fold"] == 2
    check_no_group_crosses(merged.manifest)


def test_more_photographs_of_a_known_lesion_train_but_neither_validate_nor_meet_it(
    tmp_path: Path,
) -> None:
    rows = [(noise(i), f"x{i}", f"L{i}", "") for i in range(30)]
    own = table_set(tmp_path / "own", rows)
    more = [(noise(100 + i), f"y{i}", f"L{i}", "") for i in range(30)]
    again = [(noise(200 + i), f"z{i}", f"L{i}", "") for i in range(30)]
    once = merge(own, [Addition(table_set(tmp_path / "more", more))], tmp_path / "once")
    twice = merge(once, [Addition(table_set(tmp_path / "again", again))], tmp_path / "twice")
    assert once.audit["merged"]["in_a_fold"] == twice.audit["merged"]["in_a_fold"] == 30
    for fold in range(own.folds):
        validated = own.rows("validation", fold)
        held_out = set(own.manifest["lesion_id"][validated])
        for merged, views in (once, 2), (twice, 3):
            np.testing.assert_array_equal(merged.rows("validation", fold), validated)
            trains = merged.manifest["lesion_id"][merged.rows("train", fold)]
            assert not held_out & set(trains)
            assert len(trains) == views * len(own.rows("train", fold))


def test_a_cropped_copy_of_a_test_picture_does_not_train(tmp_path: Path) -> None:
    whole = {f"{'mole' if i % 2 else 'other'}/{i}": detailed(i) for i in range(30)}
    own = folder_set(tmp_path / "own", whole, test_share=0.2, folds=2)
    name = own.manifest["image_id"][own.rows("test")[0]]
    cut = detailed(int(Path(name).stem))[4:-4, 4:-4]
    added = {"mole/cut": cv2.resize(cut, (96, 96)), "mole/a": detailed(90), "other/b": detailed(91)}
    merged = merge(own, [Addition(folder_set(tmp_path / "more", added))], tmp_path / "merged")
    assert merged.audit["merged"]["excluded"] == ["mole/cut.png"]
    assert {name, "mole/cut.png"} in [set(pair) for pair in merged.audit["duplicates"]["cropped"]]
    assert merged.test_digest == own.test_digest


def test_a_patient_of_the_added_set_is_held_out_whole(tmp_path: Path) -> None:
    own = folder_set(
        tmp_path / "own",
        {f"{'mole' if i % 2 else 'other'}/{i}": noise(i) for i in range(20)},
        test_share=0.2, folds=2,
    )  # fmt: skip
    assert own.info.group_by == "lesion"
    seen = picture(own, "test")
    rows = [(seen, "seen", "L1", "P"), (noise(90), "sibling", "L2", "P")]
    rows += [(noise(100 + i), f"new{i}", f"N{i}", f"Q{i}") for i in range(6)]
    merged = merge(own, [Addition(table_set(tmp_path / "other", rows))], tmp_path / "merged")
    assert merged.audit["merged"]["excluded"] == ["seen", "sibling"]
    assert merged.audit["merged"]["added"] == 6


def test_a_patient_whom_the_first_set_holds_out_is_known_though_it_is_grouped_by_lesion(
    tmp_path: Path,
) -> None:
    raw = generate(tmp_path / "raw", lesions=42, seed=1, size=64)
    own = prepare("phantom", raw, tmp_path / "own", size=48, group_by="lesion", workers=1)
    patient = own.manifest["patient_id"][own.rows("test")[0]]
    rows = [(noise(1), "again", "new lesion", patient)]
    rows += [(noise(100 + i), f"new{i}", f"N{i}", f"Q{i}") for i in range(6)]
    added = Addition(table_set(tmp_path / "other", rows), MAP)
    merged = merge(own, [added], tmp_path / "merged")
    assert merged.audit["merged"]["excluded"] == ["again"]


def test_what_its_publisher_calls_a_copy_of_a_test_picture_does_not_train(
    first: PreparedSet, tmp_path: Path
) -> None:
    train = tmp_path / "isic2020" / "train"
    train.mkdir(parents=True)
    lines = ["image_name,patient_id,sex,age_approx,benign_malignant,target"]
    for number in range(8):
        rgb = noise(number) if number else picture(first, "test")
        cv2.imwrite(str(train / f"I{number}.png"), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
        lines.append(f"I{number},,,,{('benign,0', 'malignant,1')[number % 2]}")
    (train.parent / "train.csv").write_text("\n".join(lines) + "\n")
    (train.parent / "ISIC_2020_Training_Duplicates.csv").write_text(
        "image_name_1,image_name_2\nI0,I5\n"
    )
    other = prepare(
        "isic2020", train.parent, tmp_path / "other", size=48, workers=1, test_share=0.0
    )
    codes = {"benign": "disc", "malignant": "ring"}
    merged = merge(first, [Addition(other, codes)], tmp_path / "merged")
    assert merged.audit["merged"]["excluded"] == ["I0", "I5"]


def test_another_picture_of_a_known_patient_and_name_is_renamed(tmp_path: Path) -> None:
    rows = [(noise(i), f"x{i}", f"L{i}", f"P{i}") for i in range(8)]
    own = table_set(tmp_path / "own", rows)
    # The patient is the same, the picture behind the name is not.
    again = [(noise(50 + i), f"x{i}", f"M{i}", f"P{i}") for i in range(8)]
    again += [(noise(i), f"y{i}", f"M{i}", f"P{i}") for i in range(8)]
    other = table_set(tmp_path / "other", again)
    told = merge(own, [Addition(other)], tmp_path / "merged").audit["merged"]
    assert told["already_there"] == []


def test_an_excluded_picture_ties_no_groups_together(first: PreparedSet, tmp_path: Path) -> None:
    both = {"mole/a": picture(first, "test"), "mole/b": noise(3), "other/c": noise(4)}
    merged = merge(first, [Addition(folder_set(tmp_path, both), MAP)], tmp_path / "merged")
    host = merged.manifest.iloc[: len(first.manifest)]
    assert host["group_id"].tolist() == first.manifest["group_id"].tolist()
    assert host["split"].tolist() == first.manifest["split"].tolist()


def test_the_same_image_under_the_same_name_is_not_added_twice(
    first: PreparedSet, tmp_path: Path
) -> None:
    merged = merge(first, [Addition(first)], tmp_path / "merged")
    assert merged.audit["merged"]["added"] == 0
    assert len(merged.audit["merged"]["already_there"]) == len(first.rows("train"))
    assert len(merged.manifest) == len(first.manifest)


def test_another_picture_of_the_same_name_is_renamed(first: PreparedSet, tmp_path: Path) -> None:
    folder_set(tmp_path / "a", {"mole/x": noise(1), "other/y": noise(2)})
    a = folder_set(tmp_path / "a", {"mole/x": noise(1), "other/y": noise(2)})
    b = folder_set(tmp_path / "b", {"mole/x": noise(5), "other/z": noise(6)})
    merged = merge(first, [Addition(a, MAP), Addition(b, MAP)], tmp_path / "merged")
    names = merged.manifest["image_id"].tolist()
    assert len(set(names)) == len(names) == len(first.manifest) + 4


def test_cameras_that_name_pictures_alike_lose_none(tmp_path: Path) -> None:
    sets = [
        table_set(
            tmp_path / str(camera),
            [(noise(20 * camera + i), f"IMG_{i}", "", "") for i in range(6)],
        )
        for camera in range(4)
    ]
    # The last brings the second's pictures again, under other names that are taken too.
    again = [(noise(20 + (i + 1) % 6), f"IMG_{i}", "", "") for i in range(6)]
    sets.append(table_set(tmp_path / "again", again))
    merged = merge(sets[0], [Addition(each) for each in sets[1:]], tmp_path / "merged")
    assert merged.audit["merged"]["already_there"] == []
    names = merged.manifest["image_id"].tolist()
    assert [each for each in names if each.endswith("IMG_3") or "IMG_3#" in each] == [
        "IMG_3",
        "table:IMG_3",
        "table:IMG_3#2",
        "table:IMG_3#3",
        "table:IMG_3#4",
    ]
    once_more = merge(merged, [Addition(sets[2])], tmp_path / "once-more")
    assert len(once_more.audit["merged"]["already_there"]) == 6
    assert len(once_more.manifest) == len(merged.manifest) == 30


def test_held_out_images_of_the_other_set_stay_out(first: PreparedSet, tmp_path: Path) -> None:
    pictures = {f"{k}/{i}": noise(i + 50 * (k == "mole")) for k in MAP for i in range(20)}
    other = folder_set(tmp_path, pictures, test_share=0.25)
    merged = merge(first, [Addition(other, MAP)], tmp_path / "merged")
    assert merged.audit["merged"]["added"] == len(other.rows("train")) == 30


def test_the_same_call_changes_nothing_and_another_is_refused(
    first: PreparedSet, tmp_path: Path
) -> None:
    a = folder_set(tmp_path, {"mole/x": noise(1), "other/y": noise(2)})
    made = merge(first, [Addition(a, MAP)], tmp_path / "merged")
    before = (made.path / "prepared.json").stat().st_mtime_ns
    assert merge(first, [Addition(a, MAP)], tmp_path / "merged").digest == made.digest
    assert (made.path / "prepared.json").stat().st_mtime_ns == before
    with pytest.raises(InputError, match="something else"):
        merge(first, [Addition(a, {"mole": "disc"})], tmp_path / "merged")


def test_an_empty_folder_is_filled_through_a_link_and_from_within(
    first: PreparedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = [Addition(folder_set(tmp_path, {"mole/x": noise(1), "other/y": noise(2)}), MAP)]
    for name in ("linked", "within"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "linked")
    monkeypatch.chdir(tmp_path / "within")
    for out, folder in ((tmp_path / "link", "linked"), (Path(), "within")):
        digest = merge(first, added, out).digest
        assert open_prepared(tmp_path / folder).digest == digest
        assert merge(first, added, out).digest == digest
    assert sorted(path.name for path in Path().iterdir()) == [
        "audit.json", "images.npy", "manifest.csv", "prepared.json",
    ]  # fmt: skip
    assert not list(tmp_path.glob(".*.merging"))


def test_a_slip_in_the_first_line_of_a_map_loses_no_class(
    first: PreparedSet, tmp_path: Path
) -> None:
    other = folder_set(tmp_path, {"mole/x": noise(1), "other/y": noise(2)})
    (tmp_path / "map.csv").write_text("moole,disc\nother,ring\n")
    told = lentigo(
        "merge", first.path, other.path, "--labels", tmp_path / "map.csv",
        "--out", tmp_path / "merged", code=2,
    )  # fmt: skip
    assert "moole: the set has no such class" in told[1]


def test_what_does_not_fit_is_refused(first: PreparedSet, tmp_path: Path) -> None:
    raw = generate(tmp_path / "raw", lesions=42, seed=2, size=64)
    larger = prepare("phantom", raw, tmp_path / "larger", size=64, workers=1)
    with pytest.raises(InputError, match="Preprocessed otherwise"):
        merge(first, [Addition(larger)], tmp_path / "m")
    leaky = prepare(
        "phantom", raw, tmp_path / "leaky", size=48, group_by="image",
        protocol="as-published", workers=1,
    )  # fmt: skip
    with pytest.raises(LeakageError, match="leaky"):
        merge(first, [Addition(leaky)], tmp_path / "m")
    with pytest.raises(InputError, match="nothing to add"):
        merge(first, [], tmp_path / "m")
    with pytest.raises(InputError, match="2 map"):
        pair_labels([first.path], [tmp_path / "a", tmp_path / "b"], first.taxonomy.codes)
    assert not (tmp_path / "m").exists()
