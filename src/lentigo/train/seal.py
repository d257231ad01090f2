"""Temperature and thresholds, fitted on validation once and sealed with the run."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from lentigo.data.prepared import PreparedSet
from lentigo.errors import RunError
from lentigo.files import digest_list, write_json, write_text
from lentigo.score.calibration import fit_temperature, softmax, threshold_for_sensitivity
from lentigo.score.operating import OperatingPoint

TARGETS = (0.80, 0.90, 0.95)
# The logarithm of a class that a run takes for impossible would shift a logit without end.
LEAST_SHARE = 1e-6


class Calibration(BaseModel):
    """What ``calibration.json`` holds.

    Attributes:
        temperature: Logits are divided by it (Guo 2017).
        operating_points: None where validation holds no malignant image, or the taxonomy
            no malignant class.
        mixture: How common each class is in the population that the probabilities speak of;
            None where that is not known.
        images: How many validation images it was fitted on.
        digest: Digest of their ids.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = 1
    temperature: float
    operating_points: tuple[OperatingPoint, ...]
    mixture: tuple[float, ...] | None = None
    images: int
    digest: str

    def stated_mixture(self, path: Path) -> NDArray[np.float64]:
        """``mixture`` as an array (k,), no class quite impossible.

        Args:
            path: The run's folder, to say which.

        Raises:
            RunError: It is not known.
        """
        if self.mixture is None:
            raise RunError(
                f"{path} does not state which population its answers speak of.",
                todo="It was trained by an early version: train it anew.",
            )
        return np.clip(self.mixture, LEAST_SHARE, None)


def fit_calibration(
    logits: NDArray[np.float32],
    labels: NDArray[np.int64],
    malignant: tuple[bool, ...],
    image_ids: list[str],
    mixture: NDArray[np.float64] | None = None,
) -> Calibration:
    """Fit temperature and thresholds on validation logits (n, k) and labels (n,)."""
    temperature = fit_temperature(logits, labels)
    is_malignant = np.asarray(malignant)[labels]
    points: tuple[OperatingPoint, ...] = ()
    if is_malignant.any():
        probability = softmax(logits, temperature)[:, np.asarray(malignant)].sum(axis=1)
        probability = probability.clip(0, 1)  # a sum of shares may exceed 1 in its last bit
        points = tuple(
            OperatingPoint(
                name=f"sensitivity_{target:.2f}",
                target_sensitivity=target,
                threshold=threshold_for_sensitivity(is_malignant, probability, target),
            )
            for target in TARGETS
        )
    return Calibration(
        temperature=temperature,
        operating_points=points,
        mixture=None if mixture is None else tuple(mixture.round(6).tolist()),
        images=len(labels),
        digest=digest_list(image_ids),
    )


def seal(
    path: Path,
    data: PreparedSet,
    rows: NDArray[np.int64],
    logits: NDArray[np.float32],
    mixture: NDArray[np.float64] | None = None,
) -> Calibration:
    """Write ``validation_predictions.csv`` and ``calibration.json`` of the best epoch.

    Args:
        path: The run's folder.
        data: The prepared set.
        rows: Its validation rows.
        logits: The model's answers to them, (len(rows), k).
        mixture: Shares of the classes that the model takes for granted, (k,).
    """
    ids = data.manifest["image_id"].to_numpy()[rows].tolist()
    labels = data.labels[rows]
    calibration = fit_calibration(logits, labels, data.taxonomy.malignant, ids, mixture)
    codes = data.taxonomy.codes
    probability = softmax(logits, calibration.temperature)
    table = pd.DataFrame({"image_id": ids, "label": [codes[label] for label in labels]})
    for place, code in enumerate(codes):
        table[code] = probability[:, place]
    for place, code in enumerate(codes):
        table[f"logit_{code}"] = logits[:, place].astype(float)
    text = io.StringIO()
    table.to_csv(text, index=False)
    write_text(path / "validation_predictions.csv", text.getvalue())
    write_json(path / "calibration.json", calibration.model_dump(mode="json"))
    return calibration
