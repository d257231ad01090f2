"""The average of several fine-tunings of one network, as a run of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lentigo.data.prepared import PreparedSet
from lentigo.errors import InputError
from lentigo.recipe import Recipe, Soup
from lentigo.train.mean import NO_MEAN
from lentigo.train.run import MODEL, Run, open_network
from lentigo.train.train import train

_BATCHES = 20


def soup(
    runs: Sequence[Path | str],
    *,
    data: PreparedSet | Path | str | None = None,
    out: Path | str | None = None,
) -> Run:
    """Average the weights of finished runs and seal the mean on validation, as a run.

    Args:
        runs: Folders of fine-tunings that began from the same weights; fold, seed and the rest
            of the recipe are those of the first.
        data: The prepared set; None is that of the first run.
        out: The folder of runs; None is that of the first run.

    Returns:
        The run; one that was finished before is returned as it is.

    Raises:
        InputError: Fewer than two runs.
        RecipeError: Runs whose weights have no mean.
        LentigoError: As `lentigo.train.train`.
    """
    paths = [Path(each) for each in runs]
    if len(paths) < 2:
        raise InputError("A mean needs two runs or more.", todo="lentigo soup RUN RUN ...")
    first = open_network(paths[0], NO_MEAN)
    return train(
        soup_recipe(first.recipe(), paths),
        data if data is not None else first.info.prepared_path,
        out=out if out is not None else first.path.parent,
        fold=first.info.fold,
        seed=first.info.seed,
    )


def soup_recipe(first: Recipe, runs: Sequence[Path]) -> Recipe:
    """The recipe of one of them, with the mean of ``runs`` in place of its training."""
    *before, last = first.stages
    batches = last.reestimate_batches or _BATCHES
    changed = {
        "name": f"{first.name}-soup",
        "soup": Soup(runs=tuple(str(each / MODEL) for each in runs)),
        "stages": (*before, last.model_copy(update={"reestimate_batches": batches})),
        "distillation": None,
    }
    return Recipe.model_validate(first.model_copy(update=changed).model_dump())
