"""What a bundle answers about one image, and the words for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lentigo.deploy.bundle import BundleInfo, Figure
from lentigo.errors import ImageError, visible
from lentigo.score.attention import heat
from lentigo.score.operating import OperatingPoint
from lentigo.taxonomy import NOT_A_MEDICAL_DEVICE

LEAKY = "LEAKY model: it was trained under a protocol that flatters its figures"
UNFAMILIAR = "I do not recognise this as a lesion like those I was trained on."


@dataclass(frozen=True)
class Reading:
    """The malignant probability held against one operating point.

    Attributes:
        name: Of the operating point, such as ``sensitivity_0.90``.
        target_sensitivity: Share of malignant validation images at or above the threshold.
        threshold: In [0, 1].
        above: Whether the malignant probability reaches the threshold.
    """

    name: str
    target_sensitivity: float
    threshold: float
    above: bool


@dataclass(frozen=True)
class Recognition:
    """Whether an image is like those that the model was trained on.

    Attributes:
        score: How unlike them it is, 0 or more.
        threshold: Of the bundle; 95% of its validation images lie at or below it.
    """

    score: float
    threshold: float

    @property
    def unfamiliar(self) -> bool:
        """Whether the score is above the threshold."""
        return self.score > self.threshold

    def to_dict(self) -> dict[str, Any]:
        """The JSON form; ``message`` is the sentence to show, or None."""
        return {
            "score": self.score,
            "threshold": self.threshold,
            "unfamiliar": self.unfamiliar,
            "message": UNFAMILIAR if self.unfamiliar else None,
        }


@dataclass(frozen=True)
class Prediction:
    """The answer about one image.

    Attributes:
        image: The file, or what the image was called.
        codes: Class codes in order.
        probability: Calibrated probability of each class in [0, 1]; they sum to 1.
        top: Code of the most probable class.
        malignant_probability: Of all malignant classes together; None where the taxonomy
            has none.
        readings: That probability against each operating point.
        warnings: What about the photo makes the answer doubtful.
        familiarity: Whether the image is like the training images; None where the bundle
            does not say.
        leaky: Whether the model was trained under a protocol that flatters its figures.
        attention: (h, w, k) maps of what spoke for each class, or (h, w, 1) for all classes
            together; None where they were not asked for.
    """

    image: str
    codes: tuple[str, ...]
    probability: tuple[float, ...]
    top: str
    malignant_probability: float | None
    readings: tuple[Reading, ...]
    warnings: tuple[str, ...] = ()
    familiarity: Recognition | None = None
    leaky: bool = False
    attention: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)

    @property
    def top_probability(self) -> float:
        """Calibrated probability of the most probable class."""
        return self.probability[self.codes.index(self.top)]

    @property
    def heat(self) -> NDArray[np.float32] | None:
        """Where what speaks for ``top`` lies: (h, w) in [0, 1], for laying over the image.

        None where maps were not asked for; all zero where nothing speaks for it.
        """
        if self.attention is None:
            return None
        single = self.attention.shape[2] == 1
        return heat(self.attention[..., 0 if single else self.codes.index(self.top)])

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, without the attention map."""
        return {
            "image": self.image,
            "top": self.top,
            "probability": dict(zip(self.codes, self.probability, strict=True)),
            "malignant_probability": self.malignant_probability,
            "operating_points": [
                {
                    "name": reading.name,
                    "target_sensitivity": reading.target_sensitivity,
                    "threshold": reading.threshold,
                    "above": reading.above,
                }
                for reading in self.readings
            ],
            "warnings": list(self.warnings),
            "familiarity": None if self.familiarity is None else self.familiarity.to_dict(),
            "leaky": self.leaky,
            "notice": NOT_A_MEDICAL_DEVICE,
        }


@dataclass(frozen=True)
class Failure:
    """An image that could not be read.

    Attributes:
        image: The file, or what the image was called.
        reason: One sentence.
        todo: What the user can do about it, where there is something.
    """

    image: str
    reason: str
    todo: str | None = None

    @classmethod
    def of(cls, image: str, error: ImageError) -> Failure:
        """What an error about ``image`` comes to."""
        return cls(image, error.problem, error.todo)

    @property
    def told(self) -> str:
        """For people: the reason, and what to do on a line of its own."""
        return self.reason if self.todo is None else f"{self.reason}\n  -> {self.todo}"

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {"image": self.image, "error": self.reason, "todo": self.todo}


def read_off(
    image: str,
    probability: NDArray[np.float64],
    info: BundleInfo,
    *,
    warnings: tuple[str, ...] = (),
    unfamiliarity: float | None = None,
    attention: NDArray[np.float32] | None = None,
) -> Prediction:
    """The prediction that calibrated probabilities (k,) of one image amount to."""
    taxonomy = info.taxonomy
    flags = np.asarray(taxonomy.malignant)
    malignant = float(min(probability[flags].sum(), 1.0)) if flags.any() else None
    points = () if malignant is None else info.operating_points
    return Prediction(
        image=image,
        codes=taxonomy.codes,
        probability=tuple(probability.tolist()),
        top=taxonomy.codes[int(probability.argmax())],
        malignant_probability=malignant,
        readings=tuple(_reading(point, malignant or 0.0) for point in points),
        warnings=warnings,
        familiarity=_recognition(unfamiliarity, info),
        leaky=info.leaky,
        attention=attention,
    )


def _recognition(score: float | None, info: BundleInfo) -> Recognition | None:
    if score is None or info.familiarity is None:
        return None
    return Recognition(score, info.familiarity.threshold)


def _reading(point: OperatingPoint, malignant: float) -> Reading:
    return Reading(
        name=point.name,
        target_sensitivity=point.target_sensitivity,
        threshold=point.threshold,
        above=malignant >= point.threshold,
    )


def describe(prediction: Prediction, info: BundleInfo) -> str:
    """The answer in words, some lines of plain text.

    It speaks of likeness to training images only: it gives no diagnosis and never says that
    a lesion needs no attention. A probability below a threshold comes with the share of
    malignant images that lie there too. Of an image that the model does not recognise nothing
    is said of thresholds.
    """
    names = {each.code: each.name for each in info.taxonomy.classes}
    label = prediction.top
    if names[label] != label:
        label = visible(f"{label} ({names[label]})")
    lines = [
        visible(prediction.image),
        f"  most like training images labelled {label}: {_percent(prediction.top_probability)}",
    ]
    if prediction.malignant_probability is not None:
        lines.append(_malignant_line(prediction.malignant_probability, info))
    if prediction.familiarity is not None and prediction.familiarity.unfamiliar:
        # What share of malignant images reached a threshold says nothing of such an image.
        assert info.familiarity is not None
        told, seen = f"{1 - info.familiarity.kept:.0%}", info.familiarity.images
        usual = f"(The same is said of {told} of {seen} validation images.)"
        lines.insert(1, f"  {UNFAMILIAR} {usual}")
    else:
        lines += [f"    {_threshold_line(each, info)}" for each in prediction.readings]
    lines += [f"  photo: {warning}" for warning in prediction.warnings]
    if info.leaky:
        lines.append(f"  {LEAKY}")
    lines.append(f"  answered by {visible(info.name)}")
    return "\n".join([*lines, f"  {NOT_A_MEDICAL_DEVICE}"])


def _malignant_line(malignant: float, info: BundleInfo) -> str:
    names = ", ".join(each.name for each in info.taxonomy.classes if each.malignant)
    line = visible(f"  malignant classes together ({names}): {_percent(malignant)}")
    if info.mixture is None:
        return line
    before = sum(np.asarray(info.mixture)[np.asarray(info.taxonomy.malignant)])
    return f"{line}, assuming that {_percent(before)} of all lesions are malignant"


def _threshold_line(reading: Reading, info: BundleInfo) -> str:
    threshold, wanted = _percent(reading.threshold), reading.target_sensitivity
    test = info.held_out_sensitivity(reading.name)
    if reading.above:
        text = f"above the threshold {threshold}, which {wanted:.0%} of malignant images"
        return f"{text} reached in validation" + _in_test(test, lambda share: share)
    text = f"below the threshold {threshold}, but so were {1 - wanted:.0%} of malignant images"
    return f"{text} in validation" + _in_test(test, lambda share: 1 - share)


def _in_test(measured: Figure | None, read: Callable[[float], float]) -> str:
    if measured is None or measured.value is None:
        return ""
    text = f" and {read(measured.value):.0%}"
    if measured.low is not None and measured.high is not None:
        low, high = sorted((read(measured.low), read(measured.high)))
        text += f" [{100 * low:.0f}, {100 * high:.0f}]"
    return f"{text} in the test"


def _percent(share: float | None) -> str:
    """A share in words: 4.2%; what rounds to 0 or 100 is bounded, since it is neither."""
    value = 100 * (share or 0.0)
    if value < 0.1:
        return "under 0.1%"
    return "over 99.9%" if value > 99.9 else f"{value:.1f}%"
