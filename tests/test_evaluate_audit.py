"""The audit: planted copies are found, unrelated pictures are not, and what contradicts is told."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from lentigo.cli.app import app
from lentigo.data.fingerprint import fingerprints, perceptual_hash
from lentigo.data.likeness import likeness
from lentigo.data.phantom import generate, view_pixels
from lentigo.data.prepare import prepare
from lentigo.data.prepared import PreparedSet
from lentigo.errors import InputError
from lentigo.evaluate.audit import audit
from lentigo.evaluate.audit.pairs import (
    Pair,
    confirmed,
    distances,
    find_pairs,
    largest_group,
)
from lentigo.evaluate.audit.poor import BLURRED, poor_images
from lentigo.evaluate.audit.sources import probe, simple_measures
from lentigo.evaluate.audit.unrelated import (
    COPIED_BITS,
    Strangers,
    Unrelated,
    measure_unrelated,
    precision_of,
)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    folder = tmp_path_factory.mktemp("first")
    raw = generate(folder / "raw", lesions=56, seed=1, size=96)
    return prepare("phantom", raw, folder / "first", size=64, folds=3, workers=1)


def folder_set(root: Path, pictures: dict[str, np.ndarray], **options: object) -> PreparedSet:
    """A prepared set of one subfolder a class; ``pictures`` maps ``class/name`` to RGB."""
    for name, rgb in pictures.items():
        path = root / "raw" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    malignant = frozenset({"bad"})
    return prepare(
        "folder", root / "raw", root / "set", workers=1, malignant=malignant,
        **{"size": 64, "test_share": 0.0} | options,
    )  # fmt: skip


def hashes_of(images: np.ndarray) -> np.ndarray:
    return np.stack([perceptual_hash(image) for image in images])


def strangers(lesions: np.ndarray) -> Strangers:
    return Strangers(lesions, np.zeros(len(lesions), np.int64), lesions)


def noise(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 255, (40, 40, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (96, 96), interpolation=cv2.INTER_CUBIC))


def recompressed(rgb: np.ndarray) -> np.ndarray:
    _, encoded = cv2.imencode(".jpg", rgb, [int(cv2.IMWRITE_JPEG_QUALITY), 90])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))


PLANTED = {
    "recompressed": recompressed,
    "resized": lambda rgb: cv2.resize(rgb, (48, 48), interpolation=cv2.INTER_AREA),
    "rotated": lambda rgb: np.ascontiguousarray(np.rot90(rgb)),
    "flipped": lambda rgb: np.ascontiguousarray(rgb[:, ::-1]),
    "brighter": lambda rgb: cv2.convertScaleAbs(rgb, alpha=1.0, beta=20),
}


@pytest.fixture(scope="module")
def varied(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    """Pictures with detail at all scales; a fifth of them is test."""
    root = tmp_path_factory.mktemp("varied")
    pictures = {f"{'bad' if i % 2 else 'good'}/{i}": noise(100 + i) for i in range(60)}
    return folder_set(root, pictures, test_share=0.2)


@pytest.mark.parametrize("harm", PLANTED)
def test_planted_copies_are_found_across_sets(
    varied: PreparedSet, tmp_path: Path, harm: str
) -> None:
    rows = varied.rows("test")[:6]
    pictures = {f"bad/{row}": PLANTED[harm](np.asarray(varied.images[row])) for row in rows}
    pictures |= {f"good/{i}": noise(i) for i in range(6)}
    found = audit(varied, against=[folder_set(tmp_path, pictures)])
    sets = found.table["set"].to_numpy()
    across = [each for each in found.pairs if sets[each.a] != sets[each.b]]
    assert sorted(each.a for each in across) == rows.tolist()
    assert {found.table["label"][each.b] for each in across} == {"bad"}
    assert any("test" in each.between and "train" in each.between for each in found.crossings)


def test_unrelated_pictures_set_the_threshold() -> None:
    images = np.stack([noise(seed) for seed in range(120)])
    hashes = hashes_of(images)
    found = measure_unrelated(hashes, strangers(np.arange(120)), pairs=20_000)
    assert found.pairs > 19_000
    assert found.within == 0
    assert found.histogram.sum() == found.pairs
    assert found.rate_at_most == pytest.approx(3 / found.pairs, rel=0.01)
    assert not find_pairs([f"{i}" for i in range(120)], hashes, {}, found.threshold)


def test_pairs_of_one_lesion_do_not_count_as_unrelated() -> None:
    images = np.repeat(np.stack([noise(seed) for seed in range(10)]), 2, axis=0)
    images[1::2] = np.stack([recompressed(image) for image in images[1::2]])
    hashes = hashes_of(images)
    found = measure_unrelated(hashes, strangers(np.arange(20) // 2), pairs=5_000)
    assert np.flatnonzero(found.histogram)[0] > 40


def at_distances(**pairs: int) -> Unrelated:
    """Four million unrelated pairs, all far apart but for some: ``d20=3`` three at 20 bits."""
    histogram = np.zeros(257, np.int64)
    for bits, count in pairs.items():
        histogram[int(bits[1:])] = count
    histogram[115] = 4_000_000 - histogram.sum()
    return Unrelated(4_000_000, histogram, "lesion_id")


def test_the_measured_threshold_leaves_one_pair_in_a_million_and_is_capped() -> None:
    wide = at_distances(d50=4, d52=1)
    assert (wide.measured, wide.threshold, wide.within) == (51, 28, 0)
    narrow = at_distances(d20=4, d22=1)
    assert (narrow.measured, narrow.threshold, narrow.within) == (21, 21, 4)
    told = wide.to_dict()
    assert told["measured_threshold_bits"] == 51
    assert (told["cap_bits"], told["threshold_bits"], told["closest_bits"]) == (28, 28, 50)
    assert told["cap_reason"]
    assert told["floor_reason"]


def test_copies_filed_as_two_lesions_do_not_close_the_search() -> None:
    filed_twice = at_distances(d0=40)
    assert filed_twice.measured is None
    assert filed_twice.threshold == COPIED_BITS


def test_pairs_of_different_lesions_tell_how_many_of_those_found_are_false() -> None:
    pairs = [Pair(0, 1, "near duplicate", 9), Pair(2, 3, "cropped copy", 60)]
    pairs += [Pair(4, 5, "identical file", 0), Pair(6, 7, "published", 90)]
    known = strangers(np.array([0, 0, 1, 2, *range(3, 99)]))
    found = precision_of(pairs, known)
    assert (found.found, found.of_strangers) == (2, 1)
    assert found.compared == 100 * 99 // 2
    assert found.strangers == found.compared - 1
    assert found.false_expected == pytest.approx(1, abs=0.01)
    assert found.false_expected < found.false_at_most <= 2
    assert found.to_dict()["precision"] == pytest.approx(0.5, abs=0.01)


def test_without_lesions_only_groups_of_one_set_are_told_apart() -> None:
    unknown = np.full(4, -1)
    some = Strangers(unknown, np.array([0, 0, 1, 1]), np.array([0, 1, 2, 2]))
    assert some.by == "group_id"
    a, b = np.triu_indices(4, 1)
    assert some.are(a, b).tolist() == [True, False, False, False, False, False]
    assert some.pairs == 1


def test_a_distance_is_the_least_of_eight_orientations() -> None:
    image = noise(3)
    turned = [np.ascontiguousarray(np.rot90(image, k)) for k in range(4)]
    hashes = hashes_of(np.stack([image, *turned, noise(4)]))
    zero = np.zeros(5, np.int64)
    assert (distances(hashes, zero[:4], np.arange(1, 5)) <= 2).all()
    assert distances(hashes, zero[:1], np.array([5]))[0] > 60


def test_a_chain_of_look_alikes_shows_in_the_largest_group() -> None:
    image = noise(5)
    copies = [image, recompressed(image), cv2.convertScaleAbs(image, beta=5), noise(6)]
    hashes = hashes_of(np.stack(copies))
    pairs = find_pairs(list("abcd"), hashes, {}, 28)
    found = largest_group(4, pairs, hashes)
    assert sorted(found["rows"]) == [0, 1, 2]
    assert found["widest_bits"] <= 28
    assert largest_group(4, [], hashes)["images"] == 1


def test_labels_that_contradict_each_other_are_told(first: PreparedSet, tmp_path: Path) -> None:
    benign = next(c.code for c in first.taxonomy.classes if not c.malignant)
    row = int(np.flatnonzero(first.manifest["label"] == benign)[0])
    pictures = {"bad/x": np.asarray(first.images[row]), "good/y": noise(1), "good/z": noise(2)}
    found = audit(first, against=[folder_set(tmp_path, pictures)])
    (wrong,) = found.contradictions
    assert found.table["image_id"][wrong.a] == first.manifest["image_id"][row]
    assert any("bad" in labels for labels in found.label_pairs)


def test_a_clean_set_has_nothing_to_tell(first: PreparedSet) -> None:
    found = audit(first)
    assert not found.contradictions
    assert not found.several_patients
    assert not found.meetings
    assert found.sources is None


def test_sources_that_differ_in_colour_are_told_apart_and_equal_ones_are_not() -> None:
    random = np.random.default_rng(0)
    images = np.stack([noise(seed) for seed in range(120)])
    groups = np.array([f"g{i}" for i in range(120)])
    sources = np.where(random.random(120) < 0.5, "a", "b")
    malignant = random.random(120) < np.where(sources == "a", 0.8, 0.2)
    equal = probe(images, sources, malignant, groups)
    tinted = images.copy()
    tinted[sources == "a", :, :, 0] = np.minimum(tinted[sources == "a", :, :, 0], 120)
    telling = probe(tinted, sources, malignant, groups)
    assert equal is not None
    assert telling is not None
    assert equal.source_from_pixels.high is not None
    assert equal.source_from_pixels.value < 0.65
    assert telling.source_from_pixels.value > 0.9
    assert telling.label_from_source.value > 0.6
    assert simple_measures(images[0]).shape == (14,)


def test_poor_pictures_are_named_with_what_is_wrong(tmp_path: Path) -> None:
    black = np.zeros((96, 96, 3), np.uint8)
    data = folder_set(tmp_path, {"bad/black": black, "good/a": noise(1), "good/b": noise(2)})
    found = audit(data)
    names = {found.table["image_id"][row]: failed for row, failed in found.poor.failed.items()}
    dark = next(failed for name, failed in names.items() if "black" in name)
    assert "not too dark" in dark


def test_a_blurred_image_is_told_by_its_own_source_and_a_soft_source_is_not_blamed() -> None:
    sharp = [view_pixels(0, lesion, 0, 224) for lesion in range(12)]
    soft = [cv2.resize(cv2.resize(each, (100, 100)), (224, 224)) for each in sharp]
    blurred = [cv2.GaussianBlur(each[0], (0, 0), 3.0) for each in (sharp, soft)]
    sources = ["sharp"] * 12 + ["soft"] * 12 + ["sharp", "soft"]
    found = poor_images([*sharp, *soft, *blurred], sources)
    assert [row for row, failed in found.failed.items() if "sharpness" in failed] == [24, 25]
    assert found.sharpness["soft"][0] < found.sharpness["sharp"][0] / 3
    assert found.sharpness["soft"][1] == pytest.approx(BLURRED * found.sharpness["soft"][0])


@pytest.mark.parametrize("size", [48, 64, 96])
def test_small_images_fail_no_more_checks_than_large_ones(size: int) -> None:
    large = [view_pixels(0, lesion, 0, 224) for lesion in range(30)]
    small = [cv2.resize(each, (size, size), interpolation=cv2.INTER_AREA) for each in large]
    counts = [len(poor_images(each, ["one"] * 30).failed) for each in (small, large)]
    assert counts[0] <= counts[1] + 1


def test_the_command_writes_a_page_a_table_and_json(first: PreparedSet, tmp_path: Path) -> None:
    rows = first.rows("test")[:2]
    pictures = {f"bad/{row}": np.asarray(first.images[row]) for row in rows}
    other = folder_set(tmp_path, pictures | {"good/a": noise(1), "good/b": noise(2)})
    out = tmp_path / "out"
    told = CliRunner().invoke(
        app, ["audit", str(first.path), "--against", str(other.path), "--out", str(out)]
    )
    assert told.exit_code == 0, told.output
    assert "CROSSES" in told.output
    content = json.loads((out / "audit.json").read_text())
    assert content["pairs"]["near duplicate"]["across"] >= 2
    with (out / "pairs.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == sum(n for each in content["pairs"].values() for n in each.values())
    page = (out / "audit.html").read_text()
    behind = re.findall(r'<tr><td>(\d+) to \d+</td><td class="n">([\d,]+)</td></tr>', page)
    unrelated = sum(int(pairs.replace(",", "")) for _, pairs in behind)
    assert unrelated == content["unrelated"]["pairs"]
    assert page.count("<img") == page.count("alt=")
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert "not a medical device" in page


def test_a_set_is_not_compared_with_itself(first: PreparedSet) -> None:
    with pytest.raises(InputError, match="twice"):
        audit(first, against=[first.path])


@pytest.mark.parametrize("share", [0.03, 0.05, 0.1, 0.12])
def test_an_evenly_cropped_copy_is_found_turned_and_recompressed(share: float) -> None:
    images = [cv2.resize(noise(seed), (256, 256)) for seed in range(8)]
    cut = round(256 * share / 2)
    part = np.ascontiguousarray(np.rot90(images[3][cut : 256 - cut, cut : 256 - cut]))
    stack = np.stack([*images, recompressed(cv2.resize(part, (256, 256)))])
    hashes, parts = fingerprints(stack, len(stack))
    found = find_pairs(list("abcdefghi"), hashes, {}, 28, parts)
    assert [(each.a, each.b) for each in found] == [(3, 8)]


@pytest.mark.parametrize("share", [0.02, 0.03, 0.05, 0.08, 0.1])
@pytest.mark.parametrize("wide", [False, True])
def test_a_copy_that_lacks_one_side_is_found_turned_and_recompressed(
    share: float, wide: bool
) -> None:
    size = (340, 256) if wide else (256, 256)
    images = [cv2.resize(noise(seed), size) for seed in range(8)]
    cut = images[3][:, round(size[0] * share) :]
    stack = [squared(each) for each in (*images, np.rot90(recompressed(np.ascontiguousarray(cut))))]
    hashes, parts = fingerprints(stack, len(stack))
    found = find_pairs(list("abcdefghi"), hashes, {}, 28, parts)
    assert [(each.a, each.b) for each in found] == [(3, 8)]


def squared(rgb: np.ndarray) -> np.ndarray:
    side = min(rgb.shape[:2])
    top, left = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
    part = np.ascontiguousarray(rgb[top : top + side, left : left + side])
    return np.asarray(cv2.resize(part, (160, 160), interpolation=cv2.INTER_AREA))


def test_only_what_does_not_look_like_skin_is_not_dermoscopic(tmp_path: Path) -> None:
    raw = generate(tmp_path / "raw", lesions=30, seed=4, size=160)
    lesions = prepare("phantom", raw, tmp_path / "lesions", size=160, folds=2, workers=1)
    wrong = audit(lesions).poor.kinds["not dermoscopic"]
    assert len(wrong) <= 0.05 * len(lesions.images)
    calm = [row for row in range(len(lesions.images)) if row not in wrong]
    room = np.random.default_rng(0).integers(0, 255, (12, 12, 3), np.uint8)
    pictures = {"good/room": cv2.resize(room, (160, 160), interpolation=cv2.INTER_NEAREST)}
    pictures |= {f"bad/{i}": np.asarray(lesions.images[i]) for i in calm[:4]}
    found = audit(folder_set(tmp_path / "mixed", pictures, size=160))
    told = found.to_dict()
    assert [name.split(":")[1] for name in told["not_dermoscopic"]] == ["good/room.png"]
    assert told["poor_kinds"]["not dermoscopic"] == 1


@pytest.mark.real_data
def test_everyday_photographs_among_lesions_are_found(shared_data: Path, tmp_path: Path) -> None:
    files = sorted((shared_data / "not_skin").glob("*.jpg"))
    pictures = {f"good/{p.stem}": cv2.imread(str(p))[..., ::-1] for p in files}
    lesions = sorted((shared_data / "ham10000" / "images").glob("*.jpg"))[:60]
    pictures |= {f"bad/{p.stem}": cv2.imread(str(p))[..., ::-1] for p in lesions}
    data = folder_set(tmp_path, pictures, size=160)
    named = {name.split(":")[1] for name in audit(data).to_dict()["not_dermoscopic"]}
    assert {f"good/{p.stem}.png" for p in files} <= named
    assert len([name for name in named if name.startswith("bad/")]) <= 2


def spot(seed: int) -> np.ndarray:
    """A dark round lesion with a soft edge on even skin, with a grain of its own."""
    y, x = np.mgrid[:160, :160]
    skin = 90 + 100 / (1 + np.exp(-(np.hypot(x - 80, y - 80) - 30) / 8))
    noise = np.random.default_rng(seed).normal(0, 30, (160, 160))
    grey = skin + cv2.GaussianBlur(noise, (0, 0), 1.5)
    return np.clip(grey[..., None] + np.array([20, 0, -20]), 0, 255).astype(np.uint8)


def test_two_lesions_of_one_shape_are_refused_and_a_copy_is_not() -> None:
    images = np.stack([spot(0), spot(1), recompressed(np.ascontiguousarray(np.rot90(spot(0))))])
    pairs = [Pair(0, 1, "near duplicate", 20), Pair(0, 2, "cropped copy", 30)]
    pairs += [Pair(1, 2, "published", 20)]
    kept, refused = confirmed(pairs, images)
    assert kept == pairs[1:]
    assert refused == pairs[:1]
    assert likeness(images[0], images[2]) > 0.8
    assert likeness(images[0], images[1]) < 0.4
