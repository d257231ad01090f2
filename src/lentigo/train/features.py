"""The pooled features of a run's training images, kept with the run.

They tell which training images are nearest to another one, and which images are unlike
all of them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lentigo.data.kept import read_array, write_array
from lentigo.data.prepared import PreparedSet
from lentigo.errors import RunError
from lentigo.train.feeding import batches_of
from lentigo.train.run import NetworkRun, Run
from lentigo.train.sampling import used_rows

FEATURES = "features.npy"
_BATCH = 64
_LARGEST = float(np.finfo(np.float16).max)


def training_rows(run: Run, data: PreparedSet) -> NDArray[np.int64]:
    """Rows of ``data`` that the run was trained on.

    Raises:
        RunError: Another prepared set than that of the run.
    """
    if data.digest != run.info.prepared_digest:
        raise RunError(f"{data.path} is not the prepared set that made {run.path}.")
    return used_rows(data, run.recipe().sampling, fold=run.info.fold, seed=run.info.seed)


def some_training_rows(run: Run, data: PreparedSet, count: int) -> NDArray[np.int64]:
    """So many of `training_rows`, or all, spread evenly: every call takes the same.

    Raises:
        RunError: Another prepared set than that of the run.
    """
    rows = training_rows(run, data)
    places = np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)
    return np.asarray(rows[places])


def training_features(
    run: NetworkRun, data: PreparedSet, progress: Callable[[int, int], None] | None = None
) -> NDArray[np.float16]:
    """Features (n, C) of the run's training images, in the order of `training_rows`.

    Read from ``features.npy`` in the run; computed and written where that is missing.

    Args:
        run: A finished run.
        data: The prepared set that made it.
        progress: Told of (images done, images).
    """
    rows, path = training_rows(run, data), run.path / FEATURES
    kept = read_array(path)
    if kept is not None and len(kept) == len(rows):
        return np.asarray(kept, dtype=np.float16)
    found = []
    for batch, count in batches_of(data.images, rows, min(_BATCH, len(rows))):
        found.append(run.features(batch)[:count])
        if progress is not None:
            progress(min(len(rows), len(found) * _BATCH), len(rows))
    features = np.concatenate(found).clip(-_LARGEST, _LARGEST).astype(np.float16)
    write_array(path, features)
    return features
