"""What is done to an image before the network sees it: one recipe for training and serving."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from lentigo.files import digest_json
from lentigo.image.area import shrink
from lentigo.image.colour import ColourConstancy, shades_of_grey, to_greyscale
from lentigo.image.decode import MAX_PIXELS, WHITE, decode_bgr
from lentigo.image.hair import HairRemoval, remove_hair

Level = Annotated[int, Field(ge=0, le=255)]

SPARE = 2
"""A reduced JPEG keeps at least this many times the pixels a side that are needed.

Measured on mosaics of real dermoscopic images, 0.8 to 12.8 megapixels, at 224 pixels: the result
differs from that of a full decode by 0.2 to 0.4 grey levels on average, by 1 to 3 (once 4) in the
99th percentile. At 1 the mean is up to 2.2. A 12-megapixel JPEG then takes 10 MB of memory beside
the imports (progressive: 41 MB) where the full decode takes 74 MB.
"""


class PreprocessSpec(BaseModel):
    """From a decoded image to the square that the network takes. Frozen; travels with a bundle.

    The steps, in this order: decode upright (transparency over ``background``), crop, resize,
    hair removal, colour constancy, greyscale. Hair and colour come after the resize, so that
    kernel sizes in pixels mean the same for every camera (as in Guntara 2024, which resizes
    first). Where there is a ``first_size``, that is what they work on, and a second resize to
    ``size`` ends it.

    Attributes:
        version: Of this definition; a change that alters a single pixel raises it.
        size: Side of the result in pixels, 16 to 2048.
        first_size: Side in pixels of the square that is made first, for papers that go by way
            of one; None goes to ``size`` at once, and is left out of what is written, so that
            the digests of all other specs stay what they were.
        crop: ``center-square`` takes the largest central square (an odd remainder leaves the
            extra row or column out at the bottom or right); ``none`` squeezes the whole frame
            into the square, without keeping its aspect.
        interpolation: ``area`` averages when shrinking and is linear when enlarging; an axis
            that has the right length already is not touched.
        hair_removal: Black-hat and inpainting, or None.
        colour_constancy: Shades of grey, or None.
        greyscale: Luma in all three channels.
        background: RGB behind transparent pixels.
        reduce: Let large photos be decoded at 1/2, 1/4 or 1/8 where at least ``SPARE`` times
            the pixels a side of the first square remain. Belongs to the spec because it changes
            pixels a little.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    size: int = Field(default=224, ge=16, le=2048)
    first_size: int | None = Field(default=None, ge=16, le=2048)
    crop: Literal["center-square", "none"] = "center-square"
    interpolation: Literal["area"] = "area"
    hair_removal: HairRemoval | None = None
    colour_constancy: ColourConstancy | None = None
    greyscale: bool = False
    background: tuple[Level, Level, Level] = WHITE
    reduce: bool = True

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = write(self)
        if self.first_size is None:
            fields.pop("first_size", None)
        return fields

    @property
    def working_size(self) -> int:
        """Side in pixels of the first square, which hair and colour are worked on."""
        return self.first_size or self.size

    @property
    def enough_px(self) -> int | None:
        """Pixels a side that the decoder leaves of a large photo; None: all of them."""
        return SPARE * self.working_size if self.reduce else None

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of all fields, 64 hexadecimal digits."""
        return digest_json(self.model_dump(mode="json"))

    def apply(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """All steps after decoding; the same input gives the same bytes.

        Args:
            rgb: (H, W, 3) uint8 RGB, any size.

        Returns:
            (size, size, 3) uint8 RGB, C-contiguous, never the array handed in.

        Raises:
            ValueError: Not an (H, W, 3) uint8 array with at least one pixel.
        """
        if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.size == 0:
            raise ValueError(f"expected (H, W, 3) uint8, not {rgb.shape} {rgb.dtype}")
        return finish(fit(rgb, self), self)

    def decode(self, source: Path | bytes, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
        """Decode as this spec does, for those who look at the photograph as well.

        ``spec.apply(spec.decode(source))`` equals ``preprocess(source, spec)`` to the byte.

        Args:
            source: A file, or the content of one.
            max_pixels: Larger images are refused from their header.

        Returns:
            (H, W, 3) uint8 RGB, upright, whole; a large JPEG reduced where ``reduce`` says so.

        Raises:
            ImageError: The file is missing, not an image, truncated, damaged or too large.
        """
        return np.asarray(
            cv2.cvtColor(_decode_bgr(source, self, max_pixels), cv2.COLOR_BGR2RGB), dtype=np.uint8
        )


def _decode_bgr(source: Path | bytes, spec: PreprocessSpec, max_pixels: int) -> NDArray[np.uint8]:
    return decode_bgr(
        source,
        background=spec.background,
        max_pixels=max_pixels,
        enough_px=spec.enough_px,
    )


def fit(image: NDArray[np.uint8], spec: PreprocessSpec) -> NDArray[np.uint8]:
    """The first half of ``apply``: crop and resize to ``working_size``.

    Channels are independent here, so their order does not matter.
    """
    if spec.crop == "center-square":
        image = centre_square(image)
    return resize(image, spec.working_size)


def finish(rgb: NDArray[np.uint8], spec: PreprocessSpec) -> NDArray[np.uint8]:
    """The second half of ``apply``: the optional steps on hair and colour, and the last resize."""
    if spec.hair_removal is not None:
        rgb = remove_hair(rgb, spec.hair_removal)
    if spec.colour_constancy is not None:
        rgb = shades_of_grey(rgb, spec.colour_constancy)
    if spec.greyscale:
        rgb = to_greyscale(rgb)
    return rgb if spec.first_size is None else resize(rgb, spec.size)


def centre_square(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The largest central square, as a view; an odd remainder is left out at the bottom or right.

    Args:
        image: (H, W, 3) uint8.

    Returns:
        (min(H, W), min(H, W), 3) uint8.
    """
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return image[top : top + side, left : left + side]


def resize(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize to a square: axes that shrink by area averaging, then axes that grow linearly.

    Args:
        image: (H, W, 3) uint8, may be a strided view.
        size: Side of the result in pixels.

    Returns:
        (size, size, 3) uint8, a new C-contiguous array.
    """
    height, width = min(size, image.shape[0]), min(size, image.shape[1])
    fitted = image
    if fitted.shape[:2] != (height, width):
        fitted = shrink(fitted, width, height)
    if (height, width) != (size, size):
        fitted = cv2.resize(fitted, (size, size), interpolation=cv2.INTER_LINEAR)
    # A copy only where nothing was resized: a crop of a large photograph is large.
    return image.copy() if fitted is image else np.asarray(fitted, dtype=np.uint8)


def preprocess(
    source: Path | bytes, spec: PreprocessSpec, *, max_pixels: int = MAX_PIXELS
) -> NDArray[np.uint8]:
    """From a file to what the network takes: the one path of training and serving.

    Equals ``spec.apply(decode(source))`` to the byte, except for a JPEG that
    ``spec.reduce`` lets the decoder shrink.

    Args:
        source: A file, or the content of one.
        spec: What to do.
        max_pixels: Larger images are refused from their header.

    Returns:
        (spec.size, spec.size, 3) uint8 RGB.

    Raises:
        ImageError: The file is missing, not an image, truncated, damaged or too large.
    """
    return preprocess_bgr(_decode_bgr(source, spec, max_pixels), spec)


def preprocess_bgr(bgr: NDArray[np.uint8], spec: PreprocessSpec) -> NDArray[np.uint8]:
    """``spec.apply`` of what ``decode_bgr`` gives: colours are reordered when they are few.

    Args:
        bgr: (H, W, 3) uint8.
        spec: What to do.

    Returns:
        (spec.size, spec.size, 3) uint8 RGB.
    """
    fitted = fit(bgr, spec)
    return finish(np.asarray(cv2.cvtColor(fitted, cv2.COLOR_BGR2RGB), dtype=np.uint8), spec)
