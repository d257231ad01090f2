"""What a command prints: results on stdout, progress on stderr."""

from __future__ import annotations

import errno
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lentigo.errors import visible

if TYPE_CHECKING:
    from lentigo.train import Progress as Training


def as_json(value: Any) -> None:
    """Print ``value`` as indented JSON."""
    print(json.dumps(value, indent=1, ensure_ascii=False))


_TODO = {
    errno.ENOSPC: "Free some space on that disk, or write elsewhere.",
    errno.EDQUOT: "Free some space of your quota there, or write elsewhere.",
    errno.EFBIG: "That disk, or a limit of the shell (ulimit -f), takes no file so large: "
    "write elsewhere, or lift the limit.",
    errno.EROFS: "Nothing can be written on that disk: name a place elsewhere.",
    errno.EACCES: "Name a place that you may use, or change its permissions.",
    errno.EPERM: "Name a place that you may use, or change its permissions.",
    errno.EEXIST: "A file stands where a folder is to be: name another place.",
    errno.ENOTDIR: "A file stands where a folder is to be: name another place.",
    errno.EISDIR: "A folder stands where a file is to be: name a file.",
    errno.ENOENT: "Check the path; where it is to be written, name a place elsewhere.",
    errno.ENAMETOOLONG: "Name a shorter path.",
}


def in_words(error: OSError) -> str:
    """What the system refused, with the file and what to do where both are known."""
    todo = _TODO.get(error.errno or 0)
    if todo is None or error.strerror is None:
        return str(error)
    # Only what is printed has no name: files are named where they are written.
    where = "The output" if error.filename is None else os.fsdecode(error.filename)
    return f"{where} cannot be used: {error.strerror}.\n  -> {todo}"


def say_next(*words: object) -> None:
    """Print the command that comes next, quoted so that a shell takes it as it stands."""
    print(f"Next: {shlex.join(map(str, words))}")


def complain(what: object) -> None:
    """Say on stderr what is wrong; a file's name in it does not steer the terminal."""
    told = visible(str(what), keep="\n")
    print(f"lentigo: {told}", file=sys.stderr)


def as_table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> None:
    """Print ``rows`` as aligned columns under a header.

    Args:
        rows: One mapping a line.
        columns: Key to heading.
    """
    cells = [[str(row.get(key, "")) for key in columns] for row in rows]
    lines = [list(columns.values()), *cells]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(padded).rstrip())


def figure(estimate: Mapping[str, Any] | Any) -> str:
    """An estimate as ``0.812 [0.790, 0.833]``."""
    fields = estimate if isinstance(estimate, Mapping) else estimate.to_dict()
    if fields["value"] is None:
        return "undefined"
    if fields["low"] is None:
        return f"{fields['value']:z.3f} [no interval]"
    return f"{fields['value']:z.3f} [{fields['low']:z.3f}, {fields['high']:z.3f}]"


@contextmanager
def counting(title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr, told of (done, all); silent where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    with Progress(
        "{task.description}",
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def arriving() -> Iterator[Callable[[str, int, int | None], None]]:
    """A bar a file on stderr, told of (name, arrived, all or None); a line where no terminal is.

    Counts are bytes of an archive, images of a collection.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    with Progress(
        "{task.description}",
        BarColumn(),
        TextColumn("{task.fields[arrived]}"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as bar:
        tasks: dict[str, Any] = {}

        def tell(name: str, done: int, total: int | None) -> None:
            arrived = f"{done:,} of {total:,}" if total else f"{done:,}"
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=total, arrived=arrived)
                if not console.is_terminal:
                    size = f": {total:,}" if total else ""
                    print(f"{name}{size}", file=sys.stderr, flush=True)
            bar.update(tasks[name], completed=done, total=total, arrived=arrived)

        yield tell


@contextmanager
def training_progress() -> Iterator[Callable[[Training], None]]:
    """A bar an epoch with images/s and time left, and a line for each finished epoch."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[speed]:.0f} images/s"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("starting", total=None, speed=0.0)

        def tell(p: Training) -> None:
            if p.row is None:
                done = (p.epoch - 1) * p.steps + p.step
                title = f"{p.stage}, epoch {p.epoch}/{p.epochs}"
                whole = p.epochs * p.steps
                bar.update(
                    task, description=title, completed=done, total=whole, speed=p.images_per_s
                )
                return
            shown = {k: v for k, v in p.row.items() if k not in {"epoch", "stage"}}
            figures = "  ".join(f"{key} {float(value):.4g}" for key, value in shown.items())
            text = f"epoch {p.epoch}/{p.epochs} {p.stage}: {figures}  {p.images_per_s:.0f} images/s"
            # Plain text: a log has no use for wrapped or coloured lines.
            bar.console.file.write(text + "\n")
            bar.console.file.flush()

        yield tell


@contextmanager
def quiet_start() -> Iterator[None]:
    """Keep the greetings that TensorFlow's C++ writes while it is imported off stderr."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a file descriptor is needed
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def need_data() -> None:
    """Check for what reading data sets needs.

    Raises:
        MissingExtraError: The light install was asked for more than it can.
    """
    _need("pandas")


def need_training() -> None:
    """Import Keras, soon and without its noise; see `need_data`."""
    from lentigo.start import check_backend, import_keras

    _need("keras", "pandas")
    check_backend()
    with quiet_start():
        import_keras()


def _need(*packages: str) -> None:
    from importlib.util import find_spec

    from lentigo.errors import MissingExtraError

    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"This install of lentigo only predicts and serves; not here: {', '.join(missing)}.",
            todo="pip install 'lentigo[train]'",
        )
