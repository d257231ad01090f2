"""Networks, heads, losses and augmentation: the only floor below train that imports Keras."""

from lentigo.model.attention import Anatomy, AttentionKind, Seen, Watcher, dissect, sight_of
from lentigo.model.augmentation import (
    BOX,
    PARAMETERS,
    SHARE,
    SHARPNESS,
    Augment,
    augment,
    draw_parameters,
    mix,
)
from lentigo.model.distillation import Distilled, Teachers, beside_teachers
from lentigo.model.fused import fused_batch_norms
from lentigo.model.heads import (
    TwoLogits,
    build_model,
    head_layers,
    shift_logits,
    split_at_head,
)
from lentigo.model.joined import Joined, answer, beside_image
from lentigo.model.losses import FocalLoss, build_loss, class_weights
from lentigo.model.networks import NETWORKS, NetworkEntry, batch_norms, build_backbone
from lentigo.model.sight import Sight, measure_sight
from lentigo.model.sparsity import adopt_head, prunable, prune_smallest
from lentigo.model.views import MeanOfViews, Views, with_views

__all__ = [
    "BOX",
    "NETWORKS",
    "PARAMETERS",
    "SHARE",
    "SHARPNESS",
    "Anatomy",
    "AttentionKind",
    "Augment",
    "Distilled",
    "FocalLoss",
    "Joined",
    "MeanOfViews",
    "NetworkEntry",
    "Seen",
    "Sight",
    "Teachers",
    "TwoLogits",
    "Views",
    "Watcher",
    "adopt_head",
    "answer",
    "augment",
    "batch_norms",
    "beside_image",
    "beside_teachers",
    "build_backbone",
    "build_loss",
    "build_model",
    "class_weights",
    "dissect",
    "draw_parameters",
    "fused_batch_norms",
    "head_layers",
    "measure_sight",
    "mix",
    "prunable",
    "prune_smallest",
    "shift_logits",
    "sight_of",
    "split_at_head",
    "with_views",
]
