"""Training on a share of the lesions: whole ones, nested, and said so."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from lentigo.data.prepared import PreparedSet
from lentigo.recipe import Sampling, parse_recipe
from lentigo.train import train
from lentigo.train.features import training_rows
from lentigo.train.sampling import used_rows
from small import TINY, small_set


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    return small_set(tmp_path_factory.mktemp("set"))


def rows_of(data: PreparedSet, share: float, seed: int = 0) -> set[int]:
    return set(used_rows(data, Sampling(groups=share), fold=1, seed=seed).tolist())


def test_a_smaller_share_is_part_of_a_larger_one_and_keeps_lesions_whole(data: PreparedSet) -> None:
    whole = data.rows("train", 1)
    shares = [rows_of(data, share) for share in (0.1, 0.3, 0.6, 1.0)]
    assert shares[-1] == set(whole.tolist())
    groups = data.manifest["group_id"].to_numpy()
    for less, more in itertools.pairwise(shares):
        assert less < more
    for rows in shares:
        inside = set(groups[sorted(rows)])
        outside = set(groups[sorted(set(whole.tolist()) - rows)])
        assert not inside & outside
        assert set(data.labels[sorted(rows)]) == set(data.labels[whole])
    assert rows_of(data, 0.3, seed=1) != rows_of(data, 0.3)


def test_a_run_says_how_many_images_it_used(data: PreparedSet, tmp_path: Path) -> None:
    fewer = ["sampling.groups=0.4", "stages.0.epochs=1", "stages.1.epochs=1"]
    recipe = parse_recipe(TINY, "tiny", fewer)
    run = train(recipe, data, out=tmp_path, fold=1, seed=2)
    used = used_rows(data, recipe.sampling, fold=1, seed=2)
    assert run.info.training_images == len(used) < len(data.rows("train", 1))
    np.testing.assert_array_equal(training_rows(run, data), used)
    assert recipe.digest != parse_recipe(TINY, "tiny", fewer[1:]).digest
