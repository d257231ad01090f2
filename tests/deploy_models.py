"""Small networks, a run and its prepared set, for the tests of deploy."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lentigo.data.prepared import PreparedInfo, PreparedSet
from lentigo.deploy.export import QUANTIZATIONS
from lentigo.deploy.job import ConversionJob, Converted
from lentigo.files import read_json, write_json, write_text
from lentigo.image.spec import PreprocessSpec
from lentigo.model import Sight, batch_norms, build_model, with_views
from lentigo.recipe import Head, Network, Recipe, Stage, to_toml
from lentigo.taxonomy import HAM10000
from lentigo.train.info import RunInfo
from lentigo.train.seal import seal

SIZE, IMAGES = 96, 48
# How far off the maps of the tiny networks are said to be.
SIGHT = Sight(0.25, -0.4)
WEIGHTS = Path(__file__).parents[2] / "shared/weights/mobilenet_v2_0.35_224_no_top.weights.h5"
NETWORK = Network(
    name="MobileNetV2",
    alpha=0.35,
    size=SIZE,
    weights=str(WEIGHTS) if WEIGHTS.is_file() else "none",
)
OWN_NETWORK = """
import keras

@keras.saving.register_keras_serializable(package="own")
class Halve(keras.layers.Layer):
    def call(self, x):
        return x / 2

def tiny(input_shape, alpha):
    image = keras.Input(input_shape)
    x = keras.layers.Conv2D(8, 3, strides=8, activation="silu")(Halve()(image))
    return keras.Model(image, x)
"""


def recipe(network: Network = NETWORK, precision: str = "float32", **head: Any) -> Recipe:
    return Recipe(
        name="toy",
        title="Toy",
        network=network,
        head=Head(**head),
        stages=(Stage(epochs=1),),
        precision=precision,  # type: ignore[arg-type]
    )


def pictures(count: int, seed: int = 0) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 6, 6, 3), np.uint8)
    return np.stack([cv2.resize(each, (SIZE, SIZE)) for each in coarse])


def prepared_set(path: Path) -> PreparedSet:
    labels = [HAM10000.codes[i % 7] for i in range(IMAGES)]
    manifest = pd.DataFrame(
        {
            "image_id": [f"image_{i}" for i in range(IMAGES)],
            "license": "CC BY-NC 4.0",
            "label": labels,
            "split": ["test" if i < 8 else "train" for i in range(IMAGES)],
            "fold": [-1 if i < 8 else i % 2 for i in range(IMAGES)],
        }
    )
    # Only what export reads; the data floor's own tests hold the rest.
    info = PreparedInfo.model_construct(
        spec=PreprocessSpec(size=SIZE),
        taxonomy=HAM10000,
        protocol="leak-free",
        leaky=False,
        folds=2,
        digest="d" * 64,
        test_digest="t" * 64,
    )
    return PreparedSet(path, info, manifest, pictures(IMAGES), {})


@dataclass(frozen=True)
class Trained:
    """A run folder, the set that made it, and its network."""

    run: Path
    data: PreparedSet
    model: keras.Model


def enliven(model: keras.Model, images: NDArray[np.uint8] | None = None) -> None:
    """Give random weights statistics of their own; with those they begin with, fifty layers
    shrink every picture to the same answer."""
    norms = batch_norms(model)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    images = pictures(IMAGES) if images is None else images
    model(images.astype(np.float32), training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def train_nothing(path: Path) -> Trained:
    """A finished run at ``path`` whose network was never trained."""
    data = prepared_set(path.parent / "prepared")
    keras.utils.set_random_seed(1)
    model = build_model(recipe(), 7)
    if NETWORK.weights == "none":
        enliven(model)
    path.mkdir()
    model.save(path / "model.keras")
    write_text(path / "recipe.toml", to_toml(recipe()))
    rows = data.rows("validation", fold=0)
    seal(path, data, rows, np.asarray(model.predict_on_batch(data.images[rows])))
    info = RunInfo(
        name="toy-run",
        recipe="toy",
        recipe_digest=recipe().digest,
        seed=0,
        fold=0,
        protocol="leak-free",
        leaky=False,
        source="toy",
        prepared_path=str(data.path),
        prepared_digest=data.digest,
        test_digest=data.test_digest,
        taxonomy=HAM10000,
        spec=data.spec,
        training_images=20,
        validation_images=len(rows),
        parameters=1,
        weights_sha256=None,
        best_epoch=0,
        seconds=1.0,
        environment={"keras": keras.version()},
    )
    write_json(path / "run.json", info.model_dump(mode="json"))
    return Trained(path, data, model)


@dataclass(frozen=True)
class Graphs:
    """What one converter process made of several models."""

    made: dict[str, Converted]
    models: dict[str, keras.Model]


def convert_all(trained: Trained, own_network: str, folder: Path) -> Graphs:
    """One process converts everything: starting TensorFlow is what takes the time."""
    np.save(folder / "images.npy", pictures(20, seed=5))
    tiny = Network(name=own_network, size=SIZE, weights="none")
    models = {
        "hidden": build_model(recipe(tiny, hidden=(5,)), 7),
        "pool2x2": build_model(recipe(tiny, kind="pool2x2-flatten"), 7),
        "two": build_model(recipe(tiny, single_logit=True), 2),
        "mixed": build_model(recipe(tiny, precision="mixed_float16"), 7),
        "views": with_views(build_model(recipe(tiny), 7), 8),
    }
    jobs = [("float32", trained.run / "model.keras", quant) for quant in QUANTIZATIONS]
    jobs = [(quant, path, quant) for _, path, quant in jobs]
    for name, model in models.items():
        model.save(folder / f"{name}.keras")
        jobs.append((name, folder / f"{name}.keras", "float32"))
    files = []
    for name, model_path, quant in jobs:
        job = ConversionJob(
            model=model_path,
            quantization=quant,  # type: ignore[arg-type]
            representative=folder / "images.npy",
            modules=("own_toy_network",),
            sight=astuple(SIGHT) if name in models else None,
            graph=folder / f"{name}.tflite",
            result=folder / f"{name}.json",
        )
        files.append(str(folder / f"{name}.job.json"))
        write_json(Path(files[-1]), job.model_dump(mode="json"))
    environment = os.environ | {
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-m", "lentigo.deploy.convert", *files]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    made = {}
    for name, _, _ in jobs:
        result = read_json(folder / f"{name}.json")
        made[name] = Converted((folder / f"{name}.tflite").read_bytes(), **result)
    return Graphs(made, models | {"float32": trained.model})
