"""The LiteRT interpreters behind a predictor."""

from __future__ import annotations

import os
import queue
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import numpy as np
from numpy.typing import NDArray

from lentigo.deploy.bundle import Bundle
from lentigo.errors import BundleError
from lentigo.machine import without_litert

try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError:
    raise without_litert() from None

# Descriptor 2 belongs to the whole process, so two threads must not redirect it at once.
_QUIET = threading.Lock()
_GREETING = b"INFO: "
_LOOKS = 50
_BETWEEN_S = 0.001


@dataclass(frozen=True)
class Answer:
    """What a graph gives for one image.

    Attributes:
        logits: (k,).
        maps: Attention, (h, w, k or 1).
        unfamiliarity: How unlike the training images it is, 0 or more; None of a graph
            that does not say.
    """

    logits: NDArray[np.float32]
    maps: NDArray[np.float32]
    unfamiliarity: float | None


class Engine:
    """One LiteRT interpreter, for one thread at a time.

    Args:
        bundle: Whose graph it runs.
        threads: CPU threads it computes with.

    Raises:
        BundleError: LiteRT refuses the graph, or it is not what the bundle says.
    """

    def __init__(self, bundle: Bundle, threads: int) -> None:
        try:
            with _without_greeting():
                self._interpreter = Interpreter(model_content=bundle.graph, num_threads=threads)
                self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise BundleError(f"{bundle.source}: LiteRT refuses the graph: {error}") from None
        inputs = self._interpreter.get_input_details()
        outputs = {len(each["shape"]): each for each in self._interpreter.get_output_details()}
        size, classes = bundle.info.spec.size, len(bundle.info.taxonomy.codes)
        if (
            [(tuple(each["shape"]), each["dtype"]) for each in inputs]
            != [((1, size, size, 3), np.uint8)]
            or not {2, 4} <= set(outputs) <= {1, 2, 4}
            or (bundle.info.familiarity is not None and 1 not in outputs)
            or tuple(outputs[2]["shape"]) != (1, classes)
        ):
            raise BundleError(
                f"{bundle.source}: its graph does not take one uint8 image of {size} pixels a "
                f"side, or does not give {classes} logits, an attention map, and how familiar "
                "an image is where its description has a threshold for that.",
                todo="Export the run again.",
            )
        self._input, self._logits = inputs[0]["index"], outputs[2]["index"]
        self._attention = outputs[4]["index"]
        self._blank = np.zeros((1, size, size, 3), np.uint8)
        self._unfamiliarity = outputs[1]["index"] if 1 in outputs else None

    def run(self, image: NDArray[np.uint8]) -> Answer:
        """The answer to one image (S, S, 3), of which nothing but the answer is left behind."""
        self._interpreter.set_tensor(self._input, image[None])
        self._interpreter.invoke()
        read = self._interpreter.get_tensor
        far = None if self._unfamiliarity is None else float(read(self._unfamiliarity)[0])
        answer = Answer(read(self._logits)[0], read(self._attention)[0], far)
        # Somebody's skin would lie here until the next photo.
        self._interpreter.set_tensor(self._input, self._blank)
        return answer


class Engines:
    """Up to ``count`` engines, each made when it is first needed and no other is idle.

    Args:
        bundle: Whose graph they run.
        count: How many at most.
        threads: CPU threads each computes with.
    """

    def __init__(self, bundle: Bundle, *, count: int, threads: int) -> None:
        self._bundle, self._threads = bundle, threads
        self._idle: queue.LifoQueue[Engine | None] = queue.LifoQueue()
        for _ in range(count):
            self._idle.put(None)

    @contextmanager
    def one(self) -> Iterator[Engine]:
        """An engine for this thread alone; waits where all are busy."""
        engine = self._idle.get()
        try:
            engine = engine or Engine(self._bundle, self._threads)
            yield engine
        finally:
            self._idle.put(engine)


@contextmanager
def _without_greeting() -> Iterator[None]:
    """Keep LiteRT from writing that it created its delegate to the user's stderr.

    It has no switch for that, so the descriptor itself points to a file for the moment. What
    other threads wrote there meanwhile is written on: it names photos that cannot be read.
    """
    with _QUIET:
        try:
            saved, aside = os.dup(2), _file_aside()
        except OSError:  # no stderr, so there is nobody to spare the line; or no room for a file
            yield
            return
        with aside:
            try:
                os.dup2(aside.fileno(), 2)
                yield
            finally:
                os.dup2(saved, 2)
                said = _settled(aside.fileno()).splitlines(keepends=True)
                kept = [line for line in said if not line.startswith(_GREETING)]
                if kept:
                    os.write(saved, b"".join(kept))
                os.close(saved)


def _settled(descriptor: int) -> bytes:
    """What was written to a file, once nobody writes any more.

    A thread may be inside a write that it began before the descriptor pointed elsewhere again, so
    half a line is waited for; and the file's position is its, so it is not moved.
    """
    said = b""
    for _ in range(_LOOKS):
        now = _whole(descriptor)
        if now == said and now[-1:] in {b"", b"\n"}:
            break
        said = now
        time.sleep(_BETWEEN_S)
    return said


def _whole(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    if hasattr(os, "pread"):
        return os.pread(descriptor, size, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)  # Windows
    return os.read(descriptor, size)


def _file_aside() -> IO[bytes]:
    """A file of no name: in memory where the system can, since disks may be full or read-only."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("stderr"), "w+b")
    return tempfile.TemporaryFile()
