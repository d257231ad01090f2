"""Which classes a data set has, and which of them are malignant."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lentigo.errors import InputError

NOT_A_MEDICAL_DEVICE = (
    "Research and teaching only: this is not a medical device. "
    "Whatever it answers, show a lesion that worries you to a doctor."
)

INTENDED_USE = (
    "Research and teaching about the classification of dermoscopic images. Not a medical device; "
    "not for diagnosis, triage or reassurance."
)
LIMITS = (
    "It has seen dermoscopic images of the training set's classes only. Other lesions, other "
    "cameras, photos without a dermatoscope and skin tones that the training set lacks give "
    "answers that mean nothing, with probabilities that look as sure as others."
)


class LesionClass(BaseModel):
    """One class: its code (the column name everywhere), its name, its malignancy."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(min_length=1)
    name: str
    malignant: bool


class Taxonomy(BaseModel):
    """The classes of a data set, in the order of every probability vector."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    classes: tuple[LesionClass, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _codes_differ(self) -> Taxonomy:
        if len(set(self.codes)) != len(self.classes):
            raise ValueError(f"taxonomy {self.name} names a class twice: {self.codes}")
        return self

    @property
    def codes(self) -> tuple[str, ...]:
        """Class codes in order."""
        return tuple(each.code for each in self.classes)

    @property
    def malignant(self) -> tuple[bool, ...]:
        """Whether each class counts as malignant, in order."""
        return tuple(each.malignant for each in self.classes)

    def index(self, code: str) -> int:
        """Position of a class.

        Raises:
            InputError: The taxonomy has no such class.
        """
        try:
            return self.codes.index(code)
        except ValueError:
            raise InputError(
                f"{code!r} is not a class of {self.name}.", todo=f"Its classes: {self.codes}."
            ) from None


def _taxonomy(name: str, *rows: tuple[str, str, bool]) -> Taxonomy:
    classes = tuple(LesionClass(code=c, name=n, malignant=m) for c, n, m in rows)
    return Taxonomy(name=name, classes=classes)


# HAM10000 counts akiec as malignant with mel and bcc: its authors group actinic
# keratoses with intraepithelial carcinoma (Tschandl 2018).
HAM10000 = _taxonomy(
    "ham10000",
    ("akiec", "actinic keratosis / Bowen's disease", True),
    ("bcc", "basal cell carcinoma", True),
    ("bkl", "benign keratosis-like lesion", False),
    ("df", "dermatofibroma", False),
    ("mel", "melanoma", True),
    ("nv", "melanocytic nevus", False),
    ("vasc", "vascular lesion", False),
)
ISIC2017 = _taxonomy(
    "isic2017",
    ("melanoma", "melanoma", True),
    ("nevus", "melanocytic nevus", False),
    ("seborrheic_keratosis", "seborrheic keratosis", False),
)
ISIC2019 = _taxonomy(
    "isic2019",
    ("ak", "actinic keratosis", True),
    ("bcc", "basal cell carcinoma", True),
    ("bkl", "benign keratosis-like lesion", False),
    ("df", "dermatofibroma", False),
    ("mel", "melanoma", True),
    ("nv", "melanocytic nevus", False),
    ("scc", "squamous cell carcinoma", True),
    ("vasc", "vascular lesion", False),
)
# Its authors count three cancers and three other diseases, actinic keratosis among the
# latter; Bowen's disease they count as scc (Pacheco 2020).
PAD_UFES_20 = _taxonomy(
    "pad-ufes-20",
    ("ack", "actinic keratosis", False),
    ("bcc", "basal cell carcinoma", True),
    ("mel", "melanoma", True),
    ("nev", "melanocytic nevus", False),
    ("scc", "squamous cell carcinoma", True),
    ("sek", "seborrheic keratosis", False),
)
BINARY = _taxonomy("binary", ("benign", "benign", False), ("malignant", "malignant", True))
ISIC9 = _taxonomy(
    "isic9",
    ("actinic_keratosis", "actinic keratosis", True),
    ("basal_cell_carcinoma", "basal cell carcinoma", True),
    ("dermatofibroma", "dermatofibroma", False),
    ("melanoma", "melanoma", True),
    ("nevus", "melanocytic nevus", False),
    ("pigmented_benign_keratosis", "pigmented benign keratosis", False),
    ("seborrheic_keratosis", "seborrheic keratosis", False),
    ("squamous_cell_carcinoma", "squamous cell carcinoma", True),
    ("vascular_lesion", "vascular lesion", False),
)
# Generated shapes stand in for diagnoses; "malignant" here only exercises the code path.
PHANTOM = _taxonomy(
    "phantom",
    ("bicolour", "two halves of different colour", True),
    ("disc", "even disc", False),
    ("globules", "dark globules on a disc", False),
    ("pale", "pale disc", False),
    ("ring", "dark rim, light centre", False),
    ("star", "jagged outline", True),
    ("streaks", "radial streaks at the rim", True),
)

TAXONOMIES: dict[str, Taxonomy] = {
    each.name: each for each in (HAM10000, ISIC2017, ISIC2019, PAD_UFES_20, BINARY, ISIC9, PHANTOM)
}

_MALIGNANT_WORDS = frozenset(
    {"malignant", "melanoma", "mel", "bcc", "scc", "ak", "akiec"}
    | {each.code for t in TAXONOMIES.values() for each in t.classes if each.malignant}
) - {each.code for each in PHANTOM.classes}


def _word(label: str) -> str:
    """A label as codes are spelt: lower case, ``_`` for spaces and hyphens."""
    return "_".join(label.lower().replace("-", " ").replace("_", " ").split())


# Beside the classes stand, in tables and among scores: means over classes, and these columns.
_TAKEN = frozenset({"macro", "micro", "weighted", "image_id", "image", "label", "undecided"})
_TAKEN_PREFIX = "logit_"


def from_labels(name: str, labels: set[str], malignant: set[str] | None = None) -> Taxonomy:
    """The taxonomy of a user's own labels, in alphabetical order.

    Args:
        name: What to call it.
        labels: At least two different labels.
        malignant: The malignant ones; where not given, those whose name says so.

    Raises:
        InputError: Fewer than two labels, one that tables and scores use themselves, or a
            malignant one that no image has.
    """
    if len(labels) < 2:
        raise InputError(f"{name} has {len(labels)} class(es); at least two are needed.")
    if taken := sorted(c for c in labels if c in _TAKEN or c.startswith(_TAKEN_PREFIX)):
        raise InputError(
            f"{name} has the class(es) {taken}, which are columns or means in what lentigo writes.",
            todo="Give them other names: rename the folders, or the labels in the table.",
        )
    chosen = {c for c in labels if _word(c) in _MALIGNANT_WORDS} if malignant is None else malignant
    if unknown := chosen - labels:
        raise InputError(
            f"Malignant classes that no image of {name} has: {sorted(unknown)}.",
            todo=f"Its classes: {sorted(labels)}.",
        )
    return _taxonomy(name, *((c, c.replace("_", " "), c in chosen) for c in sorted(labels)))
