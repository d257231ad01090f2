"""What ``mlscorecheck`` says of two-class scores on one test set, beside our own search."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec

from lentigo.papers.printed import Printed

_NAMES = {
    "accuracy": "acc",
    "recall": "sens",
    "specificity": "spec",
    "precision": "ppv",
    "negative_predictive_value": "npv",
    "f1": "f1p",
    "balanced_accuracy": "bacc",
}


def second_opinion(
    scores: Mapping[str, Printed], positives: int, negatives: int, *, fits: bool
) -> str:
    """A sentence, empty where mlscorecheck is not installed or knows none of the scores.

    Args:
        scores: By the names of ``binary_search.SCORES``.
        positives: Images of the positive class.
        negatives: Of the other.
        fits: What our own search found.
    """
    known = {name: each for name, each in scores.items() if name in _NAMES}
    if not known or find_spec("mlscorecheck") is None:
        return ""
    from mlscorecheck.check.binary import check_1_testset_no_kfold  # noqa: PLC0415 - an extra

    with _quiet():
        answer = check_1_testset_no_kfold(
            testset={"p": positives, "n": negatives},
            scores={_NAMES[name]: each.value for name, each in known.items()},
            eps={_NAMES[name]: each.step / 2 for name, each in known.items()},
        )
    says = "inconsistent" if answer["inconsistency"] else "consistent"
    # On fewer scores it may find a matrix where all of them have none.
    agrees = answer["inconsistency"] is not fits or (not fits and len(known) < len(scores))
    about = "" if len(known) == len(scores) else f" on {', '.join(known).replace('_', ' ')}"
    told = f"mlscorecheck {version('mlscorecheck')}{about}: {says}"
    return f"{told}." if agrees else f"{told}, which disagrees with the search above."


@contextmanager
def _quiet() -> Iterator[None]:
    """Its step-by-step log belongs on nobody's screen."""
    logger = logging.getLogger("mlscorecheck")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)
