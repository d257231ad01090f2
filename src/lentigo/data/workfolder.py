"""The folder of a preparation under way: what lies in it survives a kill and is taken up again.

::

    .prepare/
    ├── job.json        digest of the options and inputs this work belongs to
    ├── images.npy      all rows, some of them not yet written
    ├── parts.npy       hashes of the pictures' parts, likewise
    └── journal.jsonl   a line a finished chunk, appended after its rows are in the file

A chunk counts as finished when its line is whole and its rows have the checksum the line
names, so neither a half-written line nor lost pages are trusted.
"""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from lentigo.data.fingerprint import PART_SHAPE
from lentigo.data.pixels import Chunk, Finished, RowFile, Targets
from lentigo.data.prepared import WORK
from lentigo.errors import InputError
from lentigo.files import read_json, write_json, write_text

logger = logging.getLogger(__name__)

_COPY_BYTES = 1 << 20


@dataclass(frozen=True)
class WorkFolder:
    """The work under way in ``out``.

    Attributes:
        out: The prepared set's folder.
        job: Digest of options and inputs.
        shape: (N, S, S, 3) of all images, those set aside included.
    """

    out: Path
    job: str
    shape: tuple[int, int, int, int]

    @property
    def path(self) -> Path:
        """The folder itself."""
        return self.out / WORK

    @property
    def images(self) -> Path:
        """The file of pixels under way."""
        return self.path / "images.npy"

    @property
    def parts(self) -> Path:
        """The file of the hashes of parts under way."""
        return self.path / "parts.npy"

    @property
    def targets(self) -> Targets:
        """Where rows are written."""
        return Targets(_row_file(self.images, self.shape), _row_file(self.parts, self._parts_shape))

    @property
    def _parts_shape(self) -> tuple[int, ...]:
        return (self.shape[0], *PART_SHAPE)

    def take_up(self, chunks: list[Chunk]) -> dict[int, Finished]:
        """Begin, or go on where a killed run stopped.

        Args:
            chunks: All chunks of the job.

        Returns:
            The finished ones by number.
        """
        if not self._is_ours():
            self._begin()
            return {}
        if not self.images.exists() and (self.out / "images.npy").exists():
            (self.out / "images.npy").replace(self.images)  # killed while finishing
        if not self._has_shape():
            self._begin()
            return {}
        done = self._journal(chunks)
        logger.info("%s: %d of %d chunks were done before.", self.out, len(done), len(chunks))
        return done

    def note(self, finished: Finished) -> None:
        """Append one finished chunk to the journal."""
        with self._journal_path.open("a", encoding="utf-8") as stream:
            stream.write(_line(finished))

    def remove(self) -> None:
        """Remove the folder; the set is complete."""
        shutil.rmtree(self.path, ignore_errors=True)

    @property
    def _journal_path(self) -> Path:
        return self.path / "journal.jsonl"

    def _is_ours(self) -> bool:
        try:
            return bool(read_json(self.path / "job.json") == {"job": self.job})
        except InputError:
            return False

    def _has_shape(self) -> bool:
        try:
            images, parts = (np.load(each, mmap_mode="r") for each in (self.images, self.parts))
            return bool(images.shape == self.shape and parts.shape == self._parts_shape)
        except (OSError, ValueError, EOFError):
            return False

    def _begin(self) -> None:
        if self.path.exists():
            logger.info("%s holds work of other options or images; beginning anew.", self.path)
            shutil.rmtree(self.path)
        self.path.mkdir(parents=True)
        for path, shape in ((self.images, self.shape), (self.parts, self._parts_shape)):
            with path.open("wb") as stream:
                write_header(stream, shape)
                stream.truncate(stream.tell() + int(np.prod(shape)))
        write_json(self.path / "job.json", {"job": self.job})

    def _journal(self, chunks: list[Chunk]) -> dict[int, Finished]:
        done: dict[int, Finished] = {}
        if not self._journal_path.exists():
            return done
        for line in self._journal_path.read_text(encoding="utf-8").splitlines():
            finished = _parsed(line)
            if finished is not None and self._is_written(finished, chunks):
                done[finished.number] = finished
        # Leaves no half line for the next one to be appended to.
        write_text(self._journal_path, "".join(map(_line, done.values())))
        return done

    def _is_written(self, finished: Finished, chunks: list[Chunk]) -> bool:
        if not 0 <= finished.number < len(chunks):
            return False
        chunk = chunks[finished.number]
        n = len(chunk.paths)
        return (
            len(finished.sha256) == n and self.targets.checksum(chunk.start, n) == finished.checksum
        )


def _row_file(path: Path, shape: tuple[int, ...]) -> RowFile:
    row_bytes = int(np.prod(shape[1:]))
    return RowFile(path, path.stat().st_size - shape[0] * row_bytes, row_bytes)


def _line(finished: Finished) -> str:
    # dataclasses.asdict copies every tuple, item by item.
    return json.dumps({each.name: getattr(finished, each.name) for each in fields(finished)}) + "\n"


def _parsed(line: str) -> Finished | None:
    """A line of the journal, None where the kill cut it short or another version wrote it."""
    try:
        entry = json.loads(line)
        return Finished(
            number=entry["number"],
            checksum=entry["checksum"],
            sha256=tuple(entry["sha256"]),
            hashes=tuple(entry["hashes"]),
            reasons=tuple(entry["reasons"]),
        )
    except (ValueError, KeyError):
        return None


def write_header(stream: IO[bytes], shape: tuple[int, ...]) -> None:
    """The header of a ``.npy`` file of uint8 in C order."""
    npy.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})


def copy_rows(source: Path, target: Path, keep: NDArray[np.bool_]) -> None:
    """Write the kept rows of one ``.npy`` file to another, a few megabytes at a time.

    Args:
        source: (N, ...) uint8.
        target: Replaced.
        keep: (N,) which rows.
    """
    images = np.load(source, mmap_mode="r")
    rows = np.flatnonzero(keep)
    step = max(1, _COPY_BYTES // int(np.prod(images.shape[1:])))
    with target.open("wb") as stream:
        write_header(stream, (len(rows), *images.shape[1:]))
        for start in range(0, len(rows), step):
            stream.write(images[rows[start : start + step]].tobytes())
            images = np.load(source, mmap_mode="r")  # lets go of the pages read so far
