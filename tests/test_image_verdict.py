"""What is measured of a photograph, what is said of it, and the command that says it."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, fields
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from typer.testing import CliRunner

from lentigo.cli.app import app
from lentigo.image.quality import Quality, assess
from lentigo.image.subject import Subject, study
from lentigo.image.verdict import (
    CHECKS,
    DEFAULT_THRESHOLDS,
    QualityThresholds,
    Verdict,
    judge,
    judge_file,
)

SIDE = 224


def photo(
    *, centre: tuple[float, float] = (0.5, 0.5), radius: float = 0.2, seed: int = 0
) -> np.ndarray:
    """Skin with a dark disc; centre and radius in shares of the side."""
    rng = np.random.default_rng(seed)
    texture = cv2.GaussianBlur(rng.normal(0, 30, (SIDE, SIDE)), (0, 0), 1)
    rows, columns = (np.mgrid[:SIDE, :SIDE] + 0.5) / SIDE
    disc = np.hypot(rows - centre[0], columns - centre[1]) < radius
    colour = np.where(disc[..., None], (110, 70, 55), (205, 160, 140))
    return np.clip(colour + texture[..., None], 0, 255).astype(np.uint8)


def verdict_on(rgb: np.ndarray) -> Verdict:
    return judge(assess(rgb), study(rgb))


def failed(rgb: np.ndarray) -> tuple[str, ...]:
    return verdict_on(rgb).failed


def strokes(rgb: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    marked = rgb.copy()
    for start, end in (((10, 20), (60, 24)), ((14, 40), (58, 12)), ((180, 200), (215, 205))):
        cv2.line(marked, start, end, colour, 8)
    return marked


def ruled(rgb: np.ndarray) -> np.ndarray:
    marked = rgb.copy()
    cv2.line(marked, (20, 200), (205, 200), (30, 30, 30), 1)
    for i, x in enumerate(range(20, 206, 6)):
        cv2.line(marked, (x, 200), (x, 193 if i % 5 else 190), (30, 30, 30), 1)
    return marked


def spots(rgb: np.ndarray) -> np.ndarray:
    lit = rgb.copy()
    for x, y in ((40, 40), (170, 60), (60, 170), (180, 180), (112, 40)):
        cv2.circle(lit, (x, y), 9, (255, 255, 255), -1)
    return cv2.GaussianBlur(lit, (0, 0), 1)


def test_a_plain_photo_of_a_lesion_is_good_enough() -> None:
    verdict = verdict_on(photo())
    assert verdict.good
    assert verdict.failed == ()
    assert all(each.ok for each in verdict.findings)


@pytest.mark.parametrize(
    ("check", "spoilt"),
    [
        ("sharpness", cv2.GaussianBlur(photo(), (0, 0), 4)),
        ("not too dark", (photo() * 0.3).astype(np.uint8)),
        ("not too bright", np.clip(photo() * 0.1 + 226, 0, 249).astype(np.uint8)),
        ("not burnt out", np.clip(photo() * 2.2, 0, 255).astype(np.uint8)),
        ("no glare", spots(photo())),
        ("no colour cast", np.clip(photo() * [1.2, 1.0, 0.45], 0, 255).astype(np.uint8)),
        ("a lesion stands out", photo(radius=0)),
        ("lesion large enough", photo(radius=0.045)),
        ("lesion not cut off", photo(centre=(0.5, 0.05))),
        ("no ink or sticker", strokes(photo(), (92, 60, 140))),
        ("no ink or sticker", strokes(photo(), (60, 160, 150))),
        ("no ruler", ruled(photo())),
    ],
)
def test_each_fault_is_found_by_its_own_check(check: str, spoilt: np.ndarray) -> None:
    assert check in failed(spoilt)
    hint = next(each.hint for each in CHECKS if each.name == check)
    assert hint in verdict_on(spoilt).warnings


def test_dark_corners_do_not_make_a_lesion_seem_cut() -> None:
    rows, columns = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    falloff = 1 - 0.25 * (rows**2 + columns**2)
    assert "lesion not cut off" not in failed((photo() * falloff[..., None]).astype(np.uint8))


def test_straight_hairs_are_no_ruler() -> None:
    hairy = photo()
    for x in (30, 41, 60, 150, 158, 190):
        cv2.line(hairy, (x, 0), (x + 6, 223), (40, 30, 25), 1)
    assert "no ruler" not in failed(hairy)


def test_blue_lesions_are_no_ink() -> None:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    blue = photo()
    blue[np.hypot(rows - 112, columns - 112) < 45] = (60, 60, 110)
    assert "no ink or sticker" not in failed(blue)


def test_where_there_is_no_skin_nothing_is_asked_of_a_lesion() -> None:
    verdict = verdict_on(photo()[..., ::-1].copy())
    assert not verdict.skin_like
    assert [each.ok for each in verdict.findings if each.check.of_skin] == [None] * 6
    assert verdict.warnings[0].startswith("This does not look like")


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 9999), st.integers(0, 255))
def test_any_picture_can_be_judged(height: int, width: int, seed: int, level: int) -> None:
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, level + 1, (height, width, 3)).astype(np.uint8)
    for rgb in (noise, np.full((height, width, 3), level, np.uint8)):
        quality, subject = assess(rgb), study(rgb)
        for name, value in (asdict(quality) | asdict(subject)).items():
            assert np.isfinite(value), name
            assert not name.endswith("_share") or 0 <= value <= 1, name
        json.dumps(judge(quality, subject).to_dict(), allow_nan=False)


def test_every_limit_is_asked_and_every_check_has_its_limit_and_measure() -> None:
    assert {each.limit for each in CHECKS} == set(QualityThresholds.model_fields)
    plain, closer = ({each.name for each in fields(kind)} for kind in (Quality, Subject))
    assert {each.measure for each in CHECKS} == plain | closer
    assert {each.measure for each in CHECKS if not each.closer} == plain
    first = judge(assess(photo())).findings
    assert [each.check for each in first] == [each for each in CHECKS if not each.closer]
    assert len({each.name for each in CHECKS}) == len(CHECKS)


def test_thresholds_decide_and_refuse_what_cannot_be() -> None:
    strict = DEFAULT_THRESHOLDS.model_copy(update={"min_sharpness": 1e6})
    assert judge(assess(photo()), thresholds=strict).failed == ("sharpness",)
    with pytest.raises(ValidationError):
        QualityThresholds(max_ink_share=1.5)
    with pytest.raises(ValidationError):
        QualityThresholds(least_sharpness=3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    cv2.imwrite(str(tmp_path / "good.png"), photo()[..., ::-1])
    cv2.imwrite(str(tmp_path / "small, and cut.png"), photo(centre=(0.5, 0.05))[..., ::-1])
    return tmp_path


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["quality", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_the_command_speaks_in_words(folder: Path) -> None:
    code, out, _ = run(str(folder))
    assert code == 0
    assert "good.png: good enough" in out
    assert "small, and cut.png: doubtful" in out
    assert "The lesion is cut off at the edge" in out
    assert "not a medical device" in out


def test_json_and_csv_hold_what_was_measured(folder: Path) -> None:
    _, out, _ = run(str(folder), "--json")
    good, cut = json.loads(out)
    assert good["good"]
    assert not cut["good"]
    values = {each["name"]: each["value"] for each in cut["checks"]}
    measured = judge_file(folder / "small, and cut.png")
    assert judge_file(str(folder / "small, and cut.png")).warnings == measured.warnings
    # OpenCV sums with threads, in any order.
    assert [f.value for f in measured.findings] == pytest.approx(list(values.values()))
    assert [each["hint"] for each in good["checks"]] == [""] * len(CHECKS)
    _, out, _ = run(str(folder), "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["good"] for row in rows] == ["true", "false"]
    assert "lesion not cut off" in rows[1]["failed"]
    assert float(rows[1]["lesion_cut_share (share)"]) == pytest.approx(
        values["lesion not cut off"], 1e-4
    )


def test_an_unreadable_image_is_named_and_the_others_are_judged(folder: Path) -> None:
    (folder / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 torn")
    code, out, err = run(str(folder), "--json")
    assert code == 1
    assert "torn.jpg" in err
    assert [set(each) >= {"checks"} for each in json.loads(out)] == [True, True, False]


def test_small_and_large_photos_are_judged_alike(tmp_path: Path) -> None:
    large = cv2.resize(photo(), (1792, 1792), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(tmp_path / "large.jpg"), large[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    small, big = verdict_on(photo()), judge_file(tmp_path / "large.jpg")
    assert big.good
    for one, other in zip(small.findings, big.findings, strict=True):
        if one.check.measure in {"lesion_share", "brightness", "colour_cast"}:
            assert other.value == pytest.approx(one.value, rel=0.05)


def through_jpeg(rgb: np.ndarray, quality: int) -> np.ndarray:
    code = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(cv2.imdecode(code, cv2.IMREAD_COLOR)[..., ::-1])


@pytest.mark.parametrize("offset", [0, 3])
def test_strong_compression_is_seen_and_weak_is_not(offset: int) -> None:
    for seed in range(5):
        whole = photo(seed=seed)
        for quality, seen in ((10, True), (90, False)):
            found = through_jpeg(whole, quality)[offset:, offset:]
            assert ("no JPEG blocks" in failed(found)) is seen
        assert study(whole).blockiness < 2


def test_what_is_too_small_to_have_blocks_has_none() -> None:
    assert study(photo()[:20, :20]).blockiness == 1.0


def test_skin_in_blue_or_green_light_has_a_colour_cast_and_a_room_is_not_asked() -> None:
    for gains in ((0.5, 0.8, 1.5), (0.6, 1.3, 0.6)):
        lit = np.clip(photo() * np.array(gains), 0, 255).astype(np.uint8)
        found = verdict_on(lit)
        assert not found.skin_like
        assert "no colour cast" in found.failed
    room = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
    asked = {each.check.name: each.ok for each in verdict_on(room).findings}
    assert asked["no colour cast"] is None


def test_a_small_lesion_is_told_from_the_shading_of_the_skin() -> None:
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE
    for seed in range(5):
        angle = 2 * np.pi * seed / 5
        bumps = np.sin(9 * (np.cos(angle) * rows + np.sin(angle) * columns))
        shaded = (photo(radius=0.05, seed=seed) * (1 - 0.06 * (1 + bumps[..., None]))).astype(
            np.uint8
        )
        assert "lesion large enough" in failed(shaded)
        large = photo(radius=0.2, seed=seed) * (1 - 0.06 * (1 + bumps[..., None]))
        assert "lesion large enough" not in failed(large.astype(np.uint8))
