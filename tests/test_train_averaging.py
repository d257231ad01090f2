"""Averages of a stage's weights: what is in them, and which may stand together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lentigo.data.prepared import PreparedSet
from lentigo.errors import RecipeError
from lentigo.recipe import parse_recipe
from lentigo.train import Progress
from lentigo.train.feeds import gather_material
from lentigo.train.loop import Training
from lentigo.train.state import values_of
from small import SMALL, KilledError, small_set

SWA = SMALL + "average_from = 2\nreestimate_batches = 2\n"
CHANGES = ("stages.0.epochs=4", "keep=last")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    return small_set(tmp_path_factory.mktemp("set"))


class Trained:
    """A training in ``folder`` and the weights that each of its epochs ended with."""

    def __init__(
        self,
        data: PreparedSet,
        folder: Path,
        kill: tuple[int, int] = (0, 0),
        changes: tuple[str, ...] = (),
    ) -> None:
        recipe = parse_recipe(SWA, "tiny", (*CHANGES, *changes))
        self._kill, self.ends = kill, list[list[NDArray[np.float32]]]()
        material = gather_material(recipe, data, 0, 0)
        self.training = Training(recipe, material, data.taxonomy.malignant, folder, self._told)
        self.training.to_the_end()

    def _told(self, progress: Progress) -> None:
        if progress.row is not None:
            self.ends.append(self.weights)
        elif (progress.epoch, progress.step) == self._kill:
            raise KilledError

    @property
    def weights(self) -> list[NDArray[np.float32]]:
        return values_of(self.training.model.trainable_variables)


@pytest.fixture(scope="module")
def trained(data: PreparedSet, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(data, tmp_path_factory.mktemp("checkpoint"))


def test_the_kept_weights_are_the_mean_of_the_epochs_from_the_stated_one_on(
    trained: Trained,
) -> None:
    assert len(trained.ends) == 4
    for kept, *ends in zip(trained.weights, *trained.ends[1:], strict=True):
        np.testing.assert_allclose(kept, np.mean(ends, axis=0), rtol=1e-5, atol=1e-6)
        assert not np.array_equal(ends[0], ends[2]), "training goes on from its own weights"


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_an_average_over_steps_leaves_the_training_as_it_is(
    data: PreparedSet, tmp_path: Path, precision: str
) -> None:
    neither = ("stages.0.average_from=0", "stages.0.epochs=3", f"precision={precision}")
    plain = Trained(data, tmp_path / "plain", changes=neither)
    averaged = Trained(data, tmp_path / "mean", changes=(*neither, "stages.0.average_decay=0.9"))
    for own, other in zip(averaged.ends, plain.ends, strict=True):
        assert all(map(np.array_equal, own, other))
    assert not any(map(np.array_equal, averaged.weights, averaged.ends[-1]))


def test_killed_while_the_mean_grows_it_reaches_the_same_mean_to_the_last_bit(
    data: PreparedSet, trained: Trained, tmp_path: Path
) -> None:
    with pytest.raises(KilledError):
        Trained(data, tmp_path, kill=(4, 1))
    resumed = Trained(data, tmp_path)
    assert len(resumed.ends) == 1
    assert all(map(np.array_equal, resumed.weights, trained.weights))
    assert resumed.training.standing.history == trained.training.standing.history


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("stages.0.average_decay=0.9", "two kinds of average"),
        ("stages.0.average_from=5", "past its last epoch"),
        ("stages.0.reestimate_batches=0", "needs reestimate_batches"),
    ],
)
def test_an_equal_average_that_cannot_be_is_refused(change: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        parse_recipe(SWA, "tiny", (*CHANGES, change))
