"""The metadata that a network takes beside an image: whether it can, and what a run says of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from lentigo.data.metadata import Column, counts, meaning
from lentigo.data.prepared import PreparedSet
from lentigo.errors import RecipeError, RunError
from lentigo.recipe import Metadata


class SecondInput(BaseModel):
    """What ``metadata`` in ``run.json`` holds.

    Attributes:
        columns: Of the manifest.
        places: What stands in each place of the second input.
        withheld: Share of the images that went without, anew in every epoch.
        training: By column, of how many training images it was ``known``, ``empty`` or
            ``outside`` of the vocabulary; the last two count as not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: tuple[Column, ...]
    places: tuple[str, ...]
    withheld: float
    training: dict[str, dict[str, int]]

    @classmethod
    def of(
        cls, metadata: Metadata | None, data: PreparedSet, rows: NDArray[np.int64]
    ) -> SecondInput | None:
        """What a recipe's metadata is in the training ``rows`` (n,) of a set."""
        if metadata is None:
            return None
        columns = metadata.columns
        return cls(
            columns=columns,
            places=meaning(columns),
            withheld=metadata.withheld,
            training=counts(data.manifest.iloc[rows], columns),
        )


def check_metadata(metadata: Metadata | None, data: PreparedSet) -> None:
    """Refuse a second input of which the training images say nothing.

    Raises:
        RecipeError: A column that is known of none of them.
    """
    if metadata is None:
        return
    training = data.manifest[data.manifest["split"] == "train"]
    found = counts(training, metadata.columns)
    silent = [column for column, count in found.items() if not count["known"]]
    if silent:
        left = [column for column in metadata.columns if column not in silent]
        raise RecipeError(
            f"No training image of {data.path} has a known {', '.join(silent)}.",
            todo=f"Leave it out: --set 'metadata.columns={json.dumps(left)}'"
            if left
            else "Train without metadata.",
        )


def need_image_alone(second: SecondInput | None, path: Path, purpose: str) -> None:
    """Refuse a run whose network takes more than an image.

    Args:
        second: What it takes beside.
        path: The run's folder.
        purpose: What only an image alone can be given to, to say so.

    Raises:
        RunError: It takes metadata.
    """
    if second is not None:
        raise RunError(
            f"{path} takes {', '.join(second.columns)} beside the image: {purpose}.",
            todo="Train the recipe without [metadata].",
        )
