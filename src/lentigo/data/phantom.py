"""A phantom data set: generated images that look dermoscopic, told apart by fixed rules.

Seven classes, each a rule of shape and colour (`lentigo.taxonomy.PHANTOM`). Every lesion has
an outline, a pigment texture and a strength of its own; its images show it turned, moved,
zoomed, lit and haired differently. Darkness varies more within a class than between classes,
so mean colour alone does not tell them apart.

Every image is a function of (seed, lesion, view): neither the number of lesions nor the order
of generation changes it.
"""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lentigo.data.phantom_render import Lesion, render_view
from lentigo.errors import SourceError
from lentigo.files import read_json, write_json, write_text
from lentigo.taxonomy import PHANTOM

logger = logging.getLogger(__name__)

LICENSE = "CC0-1.0"
TABLE_NAME = "phantom.csv"
MARKER_NAME = "phantom.json"
IMAGE_FOLDER = "images"
COLUMNS = (
    "image_id",
    "lesion_id",
    "patient_id",
    "label",
    "confirmed_by",
    "age",
    "sex",
    "site",
    "skin_tone",
)
SCHEMA_VERSION = 1
DEFAULT_LESIONS = 350
DEFAULT_SIZE = 160
LESIONS_PER_PATIENT = 2
MAX_VIEWS = 3
JPEG_QUALITY = 92
_SITES = ("back", "chest", "face", "foot", "lower extremity", "upper extremity")
_TONES = ("I", "II", "III", "IV", "V", "VI")
# Streams of randomness: what is drawn for one never shifts another.
_LESION, _PATIENT, _VIEW, _FACTS = 0, 1, 2, 3


@dataclass(frozen=True)
class _Patient:
    """What all lesions of a patient share; ``tone`` is an index of skin tones."""

    tone: int
    hairiness: float
    age: int
    sex: str

    @staticmethod
    def draw(rng: np.random.Generator) -> _Patient:
        return _Patient(
            tone=int(rng.integers(len(_TONES))),
            hairiness=float(rng.uniform(0, 7)),
            age=5 * int(rng.integers(4, 18)),
            sex=("female", "male")[int(rng.integers(2))],
        )


def generate(out: Path | str, *, lesions: int, seed: int, size: int = DEFAULT_SIZE) -> Path:
    """Make a phantom: ``images/*.jpg``, ``phantom.csv``, and the marker written last.

    Args:
        out: The folder; absent, empty, or a phantom of the same parameters (then nothing is
            done) or one that was cut short (then it is made anew).
        lesions: How many, at least 14 (two of each class); each has one to three images, and
            two lesions are one patient's.
        seed: Any integer from 0; the same seed gives the same lesions, however many.
        size: Edge of the square images, 32 to 1024 px.

    Returns:
        ``out``.

    Raises:
        SourceError: The folder holds something else, or a number is out of range.
    """
    out = Path(out)
    _check(lesions, seed, size)
    wanted = {"schema_version": SCHEMA_VERSION, "lesions": lesions, "seed": seed, "size": size}
    if _is_complete(out, wanted):
        return out
    # Written first, so that what a killed run leaves is known for a phantom's beginning.
    write_json(out / MARKER_NAME, {**wanted, "finished": False})
    (out / IMAGE_FOLDER).mkdir(exist_ok=True)
    rows = []
    for lesion, view, row in _views(lesions, seed):
        pixels = view_pixels(seed, lesion, view, size)
        # Not atomic one by one: the marker, finished last, vouches for all of them.
        (out / IMAGE_FOLDER / f"{row['image_id']}.jpg").write_bytes(_jpeg(pixels))
        rows.append(row)
    write_text(out / TABLE_NAME, _table(rows))
    write_json(out / MARKER_NAME, {**wanted, "finished": True})
    logger.info("%s: %d phantom images of %d lesions.", out, len(rows), lesions)
    return out


def ensure_phantom(out: Path, *, lesions: int = DEFAULT_LESIONS, seed: int = 0) -> Path:
    """The phantom at ``out``: made where the folder is absent or empty, finished if cut short.

    Args:
        out: The folder.
        lesions: How many, where it is made.
        seed: Its seed, where it is made.

    Raises:
        SourceError: The folder holds something else.
    """
    if not (out / MARKER_NAME).is_file():
        return generate(out, lesions=lesions, seed=seed)
    found = read_json(out / MARKER_NAME)
    if found.get("finished") is True:
        return out
    return generate(out, lesions=found["lesions"], seed=found["seed"], size=found["size"])


def view_pixels(seed: int, lesion: int, view: int, size: int) -> NDArray[np.uint8]:
    """One image of a phantom.

    Args:
        seed: The phantom's seed.
        lesion: Index of the lesion, from 0.
        view: Index of the image of that lesion, from 0.
        size: Edge in px.

    Returns:
        (size, size, 3) uint8 RGB.
    """
    patient = _Patient.draw(_stream(seed, _PATIENT, lesion // LESIONS_PER_PATIENT))
    body = Lesion.draw(PHANTOM.codes[lesion % len(PHANTOM.codes)], _stream(seed, _LESION, lesion))
    return render_view(
        body,
        tone=patient.tone,
        hairiness=patient.hairiness,
        rng=_stream(seed, _VIEW, lesion, view),
        size=size,
    )


def _stream(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def _views(lesions: int, seed: int) -> Iterator[tuple[int, int, dict[str, str]]]:
    """Lesion, view and line of the table of every image."""
    for lesion in range(lesions):
        number = lesion // LESIONS_PER_PATIENT
        patient = _Patient.draw(_stream(seed, _PATIENT, number))
        facts = _stream(seed, _FACTS, lesion)
        site, n_views = _SITES[int(facts.integers(len(_SITES)))], 1 + int(facts.integers(MAX_VIEWS))
        for view in range(n_views):
            row = {
                "image_id": f"PH_{lesion:05d}_{view}",
                "lesion_id": f"PL_{lesion:05d}",
                "patient_id": f"PP_{number:05d}",
                "label": PHANTOM.codes[lesion % len(PHANTOM.codes)],
                "confirmed_by": "construction",
                "age": str(patient.age),
                "sex": patient.sex,
                "site": site,
                "skin_tone": _TONES[patient.tone],
            }
            yield lesion, view, row


def _check(lesions: int, seed: int, size: int) -> None:
    least = 2 * len(PHANTOM.codes)
    if lesions < least or not 32 <= size <= 1024 or seed < 0:
        raise SourceError(
            f"No phantom of {lesions} lesions at {size} px with seed {seed} can be made.",
            todo=f"Lesions: at least {least}; size: 32 to 1024; seed: from 0.",
        )


def _is_complete(out: Path, wanted: dict[str, int]) -> bool:
    """Whether the same phantom is finished here; False where it may be made here."""
    if (out / MARKER_NAME).is_file():
        found = dict(read_json(out / MARKER_NAME))
        finished = found.pop("finished", None)
        if found != wanted:
            raise SourceError(
                f"{out} holds another phantom: {found}, not {wanted}.", todo="Name another folder."
            )
        return finished is True
    if out.is_dir() and any(out.iterdir()):
        raise SourceError(
            f"{out} is neither empty nor a phantom: it has no {MARKER_NAME}.",
            todo="Name an empty folder, or one that does not exist.",
        )
    return False


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert done, "OpenCV always encodes a small uint8 image"
    return encoded.tobytes()


def _table(rows: list[dict[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
