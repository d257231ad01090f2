"""A training goes on from a finished run that was through its first stages."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from lentigo.data.prepared import PreparedSet
from lentigo.files import digest_file
from lentigo.recipe import Recipe, parse_recipe
from lentigo.train import Progress, Run, train
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
    run = train(recipe, data, out=copied(begun, tmp_path), seed=seed, fold=fold)
    assert run.info.first_stages is None


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


def test_a_damaged_run_beside_it_is_passed_over(
    data: PreparedSet, longer: Recipe, begun: tuple[Path, Run], tmp_path: Path
) -> None:
    out = copied(begun, tmp_path)
    (out / begun[1].name / "calibration.json").write_text("{}")
    assert train(longer, data, out=out).info.first_stages is None
