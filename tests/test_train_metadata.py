"""Age, sex and site beside the image: what the numbers mean, who uses them, who refuses them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from lentigo.data.metadata import counts, meaning, nothing_known, vectors
from lentigo.data.prepared import PreparedSet
from lentigo.deploy.costs import costs
from lentigo.deploy.evaluating import evaluate
from lentigo.deploy.export import export
from lentigo.errors import LentigoError, RecipeError
from lentigo.model import (
    SHARE,
    Teachers,
    Watcher,
    beside_teachers,
    build_model,
    draw_parameters,
    mix,
    with_views,
)
from lentigo.recipe import Metadata, Recipe, load_recipe, parse_recipe
from lentigo.score.calibration import softmax
from lentigo.train import NetworkRun, Progress, train
from lentigo.train.feeding import EpochBatches
from lentigo.train.pruning import prune
from lentigo.train.sampling import told_metadata
from small import SMALL, KilledError, history, lentigo, small_set

COLUMNS = ("age", "sex", "site")
PEOPLE = pd.DataFrame(
    {
        "age": [70.0, np.nan, 50.0, 130.0],
        "sex": ["male", "", "Female", "other"],
        "site": ["back", "", "Acral", "left of the pond"],
    }
)


def recipe(*changes: str) -> Recipe:
    return parse_recipe(SMALL + "[metadata]\nunits = 4\n", "told", ["name=told", *changes])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    return small_set(tmp_path_factory.mktemp("phantom"))


@pytest.fixture(scope="module")
def run(data: PreparedSet, tmp_path_factory: pytest.TempPathFactory) -> NetworkRun:
    made = train(recipe("augmentation.mixup=0.5"), data, out=tmp_path_factory.mktemp("runs"))
    assert isinstance(made, NetworkRun)
    return made


def validation(data: PreparedSet) -> tuple[np.ndarray, pd.DataFrame]:
    rows = data.rows("validation", 0)
    return np.stack([data.images[row] for row in rows]), data.manifest.iloc[rows]


def test_every_place_is_named_and_what_is_not_known_has_a_place_of_its_own() -> None:
    places, found = meaning(COLUMNS), vectors(PEOPLE, COLUMNS)
    said = [{places[i]: value for i, value in enumerate(row) if value} for row in found.tolist()]
    unknown = {"age: not known": 1, "sex: not known": 1, "site: not known": 1}
    assert said == [
        {"age: (years - 50) / 20": 1, "sex: male": 1, "site: torso": 1},
        unknown,
        {"sex: female": 1, "site: palms/soles": 1},
        unknown,
    ]
    np.testing.assert_array_equal(found[1], nothing_known(COLUMNS))
    assert counts(PEOPLE, COLUMNS)["site"] == {"known": 2, "empty": 1, "outside": 1}
    assert counts(PEOPLE, COLUMNS)["age"] == {"known": 2, "empty": 1, "outside": 1}


@pytest.mark.parametrize(
    "words",
    [
        "abdomen acral back chest ear face foot genital hand neck scalp trunk",
        "arm forearm thigh nose lip",
        "anterior+torso posterior+torso lateral+torso torso head/neck palms/soles oral/genital",
        "upper+extremity lower+extremity",
    ],
    ids=["HAM10000", "PAD-UFES-20", "ISIC 2019 and 2020", "all"],
)
def test_the_sites_of_the_public_sets_are_in_the_vocabulary(words: str) -> None:
    table = pd.DataFrame({"site": [word.replace("+", " ") for word in words.split()]})
    assert counts(table, ["site"])["site"]["known"] == len(table)


def test_a_share_of_an_epoch_goes_without_whatever_was_drawn_before() -> None:
    known = np.repeat(vectors(PEOPLE[:1], COLUMNS), 4000, axis=0)
    told = told_metadata(known, Metadata(withheld=0.3), seed=1, epoch=2)
    without = (told == nothing_known(COLUMNS)).all(axis=1)
    assert without.mean() == pytest.approx(0.3, abs=0.03)
    np.testing.assert_array_equal(told[~without], known[~without])
    again = told_metadata(known, Metadata(withheld=0.3), seed=1, epoch=2)
    np.testing.assert_array_equal(again, told)
    assert (told_metadata(known, Metadata(withheld=0.3), seed=1, epoch=3) != told).any()


def test_mixed_images_bring_mixed_metadata_and_whole_ones_their_own() -> None:
    told = vectors(PEOPLE, COLUMNS)
    images = np.zeros((4, 8, 8, 3), np.uint8)
    parameters = draw_parameters(recipe("augmentation.mixup=1").augmentation, 8, 4, (0,))
    ones = np.ones(4, np.float32)
    batches = EpochBatches(
        images, np.arange(4), np.eye(4, dtype=np.float32), ones, parameters, 4, told
    )
    share = parameters[:, SHARE]
    assert (share < 1).any()
    np.testing.assert_array_equal(batches[0][0][2], mix(told, share))
    np.testing.assert_array_equal(batches.unmixed(0)[2], told)


def test_the_second_input_is_used_kept_and_evaluated(data: PreparedSet, run: NetworkRun) -> None:
    images, table = validation(data)
    kept = pd.read_csv(run.path / "validation_predictions.csv")
    logits = kept[[f"logit_{code}" for code in data.taxonomy.codes]].to_numpy()
    np.testing.assert_allclose(run.predict_logits(images, table), logits, atol=1e-5)
    assert np.abs(run.predict_logits(images) - logits).max() > 1e-3
    silent = table.assign(age=np.nan, sex="", site="")
    np.testing.assert_array_equal(run.predict_logits(images, silent), run.predict_logits(images))
    second = run.info.metadata
    assert second is not None
    assert second.places == meaning(COLUMNS)
    assert second.training["sex"]["known"] == run.info.training_images
    done = evaluate(run, data, split="validation")
    asked = pd.read_csv(done.path / "predictions.csv")[list(data.taxonomy.codes)]
    np.testing.assert_allclose(asked, kept[list(data.taxonomy.codes)], atol=1e-6)
    assert any("was told age (known of" in each for each in done.cautions)


def test_killed_with_metadata_it_reaches_the_same_history_to_the_last_bit(
    data: PreparedSet, run: NetworkRun, tmp_path: Path
) -> None:
    def kill(progress: Progress) -> None:
        if progress.row is None and (progress.epoch, progress.step) == (2, 2):
            raise KilledError

    with pytest.raises(KilledError):
        train(run.recipe(), data, out=tmp_path, report=kill)
    resumed = train(run.recipe(), data, out=tmp_path).path
    assert history(resumed) == history(run.path)
    kept = "validation_predictions.csv"
    assert (resumed / kept).read_bytes() == (run.path / kept).read_bytes()


def test_jax_trains_what_either_backend_answers_with(data: PreparedSet, tmp_path: Path) -> None:
    pytest.importorskip("jax", reason="jax is not installed")
    path = tmp_path / "told.toml"
    path.write_text(SMALL + "[metadata]\n[output]\nviews = 2\n", encoding="utf-8")
    changes = ("--set", "stages.0.epochs=1", "--data", data.path, "--out", tmp_path)
    lentigo("train", path, *changes, KERAS_BACKEND="jax")
    (made,) = (each.parent for each in tmp_path.glob("*/run.json"))
    codes = list(data.taxonomy.codes)
    sealed = pd.read_csv(made / "validation_predictions.csv")[codes]
    asked = pd.read_csv(evaluate(made, data, split="validation").path / "predictions.csv")[codes]
    np.testing.assert_allclose(asked, sealed, atol=1e-4)


@pytest.mark.parametrize("views", [1, 2])
def test_metadata_adds_to_the_logits_and_leaves_the_maps(views: int, tmp_path: Path) -> None:
    with_views(build_model(recipe(), 3), views).save(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    random = np.random.default_rng(0)
    images = random.integers(0, 255, (5, 32, 32, 3), dtype=np.uint8)
    seen = Watcher(model).see(images)
    told = np.repeat(nothing_known(COLUMNS)[None], 5, axis=0)
    np.testing.assert_allclose(model.predict_on_batch([images, told]), seen.logits, atol=1e-5)
    # What is left of the logits is the same for all: the say of metadata that is not there.
    rest = seen.logits - seen.maps.mean(axis=(1, 2))
    np.testing.assert_allclose(rest, np.tile(rest[:1], (5, 1)), atol=1e-4)
    hidden = build_model(recipe("head.hidden=[8]"), 3)
    assert Watcher(hidden).kind == "feature-mean"


def test_what_is_given_images_alone_refuses_such_a_run(data: PreparedSet, run: NetworkRun) -> None:
    student = recipe(f'distillation={{teachers=["{run.path}"]}}')
    for refused in (
        lambda: export(run),
        lambda: costs([run.path]),
        lambda: prune(run, 0.5),
        lambda: train(student, data, out=run.path.parent),
    ):
        with pytest.raises(LentigoError, match="takes age, sex, site beside the image") as caught:
            refused()
        assert "without [metadata]" in str(caught.value.todo)
    assert [each.name for each in run.path.parent.iterdir()] == [run.name]


def test_teachers_beside_a_network_with_metadata_see_the_image_alone() -> None:
    student, teacher = build_model(recipe(), 3), build_model(parse_recipe(SMALL, "plain"), 3)
    both = beside_teachers(student, Teachers([teacher], [np.zeros(3)], 1.0))
    images = np.random.default_rng(0).integers(0, 255, (4, 32, 32, 3), dtype=np.uint8)
    told = vectors(PEOPLE, COLUMNS)
    logits, taught = np.split(both.predict_on_batch([images, told]), 2, axis=1)
    np.testing.assert_allclose(logits, student.predict_on_batch([images, told]), atol=1e-5)
    spoken = softmax(teacher.predict_on_batch(images), 1.0)
    np.testing.assert_allclose(np.exp(taught), spoken, atol=1e-5)


def test_runs_with_metadata_have_a_mean_and_others_have_none_with_them(
    data: PreparedSet, run: NetworkRun, tmp_path: Path
) -> None:
    named = f'soup={{runs=["{run.path}", "{run.path}"]}}'
    mean = train(recipe(named), data, out=tmp_path)
    images, table = validation(data)
    told = run.predict_logits(images, table)
    np.testing.assert_allclose(mean.predict_logits(images, table), told, atol=1e-4)
    with pytest.raises(RecipeError, match=r"metadata is .*, not None"):
        train(parse_recipe(SMALL, "plain", [named]), data, out=tmp_path)


def test_recipes_that_cannot_carry_metadata_say_so() -> None:
    cached = ["stages.0.train=head", "stages.0.cached_views=1"]
    with pytest.raises(RecipeError, match="metadata needs images, which"):
        recipe(*cached)
    with pytest.raises(RecipeError, match=r"beside .classic. these say nothing: .*metadata"):
        recipe("classic.folds=3")
    with pytest.raises(RecipeError, match="names a column twice"):
        recipe('metadata.columns=["age", "age"]')
    with pytest.raises(RecipeError, match=r"metadata\.columns"):
        recipe('metadata.columns=["skin_tone"]')


def test_a_column_that_no_training_image_knows_is_refused(
    data: PreparedSet, tmp_path: Path
) -> None:
    silent = replace(data, manifest=data.manifest.assign(site="somewhere"))
    with pytest.raises(RecipeError, match="has a known site") as caught:
        train(recipe(), silent, out=tmp_path)
    assert 'metadata.columns=["age", "sex"]' in str(caught.value.todo)
    assert not list(tmp_path.iterdir())


def test_the_variant_is_the_recipe_that_ships_with_metadata_and_nothing_else() -> None:
    plain, told = load_recipe("lentigo-small"), load_recipe("lentigo-metadata")
    assert told.metadata == Metadata()
    prose = {name: getattr(plain, name) for name in ("name", "title", "command", "notes")}
    assert told.model_copy(update={**prose, "metadata": None}) == plain
    assert told.digest != plain.digest
