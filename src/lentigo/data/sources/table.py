"""What every source hands on: one row an image, before anything is decoded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lentigo.errors import SourceError
from lentigo.taxonomy import Taxonomy

if TYPE_CHECKING:
    import pandas as pd

TABLE_COLUMNS = (
    "image_id",
    "path",
    "source",
    "license",
    "lesion_id",
    "patient_id",
    "diagnosis",
    "confirmed_by",
    "label",
    "split",
    "age",
    "sex",
    "site",
    "skin_tone",
)


@dataclass(frozen=True)
class ReadOptions:
    """How a source is read.

    Attributes:
        skip_missing: Go on without images that are listed but absent, and record them.
        malignant: Which labels count as malignant, for sources whose classes are the user's
            own (``folder``, ``table``); elsewhere the taxonomy says so and this is refused.
        metadata: The table to read where it does not lie in the folder of the images, for
            sources of a single table (``Source.reads_metadata``); elsewhere refused.
    """

    skip_missing: bool = False
    malignant: frozenset[str] | None = None
    metadata: Path | None = None


@dataclass(frozen=True)
class SourceTable:
    """One data set as its publisher describes it.

    Attributes:
        columns: ``TABLE_COLUMNS``, of one row an image, sorted by ``image_id`` (unique).
            ``path`` is absolute; ``age`` is a float in years, NaN where unknown; all other
            columns are text, empty where unknown. ``label`` is a code of ``taxonomy``;
            ``split`` is train, validation, test, or empty where the publisher has none (a
            training part without its test part is no split, so it counts as none).
        taxonomy: The classes.
        missing: Sorted ids that are listed but have no image; empty unless
            ``ReadOptions.skip_missing``.
        known_duplicates: Pairs of ids that the publisher calls the same picture, each pair
            and the list sorted; both images are in ``frame``.
        named_duplicates: The publisher's whole list of such pairs, in the same form, whether
            the images are there or not.
        set_aside: Sorted (id, reason) of images that are there but belong to no class.
    """

    columns: Mapping[str, list[Any]]
    taxonomy: Taxonomy
    missing: tuple[str, ...] = ()
    known_duplicates: tuple[tuple[str, str], ...] = ()
    set_aside: tuple[tuple[str, str], ...] = ()
    named_duplicates: tuple[tuple[str, str], ...] = ()

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The columns as a table, ``age`` float64 and all others ``str``."""
        import pandas as pd  # noqa: PLC0415 - takes as long as preparing 1,000 images

        frame = pd.DataFrame(self.columns, columns=list(TABLE_COLUMNS))
        return frame.astype({"age": "float64"})


@dataclass(frozen=True)
class Archive:
    """One file of a public download.

    Attributes:
        url: Where it is published.
        sha256: Its published digest (64 hexadecimal digits), or None: a zip is then verified
            by the checksums it carries.
        n_bytes: Its published size, or None.
    """

    url: str
    sha256: str | None = None
    n_bytes: int | None = None

    @property
    def name(self) -> str:
        """The file's name, the last part of the address."""
        return self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class IsicCollection:
    """A collection of the ISIC Archive, fetched with the official ``isic-cli``.

    Attributes:
        number: The collection's id in the archive.
    """

    number: int


@dataclass(frozen=True)
class Source:
    """A public data set, or a form of the user's own.

    Attributes:
        name: What the command line calls it.
        title: One line for listings.
        license: SPDX identifier of the images' licence, or a short phrase where there is none.
        url: Where its publisher describes it, or empty.
        taxonomy: Its classes, or None where they are the user's own.
        reader: Reads a folder (or a CSV file) into a table; called by ``read`` only.
        layout: How the folder must look, in one or two lines.
        download: What ``lentigo download`` fetches, or None where it cannot.
        reads_metadata: Whether the user may name its table, ``ReadOptions.metadata``.
    """

    name: str
    title: str
    license: str
    url: str
    taxonomy: Taxonomy | None
    reader: Callable[[Path, ReadOptions], SourceTable]
    layout: str
    download: tuple[Archive, ...] | IsicCollection | None = None
    reads_metadata: bool = False

    def read(self, root: Path, options: ReadOptions) -> SourceTable:
        """Read a folder (or a CSV file) into a table.

        Args:
            root: The data set in its ``layout``.
            options: What the user asked for.

        Raises:
            SourceError: An option that this source would ignore; or all problems of the
                data set at once.
        """
        if options.malignant is not None and self.taxonomy is not None:
            raise SourceError(
                f"{self.name} states itself which classes are malignant.",
                todo="Name malignant classes for the sources `folder` and `table` only.",
            )
        if options.metadata is not None and not self.reads_metadata:
            raise SourceError(
                f"{self.name} would not read {options.metadata}: it takes no table by name.",
                todo=f"Leave --metadata out. How its folder must look: {self.layout}.",
            )
        try:
            return self.reader(root, options)
        except SourceError as error:
            if error.todo:
                raise
            todo = f"Correct that, and run the same again. What {self.name} reads: {self.layout}."
            raise SourceError(error.problem, todo=todo) from None
