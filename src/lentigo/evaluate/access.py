"""Every look at a list of images is counted: a test set that is looked at often is worn out.

A list is known by the digest of its image ids, so a copy of a prepared set, or the same
images at another size, is the same list. The log beside a set knows only what was looked at
there, and each run keeps its own. So there is a third, one for each user of a machine
(``user_log``), which a look is written into wherever sets and runs lie. Every look gathers
what all of them and the runs beside this one know of the list, and carries into the log beside
the set what that lacked: so looks travel with the files to another machine or user. What no log
within reach knows cannot be counted.
"""

from __future__ import annotations

import json
import logging
import os
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lentigo.errors import InputError, listed

LOGGER = logging.getLogger(__name__)
LOG_NAME = "test_access.jsonl"


@dataclass(frozen=True)
class Looks:
    """How often a list was looked at, this look included.

    Attributes:
        total: Looks in all logs within reach.
        models: Different models among them.
    """

    total: int
    models: int


def shared_log(data: Path) -> Path:
    """Where looks are counted whoever looks: beside the prepared set, never inside it."""
    return data.resolve().parent / LOG_NAME


def user_log() -> Path:
    """The log of all looks of this user on this machine, whatever the folders.

    In the place for such things of the XDG Base Directory Specification (``XDG_STATE_HOME``,
    else ``~/.local/state``), on every system.
    """
    stated = os.environ.get("XDG_STATE_HOME", "")
    base = Path(stated) if Path(stated).is_absolute() else Path.home() / ".local" / "state"
    return base / "lentigo" / LOG_NAME


def log_look(
    digest: str,
    model: str,
    *,
    log: Path,
    run_folder: Path | None = None,
    user: Path | None = None,
    details: Mapping[str, Any] | None = None,
) -> Looks:
    """Record one look, before it is taken, and count the looks so far.

    Args:
        digest: Of the list's image ids.
        model: Who looks.
        log: The log shared by all runs and bundles; it gets what other logs know of the list.
        run_folder: The run; it gets the same line in a log of its own.
        user: The log of this user, ``user_log``; it gets what all know. None leaves it out.
        details: Further plain values for the line.

    Returns:
        The looks at this list in all logs within reach, this one included. What cannot be
        written, such as a log on a read-only disk, is warned of while another log can.

    Raises:
        InputError: No log can be written.
    """
    own = None if run_folder is None else run_folder / LOG_NAME
    beside = [] if run_folder is None else sorted(run_folder.resolve().parent.glob(f"*/{LOG_NAME}"))
    others = _looks_at(digest, [path for path in (own, user, *beside) if path is not None])
    entry = {
        "id": uuid.uuid4().hex,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "digest": digest,
        "model": model,
        **(details or {}),
    }
    line = _line(entry)
    known = others | _looks_at(digest, [log])
    writes = {log: lambda: _learn(log, digest, others, line)}
    if user is not None:
        writes.setdefault(user, lambda: _learn(user, digest, known, line))
    if own is not None:
        writes.setdefault(own, lambda: _append(own, line))
    _write_some(writes)
    # Read again: another process may have looked meanwhile.
    known = known | _looks_at(digest, [log]) | Counter([line])
    return Looks(total=known.total(), models=len({json.loads(each).get("model") for each in known}))


def _write_some(writes: Mapping[Path, Callable[[], None]]) -> None:
    """Write into every log that can be written; a look that none of them keeps is refused.

    Raises:
        InputError: No log can be written.
    """
    failed = {}
    for path, write in writes.items():
        try:
            write()
        except OSError as error:
            failed[path] = error.strerror or str(error)
    told = [f"{path} ({why})" for path, why in failed.items()]
    if len(failed) == len(writes):
        raise InputError(
            f"No log of looks at test images can be written:\n{listed(told)}",
            todo="Make one of these places writable, or set XDG_STATE_HOME to a folder that is: "
            "a look that nobody counts makes test figures worth less.",
        )
    for each in told:
        LOGGER.warning("This log of looks cannot be written, so they may be missed later: %s", each)


def _learn(log: Path, digest: str, looks: Counter[str], line: str) -> None:
    """Add to a log the looks at a list that it lacks, and a new one."""
    missing = looks - _looks_at(digest, [log])
    for each in (*sorted(missing.elements()), line):
        _append(log, each)


def _looks_at(digest: str, logs: Iterable[Path]) -> Counter[str]:
    """The looks at a list, each once though several logs hold it.

    Entries of before there were ids may be equal within one log, two looks in a second:
    as many are kept as the log with the most of them has.
    """
    found: Counter[str] = Counter()
    for path in logs:
        found |= Counter(_line(each) for each in read_looks(path) if each.get("digest") == digest)
    return found


def _line(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, sort_keys=True, ensure_ascii=False)


def read_looks(log: Path) -> list[dict[str, Any]]:
    """The entries of a log, oldest first; lines torn by a crash are passed over."""
    if not log.is_file():
        return []
    entries = []
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(entry, dict):
            entries.append(entry)
    return entries


def _append(path: Path, line: str) -> None:
    """Add one line in one write, safe against other writers, and wait until it is on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        size = os.fstat(handle).st_size
        torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        os.write(handle, f"{chr(10) if torn else ''}{line}\n".encode())
        os.fsync(handle)
    finally:
        os.close(handle)
