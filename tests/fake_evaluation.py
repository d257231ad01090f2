"""A prepared set and a predictor that need no image and no network, and their evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from lentigo import score
from lentigo.evaluate import evaluate
from lentigo.files import digest_list
from lentigo.taxonomy import HAM10000, Taxonomy

SIZE = 32
IMAGES = 160


class FakeSpec(BaseModel):
    model_config = ConfigDict(frozen=True)
    size: int = SIZE
    first_size: int | None = None
    crop: str = "center-square"
    greyscale: bool = False
    hair_removal: None = None
    colour_constancy: None = None


class FakeInfo(BaseModel):
    protocol: str
    leaky: bool
    digest: str
    group_by: str = "lesion"
    seed: int = 0
    folds: int = 5
    test_digest: str = "t" * 64


@dataclass(frozen=True)
class FakePoint:
    name: str = "sensitivity_0.90"
    target_sensitivity: float = 0.9
    threshold: float = 0.3


@dataclass
class FakePrepared:
    path: Path
    taxonomy: Taxonomy = HAM10000
    spec: FakeSpec = field(default_factory=FakeSpec)
    protocol: str = "leak-free"
    leaky: bool = False
    digest: str = "d" * 64
    seed: int = 0

    def __post_init__(self) -> None:
        rng = np.random.default_rng(1)
        self.labels = np.arange(IMAGES) % len(self.taxonomy.codes)
        self.images = rng.integers(0, 255, (IMAGES, SIZE, SIZE, 3), dtype=np.uint8)
        # The label is written into a pixel, so that a fake predictor can find it.
        self.images[:, 0, 0, 0] = self.labels
        self.manifest = pd.DataFrame(
            {
                "image_id": [f"img_{i:04d}" for i in range(IMAGES)],
                "lesion_id": [f"les_{i // 2:04d}" for i in range(IMAGES)],
                "patient_id": [""] * IMAGES,
                "group_id": [f"les_{i // 2:04d}" for i in range(IMAGES)],
                "split": ["train" if i % 4 == 0 else "test" for i in range(IMAGES)],
                "age": [np.nan if i % 9 == 0 else float(i % 90) for i in range(IMAGES)],
                "sex": ["female" if i % 3 else "male" for i in range(IMAGES)],
                "site": ["back" if i % 2 else "" for i in range(IMAGES)],
                "source": ["fake"] * IMAGES,
                "confirmed_by": ["histo" if i % 5 else "" for i in range(IMAGES)],
                "skin_tone": [("II", "IV", "")[i % 3] for i in range(IMAGES)],
                "license": ["CC0"] * IMAGES,
                "label": [self.taxonomy.codes[label] for label in self.labels],
            }
        )
        self.audit = {"duplicates": {"near": [["img_0000", "img_0001"]]}}
        self.info = FakeInfo(protocol=self.protocol, leaky=self.leaky, digest=self.digest)

    @property
    def groups(self) -> np.ndarray:
        return self.manifest["group_id"].to_numpy(dtype=object)

    def rows(self, split: str, fold: int | None = None) -> np.ndarray:
        wanted = {"train", "test"} if split == "all" else {split}
        return np.flatnonzero(self.manifest["split"].isin(wanted).to_numpy())

    @property
    def test_digest(self) -> str:
        return digest_list(self.manifest["image_id"].to_numpy()[self.rows("test")].tolist())


@dataclass
class FakePredictor:
    taxonomy: Taxonomy = HAM10000
    spec: FakeSpec = field(default_factory=FakeSpec)
    operating_points: tuple[FakePoint, ...] = (FakePoint(),)
    name: str = "fake"
    largest_batch: int = 0
    description: dict[str, Any] = field(default_factory=lambda: {"recipe": "none", "seed": 3})

    def describe(self) -> dict[str, Any]:
        history = [
            {"epoch": e, "stage": "one", "loss": 1 / e, "val_loss": 2 / e, "val_accuracy": 0.5}
            for e in range(1, 5)
        ]
        return {**self.description, "history": history}

    def predict(self, images: np.ndarray) -> np.ndarray:
        self.largest_batch = max(self.largest_batch, len(images))
        k = len(self.taxonomy.codes)
        logits = 2 * np.eye(k)[images[:, 0, 0, 0] % k]
        noise = images[:, 1:3, :k, 0].astype(float).mean(axis=1)
        return score.softmax(logits + noise / 40)


def measured(prepared: FakePrepared, out: Path, predictor: Any = None, **options: Any) -> Any:
    """An evaluation of ``prepared`` into ``out``."""
    options.setdefault("replicates", 40)
    return evaluate(predictor or FakePredictor(), prepared, out, **options)
