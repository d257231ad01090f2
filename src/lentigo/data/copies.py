"""Which images show the same picture: identical files, near duplicates and cropped copies.

Identical files and near duplicates are what they are called. What looks like a cropped copy is
looked at a second time (``lentigo.data.likeness``), because a part of one small round lesion on
even skin looks like another. Measured on real images: docs/results.md, "Audit of the data".
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lentigo.data.duplicates import exact_duplicates, near_duplicates, near_parts
from lentigo.data.likeness import COINCIDING, Picture, likenesses
from lentigo.data.splits import connected_groups, rows_by_name

Pairs = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Links:
    """Pairs of manifest rows that show the same picture, each pair ascending.

    Attributes:
        exact: Byte-identical files.
        near: Within ``NEAR_BITS`` of each other in one of eight orientations.
        cropped: One lacks a margin or a side of the other, and no other kind tells of them.
        published: Named by the publisher.
    """

    exact: Pairs = ()
    near: Pairs = ()
    cropped: Pairs = ()
    published: Pairs = ()

    @property
    def all(self) -> list[tuple[int, int]]:
        """Every pair once, sorted."""
        return sorted({*self.exact, *self.near, *self.cropped, *self.published})


def find_links(
    frame: pd.DataFrame,
    hashes: NDArray[np.uint8],
    parts: NDArray[np.uint8],
    picture: Picture,
    published: Pairs = (),
) -> Links:
    """All pairs of images that show the same picture.

    Args:
        frame: ``sha256`` and ``lesion_id``, empty where unknown.
        hashes: (N, 32) from ``fingerprint``.
        parts: (N, m, 5, 32) from ``fingerprint``; may be memory-mapped.
        picture: Gives the square (S, S, 3) of a row, for a second look at cropped copies. Asked
            only for those that neither share a lesion nor are copies otherwise, as nothing
            hangs on the others.
        published: Pairs that the publisher names.
    """
    with ThreadPoolExecutor(1) as aside:
        found_by_parts = aside.submit(near_parts, hashes, parts)
        near = near_duplicates(hashes)
    exact = exact_duplicates(frame["sha256"].tolist())
    copies = [*exact, *near, *published]
    cropped = cropped_copies(len(frame), found_by_parts.result(), copies)
    lesions = connected_groups(len(frame), [*copies, *rows_by_name(frame["lesion_id"].tolist())])
    doubtful = [(a, b) for a, b in cropped if lesions[a] != lesions[b]]
    found = likenesses(doubtful, picture)
    refused = {pair for pair, value in zip(doubtful, found, strict=True) if value < COINCIDING}
    return Links(exact, near, [pair for pair in cropped if pair not in refused], published)


def cropped_copies(n: int, found: Pairs, copies: Pairs) -> list[tuple[int, int]]:
    """Pairs that only parts of the pictures tell, before a second look.

    Args:
        n: Number of pictures.
        found: Pairs from ``near_parts``.
        copies: Pairs known to be copies; what they join, also through a third, is left out.

    Returns:
        Those of ``found`` that are left.
    """
    known = connected_groups(n, copies)
    return [(a, b) for a, b in found if known[a] != known[b]]
