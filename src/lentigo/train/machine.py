"""A support vector machine as what it computes: scaling, kernel, one linear map to logits.

Kept as plain arrays in an ``.npz``, not as a pickled object: a pickle from elsewhere can run
any code when it is opened.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import RunError
from lentigo.files import atomic_path
from lentigo.recipe import Kernel

Floats = NDArray[np.float64]
_DEGREE = 3


@dataclass(frozen=True)
class Scaling:
    """Features to [0, 1] by the least and the greatest of the images it was fitted on."""

    least: Floats
    reach: Floats

    @classmethod
    def of(cls, features: Floats) -> Scaling:
        """Fitted on ``features`` (n, d); one that never changes becomes 0."""
        reach = np.ptp(features, axis=0)
        return cls(features.min(axis=0), np.where(reach > 0, reach, 1.0))

    def __call__(self, features: Floats) -> Floats:
        """Of (n, d); others than those it was fitted on may lie outside [0, 1]."""
        return np.asarray((features - self.least) / self.reach)


def gram(kernel: Kernel, gamma: float, first: Floats, second: Floats) -> Floats:
    """The kernel of every pair, (n, d) and (m, d) to (n, m), as libsvm defines it.

    ``linear`` x y; ``rbf`` exp(-gamma |x - y|^2); ``poly`` (gamma x y)^3; ``sigmoid``
    tanh(gamma x y).
    """
    product = first @ second.T
    if kernel == "linear":
        return np.asarray(product)
    if kernel == "poly":
        return np.asarray((gamma * product) ** _DEGREE)
    if kernel == "sigmoid":
        return np.asarray(np.tanh(gamma * product))
    product *= -2
    product += (first**2).sum(axis=1)[:, None]
    product += (second**2).sum(axis=1)
    return np.asarray(np.exp(-gamma * product.clip(0)))


def gamma_of(scaled: Floats) -> float:
    """1 / (features x variance) of scaled training features (n, d)."""
    variance = float(scaled.var())
    return 1 / (scaled.shape[1] * variance) if variance else 1.0


@dataclass(frozen=True)
class Machine:
    """What answers.

    Attributes:
        kernel: Its name.
        gamma: Of the kernel.
        scaling: Fitted on the training images.
        support: (m, d) scaled features of the support vectors.
        weights: (m, k) from kernel values to logits.
        offset: (k,) added to them.
    """

    kernel: Kernel
    gamma: float
    scaling: Scaling
    support: Floats
    weights: Floats
    offset: Floats

    def logits(self, features: Floats) -> NDArray[np.float32]:
        """Of unscaled features (n, d), (n, k)."""
        values = gram(self.kernel, self.gamma, self.scaling(features), self.support)
        return (values @ self.weights + self.offset).astype(np.float32)

    @property
    def parameters(self) -> int:
        """How many numbers it keeps."""
        return (
            self.support.size + self.weights.size + self.offset.size + 2 * len(self.scaling.least)
        )

    def save(self, path: Path) -> None:
        """Write it to ``path`` (.npz) atomically."""
        facts = json.dumps({"kernel": self.kernel, "gamma": self.gamma})
        with atomic_path(path) as temporary, temporary.open("wb") as stream:
            np.savez(
                stream,
                facts=np.frombuffer(facts.encode(), np.uint8),
                least=self.scaling.least,
                reach=self.scaling.reach,
                support=self.support,
                weights=self.weights,
                offset=self.offset,
            )

    @classmethod
    def load(cls, path: Path) -> Machine:
        """Read what `save` wrote; nothing in the file is run.

        Raises:
            RunError: The file is missing, damaged, or does not fit together.
        """
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as kept:
                facts = json.loads(kept["facts"].tobytes())
                names = ("least", "reach", "support", "weights", "offset")
                least, reach, support, weights, offset = (
                    np.asarray(kept[name], np.float64) for name in names
                )
            kernel, gamma = cast("Kernel", facts["kernel"]), float(facts["gamma"])
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
            raise RunError(f"{path} is damaged: {error}", todo="Train anew.") from None
        fits = support.shape[1:] == least.shape == reach.shape and weights.shape[1:] == offset.shape
        if kernel not in get_args(Kernel) or not fits or len(support) != len(weights):
            raise RunError(f"{path} is damaged: its parts do not fit.", todo="Train anew.")
        return cls(kernel, gamma, Scaling(least, reach), support, weights, offset)
