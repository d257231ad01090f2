"""A training goes on from a finished run that was through its first stages."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lentigo.data.prepared import PreparedSet
from lentigo.files import digest_file
from lentigo.recipe import Recipe, parse_recipe
from lentigo.train import Progress, Run, train
from lentigo.train.begun import Begun, find_begun
from lentigo.train.feeds import gather_material
from lentigo.train.loop import Training
from small import SMALL, KilledError, small_set

LONGER = (
    SMALL
    + """
[[stages]]
name = "slow"
epochs = 2
batch_size = 16
learning_rate = 3e-4
"""
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    return small_set(tmp_path_factory.mktemp("phantom"))


@pytest.fixture(scope="module")
def short() -> Recipe:
    return parse_recipe(SMALL, "short", ["keep=last"])


@pytest.fixture(scope="module")
def longer() -> Recipe:
    return parse_recipe(LONGER, "longer", ["keep=last", "name=longer"])


@pytest.fixture(scope="module")
def begun(
    data: PreparedSet, short: Recipe, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Run]:
    out = tmp_path_factory.mktemp("begun")
    return out, train(short, data, out=out)


@pytest.fixture(scope="module")
def whole(data: PreparedSet, longer: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(longer, data, out=tmp_path_factory.mktemp("whole"))


def epochs_of(recipe: Recipe, data: PreparedSet, out: Path) -> tuple[Run, list[int]]:
    epochs: list[int] = []

    def report(progress: Progress) -> None:
        if progress.row is not None:
            epochs.append(progress.epoch)

    return train(recipe, data, out=out, report=report), epochs


def found(recipe: Recipe, data: PreparedSet, out: Path) -> Begun | None:
    return find_begun(recipe, data, out, None, 0, 0)


def copied(begun: tuple[Path, Run], tmp_path: Path) -> Path:
    shutil.copytree(begun[0], tmp_path / "runs")
    return tmp_path / "runs"


def test_only_what_is_left_is_trained_and_nothing_comes_out_otherwise(
    data: PreparedSet, longer: Recipe, begun: tuple[Path, Run], whole: Run, tmp_path: Path
) -> None:
    again, epochs = epochs_of(longer, data, copied(begun, tmp_path))
    assert epochs == [3, 4]
    assert (again.path / "history.csv").read_text() == (whole.path / "history.csv").read_text()
    rows = data.rows("test")
    np.testing.assert_array_equal(
        again.predict_logits(data.images[rows]), whole.predict_logits(data.images[rows])
    )
    first = again.info.first_stages
    assert first is not None
    assert (first.name, first.sha256) == (begun[1].name, digest_file(begun[1].path / "model.keras"))
    assert again.info.epoch_seconds[:2] == begun[1].info.epoch_seconds
    assert again.info.seconds > begun[1].info.seconds
    assert whole.info.first_stages is None


def test_a_kill_after_it_forgets_nothing(
    data: PreparedSet, longer: Recipe, begun: tuple[Path, Run], whole: Run, tmp_path: Path
) -> None:
    out = copied(begun, tmp_path)

    def kill(progress: Progress) -> None:
        if progress.epoch == 4 and progress.step == 1:
            raise KilledError

    with pytest.raises(KilledError):
        train(longer, data, out=out, report=kill)
    shutil.rmtree(out / begun[1].name)
    again, epochs = epochs_of(longer, data, out)
    assert epochs == [4]
    assert again.info.first_stages is not None
    assert again.info.first_stages.name == begun[1].name
    assert (again.path / "history.csv").read_text() == (whole.path / "history.csv").read_text()


@pytest.mark.parametrize(
    ("changes", "seed", "fold"),
    [
        pytest.param([], 1, None, id="another seed"),
        pytest.param([], 0, 1, id="another fold"),
        pytest.param(["stages.0.learning_rate=1e-3"], 0, None, id="another first stage"),
        pytest.param(["augmentation.flip_horizontal=true"], 0, None, id="another augmentation"),
    ],
)
def test_what_differs_in_more_than_its_last_stages_begins_anew(
    data: PreparedSet,
    begun: tuple[Path, Run],
    tmp_path: Path,
    changes: list[str],
    seed: int,
    fold: int | None,
) -> None:
    recipe = parse_recipe(LONGER, "longer", ["keep=last", "name=longer", *changes])
    out = copied(begun, tmp_path)
    assert find_begun(recipe, data, out, None, fold or 0, seed) is None


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(["keep=best"], id="the best epoch"),
        pytest.param(["keep=last", "output.prior_power=0.5"], id="given back of the prior"),
        pytest.param(
            ["keep=last", "stages.0.average_from=1", "stages.0.reestimate_batches=2"],
            id="an average",
        ),
    ],
)
def test_a_model_that_is_not_where_its_last_stage_ended_is_not_gone_on_from(
    data: PreparedSet, tmp_path: Path, changes: list[str]
) -> None:
    train(parse_recipe(SMALL, "short", changes), data, out=tmp_path)
    run = train(parse_recipe(LONGER, "longer", changes), data, out=tmp_path)
    assert run.info.first_stages is None


@pytest.mark.parametrize(
    ("file", "left"),
    [
        ("run.json", 100),
        ("calibration.json", 2),
        ("calibration.json", None),
        ("history.csv", None),
        ("history.csv", 120),
        ("model.keras", None),
        ("model.keras", 1000),
    ],
)
def test_a_damaged_run_beside_it_is_passed_over(
    data: PreparedSet,
    longer: Recipe,
    begun: tuple[Path, Run],
    tmp_path: Path,
    file: str,
    left: int | None,
) -> None:
    out = copied(begun, tmp_path)
    damaged = out / begun[1].name / file
    if left is None:
        damaged.unlink()
    else:
        damaged.write_bytes(damaged.read_bytes()[:left])
    assert found(longer, data, out) is None


def test_a_run_that_another_teacher_taught_is_passed_over(
    data: PreparedSet, begun: tuple[Path, Run], tmp_path: Path
) -> None:
    teacher = tmp_path / "teacher"
    shutil.copytree(begun[1].path, teacher)
    changes = ["keep=last", f'distillation.teachers=["{teacher / "model.keras"}"]']
    out = tmp_path / "runs"
    train(parse_recipe(SMALL, "short", changes), data, out=out)
    longer = parse_recipe(LONGER, "longer", changes)
    assert found(longer, data, out) is not None
    other = train(parse_recipe(SMALL, "short", ["keep=last"]), data, out=tmp_path / "o", seed=1)
    (other.path / "model.keras").replace(teacher / "model.keras")
    assert found(longer, data, out) is None


def test_what_no_longer_fits_the_network_is_not_taken(
    data: PreparedSet, longer: Recipe, begun: tuple[Path, Run], tmp_path: Path
) -> None:
    left = found(longer, data, begun[0])
    assert left is not None
    left = replace(left, values=[*left.values[:-1], np.zeros(3)])
    material = gather_material(longer, data, 0, 0)
    training = Training(
        longer, material, data.taxonomy.malignant, tmp_path, lambda _: None, begun=left
    )
    assert training.standing.epoch == 0


def test_restart_begins_anew(
    data: PreparedSet, longer: Recipe, begun: tuple[Path, Run], tmp_path: Path
) -> None:
    run = train(longer, data, out=copied(begun, tmp_path), restart=True)
    assert run.info.first_stages is None
