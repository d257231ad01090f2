"""What a recipe gives a network beside the image."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from lentigo.data.metadata import Column
from lentigo.outside import Part
from lentigo.recipe.part import Count


class Metadata(Part):
    """Age, sex and site of the manifest as a second input beside the image.

    For studies of what they add: `export` refuses such a network, for a bundle takes an image
    alone. Age counts in units of 20 years from 50; sex is female, male or not known; site is one
    of six regions of the body or not known, whatever the source calls it. A value that is none of
    these counts as not known. A dense layer of ``units`` (ReLU) takes the numbers; what it makes
    of them stands beside the pooled features, before the head's hidden layers. Without hidden
    layers both add to the logits, with them they are weighed together. In every epoch the share
    ``withheld`` of the images goes without, as if nothing were known, so that the network also
    answers to an image alone. MixUp and CutMix mix the numbers as they mix the labels.
    """

    columns: tuple[Column, ...] = Field(default=("age", "sex", "site"), min_length=1)
    units: Count = 16
    withheld: Annotated[float, Field(ge=0, lt=1)] = 0.25

    @model_validator(mode="after")
    def _each_once(self) -> Metadata:
        if len(set(self.columns)) != len(self.columns):
            raise ValueError("metadata.columns names a column twice")
        return self
