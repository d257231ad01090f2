"""The images of a paper: sources read, classes mapped, so many drawn, written as one table.

The table goes through the ordinary ``prepare``, so duplicates are searched across sources and
groups are kept as everywhere else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lentigo.data.sources import SOURCES
from lentigo.data.sources.table import ReadOptions
from lentigo.data.splits import unnamed
from lentigo.errors import InputError
from lentigo.files import digest_text, write_text
from lentigo.papers.schema import DataPlan

_KEPT = ("image", "image_id", "label", "diagnosis", "lesion_id", "patient_id", "split", "license")


@dataclass(frozen=True)
class Collected:
    """A table of images, and what must be said of it.

    Attributes:
        path: The CSV file, named by its content.
        images: How many images it lists.
        remarks: Stand-ins, absent images, smaller numbers than the paper had.
    """

    path: Path
    images: int
    remarks: tuple[str, ...]


def collect(plan: DataPlan, given: Mapping[str, Path], scale: float, out: Path) -> Collected:
    """Write the table of a plan's images under ``out``.

    Args:
        plan: Which images.
        given: Source to folder.
        scale: Share of the images of every class, at least 12 of each.
        out: The folder of tables.

    Raises:
        InputError: A source that is not given and has no stand-in that is, or no images.
        SourceError: A data set that cannot be read.
    """
    sources, remarks = available(plan, given)
    frames = []
    for name in sources:
        read = SOURCES[name].read(given[name], ReadOptions(skip_missing=True))
        if read.missing:
            remarks.append(f"{len(read.missing)} images that {name} lists are not there.")
        if blind := unnamed(read.frame):
            remarks.append(
                f"{blind} of {len(read.frame)} images of {name} name neither lesion nor patient: "
                "of those only copies of a picture are kept on one side of a leak-free split."
            )
        frames.append(mapped(read.frame, plan.labels.get(name)))
    frame = pd.concat(frames, ignore_index=True)
    if not plan.official_split:
        frame = frame.assign(split="")
    wanted, told = wanted_counts(frame["label"], plan, scale)
    frame = drawn(frame, wanted)
    # Two sources may give one name to different files; the source tells them apart.
    twice = frame["image_id"].duplicated(keep=False)
    frame.loc[twice, "image_id"] = frame["source"][twice] + "-" + frame["image_id"][twice]
    text = frame.rename(columns={"path": "image"})[list(_KEPT)].to_csv(index=False)
    path = out / f"{digest_text(text)[:12]}.csv"
    write_text(path, text)
    return Collected(path, len(frame), (*remarks, *told))


def available(plan: DataPlan, given: Mapping[str, Path]) -> tuple[list[str], list[str]]:
    """The sources that are read, and what stands in for what, in sentences.

    Raises:
        InputError: A source is not given, nor one that stands in for it.
    """
    sources: list[str] = []
    remarks, missing = [], []
    for name in plan.sources:
        if name in given:
            sources.append(name)
            continue
        instead = [each for each in plan.stand_ins.get(name, ()) if each in given]
        if instead:
            remarks.append(f"{' and '.join(instead)} stand in for {name}.")
        else:
            missing.append(name)
        sources += [each for each in instead if each not in sources]
    if missing:
        raise InputError(
            f"The paper needs {', '.join(missing)}, which is not given.",
            todo="; ".join(_asked(name, plan.stand_ins.get(name, ())) for name in missing),
        )
    return sources, remarks


def _asked(name: str, instead: Sequence[str]) -> str:
    """The option that gives a source, and those of its stand-ins."""
    asked = f"--data {name}=FOLDER"
    if instead:
        options = " ".join(f"--data {each}=FOLDER" for each in instead)
        asked += f", or in its place{' one or more of' * (len(instead) > 1)} {options}"
    return asked


def mapped(frame: pd.DataFrame, labels: Mapping[str, str] | None) -> pd.DataFrame:
    """The rows with the paper's classes; what a map does not name is left out.

    ``diagnosis`` keeps the source's class where there was none.
    """
    if labels is None:
        return frame
    new = frame["label"].map(labels)
    return frame.assign(label=new)[new.notna()]


def wanted_counts(
    labels: pd.Series, plan: DataPlan, scale: float
) -> tuple[dict[str, int], list[str]]:
    """How many images of each class are drawn, and where fewer are there than the paper had."""
    there = {str(code): int(count) for code, count in labels.value_counts().items()}
    remarks = []
    if plan.per_class:
        share = min(1.0, *(there.get(c, 0) / n for c, n in plan.per_class.items()))
        counts = {c: int(n * share) for c, n in plan.per_class.items()}
        if share < 1:
            remarks.append(
                f"There are not as many images as in the paper: {share:.1%} of them, "
                "in the same proportions."
            )
    else:
        share = min(1.0, plan.images / len(labels)) if plan.images else 1.0
        counts = {code: round(count * share) for code, count in there.items()}
        if plan.images > len(labels):
            remarks.append(f"{len(labels)} images are there, {plan.images} were used in the paper.")
    if scale < 1:
        counts = {c: min(n, max(12, round(n * scale))) for c, n in counts.items()}
    if len(counts) < 2 or not all(counts.values()):
        raise InputError(f"Too few images are left: {counts or there}.")
    return counts, remarks


def drawn(frame: pd.DataFrame, wanted: Mapping[str, int]) -> pd.DataFrame:
    """So many rows of each class, chosen by the hash of their names, in the order they had."""
    rank = frame["image_id"].map(lambda name: hashlib.sha256(name.encode()).hexdigest())
    place = rank.groupby(frame["label"]).rank(method="first")
    return frame[place <= frame["label"].map(wanted).fillna(0)].reset_index(drop=True)
