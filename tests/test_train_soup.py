"""The average of fine-tunings: what it is, which runs have one, and what it has seen."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lentigo.data.phantom import generate
from lentigo.data.prepare import prepare
from lentigo.data.prepared import PreparedSet
from lentigo.errors import InputError, LeakageError, RecipeError, RunError
from lentigo.files import digest_file
from lentigo.recipe import parse_recipe
from lentigo.score.calibration import softmax
from lentigo.train import NetworkRun, Run, open_run, train
from lentigo.train.lineage import follow_runs
from lentigo.train.pruning import pruning_recipe
from lentigo.train.soup import soup
from small import SMALL, small_set

VIEWS = ("output.views=2", "output.prior_power=0.5", "stages.0.reestimate_batches=9")


def trained(data: PreparedSet, out: Path, *changes: str, fold: int = 0) -> Run:
    return train(parse_recipe(SMALL, "tiny", (*VIEWS, *changes)), data, out=out, fold=fold)


def predictions(run: Run) -> pd.DataFrame:
    return pd.read_csv(run.path / "validation_predictions.csv", index_col=0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    return small_set(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def runs(data: PreparedSet, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    out = tmp_path_factory.mktemp("runs")
    return [trained(data, out), trained(data, out, "stages.0.learning_rate=1e-3")]


@pytest.fixture(scope="module")
def elsewhere(data: PreparedSet, tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    """Other people's images: no name is known to the runs."""
    folder = tmp_path_factory.mktemp("elsewhere")
    raw = generate(folder / "images", lesions=70, seed=5, size=64)
    for image in raw.rglob("PH_*"):
        image.rename(image.with_name(image.name.replace("PH_", "QH_")))
    for table in raw.rglob("*.csv"):
        text = table.read_text()
        for letter in "HLP":
            text = text.replace(f"P{letter}_", f"Q{letter}_")
        table.write_text(text)
    return prepare("phantom", raw, folder / "prepared", size=32, workers=1)


def test_the_weights_are_the_mean_and_the_statistics_fit_them(runs: list[Run]) -> None:
    made = soup([run.path for run in runs])
    assert isinstance(made, NetworkRun)
    models = [run.model for run in (made, *runs)]
    for mean, one, other in zip(*(model.trainable_variables for model in models), strict=True):
        np.testing.assert_allclose(mean, (np.asarray(one) + np.asarray(other)) / 2, rtol=1e-6)
    assert [each.sha256 for each in made.info.made_of] == [
        digest_file(run.path / "model.keras") for run in runs
    ]
    assert [each["name"] for each in made.describe()["mean_of"]] == [run.name for run in runs]
    assert made.operating_points
    mixtures = [run.calibration.mixture for run in (made, *runs)]
    np.testing.assert_allclose(mixtures[0], mixtures[1], atol=2e-6)
    assert soup([run.path for run in runs]).info == made.info, "a finished one is returned"
    assert pruning_recipe(made, 0.5, 1).soup is None


def test_the_mean_of_a_run_with_itself_answers_as_it_does(runs: list[Run]) -> None:
    made = soup([runs[0].path, runs[0].path])
    weights = [
        run.model.trainable_variables for run in (made, runs[0]) if isinstance(run, NetworkRun)
    ]
    assert all(np.array_equal(*pair) for pair in zip(*weights, strict=True))
    answers = [predictions(run).filter(like="logit_") for run in (made, runs[0])]
    assert (answers[0].index == answers[1].index).all()
    # The statistics come from other batches of the same few images.
    np.testing.assert_allclose(*map(softmax, map(np.asarray, answers)), atol=0.05)


def test_runs_of_other_shapes_classes_and_beginnings_are_told_at_once(
    runs: list[Run], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(runs[0].path, other)
    for name, before, after in (
        ("recipe.toml", "alpha = 1.0", "alpha = 2.0"),
        ("recipe.toml", "hidden = []", "hidden = [8]"),
        ("run.json", '"seed": 0', '"seed": 1'),
    ):
        text = (other / name).read_text()
        assert before in text
        (other / name).write_text(text.replace(before, after))
    with pytest.raises(RecipeError) as told:
        soup([runs[0].path, other])
    for words in ("network.alpha is 2.0, not 1.0", "head.hidden", "began from other weights"):
        assert words in str(told.value)
    with pytest.raises(InputError, match="two runs"):
        soup([runs[0].path])


def test_a_run_that_does_not_say_of_whom_it_speaks_is_refused(runs: list[Run]) -> None:
    said = runs[0].calibration
    assert said.stated_mixture(runs[0].path).sum() == pytest.approx(1, abs=1e-5)
    with pytest.raises(RunError, match="which population"):
        said.model_copy(update={"mixture": None}).stated_mixture(runs[0].path)


def test_what_any_of_them_saw_is_seen(
    data: PreparedSet, runs: list[Run], elsewhere: PreparedSet, tmp_path: Path
) -> None:
    seen = trained(data, tmp_path, fold=1)
    with pytest.raises(LeakageError, match="held out"):
        soup([runs[0].path, seen.path], out=tmp_path)
    made = soup([runs[0].path, seen.path], data=elsewhere, out=tmp_path)
    assert open_run(made.path).info.prepared_digest == elsewhere.digest
    for fold in (0, 1):
        going_on = parse_recipe(SMALL, "tiny", (f"network.weights={made.path}",))
        with pytest.raises(LeakageError, match="held out"):
            follow_runs(going_on, data, fold)
