"""Importing Keras as lentigo's commands do beside importing it plainly.

Each in a process of its own, in turn; seconds of processor time, the least of all rounds.

Expected: half (scikit-learn with SciPy a quarter of the time, the search for garbage another).

Run (``KERAS_BACKEND`` counts as ever)::

    python benchmarks/start_speed.py [--rounds 10]
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys

WAYS = {
    "import keras": "import keras",
    "lentigo": "from lentigo.start import import_keras; import_keras()",
}


def main() -> None:
    """Print the seconds of both and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    taken_s: dict[str, list[float]] = {name: [] for name in WAYS}
    for turn in range(rounds + 1):  # the first fills the caches
        for name, code in WAYS.items():
            before = used_s()
            quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
            subprocess.run(
                [sys.executable, "-c", code], check=True, env=quiet, stderr=subprocess.DEVNULL
            )
            if turn:
                taken_s[name].append(used_s() - before)
    for name, each in taken_s.items():
        print(f"{name:12}  {min(each):.2f} s")
    print(f"ratio         {min(taken_s['lentigo']) / min(taken_s['import keras']):.2f}")


def used_s() -> float:
    """Processor time of all children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
