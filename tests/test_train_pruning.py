"""Pruning: the smallest weights become zero and stay so, in a run of its own."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from deploy_models import pictures, recipe
from lentigo.errors import InputError
from lentigo.model import build_model, prunable, prune_smallest
from lentigo.recipe import Network, parse_recipe
from lentigo.train import Run, train
from lentigo.train.pruning import prune, pruning_recipe
from small import SMALL, small_set

CHANGES = (
    "head.hidden=[128]",
    "output.prior_power=0.5",
    "stages.0.epochs=1",
    "stages.0.average_decay=0.9",
)


def zeros(variables: list[keras.Variable]) -> list[float]:
    return [float((np.asarray(v) == 0).mean()) for v in variables]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("pruning")
    return train(parse_recipe(SMALL, "tiny", CHANGES), small_set(folder), out=folder / "runs")


def test_the_smallest_weights_of_each_large_kernel_become_zero_and_stay_so() -> None:
    model = build_model(recipe(Network(name="MobileNetV2", alpha=0.35, size=64, weights="none")), 7)
    images = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3)).astype(np.float32)
    before = [np.abs(np.asarray(v)) for v in prunable(model)]
    prune_smallest(model, 0.75)
    masks = [np.asarray(v) != 0 for v in prunable(model)]
    for values, mask in zip(before, masks, strict=True):
        assert mask.mean() == pytest.approx(0.25, abs=1e-3)
        assert values[~mask].max() <= values[mask].min()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    kept = [np.asarray(v)[m] for v, m in zip(prunable(model), masks, strict=True)]
    model.fit(images, np.arange(8) % 7, epochs=2, batch_size=4, verbose=0)
    for variable, mask, values in zip(prunable(model), masks, kept, strict=True):
        after = np.asarray(variable)
        assert (after[~mask] == 0).all()
        assert not np.array_equal(after[mask], values), "the others learn"


def test_depthwise_kernels_and_the_last_layer_stay_whole() -> None:
    model = build_model(recipe(Network(name="MobileNetV2", alpha=0.35, size=64, weights="none")), 7)
    names = {variable.path for variable in prunable(model)}
    assert names
    assert not [name for name in names if "depthwise" in name or "logits" in name]


def test_pruning_again_finds_the_same_masks() -> None:
    model = build_model(recipe(Network(name="MobileNetV2", alpha=0.35, size=64, weights="none")), 7)
    prune_smallest(model, 0.5)
    first = [np.asarray(v) for v in prunable(model)]
    prune_smallest(model, 0.5)
    assert all(map(np.array_equal, first, [np.asarray(v) for v in prunable(model)]))


def test_an_epoch_of_before_a_stage_that_prunes_is_not_kept(tmp_path: Path) -> None:
    pruning = '[[stages]]\nname = "prune"\nepochs = 1\nsparsity = 0.95\nlearning_rate = 1e-9\n'
    recipe = parse_recipe(SMALL + pruning, "tiny", ("head.hidden=[128]", "stages.0.epochs=3"))
    run = train(recipe, small_set(tmp_path), out=tmp_path / "runs")
    scores = [row["val_balanced_accuracy"] for row in run.history()]
    assert max(scores[:-1]) > scores[-1], "else the test shows nothing"
    assert np.allclose(zeros(prunable(run.model)), 0.95, atol=5e-3)


def test_a_pruned_run_is_a_run_of_its_own_with_the_stated_zeros(run: Run) -> None:
    before = (run.path / "model.keras").read_bytes()
    made = prune(run, 0.8, epochs=2)
    assert made.path.parent == run.path.parent
    assert made.path != run.path
    assert (run.path / "model.keras").read_bytes() == before
    assert np.allclose(zeros(prunable(made.model)), 0.8, atol=2e-3)
    assert max(zeros(prunable(run.model))) < 0.01
    assert made.recipe().stages[0].sparsity == 0.8
    assert prune(run, 0.8, epochs=2).info == made.info, "a finished one is returned as it is"


def test_pruning_begins_with_the_whole_classifier(run: Run) -> None:
    made = prune(run, 0.001, epochs=1)
    stage = pruning_recipe(run, 0.001, 1).stages[0]
    assert stage.average_decay == 0
    images = pictures(8)[:, :32, :32]
    assert (
        np.corrcoef(made.predict_logits(images).ravel(), run.predict_logits(images).ravel())[0, 1]
        > 0.9
    )


@pytest.mark.parametrize(("share", "epochs"), [(0, 1), (1, 1), (1.5, 1), (-0.1, 1), (0.5, 0)])
def test_a_sparsity_that_cannot_be_is_refused(run: Run, share: float, epochs: int) -> None:
    with pytest.raises(InputError, match="cannot be"):
        prune(run, share, epochs=epochs)
