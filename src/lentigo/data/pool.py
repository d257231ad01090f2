"""Chunks of images over processes, which end when their parent does, however it ends."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait

import cv2

from lentigo.data.pixels import Chunk, Finished, Targets, prepare_chunk
from lentigo.data.processes import context
from lentigo.errors import LentigoError
from lentigo.image.spec import PreprocessSpec
from lentigo.machine import keep_freed_memory

# Starting a process costs about as much as preparing this many images.
_IMAGES_WORTH_A_PROCESS = 100
# Of glibc's malloc.h; 32 MiB is the most that it takes as a threshold.
_KEPT_BYTES = 32 << 20


def run_chunks(
    chunks: Sequence[Chunk], spec: PreprocessSpec, targets: Targets, workers: int
) -> Iterator[Finished]:
    """Prepare chunks, in this process or in several.

    Args:
        chunks: The work.
        spec: What is done to each image.
        targets: Where rows go.
        workers: At most this many processes; few images get fewer.

    Yields:
        Each chunk when it is finished, in any order.

    Raises:
        LentigoError: A worker died.
    """
    n_images = sum(len(chunk.paths) for chunk in chunks)
    workers = min(workers, len(chunks), 1 + n_images // _IMAGES_WORTH_A_PROCESS)
    if workers <= 1:
        for chunk in chunks:
            yield prepare_chunk(chunk, spec, targets)
        return
    pool = open_pool(workers)
    try:
        futures = [pool.submit(prepare_chunk, chunk, spec, targets) for chunk in chunks]
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool:
        raise LentigoError(
            "A worker process ended before its work was done.",
            todo="Was there enough memory? A script that calls prepare() must do so under "
            "`if __name__ == '__main__':`. Run the same again: it resumes. "
            "With workers=1 no process is started.",
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def open_pool(workers: int) -> ProcessPoolExecutor:
    """So many processes that import this module and nothing that trains."""
    return ProcessPoolExecutor(workers, mp_context=context(), initializer=_start)


def _start() -> None:
    """Set up a worker: one thread each, memory kept, and an end when the parent is gone."""
    cv2.setNumThreads(1)
    # An image's memory is kept for the next one: the page faults of taking it again cost as much
    # as decoding a small JPEG.
    keep_freed_memory(up_to=_KEPT_BYTES)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        # A worker of a killed run would otherwise wait for work for ever.
        os._exit(1)
