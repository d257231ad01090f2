"""What ``mlscorecheck`` says of scores on one test set, beside our own search."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
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
    with _quiet():
        refuted = _two_classes(known, positives, negatives)
    about = "" if len(known) == len(scores) else f" on {', '.join(known).replace('_', ' ')}"
    # On fewer scores it may find a matrix where all of them have none.
    agrees = refuted is not fits or (not fits and len(known) < len(scores))
    return _told({about: refuted}, agrees=agrees)


def class_opinion(
    supports: Sequence[int],
    rows: Mapping[str, Sequence[Printed]],
    whole: Mapping[str, Printed],
    *,
    fits: bool,
) -> str:
    """The same of a per-class report: its rows, its accuracy, and its macro averages.

    Each class is asked about as one of two, against the rest, by its own row; accuracy as the
    micro average of recall and precision, which it is; accuracy and macro recall together.

    Args:
        supports: Images of each class, (k,).
        rows: By the names of ``class_search.ROWS``, one figure a class.
        whole: ``accuracy``, ``recall_macro`` and other averages, which are not asked about.
        fits: What our own search found.
    """
    if find_spec("mlscorecheck") is None:
        return ""
    known = [name for name in rows if name in _NAMES]
    answers = {}
    with _quiet():
        if known:
            about = f" on {', '.join(known)} of each class against the rest"
            answers[about] = any(
                _two_classes(row, n, sum(supports) - n)
                for c, n in enumerate(supports)
                if (row := _defined({name: rows[name][c] for name in known}))
            )
        if "accuracy" in whole:
            answers[" on accuracy as a micro average"] = _micro(supports, whole["accuracy"])
        if "accuracy" in whole and "recall_macro" in whole:
            recalls = rows.get("recall", ())
            about = " on accuracy and macro recall" + " between the classes' own" * bool(recalls)
            answers[about] = _macro(supports, whole, recalls)
    # It looks at parts of the report, of which each may be where the whole is not.
    return _told(answers, agrees=not (fits and any(answers.values()))) if answers else ""


def _told(answers: Mapping[str, bool], *, agrees: bool) -> str:
    said = "; ".join(
        f"{about}: {'inconsistent' if refuted else 'consistent'}".removeprefix(" " * bool(place))
        for place, (about, refuted) in enumerate(answers.items())
    )
    told = f"mlscorecheck {version('mlscorecheck')}{said}"
    return f"{told}." if agrees else f"{told}, which disagrees with the search above."


def _defined(row: Mapping[str, Printed]) -> dict[str, Printed]:
    """Without a precision of 0, which scikit-learn prints of a class that nothing was called."""
    return {name: each for name, each in row.items() if name != "precision" or each.value > 0}


def _two_classes(scores: Mapping[str, Printed], positives: int, negatives: int) -> bool:
    """Whether it refutes the scores of one class against another."""
    from mlscorecheck.check.binary import check_1_testset_no_kfold  # noqa: PLC0415 - an extra

    answer = check_1_testset_no_kfold(
        testset={"p": positives, "n": negatives},
        scores={_NAMES[name]: each.value for name, each in scores.items()},
        eps={_NAMES[name]: each.step / 2 for name, each in scores.items()},
    )
    return bool(answer["inconsistency"])


def _micro(supports: Sequence[int], accuracy: Printed) -> bool:
    """Whether it refutes an accuracy of several classes: their recall and precision, pooled."""
    from mlscorecheck.check.multiclass import (  # noqa: PLC0415 - an extra
        check_1_testset_no_kfold_micro,
    )

    answer = check_1_testset_no_kfold_micro(
        testset=dict(enumerate(supports)),
        scores={"sens": accuracy.value, "ppv": accuracy.value},
        eps={"sens": accuracy.step / 2, "ppv": accuracy.step / 2},
    )
    return bool(answer["inconsistency"])


def _macro(
    supports: Sequence[int], whole: Mapping[str, Printed], recalls: Sequence[Printed]
) -> bool:
    """Whether it refutes accuracy and macro recall together, given the recalls' range.

    Its accuracy is the mean of the classes' own, each against the rest; a wrong answer is
    wrong for two of k classes, so that is 1 - 2 (1 - accuracy) / k. It takes one reach for all
    scores: that of the coarsest.
    """
    from mlscorecheck.check.multiclass import (  # noqa: PLC0415 - an extra
        check_1_testset_no_kfold_macro,
    )

    accuracy, recall, k = whole["accuracy"], whole["recall_macro"], len(supports)
    low = min((each.rounded[0] for each in recalls), default=0.0)
    high = max((each.rounded[1] for each in recalls), default=1.0)
    answer = check_1_testset_no_kfold_macro(
        testset=dict(enumerate(supports)),
        scores={"acc": 1 - 2 * (1 - accuracy.value) / k, "sens": recall.value},
        eps=max(accuracy.step / k, recall.step / 2),
        class_score_bounds={"sens": (max(low, 0.0), min(high, 1.0))},
        verbosity=0,
    )
    return bool(answer["inconsistency"])


@contextmanager
def _quiet() -> Iterator[None]:
    """Its step-by-step log belongs on nobody's screen, nor what its solver says to programmers."""
    import mlscorecheck  # noqa: F401, PLC0415 - an extra, and sets its own level when imported

    logger = logging.getLogger("mlscorecheck")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r".*PuLP 4\.0", DeprecationWarning)
            yield
    finally:
        logger.setLevel(before)
