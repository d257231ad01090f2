"""Scores, calibration and intervals, from arrays; no files, no data frames, no Keras."""

from lentigo.score.bootstrap import bootstrap_estimate, grouped_bootstrap, replicate_weights
from lentigo.score.calibration import (
    Reliability,
    brier_score,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    reliability,
    softmax,
    threshold_for_sensitivity,
)
from lentigo.score.classification import (
    accuracy,
    average_precision,
    balanced_accuracy,
    binary_average_precision,
    binary_roc_auc,
    confusion_matrix,
    f1,
    precision,
    roc_auc,
    roc_auc_macro,
    sensitivity,
    specificity,
)
from lentigo.score.estimate import Estimate
from lentigo.score.official import OfficialScore, official_score, partial_auc_2024

__all__ = [
    "Estimate",
    "OfficialScore",
    "Reliability",
    "accuracy",
    "average_precision",
    "balanced_accuracy",
    "binary_average_precision",
    "binary_roc_auc",
    "bootstrap_estimate",
    "brier_score",
    "confusion_matrix",
    "expected_calibration_error",
    "f1",
    "fit_temperature",
    "grouped_bootstrap",
    "negative_log_likelihood",
    "official_score",
    "partial_auc_2024",
    "precision",
    "reliability",
    "replicate_weights",
    "roc_auc",
    "roc_auc_macro",
    "sensitivity",
    "softmax",
    "specificity",
    "threshold_for_sensitivity",
]
