"""What an answer says, and which files a command means."""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lentigo.cli.predicting import predict
from lentigo.deploy.bundle import BundleInfo, Familiarity, Figure
from lentigo.deploy.engine import Engine
from lentigo.deploy.paths import expand
from lentigo.deploy.prediction import UNFAMILIAR, Prediction, describe, read_off
from lentigo.deploy.runtime import load_default
from lentigo.image.spec import PreprocessSpec
from lentigo.score.attention import heat
from lentigo.score.operating import OperatingPoint
from lentigo.taxonomy import BINARY, HAM10000, NOT_A_MEDICAL_DEVICE, Taxonomy, from_labels


def info(taxonomy: Taxonomy = HAM10000, *, leaky: bool = False) -> BundleInfo:
    return BundleInfo(
        name="toy",
        created_with={},
        network="none",
        taxonomy=taxonomy,
        spec=PreprocessSpec(size=32),
        temperature=1.0,
        operating_points=(
            OperatingPoint(name="sensitivity_0.80", target_sensitivity=0.8, threshold=0.5),
            OperatingPoint(name="sensitivity_0.95", target_sensitivity=0.95, threshold=0.1),
        ),
        attention="class-activation",
        intended_use="tests",
        limits="all",
        license="CC0",
        recipe_digest="a",
        data_digest="b",
        test_digest="c",
        leaky=leaky,
    )


def answer(*probability: float, taxonomy: Taxonomy = HAM10000, leaky: bool = False) -> Prediction:
    return read_off("spot.jpg", np.array(probability), info(taxonomy, leaky=leaky))


NEVUS = (0.05, 0.05, 0.05, 0.0, 0.1, 0.7, 0.05)


def test_malignant_classes_are_summed_and_held_against_each_threshold() -> None:
    prediction = answer(*NEVUS)
    assert prediction.top == "nv"
    assert prediction.top_probability == 0.7
    assert prediction.malignant_probability == pytest.approx(0.2)
    assert [reading.above for reading in prediction.readings] == [False, True]


def test_a_threshold_is_reached_at_its_own_value() -> None:
    assert answer(0.5, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0).readings[0].above


def test_a_taxonomy_without_malignant_classes_has_no_malignant_probability() -> None:
    prediction = answer(0.5, 0.5, taxonomy=from_labels("toy", {"a", "b"}, set()))
    assert prediction.malignant_probability is None
    assert prediction.readings == ()


def test_the_json_form_names_every_class_and_carries_the_notice() -> None:
    fields = json.loads(json.dumps(answer(*NEVUS).to_dict()))
    assert tuple(fields["probability"]) == HAM10000.codes
    assert fields["notice"] == NOT_A_MEDICAL_DEVICE
    assert fields["operating_points"][1] == {
        "name": "sensitivity_0.95",
        "target_sensitivity": 0.95,
        "threshold": 0.1,
        "above": True,
    }


def test_the_words_name_class_probability_thresholds_and_notice() -> None:
    text = describe(answer(*NEVUS), info())
    assert "labelled nv (melanocytic nevus): 70.0%" in text
    assert "melanoma): 20.0%" in text
    assert "below the threshold 50.0%, but so were 20% of malignant images" in text
    assert "above the threshold 10.0%, which 95% of malignant images reached" in text
    assert "answered by toy" in text
    assert NOT_A_MEDICAL_DEVICE in text


def test_the_words_hold_a_threshold_against_images_that_did_not_set_it() -> None:
    wanted = {0.80: Figure(value=0.7, low=0.61, high=0.78, n_groups=9), 0.95: None}
    metrics = {
        f"sensitivity.malignant.sensitivity_{share:.2f}": each or Figure(value=None, n_groups=0)
        for share, each in wanted.items()
    }
    told = info().model_copy(update={"metrics": metrics})
    text = describe(answer(*NEVUS), told)
    assert "but so were 20% of malignant images in validation and 30% [22, 39] in the test" in text
    assert (
        "above the threshold 10.0%, which 95% of malignant images reached in validation\n" in text
    )
    sure = describe(answer(0.9, 0, 0, 0, 0, 0.1, 0), told)
    assert (
        "which 80% of malignant images reached in validation and 70% [61, 78] in the test" in sure
    )


@pytest.mark.parametrize("malignant", [0.0, 0.0004, 0.3, 1.0])
def test_the_words_never_call_a_lesion_harmless(malignant: float) -> None:
    text = describe(answer(1 - malignant, malignant, taxonomy=BINARY), info(BINARY)).lower()
    # "benign" stands there as the name of a class of training images, and nowhere else.
    text = text.replace("labelled benign", "")
    for word in ("benign", "safe", "ignore", "harmless", "healthy", "normal", "no risk"):
        assert word not in text
    assert " 0.0%" not in text
    assert "100.0%" not in text


def recognising() -> BundleInfo:
    known = Familiarity(method="feature-residual", threshold=2.0, kept=0.95, images=100)
    return info().model_copy(update={"familiarity": known})


def recognised(score: float | None) -> Prediction:
    return read_off("spot.jpg", np.array(NEVUS), recognising(), unfamiliarity=score)


def test_an_unfamiliar_image_is_called_so_in_words_and_in_json() -> None:
    strange = recognised(2.5)
    text = describe(strange, recognising())
    assert "I do not recognise this as a lesion like those I was trained on." in text
    assert "5% of 100 validation images" in text
    assert "threshold" not in text
    assert strange.to_dict()["familiarity"] == {
        "score": 2.5,
        "threshold": 2.0,
        "unfamiliar": True,
        "message": UNFAMILIAR,
    }


def test_a_familiar_image_is_not_called_familiar_in_words() -> None:
    usual = recognised(2.0)
    assert "recognise" not in describe(usual, info())
    assert usual.to_dict()["familiarity"]["unfamiliar"] is False
    assert usual.to_dict()["familiarity"]["message"] is None


def test_a_bundle_that_states_no_threshold_says_nothing_of_familiarity() -> None:
    assert answer(*NEVUS).to_dict()["familiarity"] is None


def test_heat_shows_what_speaks_for_the_most_probable_class() -> None:
    maps = np.zeros((2, 2, 7), np.float32)
    maps[..., 5] = [[-3, 0], [1, 4]]
    prediction = read_off("spot.jpg", np.array(NEVUS), info(), attention=maps)
    assert prediction.heat is not None
    np.testing.assert_array_equal(prediction.heat, [[0, 0], [0.25, 1]])
    assert answer(*NEVUS).heat is None
    assert not heat(-maps[..., 5] * 0).any()


def test_a_leaky_model_says_so() -> None:
    assert "LEAKY" in describe(answer(*NEVUS, leaky=True), info(leaky=True))
    assert answer(*NEVUS, leaky=True).to_dict()["leaky"] is True
    assert answer(*NEVUS).to_dict()["leaky"] is False


@pytest.mark.parametrize("leaky", [True, False])
def test_a_table_of_answers_has_its_warnings_beside_it(
    leaky: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = load_default(threads=1)
    told = model.info.model_copy(update={"leaky": leaky})
    monkeypatch.setattr(type(model), "info", property(lambda _: told))
    monkeypatch.setattr("lentigo.deploy.runtime.load_default", lambda **_: model)
    monkeypatch.setattr("lentigo.deploy.paths.expand", lambda _: [tmp_path / "a"] * 2)
    monkeypatch.setattr(model, "predict_files", lambda *_, **__: iter([answer(*NEVUS)] * 2))
    predict(["a"], csv=True)
    table, beside = capsys.readouterr()
    assert table.splitlines()[0] == "image,akiec,bcc,bkl,df,mel,nv,vasc"
    assert len(table.splitlines()) == 3
    assert NOT_A_MEDICAL_DEVICE in beside
    assert ("LEAKY" in beside) is leaky
    assert "LEAKY" not in describe(answer(*NEVUS), info())


def test_the_words_say_how_common_malignant_lesions_are_taken_to_be() -> None:
    assert "assuming" not in describe(answer(*NEVUS), info())
    # akiec, bcc and mel are malignant.
    mixture = (0.1, 0.05, 0.2, 0.05, 0.2, 0.35, 0.05)
    text = describe(answer(*NEVUS), info().model_copy(update={"mixture": mixture}))
    assert "20.0%, assuming that 35.0% of all lesions are malignant" in text


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in ("b.jpg", "a.PNG", "notes.txt", ".hidden.jpg", "deep/c.jpeg", "odd[1].jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def test_a_folder_means_the_images_in_it_and_below(photos: Path) -> None:
    names = [str(path.relative_to(photos)) for path in expand([photos])]
    assert names == ["a.PNG", "b.jpg", "deep/c.jpeg", "odd[1].jpg"]


def test_photos_that_are_not_read_are_not_passed_over_in_a_folder(photos: Path) -> None:
    (photos / "phone.HEIC").write_bytes(b"x")
    (photos / ".thumbnails").mkdir()
    (photos / ".thumbnails" / "small.jpg").write_bytes(b"x")
    (photos / "link.jpg").symlink_to(photos / "gone.jpg")
    names = [path.name for path in expand([photos])]
    assert {"phone.HEIC", "link.jpg"} <= set(names)
    assert "small.jpg" not in names


def test_a_pattern_means_the_files_it_matches(photos: Path) -> None:
    assert expand([photos / "*.jpg"]) == [photos / "b.jpg", photos / "odd[1].jpg"]
    assert expand([f"{photos}/**/*.jpeg"]) == [photos / "deep" / "c.jpeg"]


def test_a_file_named_like_a_pattern_is_that_file(photos: Path) -> None:
    assert expand([photos / "odd[1].jpg"]) == [photos / "odd[1].jpg"]


def test_each_file_comes_once_in_the_order_given(photos: Path) -> None:
    given = [photos / "b.jpg", photos / "notes.txt", photos]
    assert [path.name for path in expand(given)] == [
        "b.jpg",
        "notes.txt",
        "a.PNG",
        "c.jpeg",
        "odd[1].jpg",
    ]


def test_what_names_nothing_stays_to_be_reported(tmp_path: Path) -> None:
    given = [tmp_path / "none.jpg", tmp_path / "*.png", tmp_path]
    assert expand(given) == given


def test_what_is_said_while_an_engine_is_made_is_not_lost(capfd: pytest.CaptureFixture) -> None:
    bundle = load_default(threads=1).bundle
    ended = threading.Event()

    def talk() -> int:
        lines = 0
        while not ended.is_set():
            os.write(2, b"photo.jpg: the file is empty.\n")
            lines += 1
        return lines

    with ThreadPoolExecutor() as pool:
        talking = pool.submit(talk)
        for _ in range(3):
            Engine(bundle, threads=1)
        ended.set()
        lines = talking.result()
    said = capfd.readouterr().err.splitlines()
    assert said == ["photo.jpg: the file is empty."] * lines
    assert lines > 3
