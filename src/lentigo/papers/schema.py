"""A paper as one TOML: citation, claims as printed, data, both protocols, and the variants.

A variant states only what differs from the paper's recipe, data and protocols, by dotted keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from lentigo.data.oversampling import Oversampling
from lentigo.data.sources import SOURCES
from lentigo.image import HairRemoval, PreprocessSpec
from lentigo.image.generator import Fill, GeneratorRanges
from lentigo.outside import Known
from lentigo.papers.printed import Printed
from lentigo.papers.tables import ClaimTable

Protocol = Literal["as-published", "leak-free"]
PROTOCOLS: tuple[Protocol, ...] = ("as-published", "leak-free")
PARTS = ("recipe", "data", "protocols")
"""What a variant may change."""
FigureName = Literal[
    "roc",
    "roc-by-class",
    "classes",
    "grid",
    "examples",
    "diagnoses",
    "augmented",
    "hair",
    "network",
    "epochs",
    "seconds",
    "curves",
    "confusion",
]
EpochFigure = Literal["seconds", "loss", "accuracy", "val_loss", "val_accuracy"]
Share = Annotated[float, Field(ge=0, lt=1)]


class Synthetic(Known):
    """Copies that fill the smaller classes up to ``up_to`` times the largest, and their ranges.

    When they are made is the protocol's to say (``SplitPlan.oversampled``).
    """

    up_to: float = Field(default=1.0, gt=0, le=1)
    fill: Fill = "nearest"
    image_data_generator: GeneratorRanges


class DataPlan(Known):
    """Which images, and what is done to them before any split.

    ``sources`` are all used together, ``stand_ins`` names what takes the place of one that is
    not given. ``labels`` maps a source's classes to the paper's; what it does not name is left
    out; a source without a map keeps its classes. ``synthetic`` says how offline copies of the
    smaller classes are drawn. ``images`` draws so many of all, in the
    classes' own proportions, ``per_class`` so many of each (0: all). Publishers' own splits
    are kept only with ``official_split``. ``crop = "none"`` squeezes whole images into the
    square, which is what a paper does that only says that it resizes. ``first_size`` is the
    side of a square on the way, where a paper resizes twice.
    """

    sources: tuple[str, ...] = Field(min_length=1)
    stand_ins: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    labels: dict[str, dict[str, str]] = Field(default_factory=dict)
    malignant: tuple[str, ...] = Field(min_length=1)
    images: int = Field(default=0, ge=0)
    per_class: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    official_split: bool = False
    size: int = Field(default=224, ge=32, le=1024)
    first_size: int | None = Field(default=None, ge=32, le=1024)
    crop: Literal["none", "center-square"] = "none"
    hair_removal: bool = False
    greyscale: bool = False
    synthetic: Synthetic | None = None

    @model_validator(mode="after")
    def _sources_exist(self) -> DataPlan:
        named = {*self.sources, *self.stand_ins, *self.labels}
        named |= {each for some in self.stand_ins.values() for each in some}
        if unknown := sorted(named - SOURCES.keys()):
            raise ValueError(f"unknown sources {unknown}; known: {', '.join(SOURCES)}")
        if self.images and self.per_class:
            raise ValueError("data.images and data.per_class exclude each other")
        return self

    @property
    def spec(self) -> PreprocessSpec:
        """What is done to each image before any split."""
        return PreprocessSpec(
            size=self.size,
            first_size=self.first_size,
            crop=self.crop,
            hair_removal=HairRemoval() if self.hair_removal else None,
            greyscale=self.greyscale,
        )


class SplitPlan(Known):
    """How one protocol splits, and on which part it measures.

    ``test_share`` of the groups are test; one of ``folds`` parts of the rest validates.
    ``group_by = "image"`` cuts lesions and patients apart, and is for ``as-published`` only;
    None is the strictest grouping that the data support. ``oversampled`` makes the data's
    synthetic images ``before-split``, so that they are dealt with all others, or
    ``after-split``, for training only. ``every_fold`` trains once for each fold and takes the
    mean (k-fold).
    """

    test_share: Share = 0.2
    folds: int = Field(default=5, ge=2)
    measured: Literal["test", "validation"] = "test"
    group_by: Literal["image"] | None = None
    every_fold: bool = False
    oversampled: Literal["before-split", "after-split"] | None = None

    def oversampling(self, data: DataPlan) -> Oversampling | None:
        """How synthetic images are made of ``data``; None where none are.

        Raises:
            ValueError: They are asked for, and the data do not say how they are drawn.
        """
        if self.oversampled is None:
            return None
        if data.synthetic is None:
            raise ValueError("oversampled needs data.synthetic")
        how = data.synthetic
        return Oversampling(
            when=self.oversampled, up_to=how.up_to, ranges=how.image_data_generator, fill=how.fill
        )


class Variant(Known):
    """One row of the paper's tables; ``set`` holds what differs, by dotted keys."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    title: str = ""
    set: dict[str, Any] = Field(default_factory=dict)


class _Derived(Known):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    title: str


class Mean(_Derived):
    """The mean of several variants: every figure of theirs, with the interval of the mean."""

    kind: Literal["mean"]
    of: tuple[str, ...] = Field(min_length=2)

    @property
    def variants(self) -> tuple[str, ...]:
        """What it follows from."""
        return self.of


class Differing(_Derived):
    """Whether it makes a difference to right answers which level a variant belongs to.

    Columns: ``p_value``; ``difference``, of two levels the second's accuracy less the first's,
    with its sign and an interval; and ``spread``, of more the best's less the worst's, which
    has none.
    """

    kind: Literal["difference"]
    levels: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(min_length=2)

    @property
    def variants(self) -> tuple[str, ...]:
        """What it follows from."""
        return tuple(name for names in self.levels.values() for name in names)


class SpeedUp(_Derived):
    """How much faster the epochs of ``variant`` are than those of ``baseline``.

    Columns: ``speed_up`` (a factor) and ``time_saved`` (a share). Neither is shown where the
    machine has no fast half precision.
    """

    kind: Literal["speed-up"]
    baseline: str
    variant: str

    @property
    def variants(self) -> tuple[str, ...]:
        """What it follows from."""
        return self.baseline, self.variant


Derived = Mean | Differing | SpeedUp


class Paper(Known):
    """Everything that is known and chosen of one study.

    Attributes:
        contradictions: Where the paper contradicts itself or leaves out what decides, in
            sentences, shown beneath the tables.
        choices: What the paper leaves open, and what was chosen here: each is ours.
        gaps: What of the paper is not reproduced here, and why.
        recipe: The recipe's tables, without name and protocol.
        protocols: How each protocol splits.
        variants: The experiments.
        derived: Rows that follow from them.
        tables: What the paper claims of them.
        by_epoch: What it prints of each epoch of a variant, as printed: ``seconds``, or its log
            and curves.
        figures: Which of the paper's figures are drawn again, by the names in
            ``lentigo.papers.figures``.
    """

    schema_version: Literal[1] = 1
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    title: str
    citation: str
    contradictions: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    data: DataPlan
    protocols: dict[Protocol, SplitPlan]
    recipe: dict[str, Any]
    variants: tuple[Variant, ...] = Field(min_length=1)
    derived: tuple[Annotated[Derived, Field(discriminator="kind")], ...] = ()
    tables: tuple[ClaimTable, ...] = Field(min_length=1)
    by_epoch: dict[str, Mapping[EpochFigure, tuple[Printed, ...]]] = Field(default_factory=dict)
    figures: tuple[FigureName, ...] = ("roc", "curves", "confusion")

    @model_validator(mode="after")
    def _names_fit(self) -> Paper:
        variants = [each.name for each in self.variants]
        names = variants + [each.name for each in self.derived]
        problems = [f"variant {n!r} stands twice" for n in set(names) if names.count(n) > 1]
        problems += [
            f"derived {each.name!r} needs {name!r}, which is no variant"
            for each in self.derived
            for name in each.variants
            if name not in variants
        ]
        problems += dict.fromkeys(
            f"table {table.title!r} {'has a row' if table.by_variant else 'is of'} {name!r}, "
            "which is no variant"
            for table in self.tables
            for line in table.lines
            for place in line
            for name in place.of
            if name not in names
        )
        problems += [
            f"by_epoch has {name!r}, which is no variant"
            for name in self.by_epoch
            if name not in variants
        ]
        problems += [
            f"by_epoch.{name} has columns of different lengths"
            for name, columns in self.by_epoch.items()
            if len({len(each) for each in columns.values()}) > 1
        ]
        if missing := [p for p in PROTOCOLS if p not in self.protocols]:
            problems.append(f"protocols lack {missing}")
        elif self.protocols["leak-free"].group_by is not None:
            problems.append("the leak-free protocol may not group by image")
        if problems:
            raise ValueError("; ".join(problems))
        return self


def with_changes(content: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of nested tables with dotted keys replaced; a number counts into a list.

    Raises:
        ValueError: A key that leads nowhere.
    """
    copied: dict[str, Any] = _copied(content)
    for key, value in changes.items():
        here: Any = copied
        *parents, last = key.split(".")
        try:
            for part in parents:
                here = here[int(part)] if isinstance(here, list) else here.setdefault(part, {})
            here[int(last) if isinstance(here, list) else last] = value
        except (IndexError, ValueError, TypeError, AttributeError):
            raise ValueError(f"the key {key!r} leads nowhere") from None
    return copied


def recipe_fields(recipe: Mapping[str, Any], size: int, **named: str) -> dict[str, Any]:
    """A paper's ``[recipe]`` as `Recipe` takes it: with the images' size and what names it."""
    network = recipe.get("network", {})
    if isinstance(network, Mapping):
        network = {**network, "size": size}
    return {**recipe, **named, "network": network}


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(each) for key, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list | tuple) else value
