"""What the scripts beside the package compute."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lentigo.data.phantom import generate
from lentigo.deploy.bundle import read_bundle
from lentigo.taxonomy import HAM10000
from lentigo.train import open_run

SCRIPTS = Path(__file__).parents[1] / "scripts"


def script(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def same_mixture() -> Any:
    return script("same_mixture")


def test_answers_moved_to_another_mixture_are_those_of_bayes_rule(same_mixture) -> None:
    own, other = np.array([0.5, 0.3, 0.2]), np.array([0.8, 0.1, 0.1])
    likelihood = np.array([[0.2, 0.7, 0.1], [0.5, 0.1, 0.4]])
    posterior = likelihood * own / (likelihood * own).sum(axis=1, keepdims=True)
    wanted = likelihood * other / (likelihood * other).sum(axis=1, keepdims=True)
    info = SimpleNamespace(mixture=list(own), temperature=1.0)
    assert same_mixture.under(posterior, info, other) == pytest.approx(wanted)


def test_answers_stay_as_they_are_under_their_own_mixture(same_mixture) -> None:
    info = SimpleNamespace(mixture=[0.6, 0.4], temperature=0.6)
    answers = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert same_mixture.under(answers, info, np.array([0.6, 0.4])) == pytest.approx(answers)


def phantom(folder: Path, lesions: int, seed: int) -> tuple[Path, pd.DataFrame]:
    """A phantom's images, and its table with HAM10000's classes in place of its own."""
    made = generate(folder, lesions=lesions, seed=seed, size=96)
    table = pd.read_csv(made / "phantom.csv")
    codes = dict(zip(sorted(table["label"].unique()), HAM10000.codes, strict=True))
    return made / "images", table.assign(label=table["label"].map(codes))


def as_ham10000(folder: Path, images: Path, table: pd.DataFrame) -> Path:
    named = table.rename(columns={"label": "dx", "confirmed_by": "dx_type", "site": "localization"})
    columns = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"]
    shutil.copytree(images, folder / "HAM10000_images")
    named.assign(dx_type="histo")[columns].to_csv(folder / "HAM10000_metadata.csv", index=False)
    return folder


def as_isic2017(folder: Path, images: Path, table: pd.DataFrame) -> Path:
    known = table[table["label"].isin(["mel", "nv", "bkl"])]
    data = folder / "ISIC-2017_Training_Data"
    data.mkdir(parents=True)
    for image_id in known["image_id"]:
        shutil.copy(images / f"{image_id}.jpg", data / f"ISIC_{image_id}.jpg")
    truth = pd.DataFrame(
        {
            "image_id": "ISIC_" + known["image_id"],
            "melanoma": (known["label"] == "mel").astype(float),
            "seborrheic_keratosis": (known["label"] == "bkl").astype(float),
        }
    )
    truth.to_csv(folder / "ISIC-2017_Training_Part3_GroundTruth.csv", index=False)
    return folder


def test_one_command_trains_a_model_that_ships_from_the_public_layouts(tmp_path: Path) -> None:
    first = as_ham10000(tmp_path / "ham", *phantom(tmp_path / "first", 60, 0))
    added = as_isic2017(tmp_path / "isic", *phantom(tmp_path / "added", 20, 1))
    out, short = tmp_path / "models", ["epochs=1", "average_from=0", "reestimate_batches=1"]
    asked = [str(first), str(first), str(added), "--out", str(out), "--models", "lentigo-tiny"]
    changes = ["--set", *(f"stages.0.{each}" for each in short)]
    module = script("train_models")
    train_it, quant = module.MODELS["lentigo-tiny"]
    assert quant == "dynamic"
    # What has hardly learnt answers at random, which rounded weights turn over; export refuses it.
    module.MODELS["lentigo-tiny"] = (train_it, "float32")
    module.main([*asked, "--weights", "0.35=none", *changes])
    assert read_bundle(out / "lentigo-tiny.tflite").info.taxonomy.codes == HAM10000.codes
    runs = {open_run(each).info.recipe: open_run(each) for each in (out / "runs").iterdir()}
    assert set(runs) == {"lentigo-tiny-frames", "lentigo-tiny"}
    assert runs["lentigo-tiny"].info.source == "ham10000+isic2017"
    assert runs["lentigo-tiny"].describe()["began_from"]["recipe"] == "lentigo-tiny-frames"
