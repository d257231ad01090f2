"""The data sets lentigo reads: one file each, one line here."""

from __future__ import annotations

from lentigo.data.sources import (
    ddi,
    folder,
    ham10000,
    isic9,
    isic2017,
    isic2018,
    isic2019,
    isic2020,
    isic2024,
    malignant_vs_benign,
    pad_ufes_20,
    phantom,
    table_file,
)
from lentigo.data.sources.table import (
    TABLE_COLUMNS,
    Archive,
    IsicCollection,
    ReadOptions,
    Source,
    SourceTable,
)

SOURCES: dict[str, Source] = {
    each.SOURCE.name: each.SOURCE
    for each in (
        ham10000,
        isic2017,
        isic2018,
        isic2019,
        isic2020,
        isic2024,
        pad_ufes_20,
        ddi,
        malignant_vs_benign,
        isic9,
        folder,
        table_file,
        phantom,
    )
}

__all__ = [
    "SOURCES",
    "TABLE_COLUMNS",
    "Archive",
    "IsicCollection",
    "ReadOptions",
    "Source",
    "SourceTable",
]
