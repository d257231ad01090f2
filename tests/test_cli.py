"""The command line: exit codes, both forms of output, and the whole path once."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from lentigo.cli import preparing
from lentigo.data.phantom import generate
from small import SMALL, lentigo
from web_server import photo


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything the path leaves behind: images, prepared set, run, evaluation, bundle."""
    folder = tmp_path_factory.mktemp("work")
    generate(folder / "images", lesions=70, seed=0, size=64)
    (folder / "tiny.toml").write_text(SMALL)
    data = ("--data", folder / "prepared")
    lentigo("prepare", "phantom", folder / "images", "--out", folder / "prepared", "--size", 32)
    lentigo("train", folder / "tiny.toml", *data, "--out", folder / "runs", "--json")
    run = next(path.parent for path in (folder / "runs").glob("*/run.json"))
    lentigo("evaluate", run, *data, "--replicates", 100)
    lentigo("export", run, "--quant", "float32", "--out", folder / "tiny.tflite")
    return folder


def test_the_whole_path_leaves_its_files(work: Path) -> None:
    run = next(path.parent for path in (work / "runs").glob("*/run.json"))
    metrics = json.loads((run / "evaluation/test/metrics.json").read_text())
    for name in ("accuracy", "balanced_accuracy", "roc_auc.star", "roc_auc.macro", "f1"):
        assert {"value", "low", "high", "n_groups"} <= set(metrics[name])
    for name in ("predictions.csv", "confusion.csv", "report.html"):
        assert (run / "evaluation/test" / name).stat().st_size > 0
    assert len((run / "test_access.jsonl").read_text().splitlines()) == 1
    assert (work / "test_access.jsonl").is_file()


def test_a_bundle_is_evaluated_like_its_run_and_scores_the_same(work: Path) -> None:
    out, _ = lentigo(
        "evaluate", work / "tiny.tflite", "--data", work / "prepared", "--json",
        "--out", work / "of-bundle", "--replicates", 100,
    )  # fmt: skip
    run = next(path.parent for path in (work / "runs").glob("*/run.json"))
    of_run = json.loads((run / "evaluation/test/metrics.json").read_text())
    of_bundle = json.loads(out)["metrics"]
    for name in ("accuracy", "roc_auc.macro", "brier_score"):
        assert of_bundle[name]["value"] == pytest.approx(of_run[name]["value"], abs=1e-4)
    told = json.loads(out)
    assert Path(told["report"]).is_file()
    assert told["images"] >= told["groups"] > 0
    assert "not a medical device" in told["notice"]


def test_predict_answers_in_words_json_and_csv(work: Path) -> None:
    photos = sorted((work / "images").rglob("*.jpg"))[:3]
    model = ("--model", work / "tiny.tflite")
    words, _ = lentigo("predict", photos[0], *model)
    assert "not a medical device" in words
    answers = json.loads(lentigo("predict", *photos, *model, "--json")[0])
    assert [each["image"] for each in answers] == [str(photo) for photo in photos]
    assert sum(answers[0]["probability"].values()) == pytest.approx(1)
    table = list(csv.DictReader(io.StringIO(lentigo("predict", *photos, *model, "--csv")[0])))
    assert list(table[0]) == ["image", *answers[0]["probability"]]
    for row, answer in zip(table, answers, strict=True):
        for code, value in answer["probability"].items():
            assert float(row[code]) == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("folder", ["sets", "my sets", "it's; mine"])
def test_what_comes_next_can_be_pasted_into_a_shell(
    folder: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("lentigo.data.download.download", lambda *_, **__: tmp_path / folder)
    preparing.download("ham10000", tmp_path / folder)
    *_, last = capsys.readouterr().out.splitlines()
    typed = ["lentigo", "prepare", "ham10000", str(tmp_path / folder), "--out", "prepared"]
    assert shlex.split(last.removeprefix("Next: ")) == typed


def test_an_unreadable_image_is_named_and_the_others_answered(work: Path, tmp_path: Path) -> None:
    photo = next((work / "images").rglob("*.jpg"))
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(photo.read_bytes()[:-100])
    out, err = lentigo("predict", broken, photo, "--model", work / "tiny.tflite", "--csv", code=1)
    assert "broken.jpg" in err
    assert len(out.splitlines()) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are text")
@pytest.mark.parametrize("form", ["--csv", "--json"])
def test_an_image_whose_name_is_no_text_is_answered(form: str, tmp_path: Path) -> None:
    Path(os.fsdecode(bytes(tmp_path) + b"/b\xff.jpg")).write_bytes(photo(100))
    out, _ = lentigo("predict", tmp_path, form, PYTHONIOENCODING="utf-8:strict")
    assert r"b\udcff.jpg" in out


@pytest.mark.skipif(sys.platform == "win32", reason="names there hold no control characters")
def test_a_name_that_would_steer_the_terminal_is_printed_as_escapes(tmp_path: Path) -> None:
    steering, shown = "\x1b[2J\x9b1m\u202e", r"\x1b[2J\x9b1m\u202e"
    for name, content in ((f"a{steering}.jpg", b"no image"), (f"b{steering}.jpg", photo(100))):
        (tmp_path / name).write_bytes(content)
    for command in ("predict", "quality"):
        out, err = lentigo(command, tmp_path, code=1)
        assert f"a{shown}.jpg" in err
        assert f"b{shown}.jpg" in out
        assert not set("\x1b\x9b\u202e") & set(out + err)
    _, err = lentigo("inspect", tmp_path / f"{steering}.tflite", code=2)
    assert f"{shown}.tflite does not exist" in err
    assert "\n  -> " in err


def test_resuming_a_finished_run_changes_nothing(work: Path) -> None:
    out, _ = lentigo(
        "train", work / "tiny.toml", "--data", work / "prepared", "--out", work / "runs", "--resume"
    )
    assert "Run:" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "no-such-recipe", "--data", "x"], "is not a recipe"),
        (["train", "lentigo-mobilenetv2", "--data", "nowhere"], "nowhere"),
        (["prepare", "no-such-source", ".", "--out", "x"], "no source"),
        (["prepare", "folder", "nowhere", "--out", "x"], "nowhere"),
        (["evaluate", "nowhere", "--data", "nowhere"], "nowhere"),
        (["export", "nowhere"], "nowhere"),
        (["predict", "nowhere.jpg", "--model", "nowhere.tflite"], "nowhere"),
        (["show", "nowhere"], "nowhere"),
        (["download", "folder", "--out", "x"], "folder"),
        (["train", "phantom-quick", "--data", "x", "--set", "head.activation=nonsense"], "head"),
    ],
)
def test_bad_input_says_what_is_wrong_and_exits_2(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _, err = lentigo(*arguments, code=2)
    assert said in err
    assert err.startswith("lentigo: ")


def test_a_file_where_a_folder_is_to_be_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    _, err = lentigo("download", "ham10000", "--out", tmp_path / "taken", code=2)
    assert f"{tmp_path / 'taken'} cannot be used: File exists." in err
    assert "\n  -> A file stands where a folder is to be: name another place." in err
    assert "Errno" not in err


def test_prepare_says_which_classes_count_as_malignant(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for label in ("Naevus", "Mélanome"):
        for i in range(6):
            path = tmp_path / "photos" / label / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), rng.integers(0, 256, (40, 40, 3), np.uint8))
    given = ("prepare", "folder", tmp_path / "photos", "--size", 32, "--folds", 2)
    said, _ = lentigo(*given, "--out", tmp_path / "a")
    assert "No class counts as malignant" in said
    said, _ = lentigo(*given, "--out", tmp_path / "b", "--malignant", "Mélanome")
    assert "Counted as malignant: Mélanome." in said
    told, _ = lentigo(*given, "--out", tmp_path / "b", "--malignant", "Mélanome", "--json")
    assert json.loads(told)["malignant"] == ["Mélanome"]


def test_every_listing_is_also_json() -> None:
    for listing in ("recipes", "networks", "sources"):
        rows = json.loads(lentigo(listing, "--json")[0])
        text, _ = lentigo(listing)
        assert all(row["name"] in text for row in rows)


def test_the_contact_sheet_shows_a_set_and_an_image(work: Path, tmp_path: Path) -> None:
    for what, options in (
        (work / "prepared", ["--rows", "3"]),
        (next((work / "images").rglob("*.jpg")), []),
    ):
        lentigo(
            "show", what, "--out", tmp_path / "sheet.png", "--recipe", "phantom-quick", *options
        )
        sheet = cv2.imread(str(tmp_path / "sheet.png"))
        assert np.ptp(sheet) > 100


def test_version_and_help() -> None:
    assert lentigo("--version")[0].strip().startswith("0.")
    assert "not a medical device" in lentigo("--help")[0]
