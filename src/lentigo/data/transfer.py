"""One file over HTTP: resumed where it broke off, whole and verified, or not there at all."""

from __future__ import annotations

import contextlib
import http.client
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lentigo.data.sources.table import Archive
from lentigo.errors import DownloadError
from lentigo.files import digest_file, read_json, write_json

logger = logging.getLogger(__name__)

Progress = Callable[[str, int, int | None], None]
"""Called with what arrives, how much of it is here, and how much there is (or None).

Of a file in bytes, of a collection in images; the first says so too.
"""

CHUNK_BYTES = 1 << 18
_BROKEN = (OSError, http.client.HTTPException)  # URLError and timeouts are OSErrors
_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server.

    Attributes:
        attempts: Broken connections in a row that bring nothing, before giving up.
        pause_s: Wait before the second attempt; doubled before each further one.
        timeout_s: Silence that counts as a broken connection.
    """

    attempts: int = 5
    pause_s: float = 1.0
    timeout_s: float = 60.0


def fetch(
    archive: Archive,
    url: str,
    path: Path,
    *,
    patience: Patience | None = None,
    progress: Progress | None = None,
) -> None:
    """Bring one file here; does nothing where it is.

    What arrives goes to ``path`` + ``.part`` and keeps growing over broken connections and
    killed processes, as long as the server's file stays the same (its ETag or date); only a
    whole file whose published size and digest are right gets its name.

    Args:
        archive: What is known of the file.
        url: Its address, http or https.
        path: Where it goes.
        patience: How long to wait.
        progress: Called after every piece.

    Raises:
        DownloadError: It is not there, keeps breaking off, or is not what was published.
    """
    if path.exists():
        _verify(archive, path)
        return
    if urlsplit(url).scheme not in {"http", "https"}:
        raise DownloadError(f"{url} is not an address of the web.")
    path.parent.mkdir(parents=True, exist_ok=True)
    _fetch_patiently(_Part(url, path), patience or Patience(), progress)
    part = _Part(url, path)
    try:
        _verify(archive, part.path)
    except DownloadError:
        part.discard()  # what is wrong must not be resumed
        raise
    part.path.replace(path)
    part.state_path.unlink(missing_ok=True)


class _Part:
    """The beginning of a file that is here, and of which of the server's files it is one."""

    def __init__(self, url: str, target: Path) -> None:
        self.url = url
        self.name = target.name
        self.path = target.with_name(f"{target.name}.part")
        self.state_path = target.with_name(f"{target.name}.part.json")

    @property
    def n_bytes(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def version(self) -> str:
        """The server's mark of the file begun, empty where it gave none or nothing is begun."""
        if not (self.n_bytes and self.state_path.exists()):
            return ""
        state = read_json(self.state_path)
        return str(state["version"]) if state["url"] == self.url else ""

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self.state_path.unlink(missing_ok=True)


def _fetch_patiently(part: _Part, patience: Patience, progress: Progress | None) -> None:
    failures = 0
    while True:
        before = part.n_bytes
        try:
            if _fetch_once(part, patience.timeout_s, progress):
                return
            problem = "the connection broke off"
        except urllib.error.HTTPError as error:
            problem = f"the server answers {error.code} {error.reason}"
            error.close()
            if error.code not in _TRY_AGAIN:
                raise _gave_up(part, problem) from None
        except _BROKEN as error:
            why = error.reason if isinstance(error, urllib.error.URLError) else error
            problem = str(why) or type(error).__name__
        failures = 0 if part.n_bytes > before else failures + 1
        if failures >= patience.attempts:
            raise _gave_up(part, problem)
        logger.warning("%s: %s at byte %d; trying again.", part.name, problem, part.n_bytes)
        time.sleep(patience.pause_s * 2 ** max(0, failures - 1))


def _gave_up(part: _Part, problem: str) -> DownloadError:
    return DownloadError(
        f"{part.name} could not be fetched from {part.url}: {problem}.",
        todo="Try again later (what has arrived is kept), or name a mirror: --mirror URL.",
    )


def _fetch_once(part: _Part, timeout_s: float, progress: Progress | None) -> bool:
    """One request, from where the part ends.

    Returns:
        Whether the file is whole now.
    """
    version = part.version()
    if not version:
        part.discard()  # without the server's mark nothing says that it is the same file
    request = urllib.request.Request(part.url)  # noqa: S310 - fetch lets only http(s) in
    if version:
        request.add_header("Range", f"bytes={part.n_bytes}-")
        request.add_header("If-Range", version)
    try:
        response = urllib.request.urlopen(request, timeout=timeout_s)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        whole = (error.headers.get("Content-Range") or "").endswith(f"/{part.n_bytes}")
        error.close()
        if not whole:
            part.discard()
        return whole
    with contextlib.closing(response):
        return _receive(part, response, progress)


def _receive(part: _Part, response: http.client.HTTPResponse, progress: Progress | None) -> bool:
    resumed = response.status == http.HTTPStatus.PARTIAL_CONTENT
    start = part.n_bytes if resumed else 0
    if resumed and not (response.headers["Content-Range"] or "").startswith(f"bytes {start}-"):
        part.discard()
        raise http.client.HTTPException("it resumes at another byte than asked for")
    length = response.headers["Content-Length"]
    total = start + int(length) if length else None
    if not resumed:
        part.discard()
        etag = response.headers["ETag"] or ""
        # A weak ETag promises no equal bytes, so it cannot vouch for a resumed file.
        strong = "" if etag.startswith("W/") else etag
        version = strong or response.headers["Last-Modified"] or ""
        write_json(part.state_path, {"url": part.url, "version": version})
    with part.path.open("ab") as stream:
        while piece := response.read(CHUNK_BYTES):
            stream.write(piece)
            if progress:
                progress(f"{part.name}, bytes", stream.tell(), total)
    return total is None or part.n_bytes == total


def _verify(archive: Archive, path: Path) -> None:
    size = path.stat().st_size
    if archive.n_bytes is not None and size != archive.n_bytes:
        raise DownloadError(f"{archive.name} has {size} bytes, not {archive.n_bytes}.")
    if archive.sha256 is not None:
        found = digest_file(path)
        if found != archive.sha256.lower():
            raise DownloadError(
                f"{archive.name} has the wrong digest: sha256 {found}, not {archive.sha256}.",
                todo="Download it again; if it stays so, the publisher changed the file.",
            )
    with path.open("rb") as stream:
        head = stream.read(512).lstrip().lower()
    # Portals answer with a page where the file should be, and call that a success.
    if head.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise DownloadError(f"{archive.name} is a web page or an error message, not the file.")
