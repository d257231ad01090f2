"""What the scripts beside the package compute."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.fixture(scope="module")
def same_mixture() -> Any:
    spec = importlib.util.spec_from_file_location("same_mixture", SCRIPTS / "same_mixture.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
