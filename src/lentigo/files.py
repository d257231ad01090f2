"""Files written whole or not at all, and the digests that name them."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lentigo.errors import InputError

try:
    import fcntl
except ImportError:  # Windows has none; there, two processes are the user's own care
    fcntl = None  # type: ignore[assignment]

CHUNK_BYTES = 1 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def atomic_path(path: Path, *, private: bool = False) -> Iterator[Path]:
    """A temporary path beside ``path`` that replaces it when the block ends well.

    A block that raises, or a process that is killed, leaves ``path`` as it was.

    Args:
        path: What is written.
        private: Its owner alone may read it, and at no moment anybody else.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        if not private:  # as which it was made
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.errno in _FULL and error.filename is None:
            error.filename = str(path)  # the system does not say what it had no room for
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def locked(path: Path, folder: Path | None = None) -> Iterator[None]:
    """Hold ``path`` as a lock; the system lets go of it however the process ends.

    Args:
        path: A file that is made for it, and removed.
        folder: What it protects; None is the folder it lies in.

    Raises:
        InputError: Another process holds it.
    """
    if not path.parent.exists():
        path.parent.mkdir(parents=True)
    with path.open("a") as stream:
        if fcntl is not None:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(
                    f"Another process is working on {folder or path.parent}.",
                    todo="Wait until it ends.",
                ) from None
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def need_place(path: Path) -> None:
    """See that a file can be written there, before the minutes of work that are to fill it.

    Raises:
        InputError: It cannot.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder.", todo=f"Name a file, such as {path / path.name}.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror}.", todo="Name a file elsewhere."
        ) from None


def write_bytes(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write ``content`` to ``path`` atomically; ``private`` as for `atomic_path`."""
    with atomic_path(path, private=private) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str, *, private: bool = False) -> None:
    """Write UTF-8 text to ``path`` atomically; ``private`` as for `atomic_path`."""
    write_bytes(path, content.encode(), private=private)


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def write_json(path: Path, value: Any, *, private: bool = False) -> None:
    """Write ``value`` as indented JSON to ``path``, as `write_text` does; NaN is refused."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    write_text(path, f"{text}\n", private=private)


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises:
        InputError: The file is missing or is not JSON; the line is named.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid JSON: {error}") from None


def digest_text(text: str) -> str:
    """SHA-256 of UTF-8 text, 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def digest_json(value: Any) -> str:
    """SHA-256 of the canonical JSON of ``value``, 64 hexadecimal digits."""
    return digest_text(canonical_json(value))


def digest_file(path: Path) -> str:
    """SHA-256 of a file, read in pieces, 64 hexadecimal digits."""
    state = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            state.update(chunk)
    return state.hexdigest()


def digest_list(items: list[str]) -> str:
    """SHA-256 of the sorted items, one a line: the identity of a set of ids."""
    return digest_text("".join(f"{item}\n" for item in sorted(items)))
