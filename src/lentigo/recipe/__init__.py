"""Recipes: what to do, frozen, read from TOML."""

from lentigo.image.generator import GeneratorRanges
from lentigo.image.torchvision import TorchvisionRanges
from lentigo.recipe.metadata import Metadata
from lentigo.recipe.schema import (
    NAMED_WEIGHTS,
    Augmentation,
    Classic,
    Distillation,
    Head,
    Kernel,
    Loss,
    Network,
    Output,
    Recipe,
    Sampling,
    SelectionMetric,
    Soup,
)
from lentigo.recipe.stage import Stage
from lentigo.recipe.toml import (
    load_recipe,
    packaged_as,
    packaged_recipes,
    parse_recipe,
    to_toml,
    value_of,
)

__all__ = [
    "NAMED_WEIGHTS",
    "Augmentation",
    "Classic",
    "Distillation",
    "GeneratorRanges",
    "Head",
    "Kernel",
    "Loss",
    "Metadata",
    "Network",
    "Output",
    "Recipe",
    "Sampling",
    "SelectionMetric",
    "Soup",
    "Stage",
    "TorchvisionRanges",
    "load_recipe",
    "packaged_as",
    "packaged_recipes",
    "parse_recipe",
    "to_toml",
    "value_of",
]
