"""A card says for whom a model is worse, and of whom nothing can be said."""

from __future__ import annotations

import numpy as np

from lentigo.evaluate.strata import Axis
from lentigo.evaluate.subgroups import Subgroups, subgroups_from
from lentigo.evaluate.weaknesses import weaknesses
from lentigo.score.subgroups import Answers

KEY = "sensitivity.malignant.sensitivity_0.90"


def found() -> Subgroups:
    """Of the young half of the malignant lesions is missed, of the old none; feet have none."""
    young, old, foot = np.repeat([0, 1, 2], [80, 120, 30]) == np.arange(3)[:, None]
    malignant = (np.arange(230) % 2 == 0) & ~foot
    missed = young & malignant & (np.arange(230) % 4 == 0)
    probability = np.where(malignant & ~missed, 0.8, 0.1)
    answers = Answers(
        labels=malignant.astype(int),
        probability=np.stack([1 - probability, probability], axis=1),
        codes=("nv", "mel"),
        malignant=(False, True),
        thresholds={"sensitivity_0.90": 0.5},
        group_ids=np.arange(230).astype(str),
    )
    ages = np.where(young, "0-29", np.where(old, "30-44", "unknown")).astype(object)
    sites = np.where(foot, "foot", "back").astype(object)
    axes = [
        Axis("age", "Age", ages, ("0-29", "30-44", "unknown")),
        Axis("site", "Site", sites, ("back", "foot")),
    ]
    return subgroups_from(answers, axes, replicates=200, seed=0)


def test_who_is_worse_off_than_the_reference_is_named_with_both_figures() -> None:
    told = weaknesses(found(), [KEY])
    (worse,) = [each for each in told if each.startswith("Age")]
    start = "Age, 0-29: malignant images found (sensitivity), at the 0.90 threshold, 0.500 ["
    assert worse.startswith(start)
    assert "]; −0.500 [−" in worse
    assert worse.endswith("] beside 30-44.")


def test_whose_lesions_are_too_few_is_named_and_what_is_unknown_is_nobody() -> None:
    told = weaknesses(found(), [KEY])
    assert told[-1] == "Site: too few malignant lesions to say how many are found in foot."
    assert not any("unknown" in each for each in told)


def test_what_is_no_worse_is_not_named() -> None:
    told = weaknesses(found(), ["specificity.malignant.argmax"])
    assert not [each for each in told if "0-29" in each]
