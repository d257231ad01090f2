"""Where photos are answered: decoded one after the other, and only so many in the queue."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from lentigo.deploy.bundle import BundleInfo
from lentigo.deploy.prediction import Prediction
from lentigo.deploy.runtime import BundlePredictor
from lentigo.errors import ImageError
from lentigo.web.gates import Budget
from lentigo.web.metrics import Metrics
from lentigo.web.pictures import PHOTO_PX, Portrait, portrait
from lentigo.web.refusals import Refusal
from lentigo.web.screening import screen
from lentigo.web.settings import Limits

T = TypeVar("T")


class Desk:
    """A predictor with a queue in front of it.

    Args:
        predictor: What answers.
        limits: Of photos and queue.
        metrics: Told how long each answer took.
    """

    def __init__(self, predictor: BundlePredictor, limits: Limits, metrics: Metrics) -> None:
        self._predictor, self._limits, self._metrics = predictor, limits, metrics
        self._places = Budget(limits.waiting)
        spec = predictor.spec
        # The result page takes its picture from a second decode, which leaves more.
        self._enough_px = None if spec.enough_px is None else max(PHOTO_PX, spec.enough_px)
        self._pool = ThreadPoolExecutor(predictor.threads, thread_name_prefix="lentigo-desk")
        # Decoded photos are what fills the memory of a small device.
        self._decoding = threading.Lock()

    @property
    def info(self) -> BundleInfo:
        """What the bundle says about itself."""
        return self._predictor.info

    @property
    def card(self) -> str:
        """The bundle's model card in Markdown; empty where it has none."""
        return self._predictor.bundle.model_card

    @property
    def waiting(self) -> int:
        """Photos under way now."""
        return self._places.taken

    def warm_up(self) -> None:
        """Load the graph before the first visitor waits for it.

        Raises:
            BundleError: LiteRT refuses it.
        """
        import numpy as np  # noqa: PLC0415 - shapes only

        size = self.info.spec.size
        self._predictor.predict(np.zeros((1, size, size, 3), np.uint8))

    async def predict(self, content: bytes, name: str) -> Prediction:
        """The answer about a photo.

        Raises:
            Refusal: The photo is refused, or the queue is full.
        """
        return await self._in_turn(lambda: self._answer(content, name, attention=False))

    async def portray(self, content: bytes, name: str) -> tuple[Prediction, Portrait]:
        """The answer about a photo, and the pictures for the result page.

        Raises:
            Refusal: The photo is refused, or the queue is full.
        """

        def both() -> tuple[Prediction, Portrait]:
            prediction = self._answer(content, name, attention=True)
            with self._decoding:
                return prediction, portrait(content, self.info.spec, prediction)

        return await self._in_turn(both)

    def close(self) -> None:
        """Let the queue run out."""
        self._pool.shutdown(cancel_futures=True)

    async def _in_turn(self, work: Callable[[], T]) -> T:
        with self._places.hold(1):
            loop = asyncio.get_running_loop()
            try:
                return await loop.run_in_executor(self._pool, work)
            except ImageError as error:
                raise Refusal(
                    422, "problem.not_image", reason=_reason(error), why="reason.damaged"
                ) from None

    def _answer(self, content: bytes, name: str, *, attention: bool) -> Prediction:
        began = time.perf_counter()
        screen(content, self._limits, enough_px=self._enough_px)
        prediction = self._predictor.predict_bytes(
            content,
            name=name,
            attention=attention,
            alone=self._places.taken == 1,
            decoding=self._decoding,
        )
        self._metrics.predictions.add(time.perf_counter() - began)
        return prediction


def _reason(error: ImageError) -> str:
    reason = error.problem.removeprefix("The image (bytes): ")
    return f"{reason[0].upper()}{reason[1:]}"
