"""Does the bundle say what the network said, on the validation images of its run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lentigo.deploy.bundle import Parity, Quantization
from lentigo.errors import ParityError
from lentigo.score.classification import balanced_accuracy

FLOAT32_DIFFERENCE = 1e-4
FLOAT16_AGREEMENT = 0.995
QUANTIZED_LOSS = 0.02
WANTED_IMAGES = 500
_LEAST: dict[Quantization, str] = {
    "float32": "this one changes least: please report it.",
    "float16": "float32 changes least.",
    "dynamic": "float32 and float16 change least.",
    "int8": (
        "float32 and float16 change least. --keep-float auto leaves the layers that int8 harms "
        "most in float32."
    ),
}


@dataclass(frozen=True)
class _Rule:
    """A tolerance: how it reads, and whether figures keep it."""

    text: str
    kept: Callable[[Parity], bool]


_DIFFERENCE = _Rule(
    f"probabilities within {FLOAT32_DIFFERENCE:g}",
    lambda parity: parity.max_difference <= FLOAT32_DIFFERENCE,
)
_AGREEMENT = _Rule(
    f"the same most probable class on at least {FLOAT16_AGREEMENT:.1%} of the images",
    lambda parity: parity.top1_agreement >= FLOAT16_AGREEMENT,
)
_ACCURACY = _Rule(
    f"balanced accuracy at most {QUANTIZED_LOSS:g} lower",
    lambda parity: (
        parity.balanced_accuracy_keras - parity.balanced_accuracy_bundle <= QUANTIZED_LOSS
    ),
)
_RULES: dict[Quantization, _Rule] = {
    "float32": _DIFFERENCE,
    "float16": _AGREEMENT,
    "dynamic": _ACCURACY,
    "int8": _ACCURACY,
}


def measure(
    quantization: Quantization,
    labels: NDArray[np.int64],
    keras_probability: NDArray[np.float64],
    bundle_probability: NDArray[np.float64],
) -> Parity:
    """Compare two tables of calibrated probabilities (n, k) of the same images.

    Args:
        quantization: What the bundle was converted to; it chooses the rule.
        labels: (n,) class indices.
        keras_probability: Of the original.
        bundle_probability: Of the bundle.

    Raises:
        ParityError: The bundle answers with what is no number.
    """
    broken = int((~np.isfinite(bundle_probability)).any(axis=1).sum())
    if broken:
        raise ParityError(
            f"The {quantization} conversion gives no numbers for {broken} of {len(labels)} "
            "validation images.",
            todo="Nothing was written. Try another --quant.",
        )
    same = keras_probability.argmax(axis=1) == bundle_probability.argmax(axis=1)
    return Parity(
        quantization=quantization,
        images=len(labels),
        max_difference=float(np.abs(keras_probability - bundle_probability).max()),
        top1_agreement=float(same.mean()),
        balanced_accuracy_keras=balanced_accuracy(labels, keras_probability),
        balanced_accuracy_bundle=balanced_accuracy(labels, bundle_probability),
        rule=_RULES[quantization].text,
    )


def demand(parity: Parity) -> None:
    """Let figures within their rule pass.

    Raises:
        ParityError: They are not; all of them are printed.
    """
    if _RULES[parity.quantization].kept(parity):
        return
    raise ParityError(
        f"The {parity.quantization} conversion does not agree with the network it was made from. "
        f"Demanded: {parity.rule}.\n{figures(parity)}",
        todo=f"Nothing was written. Try another --quant; {_LEAST[parity.quantization]}",
    )


def figures(parity: Parity) -> str:
    """The figures in words, one a line."""
    few = "" if parity.images >= WANTED_IMAGES else f" (fewer than {WANTED_IMAGES}: all there are)"
    return "\n".join(
        (
            f"  validation images compared: {parity.images}{few}",
            f"  largest difference of a probability: {parity.max_difference:.3g}",
            f"  same most probable class: {parity.top1_agreement:.2%}",
            f"  balanced accuracy of the network: {parity.balanced_accuracy_keras:.4f}",
            f"  balanced accuracy of the bundle: {parity.balanced_accuracy_bundle:.4f}",
        )
    )
