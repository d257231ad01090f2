"""From a predictor and a prepared set to figures with intervals and a page for people."""

from lentigo.data.labels import read_labels_map
from lentigo.evaluate.access import Looks, log_look, read_looks
from lentigo.evaluate.evaluation import Evaluation, evaluate
from lentigo.evaluate.predictor import PointLike, Predictor

__all__ = [
    "Evaluation",
    "Looks",
    "PointLike",
    "Predictor",
    "evaluate",
    "log_look",
    "read_labels_map",
    "read_looks",
]
