"""One training on two devices gives what it gives on one, whatever the batch size."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from lentigo.data.phantom import generate
from lentigo.data.prepare import prepare
from lentigo.errors import InputError
from lentigo.train.devices import devices, divisible, spread
from small import lentigo

RECIPE = """
name = "two-devices"
title = "t"
[network]
name = "tiny_network:build"
weights = "none"
size = 32
[[stages]]
name = "all"
epochs = 2
batch_size = {batch}
batch_norm = "{norm}"
"""


def trained(
    data: Path, folder: Path, count: int, batch: int, norm: str
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the history and of the validation logits."""
    recipe, out = folder / f"{batch}.toml", folder / f"{count}-{batch}"
    recipe.write_text(RECIPE.format(batch=batch, norm=norm), encoding="utf-8")
    # Every device of the same kind of threads, so that only their number differs.
    flags = "--xla_force_host_platform_device_count=2"
    lentigo(
        *("train", recipe, "--devices", count, "--data", data, "--out", out),
        KERAS_BACKEND="jax",
        XLA_FLAGS=flags,
    )
    (run,) = out.iterdir()
    return tuple(
        np.array([[float(v) for k, v in row.items() if wanted(k)] for row in rows(run / name)])
        for name, wanted in (
            ("history.csv", lambda key: key in {"loss", "val_loss", "val_accuracy"}),
            ("validation_predictions.csv", lambda key: key.startswith("logit_")),
        )
    )


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("jax", reason="jax is not installed")
    folder = tmp_path_factory.mktemp("phantom")
    raw = generate(folder / "raw", lesions=61, seed=0, size=48)
    return prepare("phantom", raw, folder / "set", size=32, workers=1).path


# With 15, each batch gets one image of weight zero, which trained batch norm would see.
@pytest.mark.parametrize(("batch", "norm"), [(16, "train"), (15, "frozen")])
def test_two_devices_give_the_result_of_one_within_rounding(
    data: Path, tmp_path: Path, batch: int, norm: str
) -> None:
    one, two = (trained(data, tmp_path, count, batch, norm) for count in (1, 2))
    for alone, together in zip(one, two, strict=True):
        np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-4)


def test_without_several_devices_nothing_is_filled() -> None:
    assert devices() == 1
    assert divisible(15) == 15


def test_more_devices_than_there_are_are_refused() -> None:
    with pytest.raises(InputError, match="cannot be used"), spread(64):
        pass
