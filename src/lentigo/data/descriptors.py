"""The hand-crafted features of many images, over processes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

import numpy as np
from numpy.typing import NDArray

from lentigo.data.oversampling import Images
from lentigo.data.pool import open_pool
from lentigo.errors import LentigoError
from lentigo.image.handcrafted import Descriptors, describe_batch

_CHUNK = 64
# Starting a process takes as long as describing about so many images.
_WORTH_A_PROCESS = 500


def describe_images(
    images: Images,
    rows: NDArray[np.int64],
    which: Descriptors,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float64]:
    """The features of some images, read a chunk at a time.

    Args:
        images: (N, H, W, 3) uint8, memory-mapped; two chunks a worker are in memory.
        rows: (n,) which of them.
        which: What is wanted.
        workers: At most so many processes; few images get fewer.
        progress: Told of (images done, images).

    Returns:
        (n, d) in the order of ``rows``.

    Raises:
        LentigoError: A process died.
    """
    found = np.empty((len(rows), len(which.names)))
    starts = range(0, len(rows), _CHUNK)

    def store(start: int, part: NDArray[np.float64]) -> None:
        found[start : start + len(part)] = part
        if progress is not None:
            progress(start + len(part), len(rows))

    def read(start: int) -> NDArray[np.uint8]:
        return np.asarray(images[rows[start : start + _CHUNK]])

    workers = min(workers, 1 + len(rows) // _WORTH_A_PROCESS)
    if workers <= 1:
        for start in starts:
            store(start, describe_batch(read(start), which))
        return found
    waiting: deque[tuple[int, Future[NDArray[np.float64]]]] = deque()
    pool = open_pool(workers)
    try:
        for start in starts:
            waiting.append((start, pool.submit(describe_batch, read(start), which)))
            if len(waiting) >= 2 * workers:
                first, future = waiting.popleft()
                store(first, future.result())
        for first, future in waiting:
            store(first, future.result())
    except BrokenProcessPool:
        raise LentigoError(
            "A process that described images ended before its work was done.",
            todo="Was there enough memory? Run the same again.",
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return found
