"""The command line: arguments in, one call, results out."""

from __future__ import annotations

import sys


def main() -> None:
    """Run ``lentigo``; errors of ours are printed without a traceback, exit code 2."""
    from lentigo.cli.app import app
    from lentigo.errors import LentigoError

    try:
        app()
    except LentigoError as error:
        print(f"lentigo: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("lentigo: interrupted; the same command goes on from here", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # `lentigo ... | head`: nobody reads on, which is no error of ours.
        sys.stderr.close()
        sys.exit(141)
