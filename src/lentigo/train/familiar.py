"""What the training images of a run fill of its feature spaces, kept with the run."""

from __future__ import annotations

from zipfile import BadZipFile

import numpy as np

from lentigo.data.prepared import PreparedSet
from lentigo.files import atomic_path
from lentigo.score.familiarity import Subspace, as_arrays, fit_subspace, from_arrays
from lentigo.train.features import some_training_rows
from lentigo.train.run import NetworkRun

SUBSPACES = "familiarity.npz"
SUBSPACE_IMAGES = 2000
_BATCH = 64


def kept_subspaces(run: NetworkRun, data: PreparedSet) -> tuple[Subspace, ...]:
    """The subspaces of the run's levels, fitted on 2,000 of its training images at most.

    Read from ``familiarity.npz`` in the run; computed and written where that is missing.

    Args:
        run: A finished run.
        data: The prepared set that made it.

    Raises:
        RunError: Another prepared set.
        InputError: Fewer than four images.
    """
    rows, path = some_training_rows(run, data, SUBSPACE_IMAGES), run.path / SUBSPACES
    try:
        with path.open("rb") as source, np.load(source) as kept:
            return from_arrays(kept)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        pass  # missing, or cut short on the way from elsewhere
    pieces = np.array_split(rows, -(-len(rows) // _BATCH))
    seen = [run.see(np.stack([data.images[row] for row in each])).levels for each in pieces]
    found = tuple(fit_subspace(np.concatenate(level)) for level in zip(*seen, strict=True))
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **as_arrays(found))
    return found
