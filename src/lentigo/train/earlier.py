"""Where the models of earlier runs lie, which a later one began from or learned from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lentigo.files import digest_file


def find_model(named: str, run: Path, sha256: str | None = None) -> Path | None:
    """The model that a run's recipe names, also where both were moved together.

    Args:
        named: Its path when the run was made; relative to nobody knows where in runs of before,
            so the folders around the run are asked first.
        run: The folder of the run that names it.
        sha256: Of the model, where the run knows it; another one in its place is not taken.

    Returns:
        The first that is there, or None.
    """
    for path in _places(Path(named), run.resolve()):
        if path.is_file() and sha256 in {None, digest_file(path)}:
            return path
    return None


def _places(named: Path, run: Path) -> Iterator[Path]:
    """As it was named, then ever less of it, in ever wider folders around the run."""
    for start in range(len(named.parts) - 1):
        for folder in run.parents:
            yield folder / Path(*named.parts[start:])
    yield named
