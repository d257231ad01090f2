"""The command line: arguments in, one call, results out."""

from __future__ import annotations

import io
import os
import select
import sys

INTERRUPTED = 130
# What a shell reports of a program whose output nobody reads on: 128 and the number of SIGPIPE.
UNREAD = 141


def main() -> None:
    """Run ``lentigo``; errors of ours are printed without a traceback, exit code 2."""
    from lentigo.cli.app import app
    from lentigo.cli.output import complain, in_words
    from lentigo.errors import LentigoError

    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file may be called what no text can say; stderr has it so anyway.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            app()
        finally:
            print(end="", flush=True)
    except LentigoError as error:
        complain(error)
        sys.exit(2)
    except OSError as error:
        _end_where_nobody_reads(error)
        complain(in_words(error))
        _drop_what_cannot_be_written()
        sys.exit(2)
    except SystemExit as ended:
        # Typer turns Ctrl-C into an exit code without a word, and so it does a broken pipe.
        if isinstance(broken := ended.__context__, BrokenPipeError):
            _end_where_nobody_reads(broken)
            complain(broken)
            sys.exit(2)
        if ended.code == INTERRUPTED:
            complain("interrupted; the same command goes on from here")
        raise


def _end_where_nobody_reads(error: OSError) -> None:
    """End quietly after `lentigo predict ... | head`, which is no failure to read an image.

    The signal that ends other programs there stays ignored, as Python has it: a visitor's
    browser that hangs up, or a child that ends, raises it as well.
    """
    unread = [stream for stream in (sys.stdout, sys.stderr) if stream and _unread(stream.fileno())]
    if isinstance(error, BrokenPipeError) and unread:
        for stream in unread:  # what is left in its buffer is written when Python ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        sys.exit(UNREAD)


def _drop_what_cannot_be_written() -> None:
    """Python tries again when it ends, and ends with 120 and two lines of its own."""
    try:
        print(end="", flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _unread(descriptor: int) -> bool:
    """Whether the other end of a pipe is closed."""
    if not hasattr(select, "poll"):  # Windows, where a pipe that breaks is another error
        return True
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))
