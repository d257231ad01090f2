"""Collections of the ISIC Archive through its official command line, `isic-cli`.

`isic-cli` ends with success although single images failed, starts over when it is run again
with another set, and writes its table last. So it is driven in small steps: the table first,
then what the table names and is not here, a few images at a time, each one decoded.

Its options were checked against isic-cli 12.4; the Archive itself could not be reached when
this was built, so the search by image ids rests on the Archive's published search syntax.
"""

from __future__ import annotations

import csv
import importlib.util
import logging
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from lentigo.data.sources.table import IsicCollection
from lentigo.data.transfer import Progress
from lentigo.errors import DownloadError, MissingExtraError, listed

logger = logging.getLogger(__name__)

TABLE_NAME = "metadata.csv"
IMAGE_FOLDER = "images"
# A search with 50 ids stays well below what servers accept as an address.
IDS_A_CALL = 50
ROUNDS = 3
# Calls in a row that fail and bring nothing: the Archive is down, not one image.
FRUITLESS_CALLS = 3
# isic-cli itself tries again for minutes when it reaches nobody.
CALL_TIMEOUT_S = 1800.0
_STAGING = ".isic-"


def default_command() -> tuple[str, ...]:
    """How ``isic-cli`` is started here.

    Raises:
        MissingExtraError: It is not installed.
    """
    if importlib.util.find_spec("isic_cli") is not None:
        return (sys.executable, "-P", "-m", "isic_cli.cli")
    if found := shutil.which("isic"):
        return (found,)
    raise MissingExtraError(
        "isic-cli, which fetches from the ISIC Archive, is not installed.",
        todo='pip install "lentigo[download]"',
    )


def fetch_collection(
    collection: IsicCollection,
    out: Path,
    *,
    command: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> int:
    """Bring a collection here: ``metadata.csv`` and ``images/``; resumes what was begun.

    Args:
        collection: Which one.
        out: Its folder.
        command: How ``isic-cli`` is started, where not as installed.
        progress: Called with what arrives, the images here, and all its images.

    Returns: How many images it has.

    Raises:
        DownloadError: Some images could not be fetched or do not decode; all are named.
        MissingExtraError: ``isic-cli`` is not installed.
    """
    command, images = command or default_command(), _image_folder(out)
    ids = _ids(_fetch_table(collection, out, command))
    missing = [each for each in ids if not _is_here(each, images)]

    def report(arrived: int) -> None:
        if progress:
            progress(
                f"images of collection {collection.number}",
                len(ids) - len(missing) + arrived,
                len(ids),
            )

    problem = ""
    for _ in range(ROUNDS):
        problem = _fetch_round(missing, images, command, report) or problem
        missing = [each for each in missing if not _is_here(each, images)]
        if not missing:
            return len(ids)
    raise DownloadError(
        f"{len(missing)} of {len(ids)} images of collection {collection.number} could not "
        f"be fetched, or do not decode:\n{listed(missing)}" + (f"\n{problem}" if problem else ""),
        todo="Run the same command again: what has arrived is kept.",
    )


def _fetch_round(
    ids: Sequence[str], images: Path, command: Sequence[str], report: Callable[[int], None]
) -> str:
    """Ask once for every image; returns what isic-cli said last where it failed."""
    arrived = fruitless = 0
    problem = ""
    for start in range(0, len(ids), IDS_A_CALL):
        n_new, said = _fetch_images(ids[start : start + IDS_A_CALL], images, command)
        arrived += n_new
        problem = said or problem
        fruitless = fruitless + 1 if said and not n_new else 0
        if fruitless == FRUITLESS_CALLS:
            break
        report(arrived)
    return problem


def _image_folder(out: Path) -> Path:
    images = out / IMAGE_FOLDER
    images.mkdir(parents=True, exist_ok=True)
    for stale in images.glob(f"{_STAGING}*"):
        shutil.rmtree(stale)  # left by a killed run
    return images


def _fetch_table(collection: IsicCollection, out: Path, command: Sequence[str]) -> Path:
    table = out / TABLE_NAME
    if table.exists():
        return table
    part = out / f"{TABLE_NAME}.part"
    arguments = ["metadata", "download", "--collections", str(collection.number)]
    problem = _call([*command, *arguments, "--outfile", str(part)])
    if problem or not part.is_file():
        raise DownloadError(
            f"The table of collection {collection.number} could not be fetched. {problem}"
        )
    part.replace(table)
    return table


def _ids(table: Path) -> list[str]:
    with table.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    if not rows or "isic_id" not in rows[0]:
        raise DownloadError(f"{table} names no images.", todo="Delete it and start again.")
    return sorted({row["isic_id"] for row in rows})


def _fetch_images(ids: Sequence[str], images: Path, command: Sequence[str]) -> tuple[int, str]:
    """Fetch some images; returns how many came, and what isic-cli says where it fails."""
    search = " OR ".join(f"isic_id:{each}" for each in ids)
    n_new = 0
    # A folder of its own each time: isic-cli takes any file of a fitting size for finished,
    # and writes tables of its own beside the images.
    with tempfile.TemporaryDirectory(prefix=_STAGING, dir=images) as name:
        problem = _call([*command, "image", "download", "--search", search, name])
        for path in sorted(Path(name).iterdir()):
            if path.stem in ids and path.is_file() and _decodes(path):
                path.replace(images / path.name)
                n_new += 1
    return n_new, problem


def _call(arguments: Sequence[str]) -> str:
    """Run a child process; returns the end of what it says where it fails, else nothing."""
    try:
        # The command is isic-cli; the ids come from its own table.
        done = subprocess.run(  # noqa: S603
            list(arguments),
            capture_output=True,
            text=True,
            errors="replace",  # a name in it may be in any encoding
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=CALL_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return f"isic-cli did not end within {CALL_TIMEOUT_S / 60:.0f} minutes."
    except OSError as error:
        raise DownloadError(f"{arguments[0]} cannot be started: {error}") from None
    if done.returncode == 0:
        return ""
    return f"isic-cli ended with {done.returncode}: {(done.stderr or done.stdout)[-500:].strip()}"


def _is_here(image_id: str, images: Path) -> bool:
    found = [images / f"{image_id}{ending}" for ending in (".jpg", ".png", ".jpeg")]
    return any(path.is_file() and _decodes(path) for path in found)


def _decodes(path: Path) -> bool:
    # OpenCV reads a JPEG without its last bytes as nothing, or as grey below the break.
    content = path.read_bytes()
    if content[:2] == b"\xff\xd8" and content.rstrip(b"\0")[-2:] != b"\xff\xd9":
        return False
    return bool(content) and cv2.imdecode(np.frombuffer(content, np.uint8), 1) is not None
