"""How far off a run's attention maps are, kept with the run."""

from __future__ import annotations

import numpy as np

from lentigo.data.prepared import PreparedSet
from lentigo.files import write_json
from lentigo.model import Sight, sight_of
from lentigo.train.features import some_training_rows
from lentigo.train.run import SIGHT, NetworkRun

SIGHT_IMAGES = 100


def kept_sight(run: NetworkRun, data: PreparedSet) -> Sight:
    """How far off the run's maps are, measured on a hundred of its training images.

    Read from ``sight.json`` in the run; measured and written where that is missing.

    Args:
        run: A finished run.
        data: The prepared set that made it.

    Raises:
        RunError: Another prepared set.
    """
    if (kept := run.sight) is not None:
        return kept
    rows = some_training_rows(run, data, SIGHT_IMAGES)
    found = sight_of(run.model, np.stack([data.images[row] for row in rows]))
    write_json(run.path / SIGHT, {"down": found.down, "across": found.across})
    return found
