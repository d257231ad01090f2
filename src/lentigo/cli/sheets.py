"""What `lentigo show` puts on a contact sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lentigo.data.prepared import open_prepared
from lentigo.data.sheet import item_of_file, items_of_set, write_sheet
from lentigo.errors import InputError
from lentigo.image import PreprocessSpec
from lentigo.model import augment
from lentigo.recipe import load_recipe

VIEWS = 3


def show_sheet(what: Path, out: Path, *, recipe: str, rows: int, seed: int) -> Path:
    """Write the sheet of a prepared set, or of one image under the recipe's size.

    Raises:
        InputError: ``what`` is neither.
    """
    resolved = load_recipe(recipe)

    def views(image: NDArray[np.uint8]) -> Sequence[NDArray[np.uint8]]:
        return list(augment(np.stack([image] * VIEWS), resolved.augmentation, (seed, 0)))

    if what.is_dir():
        items = items_of_set(open_prepared(what), n=rows, seed=seed, augment=views)
    elif what.is_file():
        items = [item_of_file(what, PreprocessSpec(size=resolved.network.size), views)]
    else:
        raise InputError(f"{what} does not exist.", todo="Name a prepared set or an image.")
    write_sheet(out, items)
    return out
