"""A bundle at work: images in, calibrated probabilities out.

Part of the light set: it runs where only LiteRT, NumPy, OpenCV and pydantic are installed.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lentigo.deploy.bundle import Bundle, BundleInfo, read_bundle, shipped_models
from lentigo.deploy.engine import Answer, Engines
from lentigo.deploy.prediction import Failure, Prediction, read_off
from lentigo.errors import BundleError, ImageError, InputError
from lentigo.image.decode import decode_bgr
from lentigo.image.quality import SHARPNESS_PX, assess, seen_square, small_copy
from lentigo.image.spec import PreprocessSpec, finish, fit, preprocess
from lentigo.image.verdict import QualityThresholds, judge
from lentigo.machine import usable_cores
from lentigo.score.calibration import softmax
from lentigo.score.operating import OperatingPoint
from lentigo.taxonomy import Taxonomy

DEFAULT_MODEL = "lentigo-ham10000"


class BundlePredictor:
    """A bundle ready to predict; satisfies ``lentigo.evaluate.Predictor``.

    Safe to share between threads.

    Args:
        bundle: A bundle or the path of one.
        threads: CPU threads to compute with; None takes all that this process may use.

    Raises:
        BundleError: The file is no bundle; or, at the first prediction, its graph is not
            what it says.
    """

    def __init__(self, bundle: Bundle | Path | str, *, threads: int | None = None) -> None:
        if threads is not None and threads < 1:
            raise InputError(f"threads must be at least 1, not {threads}.")
        self.bundle = bundle if isinstance(bundle, Bundle) else read_bundle(bundle)
        self.threads = threads or usable_cores()
        # One image alone is answered soonest by one engine with all threads; many images
        # by as many engines with one thread each.
        self._wide = Engines(self.bundle, count=1, threads=self.threads)
        self._narrow = Engines(self.bundle, count=self.threads, threads=1)

    @property
    def info(self) -> BundleInfo:
        """What the bundle says about itself."""
        return self.bundle.info

    @property
    def name(self) -> str:
        """What the model is called."""
        return self.info.name

    @property
    def taxonomy(self) -> Taxonomy:
        """Classes in the order of the probabilities."""
        return self.info.taxonomy

    @property
    def spec(self) -> PreprocessSpec:
        """How an image is preprocessed."""
        return self.info.spec

    @property
    def operating_points(self) -> tuple[OperatingPoint, ...]:
        """Thresholds on the malignant probability."""
        return self.info.operating_points

    def describe(self) -> dict[str, Any]:
        """What a report says about this bundle."""
        described = self.info.model_dump(mode="json", exclude={"taxonomy", "schema_version"})
        return {"kind": "bundle", **described, "graph_bytes": len(self.bundle.graph)}

    def see(self, images: NDArray[np.uint8]) -> list[Answer]:
        """What the graph gives for each of preprocessed RGB (N, S, S, 3) uint8.

        Raises:
            InputError: Images of another shape or type.
        """
        size = self.spec.size
        if images.dtype != np.uint8 or images.shape[1:] != (size, size, 3):
            raise InputError(
                f"{self.name} takes uint8 images (N, {size}, {size}, 3), "
                f"not {images.dtype} {images.shape}."
            )
        if len(images) == 0:
            return []
        workers = min(self.threads, len(images))
        engines = self._wide if workers == 1 else self._narrow

        def answer(image: NDArray[np.uint8]) -> Answer:
            with engines.one() as engine:
                return engine.run(image)

        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(answer, images))

    def attention(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Attention maps (N, h, w, k or 1) of preprocessed RGB (N, S, S, 3) uint8."""
        return np.stack([each.maps for each in self.see(images)])

    def features(self, images: NDArray[np.uint8]) -> None:
        """None: a bundle carries neither features nor training images to compare them with."""

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Calibrated probabilities (N, k) in [0, 1] of preprocessed RGB (N, S, S, 3) uint8.

        Raises:
            InputError: Images of another shape or type.
        """
        if not (answers := self.see(images)):
            return np.empty((0, len(self.taxonomy.codes)))
        return self._probability(np.stack([each.logits for each in answers]))

    def predict_file(self, path: Path | str, *, attention: bool = False) -> Prediction:
        """The answer about one image file; ``attention`` adds the maps.

        Raises:
            ImageError: The file is missing, truncated, or not an image.
        """
        return self._answer(Path(path), str(path), self._wide, attention=attention)

    def predict_bytes(
        self,
        content: bytes,
        *,
        name: str = "image",
        attention: bool = False,
        alone: bool = True,
        decoding: AbstractContextManager[object] | None = None,
    ) -> Prediction:
        """The answer about an encoded image in memory; as `predict_file`.

        Args:
            content: The encoded image.
            name: What to call it.
            attention: Add the maps.
            alone: Compute with all threads; False where others are answered at the same time.
            decoding: Held while the image is decoded: a lock keeps the memory of many callers
                to that of one decoded image.
        """
        engines = self._wide if alone else self._narrow
        return self._answer(content, name, engines, attention=attention, decoding=decoding)

    def predict_files(
        self, paths: Iterable[Path | str], *, attention: bool = False, quality: bool = True
    ) -> Iterator[Prediction | Failure]:
        """The answers about many files, in their order; unreadable ones become failures.

        As many are under way as there are threads, each from its file to its answer, and a
        bounded number waits, so memory does not grow with the number of files.

        Args:
            paths: Taken as they are needed; see `lentigo.deploy.paths.expand`.
            attention: Add the maps.
            quality: Judge the photos; it costs a seventh of the time, and is spared where no
                warning will be shown.
        """

        def answers(portion: list[Path | str]) -> list[Prediction | Failure]:
            # Step by step for all of them: decoding pushes the network's weights out of the
            # processor's cache, so an image by itself takes a tenth longer.
            looks = [self._look_or_fail(path, quality) for path in portion]
            with self._narrow.one() as engine:
                found = iter([engine.run(x.image) for x in looks if isinstance(x, _Seen)])
            return [
                self._tell(x, next(found), attention=attention) if isinstance(x, _Seen) else x
                for x in looks
            ]

        pending: deque[Future[list[Prediction | Failure]]] = deque()
        with _one_opencv_thread(), ThreadPoolExecutor(self.threads) as pool:
            try:
                for portion in _portions(paths):
                    pending.append(pool.submit(answers, portion))
                    if len(pending) > 2 * self.threads:
                        yield from pending.popleft().result()
                while pending:
                    yield from pending.popleft().result()
            finally:
                for future in pending:
                    future.cancel()

    def _probability(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(softmax(logits, self.info.temperature), dtype=np.float64)

    def _answer(
        self,
        source: Path | bytes,
        name: str,
        engines: Engines,
        *,
        attention: bool,
        decoding: AbstractContextManager[object] | None = None,
    ) -> Prediction:
        with decoding or nullcontext():
            seen = self._look(source, name)
        with engines.one() as engine:
            answer = engine.run(seen.image)
        return self._tell(seen, answer, attention=attention)

    def _look(self, source: Path | bytes, name: str, *, quality: bool = True) -> _Seen:
        if isinstance(source, Path) and source.is_dir():
            raise ImageError(f"{source} is a folder without images.")
        return _Seen(name, *look(source, self.spec, quality=quality, thresholds=self.info.quality))

    def _look_or_fail(self, path: Path | str, quality: bool) -> _Seen | Failure:
        try:
            return self._look(Path(path), str(path), quality=quality)
        except ImageError as error:
            return Failure.of(str(path), error)

    def _tell(self, seen: _Seen, answer: Answer, *, attention: bool) -> Prediction:
        return read_off(
            seen.name,
            self._probability(answer.logits[None])[0],
            self.info,
            warnings=seen.warnings,
            unfamiliarity=answer.unfamiliarity,
            attention=answer.maps if attention else None,
        )


@dataclass(frozen=True)
class _Seen:
    """A photo that was looked at: its name, what the network takes of it, and what is doubtful."""

    name: str
    image: NDArray[np.uint8]
    warnings: tuple[str, ...]


def _portions(paths: Iterable[Path | str]) -> Iterator[list[Path | str]]:
    """The first files one by one, then four, then eight at a time."""
    # Few large files keep all threads busy; many small ones share what handing over costs, and
    # what the cache takes to change from decoding to the network and back.
    remaining = iter(paths)
    for size in itertools.chain(
        itertools.repeat(1, 16), itertools.repeat(4, 16), itertools.repeat(8)
    ):
        if not (portion := list(itertools.islice(remaining, size))):
            return
        yield portion


@contextmanager
def _one_opencv_thread() -> Iterator[None]:
    """Keep OpenCV from spreading one small picture over cores that have pictures of their own."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def load_default(*, threads: int | None = None) -> BundlePredictor:
    """The model that ships with lentigo.

    Raises:
        BundleError: This installation carries none.
    """
    path = shipped_models().get(DEFAULT_MODEL)
    if path is None:
        raise BundleError(
            f"This installation of lentigo carries no model ({DEFAULT_MODEL}).",
            todo="Name one with --model BUNDLE; `lentigo export RUN` makes it.",
        )
    return BundlePredictor(path, threads=threads)


def look(
    source: Path | bytes,
    spec: PreprocessSpec,
    *,
    quality: bool = True,
    thresholds: QualityThresholds | None = None,
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """What the network takes (S, S, 3), and what is doubtful about the photo; decoded once.

    The first is ``lentigo.image.spec.preprocess`` to the byte, the one path of training.

    Raises:
        ImageError: As ``preprocess``.
    """
    if not quality:
        return preprocess(source, spec), ()
    bgr = decode_bgr(source, background=spec.background, enough_px=spec.enough_px)
    # Copies of a large frame would be most of the memory of a small device, so the quality
    # is judged on a small one, and the colours change their order when they are few.
    fitted = np.asarray(cv2.cvtColor(fit(bgr, spec), cv2.COLOR_BGR2RGB), dtype=np.uint8)
    if spec.crop == "center-square" and spec.working_size == SHARPNESS_PX <= min(bgr.shape[:2]):
        seen = fitted  # the same square, which most of the time goes into
    else:
        seen = np.asarray(cv2.cvtColor(seen_square(bgr), cv2.COLOR_BGR2RGB), dtype=np.uint8)
    found = assess(small_copy(bgr), seen)
    return finish(fitted, spec), judge(found, thresholds=thresholds).warnings
