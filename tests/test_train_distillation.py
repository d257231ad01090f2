"""Learning from finished runs: what they say counts, what they saw is checked."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from lentigo.data.prepare import prepare
from lentigo.data.prepared import PreparedSet
from lentigo.errors import LeakageError, RecipeError
from lentigo.model import Distilled, Teachers, beside_teachers, build_model
from lentigo.recipe import Recipe, parse_recipe
from lentigo.score.calibration import softmax
from lentigo.train import Progress, Run, open_run, train
from lentigo.train.lineage import follow_runs
from lentigo.train.teachers import open_teachers
from small import TINY, KilledError, history, small_set


def recipe(*teachers: object, name: str = "tiny", weight: float = 0.5) -> Recipe:
    text = TINY.replace("epochs = 3", "epochs = 1").replace("epochs = 4", "epochs = 1")
    text = text.replace("cached_views = 2\n", "")
    if teachers:
        named = ", ".join(f'"{each}"' for each in teachers)
        text += f"\n[distillation]\nteachers = [{named}]\nweight = {weight}\n"
    return parse_recipe(text, name, [f"name={name}"])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    return small_set(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def raw(data: PreparedSet) -> Path:
    return data.path.parent / "images"


@pytest.fixture(scope="module")
def teacher(data: PreparedSet, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(recipe(name="teacher"), data, out=tmp_path_factory.mktemp("runs"), fold=1)


def test_the_loss_is_that_of_labels_and_that_of_the_teacher() -> None:
    random = np.random.default_rng(0)
    z, taught = random.normal(size=(2, 6, 4))
    labels = np.eye(4)[random.integers(0, 4, 6)]
    hot = 3.0
    q = softmax(taught, hot)
    plain = keras.losses.CategoricalCrossentropy(from_logits=True, reduction="none")
    loss = Distilled(plain, 0.3, hot).call(
        keras.ops.convert_to_tensor(labels), keras.ops.convert_to_tensor(np.hstack([z, np.log(q)]))
    )
    of_labels = -(labels * np.log(softmax(z, 1.0))).sum(axis=1)
    of_teacher = -(q * np.log(softmax(z, hot))).sum(axis=1)
    np.testing.assert_allclose(loss, 0.7 * of_labels + 0.3 * hot**2 * of_teacher, rtol=1e-6)


def one_sided(run: Run, folder: Path, code: int) -> Run:
    """A copy of the run that answers one class whatever it sees."""
    shutil.copytree(run.path, folder)
    model = keras.saving.load_model(folder / "model.keras", compile=False)
    dense = model.get_layer("logits")
    bias = np.zeros(dense.units, np.float32)
    bias[code] = 6
    dense.set_weights([np.zeros(dense.kernel.shape, np.float32), bias])
    model.save(folder / "model.keras")
    return open_run(folder)


def test_teachers_are_heard_together_and_do_not_learn(
    data: PreparedSet, teacher: Run, tmp_path: Path
) -> None:
    other = one_sided(teacher, tmp_path / "other", 2)
    followed = follow_runs(recipe(teacher.path, other.path), data, 1)
    labels = data.labels[data.rows("train", 1)]
    teachers = open_teachers(followed, labels, 7)
    assert teachers is not None
    kept = [np.asarray(v) for v in teachers.variables]
    images = data.images[:5].astype(np.float32)
    student = build_model(followed, 7)
    both = np.asarray(beside_teachers(student, teachers)(images, training=True))
    # Both runs share the recipe's population, so their answers are heard as they are.
    heard = np.mean([softmax(run.predict_logits(images), 2.0) for run in (teacher, other)], axis=0)
    np.testing.assert_allclose(np.exp(both[:, 7:]), heard, atol=1e-5)
    assert kept
    assert not teachers.trainable_variables
    for before, after in zip(kept, teachers.variables, strict=True):
        np.testing.assert_array_equal(before, np.asarray(after))


def test_a_teacher_that_takes_other_shares_for_granted_teaches_the_same(
    data: PreparedSet, teacher: Run
) -> None:
    labels = data.labels[data.rows("train", 1)]
    followed = follow_runs(recipe(teacher.path), data, 1)
    adjusted = followed.model_copy(
        update={"loss": followed.loss.model_copy(update={"logit_adjustment": 1.0})}
    )
    plain = open_teachers(followed, labels, 7)
    shifted = open_teachers(adjusted, labels, 7)
    assert isinstance(plain, Teachers)
    assert isinstance(shifted, Teachers)
    images = data.images[:4].astype(np.float32)
    # With the adjustment the student's logits leave out the shares that weigh on the other's.
    apart = (np.asarray(shifted(images)) - np.asarray(plain(images))) * 2.0
    counts = np.bincount(labels, minlength=7)
    expected = -np.log(np.maximum(counts, 1) ** 0.5)
    found = (apart - apart[:, :1]).mean(axis=0)
    np.testing.assert_allclose(found, expected - expected[0], atol=1e-3)


def test_a_student_answers_as_it_was_taught(
    data: PreparedSet, teacher: Run, tmp_path: Path
) -> None:
    stubborn = one_sided(teacher, tmp_path / "stubborn", 4)
    wanted = recipe(stubborn.path, weight=1.0)
    head = wanted.stages[0].model_copy(update={"epochs": 4, "learning_rate": 0.05})
    wanted = wanted.model_copy(update={"stages": (head,)})
    student = train(wanted, data, out=tmp_path, fold=1)
    logits = student.predict_logits(data.images[data.rows("validation", 1)])
    assert (logits.argmax(axis=1) == 4).all()


def test_interrupted_it_reaches_the_same_history(
    data: PreparedSet, teacher: Run, tmp_path: Path
) -> None:
    def kill(progress: Progress) -> None:
        if progress.row is None and (progress.epoch, progress.step) == (2, 1):
            raise KilledError

    student = recipe(teacher.path)
    whole = train(student, data, out=tmp_path / "whole", fold=1)
    with pytest.raises(KilledError):
        train(student, data, out=tmp_path / "killed", fold=1, report=kill)
    resumed = train(student, data, out=tmp_path / "killed", fold=1)
    assert history(resumed.path) == history(whole.path)


def test_a_teacher_must_not_have_seen_what_is_held_out(data: PreparedSet, teacher: Run) -> None:
    with pytest.raises(LeakageError, match="held out"):
        follow_runs(recipe(teacher.path), data, 2)


def test_what_a_student_s_teachers_saw_counts_for_who_goes_on_from_it(
    data: PreparedSet, teacher: Run, tmp_path: Path
) -> None:
    student = train(recipe(teacher.path, name="pupil"), data, out=tmp_path, fold=1)
    again = recipe(name="again")
    network = again.network.model_copy(update={"weights": str(student.path)})
    follow_runs(again.model_copy(update={"network": network}), data, 1)
    with pytest.raises(LeakageError, match="held out"):
        follow_runs(again.model_copy(update={"network": network}), data, 0)


def test_a_teacher_of_another_size_answers_the_images_at_its_own(
    raw: Path, data: PreparedSet, teacher: Run, tmp_path: Path
) -> None:
    larger = prepare("phantom", raw, tmp_path / "larger", size=48, splits_of=data.path, workers=1)
    wanted = recipe(teacher.path)
    wide = wanted.network.model_copy(update={"size": 48})
    followed = follow_runs(wanted.model_copy(update={"network": wide}), larger, 1)
    teachers = open_teachers(followed, larger.labels[larger.rows("train", 1)], 7)
    assert teachers is not None
    images = larger.images[:5].astype(np.float32)
    smaller = keras.ops.image.resize(images, (32, 32), antialias=True)
    expected = softmax(teacher.predict_logits(np.asarray(smaller)), 2.0)
    np.testing.assert_allclose(np.exp(np.asarray(teachers(images))), expected, atol=1e-5)
    student = train(wanted.model_copy(update={"network": wide}), larger, out=tmp_path, fold=1)
    assert history(student.path).count("\n") == 1 + sum(stage.epochs for stage in wanted.stages)


def test_a_teacher_of_other_images_or_other_classes_is_refused(
    raw: Path, data: PreparedSet, teacher: Run, tmp_path: Path
) -> None:
    spec = data.spec.model_copy(update={"greyscale": True})
    grey = prepare("phantom", raw, tmp_path / "grey", spec=spec, splits_of=data.path, workers=1)
    with pytest.raises(RecipeError, match="prepared in another way"):
        follow_runs(recipe(teacher.path), grey, 1)
    fewer = data.taxonomy.model_copy(update={"classes": data.taxonomy.classes[:-1]})
    info = data.info.model_copy(update={"taxonomy": fewer})
    with pytest.raises(RecipeError, match="other classes"):
        follow_runs(recipe(teacher.path), dataclasses.replace(data, info=info), 1)


def test_cached_features_leave_teachers_nothing_to_see(teacher: Run) -> None:
    assert "cached_views = 2" in TINY
    with pytest.raises(RecipeError, match="distillation needs images"):
        parse_recipe(TINY + f'\n[distillation]\nteachers = ["{teacher.path}"]\n', "cached")
