"""What is measured on validation after every epoch."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lentigo.score import classification
from lentigo.score.calibration import negative_log_likelihood, softmax
from lentigo.train.state import HistoryRow


def validation_scores(
    logits: NDArray[np.float32], labels: NDArray[np.int64], malignant: tuple[bool, ...]
) -> dict[str, float]:
    """Scores of validation logits (n, k) at temperature 1.

    Returns:
        ``loss`` (log loss), ``accuracy``, ``balanced_accuracy``, ``roc_auc.macro`` and,
        where both sides occur, ``roc_auc.malignant``.
    """
    probability = softmax(logits)
    scores = {
        "loss": negative_log_likelihood(labels, probability),
        "accuracy": classification.accuracy(labels, probability),
        "balanced_accuracy": classification.balanced_accuracy(labels, probability),
        "roc_auc.macro": classification.roc_auc_macro(labels, probability),
    }
    flags = np.asarray(malignant)
    scores["roc_auc.malignant"] = classification.binary_roc_auc(
        flags[labels], probability[:, flags].sum(axis=1)
    )
    return {name: value for name, value in scores.items() if math.isfinite(value)}


def selection_score(row: HistoryRow, metric: str) -> float:
    """The named score of an epoch's row, turned so that higher is better."""
    value = float(row.get(f"val_{metric}", math.nan))
    return -value if metric == "loss" else value
