"""lentigo: train, honestly measure and deploy lightweight skin-lesion classifiers.

The steps, each wrapped by a command of the same name::

    data = lentigo.prepare("ham10000", "HAM10000", "prepared", size=160)
    run = lentigo.train("lentigo-mobilenetv2", data)
    evaluation = lentigo.evaluate(run.path, data)
    bundle = lentigo.export(run, quant="float16")
    answer = lentigo.BundlePredictor(bundle.path).predict_file("photo.jpg")

Names are imported when first used, so that predicting does not wait for what training
needs. Research and teaching only: this is not a medical device.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lentigo.data.download import download as download
    from lentigo.data.merge import Addition as Addition
    from lentigo.data.merge import merge as merge
    from lentigo.data.phantom import generate as generate_phantom
    from lentigo.data.prepare import prepare as prepare
    from lentigo.data.prepared import PreparedSet as PreparedSet
    from lentigo.data.prepared import open_prepared as open_prepared
    from lentigo.deploy.bundle import read_bundle as read_bundle
    from lentigo.deploy.evaluating import evaluate as evaluate
    from lentigo.deploy.evaluating import open_predictor as open_predictor
    from lentigo.deploy.evaluating import report as report
    from lentigo.deploy.export import export as export
    from lentigo.deploy.prediction import describe as describe
    from lentigo.deploy.runtime import BundlePredictor as BundlePredictor
    from lentigo.deploy.runtime import load_default as load_default
    from lentigo.errors import LentigoError as LentigoError
    from lentigo.evaluate.audit import audit as audit
    from lentigo.evaluate.comparison import compare as compare
    from lentigo.evaluate.sides import find_evaluation as find_evaluation
    from lentigo.evaluate.sides import read_sides as read_sides
    from lentigo.evaluate.submission import score_files as score_files
    from lentigo.image import PreprocessSpec as PreprocessSpec
    from lentigo.recipe import Recipe as Recipe
    from lentigo.recipe import load_recipe as load_recipe
    from lentigo.train import open_run as open_run
    from lentigo.train import train as train

_HOMES = {
    "Addition": "lentigo.data.merge:Addition",
    "BundlePredictor": "lentigo.deploy.runtime:BundlePredictor",
    "LentigoError": "lentigo.errors:LentigoError",
    "PreparedSet": "lentigo.data.prepared:PreparedSet",
    "PreprocessSpec": "lentigo.image:PreprocessSpec",
    "Recipe": "lentigo.recipe:Recipe",
    "audit": "lentigo.evaluate.audit:audit",
    "compare": "lentigo.evaluate.comparison:compare",
    "describe": "lentigo.deploy.prediction:describe",
    "download": "lentigo.data.download:download",
    "evaluate": "lentigo.deploy.evaluating:evaluate",
    "export": "lentigo.deploy.export:export",
    "find_evaluation": "lentigo.evaluate.sides:find_evaluation",
    "generate_phantom": "lentigo.data.phantom:generate",
    "load_default": "lentigo.deploy.runtime:load_default",
    "load_recipe": "lentigo.recipe:load_recipe",
    "merge": "lentigo.data.merge:merge",
    "open_predictor": "lentigo.deploy.evaluating:open_predictor",
    "open_prepared": "lentigo.data.prepared:open_prepared",
    "open_run": "lentigo.train:open_run",
    "prepare": "lentigo.data.prepare:prepare",
    "read_bundle": "lentigo.deploy.bundle:read_bundle",
    "read_sides": "lentigo.evaluate.sides:read_sides",
    "report": "lentigo.deploy.evaluating:report",
    "score_files": "lentigo.evaluate.submission:score_files",
    "train": "lentigo.train:train",
}

__all__ = [
    "Addition",
    "BundlePredictor",
    "LentigoError",
    "PreparedSet",
    "PreprocessSpec",
    "Recipe",
    "audit",
    "compare",
    "describe",
    "download",
    "evaluate",
    "export",
    "find_evaluation",
    "generate_phantom",
    "load_default",
    "load_recipe",
    "merge",
    "open_predictor",
    "open_prepared",
    "open_run",
    "prepare",
    "read_bundle",
    "read_sides",
    "report",
    "score_files",
    "train",
]


def __getattr__(name: str) -> Any:
    """Import a public name at its first use (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'lentigo' has no attribute {name!r}")
    module, _, attribute = home.partition(":")
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


class _Package(ModuleType):
    """Keeps ``lentigo.train`` the step when the sub-package of that name is imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __dir__() -> list[str]:
    """The public names."""
    return __all__
