"""The same picture twice, whatever was done to the copy."""

from __future__ import annotations

import hashlib
from itertools import permutations
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lentigo.data.duplicates import (
    NEAR_BITS,
    SEARCHED_BITS,
    exact_duplicates,
    near_duplicates,
    near_parts,
)
from lentigo.data.fingerprint import PARTS, SIDE, fingerprint, orientations, perceptual_hash
from lentigo.data.phantom import view_pixels


def picture(lesion: int) -> NDArray[np.uint8]:
    return view_pixels(0, lesion, 0, 150)


def distance(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> int:
    return int(np.unpackbits(a ^ b).sum())


def resaved(rgb: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    encoded = cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)


CHANGES = {
    "resaved": lambda rgb: resaved(rgb, 60),
    "smaller": lambda rgb: cv2.resize(rgb, (90, 90), interpolation=cv2.INTER_AREA),
    "larger": lambda rgb: cv2.resize(rgb, (400, 400), interpolation=cv2.INTER_CUBIC),
    "brighter": lambda rgb: np.clip(rgb * 1.1 + 8, 0, 255).astype(np.uint8),
    "blurred": lambda rgb: cv2.GaussianBlur(rgb, (0, 0), 1.0),
}
TURNS = {
    "mirrored": lambda rgb: rgb[:, ::-1],
    "upside down": lambda rgb: rgb[::-1],
    "turned by 90": np.rot90,
    "turned by 180": lambda rgb: np.rot90(rgb, 2),
    "turned by 270": lambda rgb: np.rot90(rgb, 3),
    "transposed": lambda rgb: rgb.transpose(1, 0, 2),
    "transposed the other way": lambda rgb: np.rot90(rgb, 2).transpose(1, 0, 2),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("lesion", range(4))
def test_a_changed_copy_is_near_its_original(change: str, lesion: int) -> None:
    original = picture(lesion)
    copy = CHANGES[change](original)
    assert distance(perceptual_hash(original), perceptual_hash(copy)) <= NEAR_BITS


@pytest.mark.parametrize("turn", TURNS)
def test_a_turned_copy_is_found(turn: str) -> None:
    original = picture(2)
    copy = resaved(np.ascontiguousarray(TURNS[turn](original)), 80)
    hashes = np.stack([perceptual_hash(each) for each in (picture(3), original, copy)])
    assert distance(hashes[1], hashes[2]) > NEAR_BITS
    assert near_duplicates(hashes) == [(1, 2)]


def test_the_frame_around_the_central_square_does_not_matter() -> None:
    wide = cv2.copyMakeBorder(picture(1), 0, 0, 40, 40, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    assert distance(perceptual_hash(wide), perceptual_hash(picture(1))) == 0


@pytest.mark.parametrize("share", range(len(PARTS)))
def test_the_hash_of_a_part_is_that_of_the_part_cut_out(share: int) -> None:
    size, bits = 400, []
    for lesion in range(5):
        rgb = view_pixels(0, lesion, 0, size)
        whole, parts = fingerprint(rgb)
        assert (whole == perceptual_hash(rgb)).all()
        lacking = round(PARTS[share] * size)
        half, side = lacking // 2, size - lacking
        starts = ((half, half), (half, lacking), (half, 0), (lacking, half), (0, half))
        for hashed, (y, x) in zip(parts[share], starts, strict=True):
            cut = np.ascontiguousarray(rgb[y : y + side, x : x + side])
            bits.append(distance(hashed, perceptual_hash(cut)))
            assert distance(hashed, whole) > bits[-1]
    assert np.mean(bits) <= 6
    assert max(bits) <= 16


def test_the_order_of_the_channels_does_not_matter() -> None:
    for lesion in range(5):
        rgb = view_pixels(0, lesion, 0, 200)
        bgr = np.ascontiguousarray(rgb[:, :, ::-1])
        for one, other in zip(fingerprint(rgb), fingerprint(bgr, cv2.COLOR_BGR2GRAY), strict=True):
            assert (one == other).all()


def test_parts_of_flat_pictures_are_no_copies() -> None:
    assert not fingerprint(np.full((50, 70, 3), 90, np.uint8))[1].any()


def test_different_lesions_are_not_joined() -> None:
    hashes = np.stack([perceptual_hash(picture(lesion)) for lesion in range(60)])
    assert near_duplicates(hashes) == []


def test_flat_pictures_have_no_near_copies() -> None:
    flat = [np.full((50, 70, 3), level, np.uint8) for level in (0, 0, 90, 255)]
    assert near_duplicates(np.stack([perceptual_hash(each) for each in flat])) == []


def test_identical_files_are_found_even_when_flat() -> None:
    digests = [hashlib.sha256(each).hexdigest() for each in (b"a", b"b", b"a", b"a")]
    assert exact_duplicates(digests) == [(0, 2), (0, 3)]


def test_nothing_and_one_image_have_no_duplicates() -> None:
    assert near_duplicates(np.zeros((0, 32), np.uint8)) == []
    assert near_duplicates(np.full((1, 32), 7, np.uint8)) == []


def test_a_radius_that_the_search_cannot_guarantee_is_refused() -> None:
    with pytest.raises(ValueError, match="max_bits"):
        near_duplicates(np.zeros((2, 32), np.uint8), max_bits=SEARCHED_BITS + 1)


def compare_all(hashes: NDArray[np.uint8], max_bits: int) -> set[tuple[int, int]]:
    turned = list(orientations(hashes))
    return {
        (i, j)
        for i in range(len(hashes))
        for j in range(i + 1, len(hashes))
        if min(distance(each[i], hashes[j]) for each in turned) <= max_bits
    }


def changed(
    bits: NDArray[np.uint8], rng: np.random.Generator, most_wrong: int
) -> NDArray[np.uint8]:
    """The bits (256,) of a copy that is turned, with 0 to so many wrong ones."""
    wrong = np.zeros(256, np.uint8)
    wrong[rng.permutation(256)[: rng.integers(0, most_wrong + 1)]] = 1
    turned = list(orientations(np.packbits(bits ^ wrong)[None]))
    return np.unpackbits(turned[rng.integers(8)][0])


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(0, SEARCHED_BITS))
def test_the_search_finds_what_comparing_all_pairs_finds(seed: int, max_bits: int) -> None:
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, (4, 256), dtype=np.uint8)
    # On both sides of the radius.
    copies = [changed(original, rng, 40) for original in bits]
    hashes = np.packbits([*bits, *copies], axis=1)
    assert set(near_duplicates(hashes, max_bits=max_bits)) == compare_all(hashes, max_bits)


def agree(part: NDArray[np.uint8], whole: NDArray[np.uint8], max_bits: int) -> bool:
    """Whether they are within the radius in an orientation in which a band agrees."""
    row, column = np.mgrid[:SIDE, :SIDE]
    band_of = ((row + 5 * column) % SIDE).ravel()
    wrong = [np.unpackbits(turned[0] ^ whole) for turned in orientations(part[None])]
    return any(
        each.sum() <= max_bits and not np.bincount(band_of, each, SIDE).all() for each in wrong
    )


def compare_parts(
    hashes: NDArray[np.uint8], parts: NDArray[np.uint8], max_bits: int
) -> set[tuple[int, int]]:
    found = set()
    for i, j in permutations(range(len(hashes)), 2):
        for size in range(parts.shape[1]):
            middle, *sides = parts[i, size]
            pairs = [(side, other) for side in sides for other in (hashes[j], parts[j, size, 0])]
            if any(agree(a, b, max_bits) for a, b in [(middle, hashes[j]), *pairs]):
                found.add((min(i, j), max(i, j)))
    return found


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(16, SEARCHED_BITS))
def test_the_search_for_parts_finds_all_that_agree_in_a_band(seed: int, max_bits: int) -> None:
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, (7, 256), dtype=np.uint8)
    parts = rng.integers(0, 2, (7, 2, 5, 256), dtype=np.uint8)
    parts[0, 0, 0] = changed(bits[1], rng, 40)
    parts[2, 1, 3] = changed(bits[3], rng, 40)
    parts[4, 1, 2] = changed(parts[5, 1, 0], rng, 40)
    parts[6, 0, 4] = changed(parts[6, 0, 0], rng, 40)  # of itself
    hashes, made = np.packbits(bits, axis=-1), np.packbits(parts, axis=-1)
    found = near_parts(hashes, made, max_bits=max_bits)
    assert found == sorted(compare_parts(hashes, made, max_bits))


@pytest.mark.real_data
def test_the_known_copies_in_ham10000_are_found(shared_data: Path) -> None:
    names = ["ISIC_0024366", "ISIC_0029861", "ISIC_0024777", "ISIC_0029938"]
    names += ["ISIC_0025226", "ISIC_0030074"]  # one photograph, filed as two lesions
    paths = [shared_data / "ham10000" / "images" / f"{name}.jpg" for name in names]
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    images = [cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) for path in paths]
    hashes = np.stack([perceptual_hash(np.asarray(each, np.uint8)) for each in images])
    assert exact_duplicates(digests) == [(0, 1), (2, 3)]
    assert near_duplicates(hashes) == [(0, 1), (2, 3), (4, 5)]
