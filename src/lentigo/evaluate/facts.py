"""What one evaluation found, before it is written in any form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lentigo.evaluate.access import Looks
from lentigo.evaluate.answers import Asked, Scored
from lentigo.evaluate.holdings import Holdings
from lentigo.evaluate.lesions import LesionAttention
from lentigo.evaluate.pictures import Mistake
from lentigo.evaluate.subgroups import Subgroups
from lentigo.evaluate.twins import Twins
from lentigo.score.estimate import Estimate


@dataclass(frozen=True)
class Options:
    """What an evaluation was told beside model, data and split: names, no paths of a machine.

    Attributes:
        labels: Of the file that mapped classes, ``given`` for a map without one; empty for none.
        masks: Of the folder of outlines; empty for none.
        mask_crop: How the outlines were cropped.
    """

    labels: str = ""
    masks: str = ""
    mask_crop: str = "none"


@dataclass(frozen=True)
class Findings:
    """Everything that the outputs are written from.

    Attributes:
        asked: Who was asked about what.
        scored: The answers.
        metrics: Every figure with its interval; the keys are those of ``lentigo.score.panel``.
        subgroups: The same figures for parts of the images.
        looks: How often this list was looked at.
        worst: The worst errors, with what can be said about them.
        lesions: How much of the attention falls on the lesion, where outlines were given.
        prevalence: Share of malignant lesions that predictive values are restated for, in (0, 1).
        holdings: What is known of the prepared set.
        seed: Of the resampling.
        replicates: Of the resampling.
        options: What else it was told, for those who want to repeat it.
        twins: Pictures that stand in the set more than once.
    """

    asked: Asked
    scored: Scored
    metrics: dict[str, Estimate]
    subgroups: Subgroups
    looks: Looks
    seed: int
    replicates: int
    worst: tuple[Mistake, ...] = ()
    lesions: LesionAttention | None = None
    prevalence: float | None = None
    holdings: Holdings | None = None
    options: Options = Options()
    twins: tuple[Twins, ...] = ()

    @property
    def malignant(self) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Whether each image is malignant (n,), and the probability of it (n,)."""
        flags = np.asarray(self.asked.taxonomy.malignant, dtype=bool)
        return flags[self.scored.labels], self.scored.probability[:, flags].sum(axis=1)
