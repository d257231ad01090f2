"""Every look at a list of images is counted: a test set that is looked at often is worn out."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LOG_NAME = "test_access.jsonl"


@dataclass(frozen=True)
class Looks:
    """How often a list was looked at, this look included.

    Attributes:
        total: Looks in the shared log.
        models: Different models among them.
    """

    total: int
    models: int


def shared_log(data: Path) -> Path:
    """Where looks are counted whoever looks: beside the prepared set, never inside it."""
    return data.resolve().parent / LOG_NAME


def log_look(
    digest: str,
    model: str,
    *,
    log: Path,
    run_folder: Path | None = None,
    details: Mapping[str, Any] | None = None,
) -> Looks:
    """Record one look, before it is taken, and count the looks so far.

    Args:
        digest: Of the list's image ids.
        model: Who looks.
        log: The log shared by all runs and bundles.
        run_folder: The run; it gets the same line in a log of its own.
        details: Further plain values for the line.

    Returns:
        The looks at this list in the shared log, this one included.
    """
    entry = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "digest": digest,
        "model": model,
        **(details or {}),
    }
    line = json.dumps(entry, sort_keys=True, ensure_ascii=False)
    own = None if run_folder is None else run_folder / LOG_NAME
    for path in {log, own} - {None}:
        assert path is not None
        _append(path, line)
    entries = [each for each in read_looks(log) if each.get("digest") == digest]
    return Looks(total=len(entries), models=len({each.get("model") for each in entries}))


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
