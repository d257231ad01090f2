"""Pruning by magnitude (Han 2015): the smallest weights become zero, the others learn on.

A pruned network is a run of its own, trained by a recipe of one stage with a ``sparsity``, that
goes on from the whole classifier of another run.
"""

from __future__ import annotations

from pathlib import Path

from lentigo.data.prepared import PreparedSet
from lentigo.errors import InputError
from lentigo.recipe import Recipe
from lentigo.train.loop import Report
from lentigo.train.run import MODEL, Run, need_network
from lentigo.train.second_input import need_image_alone
from lentigo.train.train import train

EPOCHS = 5
_GENTLER = 0.2


def prune(
    run: Run,
    sparsity: float,
    *,
    data: PreparedSet | Path | str | None = None,
    epochs: int = EPOCHS,
    report: Report | None = None,
) -> Run:
    """Prune a run's network, fine-tune it, and seal it as a run beside the other.

    Args:
        run: The run to go on from; it is not changed.
        sparsity: Share of zeros in every kernel that is pruned, in (0, 1).
        data: Its prepared set, where it has moved.
        epochs: Of fine-tuning.
        report: Told after each batch and epoch.

    Returns:
        The pruned run; one that was finished before is returned as it is.

    Raises:
        InputError: A sparsity that is no share, or no epochs.
        RunError: Not a network's run, or one that takes metadata.
        LentigoError: As `lentigo.train.train`.
    """
    if not 0 < sparsity < 1 or epochs < 1:
        raise InputError(
            f"A sparsity of {sparsity:g} over {epochs} epochs cannot be.",
            todo="Give a share above 0 and below 1, such as --prune 0.8, and an epoch or more.",
        )
    run = need_network(run, "it has no weights to prune")
    need_image_alone(run.info.metadata, run.path, "pruning is for devices, which have none")
    return train(
        pruning_recipe(run, sparsity, epochs),
        data if data is not None else run.info.prepared_path,
        out=run.path.parent,
        fold=run.info.fold,
        seed=run.info.seed,
        report=report,
    )


def pruning_recipe(run: Run, sparsity: float, epochs: int) -> Recipe:
    """The run's recipe with one stage: its last, at a fifth of the rate, with a sparsity."""
    recipe = run.recipe()
    last = recipe.stages[-1]
    stage = last.model_copy(
        update={
            "name": "prune",
            "epochs": epochs,
            "train": "all",
            "learning_rate": _GENTLER * last.learning_rate,
            "schedule": "cosine",
            "warmup_epochs": 0.0,
            "early_stopping_patience": 0,
            # The average of weights that a mask resets would not be zero where it resets.
            "average_decay": 0.0,
            "average_from": 0,
            "cached_views": 0,
            "hard_below": 0.0,
            "sparsity": sparsity,
        }
    )
    network = recipe.network.model_copy(update={"weights": str(run.path / MODEL)})
    changed = {
        "name": f"{recipe.name}-pruned",
        "network": network,
        "stages": (stage,),
        "soup": None,
    }
    return Recipe.model_validate(recipe.model_copy(update=changed).model_dump())
