"""Networks, heads, losses and augmentation: the only floor below train that imports Keras."""

from lentigo.model.augmentation import PARAMETERS, Augment, augment, draw_parameters
from lentigo.model.heads import TwoLogits, build_model, head_layers, split_at_head
from lentigo.model.losses import FocalLoss, build_loss, class_weights
from lentigo.model.networks import NETWORKS, NetworkEntry, batch_norms, build_backbone

__all__ = [
    "NETWORKS",
    "PARAMETERS",
    "Augment",
    "FocalLoss",
    "NetworkEntry",
    "TwoLogits",
    "augment",
    "batch_norms",
    "build_backbone",
    "build_loss",
    "build_model",
    "class_weights",
    "draw_parameters",
    "head_layers",
    "split_at_head",
]
