"""The bundle: one ``.tflite`` file that carries its own description.

A zip archive stands behind the graph's bytes. A LiteRT interpreter reads the graph from the
front and does not look at what follows; a zip reader looks from the end. The entries are
stored, not compressed, so that a browser finds ``bundle.json`` without an inflater.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import io
import json
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lentigo.errors import BundleError, listed
from lentigo.files import write_bytes
from lentigo.image.spec import PreprocessSpec
from lentigo.image.verdict import QualityThresholds
from lentigo.outside import problems
from lentigo.score.operating import OperatingPoint
from lentigo.taxonomy import Taxonomy

SCHEMA_VERSION = 1
MEMBER = "bundle.json"
CARD = "model_card.md"

Quantization = Literal["float32", "float16", "dynamic", "int8"]
# As lentigo.model.AttentionKind, which the light set cannot import.
AttentionKind = Literal["class-activation", "grad-cam", "feature-mean"]

# A flatbuffer names its format in bytes 4 to 8, and its offsets reach no further than this.
_TFLITE_MARK = b"TFL3"
_GRAPH_BYTES = 1 << 31
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_EXPORTED = "Give the .tflite file that `lentigo export RUN` wrote."
_OWN_FILES = "Only files that `lentigo export` wrote can be opened."
_AGAIN = "Copy the file again from where it came from, or export it again."
# What zipfile raises on bytes that only look like an archive.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    OSError,
)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Figure(_Part):
    """A measured value with its 95% interval and the groups that it rests on."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n_groups: int = Field(ge=0)
    reason: str | None = None


class Parity(_Part):
    """What conversion changed, on validation images of the run.

    Attributes:
        quantization: What was converted to.
        images: How many images were compared.
        max_difference: Largest difference of a calibrated probability, in [0, 1].
        top1_agreement: Share of images with the same most probable class.
        balanced_accuracy_keras: Of the original on these images.
        balanced_accuracy_bundle: Of the bundle on these images.
        rule: The tolerance that was kept.
    """

    quantization: Quantization
    images: int = Field(ge=1)
    max_difference: float = Field(ge=0, le=1)
    top1_agreement: float = Field(ge=0, le=1)
    balanced_accuracy_keras: float = Field(ge=0, le=1)
    balanced_accuracy_bundle: float = Field(ge=0, le=1)
    rule: str


class Familiarity(_Part):
    """When an image counts as unlike those that the model was trained on.

    Attributes:
        method: What the graph's third output is: ``level-residuals``, see
            `lentigo.score.familiarity`; ``feature-residual`` was that of the last features alone.
        threshold: An image whose score is above it is unfamiliar.
        kept: Share of validation images at or below the threshold.
        images: How many validation images that share was set on.
    """

    method: Literal["level-residuals", "feature-residual"]
    threshold: float = Field(ge=0)
    kept: float = Field(ge=0, le=1)
    images: int = Field(ge=1)


class BundleInfo(_Part):
    """What ``bundle.json`` holds: all that is needed to use the graph, and to judge it.

    Attributes:
        schema_version: Of this description.
        name: What the model is called.
        created_with: Versions of what made it.
        network: The network's name, with its width.
        taxonomy: Classes in the order of the logits.
        spec: How an image becomes the graph's uint8 input.
        temperature: Logits are divided by it before the softmax.
        operating_points: Thresholds on the malignant probability.
        mixture: How common each class is in the population that the probabilities speak of;
            None where that is not known.
        attention: What the second output shows: class activation maps (Zhou 2016) or
            Grad-CAM (Selvaraju 2017), one a class, or the mean absolute feature, one for all.
        familiarity: When an image counts as unfamiliar; None where the graph does not say.
        quality: What a photo must keep to be good enough; None where the defaults hold.
        quantization: Of the graph.
        intended_use: For whom and what.
        limits: What it cannot do.
        license: Of the model; the training images bind it.
        parity: What conversion changed; None in a bundle that was not made from a run.
        metrics: Figures on held-out images, where they were given.
        recipe_digest: Digest of the recipe.
        data_digest: Digest of the prepared set.
        test_digest: Digest of the list of test images.
        fold: The fold that validated; None with official validation images, or unknown.
        leaky: Trained under a protocol that lets lesions cross splits.
        graph_sha256: Of the bytes before the zip; stamped when written.
    """

    schema_version: Literal[1] = 1
    name: str = Field(min_length=1)
    created_with: dict[str, str]
    network: str
    taxonomy: Taxonomy
    spec: PreprocessSpec
    temperature: float = Field(gt=0)
    operating_points: tuple[OperatingPoint, ...] = ()
    mixture: tuple[Annotated[float, Field(ge=0, le=1)], ...] | None = None
    attention: AttentionKind
    familiarity: Familiarity | None = None
    quality: QualityThresholds | None = None
    quantization: Quantization = "float32"
    intended_use: str
    limits: str
    license: str
    parity: Parity | None = None
    metrics: dict[str, Figure] | None = None
    recipe_digest: str
    data_digest: str
    test_digest: str
    fold: int | None = None
    leaky: bool
    graph_sha256: str = ""

    @model_validator(mode="after")
    def _one_share_a_class(self) -> Self:
        classes = len(self.taxonomy.classes)
        if self.mixture is not None and len(self.mixture) != classes:
            raise ValueError(f"mixture has {len(self.mixture)} shares for {classes} classes")
        return self

    def held_out_sensitivity(self, point: str) -> Figure | None:
        """The share of held-out malignant images at an operating point; None if not measured.

        Args:
            point: The operating point's name.
        """
        found = (self.metrics or {}).get(f"sensitivity.malignant.{point}")
        return None if found is None or found.value is None else found


@dataclass(frozen=True)
class Bundle:
    """A bundle in memory.

    Attributes:
        info: What ``bundle.json`` says.
        graph: The LiteRT graph's bytes, checked against their digest.
        model_card: Markdown; empty where none was written.
        source: The file's name, for messages.
    """

    info: BundleInfo
    graph: bytes
    model_card: str = ""
    source: str = "bundle"


def write_bundle(graph: bytes, info: BundleInfo, out: Path, *, model_card: str = "") -> BundleInfo:
    """Write graph and description as one file, atomically; equal input gives equal bytes.

    Args:
        graph: A LiteRT graph.
        info: Its description; ``graph_sha256`` is stamped here.
        out: The file, by custom ``*.tflite``.
        model_card: Markdown, stored beside ``bundle.json`` where not empty.

    Returns:
        ``info`` with the digest.

    Raises:
        BundleError: ``graph`` is not a LiteRT graph.
    """
    if graph[4:8] != _TFLITE_MARK:
        raise BundleError(f"What was to become {out} is not a LiteRT graph.")
    stamped = info.model_copy(update={"graph_sha256": hashlib.sha256(graph).hexdigest()})
    entries = {MEMBER: json.dumps(stamped.model_dump(mode="json"), indent=1, ensure_ascii=False)}
    if model_card:
        entries[CARD] = model_card
    stream = io.BytesIO(graph)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        for name, text in entries.items():
            entry = zipfile.ZipInfo(name, _ZIP_EPOCH)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text.encode())
    write_bytes(out, stream.getvalue())
    return stamped


def shipped_models() -> dict[str, Path]:
    """The bundles that come with lentigo, by the names that stand for them."""
    folder = Path(str(importlib.resources.files("lentigo") / "models"))
    return {path.stem: path for path in sorted(folder.glob("*.tflite"))}


def read_bundle(path: Path | str) -> Bundle:
    """Read and check a bundle: a file, or the name of one that comes with lentigo.

    Where a file has such a name, the file is meant.

    Raises:
        BundleError: Missing, damaged, foreign, or newer than this lentigo; the reason is
            named.
    """
    path, shipped = Path(path), shipped_models()
    if not path.exists():
        path = shipped.get(str(path), path)
    try:
        content = _read(path)
    except FileNotFoundError:
        raise BundleError(
            f"{path} does not exist.",
            todo=f"Give a bundle's file, or a model that ships: {', '.join(shipped)}.",
        ) from None
    except IsADirectoryError:
        raise BundleError(
            f"{path} is a folder, not a bundle.",
            todo="A bundle is one .tflite file; `lentigo export RUN` makes it.",
        ) from None
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}.") from None
    return parse_bundle(content, source=str(path))


def _read(path: Path) -> bytes:
    """The file's content; what cannot be a bundle is refused after its first bytes."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        # A named pipe would be waited for, and a device may never end.
        raise BundleError(f"{path} is not a file, so it is no bundle.", todo=_EXPORTED)
    with path.open("rb") as stream:
        _check_mark(stream.read(8), str(path))
        size = path.stat().st_size
        if size > _GRAPH_BYTES:
            raise BundleError(
                f"{path} is no bundle: it has {size:,} bytes, and a LiteRT graph has at most "
                f"{_GRAPH_BYTES:,}.",
                todo=_EXPORTED,
            )
        stream.seek(0)
        return stream.read()


def _check_mark(start: bytes, source: str) -> None:
    if start[4:8] != _TFLITE_MARK:
        raise BundleError(f"{source} is not a LiteRT graph, so it is no bundle.", todo=_EXPORTED)


def parse_bundle(content: bytes, *, source: str = "bundle") -> Bundle:
    """Check a bundle's bytes; errors as in `read_bundle`.

    Args:
        content: The whole file.
        source: Its name, for messages.
    """
    _check_mark(content[:8], source)
    members, graph_bytes = _members(content, source)
    info = _info(members[MEMBER], source)
    graph = content[:graph_bytes]
    if hashlib.sha256(graph).hexdigest() != info.graph_sha256:
        raise BundleError(
            f"{source} is damaged: its graph does not have the digest that it states.", todo=_AGAIN
        )
    try:
        card = members.get(CARD, b"").decode()
    except UnicodeDecodeError:
        raise BundleError(
            f"{source} is damaged: its model card is not text.", todo=_AGAIN
        ) from None
    return Bundle(info, graph, card, source)


def _members(content: bytes, source: str) -> tuple[dict[str, bytes], int]:
    """The zip's known entries, and how many bytes stand before it.

    They are stored, as browsers demand as well, so none becomes larger than the file is.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            known = [entry for entry in entries if entry.filename in {MEMBER, CARD}]
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in known):
                raise BundleError(
                    f"{source} is foreign: what stands behind its graph is compressed.",
                    todo=_OWN_FILES,
                )
            members = {entry.filename: archive.read(entry) for entry in known}
    except _ZIP_ERRORS as error:
        raise _not_readable(content, source, error) from None
    if MEMBER not in members:
        raise BundleError(
            f"{source} is foreign: the zip behind its graph holds no {MEMBER}.",
            todo=_OWN_FILES,
        )
    return members, min(entry.header_offset for entry in entries)


def _not_readable(content: bytes, source: str, error: Exception) -> BundleError:
    if MEMBER.encode() in content:
        return BundleError(
            f"{source} is damaged: it was cut short or changed on the way ({error}).", todo=_AGAIN
        )
    return BundleError(
        f"{source} carries no {MEMBER}: a plain .tflite of another origin, or a bundle that was "
        "cut short.",
        todo="Give the file that `lentigo export RUN` wrote, whole.",
    )


def _info(text: bytes, source: str) -> BundleInfo:
    try:
        fields: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{source} is damaged: {MEMBER}: {error}", todo=_AGAIN) from None
    version = fields.get("schema_version") if isinstance(fields, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise BundleError(
            f"{source} has schema {version}; this lentigo reads up to {SCHEMA_VERSION}.",
            todo="Upgrade lentigo: pip install --upgrade lentigo",
        )
    try:
        return BundleInfo.model_validate(fields)
    except ValidationError as error:
        raise BundleError(
            f"{source} is foreign or damaged; its {MEMBER} cannot be used:\n"
            f"{listed(problems(error, MEMBER))}",
            todo=_AGAIN,
        ) from None
