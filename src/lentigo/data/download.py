"""Bring a public data set here: challenge archives over HTTP, collections by `isic-cli`.

The addresses of the challenge archives are the public ones of the ISIC challenges. They could
not be reached from where this was built: the transfers are tested against a local server, the
addresses themselves are not. No digests are published for these files, so archives are verified
by the checksums they carry, tables by what the source makes of them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lentigo.data.isic_cli import fetch_collection
from lentigo.data.sources import SOURCES
from lentigo.data.sources.table import Archive, IsicCollection, ReadOptions, Source
from lentigo.data.transfer import Patience, Progress, fetch
from lentigo.data.unpack import unpack
from lentigo.errors import DownloadError, SourceError, listed
from lentigo.files import digest_file, read_json, write_json

logger = logging.getLogger(__name__)

RECORD_NAME = "download.json"
ZIP_ENDING = ".zip"


def download(
    source: str | Source,
    out: Path | str,
    *,
    base_url: str | None = None,
    progress: Progress | None = None,
    patience: Patience | None = None,
    isic_command: Sequence[str] | None = None,
) -> Path:
    """Download a source into a folder that ``prepare`` reads; run again, it resumes.

    What came before and has changed since is fetched again: tables whose digest, and unpacked
    files whose size, is not what ``download.json`` says. Zips are deleted once unpacked. At the
    end the source is read.

    Args:
        source: A name in ``SOURCES``, or a source.
        out: The folder.
        base_url: Where the archives lie instead of the publisher's server.
        progress: Called with what arrives, how much of it is here, and how much there is.
        patience: How long to wait for a server.
        isic_command: How ``isic-cli`` is started, where not as installed.

    Returns:
        ``out``.

    Raises:
        DownloadError: The source has no download, or a file failed; the file is named.
        MissingExtraError: ``isic-cli`` is needed and not installed.
    """
    wanted, out = _source(source), Path(out)
    if wanted.download is None:
        where = f"Get it from {wanted.url} ." if wanted.url else f"It reads: {wanted.layout}."
        raise DownloadError(f"{wanted.name} cannot be downloaded by lentigo.", todo=where)
    if base_url is not None and isinstance(wanted.download, IsicCollection):
        raise DownloadError(
            f"{wanted.name} comes from the ISIC Archive, image by image; there is no mirror of it.",
            todo="Leave the mirror out.",
        )
    out.mkdir(parents=True, exist_ok=True)
    if isinstance(wanted.download, IsicCollection):
        fetch_collection(wanted.download, out, command=isic_command, progress=progress)
    else:
        for archive in wanted.download:
            _Transfer(archive, out, base_url).run(patience, progress)
    _check(wanted, out)
    return out


def _check(source: Source, out: Path) -> None:
    try:
        table = source.read(out, ReadOptions())
    except SourceError as error:
        raise DownloadError(
            f"What was downloaded is not complete: {error.problem}",
            todo=f"Delete {out / RECORD_NAME} and run the same command again.",
        ) from None
    logger.info("%s: %d images in %s.", source.name, len(table.frame), out)


def _source(source: str | Source) -> Source:
    if isinstance(source, Source):
        return source
    if source not in SOURCES:
        raise SourceError(f"There is no source {source!r}.", todo=f"Sources: {sorted(SOURCES)}.")
    return SOURCES[source]


@dataclass(frozen=True)
class _Transfer:
    """One archive on its way into ``out``."""

    archive: Archive
    out: Path
    base_url: str | None

    def run(self, patience: Patience | None, progress: Progress | None) -> None:
        record = self._record()
        url = self.archive.url
        if self.base_url is not None:
            url = f"{self.base_url.rstrip('/')}/{self.archive.name}"
        path = self.out / self.archive.name
        is_zip = path.suffix.lower() == ZIP_ENDING
        if (known := record.get(self.archive.name)) is not None:
            if not (changed := self._changed(known, path)):
                return
            logger.warning(
                "%s is fetched again, for these are not what was downloaded:\n%s",
                self.archive.name,
                listed(changed),
            )
            if not is_zip:  # a zip that lies here came whole and was not unpacked yet
                path.unlink(missing_ok=True)
        fetch(self.archive, url, path, patience=patience, progress=progress)
        entry = {"url": url, "sha256": digest_file(path), "n_bytes": path.stat().st_size}
        if is_zip:
            files = self._unpack(path)
            entry |= {"n_files": len(files), "files": files}
        # The record before the deletion: a run killed between the two fetches nothing again.
        write_json(self.out / RECORD_NAME, {**record, self.archive.name: entry})
        if is_zip:
            path.unlink()

    def _changed(self, known: Mapping[str, Any], path: Path) -> list[str]:
        """What is no longer as it came: a table by its digest, unpacked files by their sizes."""
        if "n_files" not in known:
            same = path.is_file() and digest_file(path) == known["sha256"]
            return [] if same else [path.name]
        sizes = dict(known.get("files", {}))
        return [name for name, size in sizes.items() if _size(self.out / name) != size]

    def _unpack(self, path: Path) -> dict[str, int]:
        try:
            return unpack(path, self.out)
        except DownloadError:
            path.unlink()  # kept, it would stand in the way of a sound one
            raise

    def _record(self) -> dict[str, Any]:
        path = self.out / RECORD_NAME
        return dict(read_json(path)) if path.exists() else {}


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None
