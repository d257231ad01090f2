"""Tasks on several machines, by Ray: each writes its own run folder on shared storage.

A task whose worker dies is begun again on another and goes on from its checkpoint. What is
finished is read, so no run is done twice.
"""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras

from lentigo.errors import InputError, LentigoError, MissingExtraError
from lentigo.papers.running import Task, do
from lentigo.recipe import NAMED_WEIGHTS

logger = logging.getLogger(__name__)

LOCAL = "local"
RETRIES = 5
CORES_A_TASK = 2
_NOT_FORKED = "Starting Ray client server failed"
THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")


def check_address(address: str) -> None:
    """Refuse an address before anything is prepared.

    Raises:
        InputError: Neither ``local`` nor ``ray://HOST:PORT``.
        MissingExtraError: Ray is not here.
    """
    if not re.fullmatch(r"local(:[1-9]\d*)?|ray://.+", address):
        raise InputError(
            f"{address!r} is no cluster.",
            todo="Give local, local:CORES (a training), or ray://HOST:10001 of a running Ray.",
        )
    if find_spec("ray") is None:
        raise MissingExtraError(
            "Several machines are reached by Ray, which is not here.",
            todo="pip install 'lentigo[cluster]'",
        )


def run_all(
    address: str, tasks: Sequence[Task], say: Callable[[str], None] | None = None
) -> Callable[[Task], Path]:
    """Do tasks on a cluster, every one once, and wait for all.

    Args:
        address: ``local`` starts a Ray on this machine, ``local:1`` one that gives each training
            one core, which serves small networks better than several; ``ray://HOST:PORT``
            reaches one whose machines see the tasks' folders under the same paths.
        tasks: What is done; the same task twice is one.
        say: Told of each that ends.

    Returns:
        What gives a task's evaluation folder, and raises `LentigoError` where it failed.

    Raises:
        InputError, MissingExtraError: See `check_address`.
        LentigoError: The cluster cannot be reached.
    """
    check_address(address)
    import ray  # noqa: PLC0415 - an extra

    by_key = {task.key: task for task in tasks}
    try:
        _reach(ray, address)
    except Exception as error:
        raise LentigoError(
            f"No cluster answers at {address}: {_reason(error)}",
            todo="Is it running, and of this version?",
        ) from error
    try:
        found = _results(ray, by_key, _cores(address), say)
    finally:
        ray.shutdown()
    return _Fetched(found)


def _reach(ray: Any, address: str) -> None:
    """Begin. Of a head that has just started, the first caller's server may not fork (2.51)."""
    try:
        _begin(ray, address)
    except Exception as error:
        if _NOT_FORKED not in str(error):
            raise
        logger.info("%s could not start a server for us, asked again", address)
        _begin(ray, address)


def _begin(ray: Any, address: str) -> None:
    # TensorFlow takes every core that it sees, whatever Ray gave it.
    told = {name: str(_cores(address)) for name in THREADS}
    told["KERAS_BACKEND"] = keras.backend.backend()
    options = {
        "runtime_env": {"env_vars": told},
        "log_to_driver": False,
        "logging_level": logging.ERROR,
    }
    if address.startswith(LOCAL):
        ray.init(address=LOCAL, include_dashboard=False, **options)
    else:
        ray.init(address=address, **options)


def _cores(address: str) -> int:
    """Cores that each training takes."""
    _, _, cores = address.partition(f"{LOCAL}:")
    return int(cores) if cores else CORES_A_TASK


def _results(
    ray: Any, by_key: Mapping[str, Task], cores: int, say: Callable[[str], None] | None
) -> dict[str, Path | str]:
    """The folder of every task by its key, or why it has none."""
    there = ray.cluster_resources()
    cores = min(cores, int(there.get("CPU", 1)))
    # Ray hides every accelerator from a task that asks for none.
    accelerators = 1 if there.get("GPU", 0) >= 1 else 0
    remote = ray.remote(num_cpus=cores, num_gpus=accelerators, max_retries=RETRIES)(do)
    waiting = {remote.remote(rooted(task)): key for key, task in by_key.items()}
    found: dict[str, Path | str] = {}
    while waiting:
        (ended,), _ = ray.wait(list(waiting), num_returns=1)
        key = waiting.pop(ended)
        try:
            found[key] = ray.get(ended)
        except Exception as error:
            # Whatever one training raised, or its machine's end: the others go on.
            cause = getattr(error, "cause", None) or error
            logger.exception("%s failed", by_key[key].recipe.name)
            found[key] = _reason(cause)
        if say is not None:
            task = by_key[key]
            say(f"{len(found)}/{len(by_key)}: {task.recipe.name}, {task.recipe.protocol}")
    return found


def _reason(cause: BaseException) -> str:
    """What is told of a failure; what Ray itself raises ends in the line that matters."""
    if isinstance(cause, LentigoError):
        return str(cause)
    return str(cause).strip().rpartition("\n")[2] or type(cause).__name__


def rooted(task: Task) -> Task:
    """The same task with absolute paths, as workers have working folders of their own."""
    recipe = task.recipe
    own: dict[str, Any] = {}
    if (weights := recipe.network.weights) not in NAMED_WEIGHTS:
        (path,) = _all_rooted([weights])
        own["network"] = recipe.network.model_copy(update={"weights": path})
    if (taught := recipe.distillation) is not None:
        own["distillation"] = taught.model_copy(update={"teachers": _all_rooted(taught.teachers)})
    if (mixed := recipe.soup) is not None:
        own["soup"] = mixed.model_copy(update={"runs": _all_rooted(mixed.runs)})
    return dataclasses.replace(
        task,
        recipe=recipe.model_copy(update=own),
        data=task.data.resolve(),
        runs=task.runs.resolve(),
    )


def _all_rooted(folders: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(Path(each).resolve()) for each in folders)


class _Fetched:
    def __init__(self, found: Mapping[str, Path | str]) -> None:
        self._found = found

    def __call__(self, task: Task) -> Path:
        result = self._found[task.key]
        if isinstance(result, str):
            raise LentigoError(result)
        return result
