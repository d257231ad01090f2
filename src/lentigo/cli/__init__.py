"""The command line: arguments in, one call, results out."""

from __future__ import annotations

import signal
import sys

INTERRUPTED = 130


def main() -> None:
    """Run ``lentigo``; errors of ours are printed without a traceback, exit code 2."""
    from lentigo.cli.app import app
    from lentigo.errors import LentigoError

    if hasattr(signal, "SIGPIPE"):
        # `lentigo predict ... | head`: nobody reads on, which is no failure to read an image.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        app()
    except LentigoError as error:
        print(f"lentigo: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        print(f"lentigo: {error}", file=sys.stderr)
        sys.exit(2)
    except SystemExit as ended:
        # Typer turns Ctrl-C into an exit code without a word.
        if ended.code == INTERRUPTED:
            print("lentigo: interrupted; the same command goes on from here", file=sys.stderr)
        raise
