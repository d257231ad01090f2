"""The file of printed scores: its schema, and what each kind of check asks.

One check is one table row, or one sentence of a paper, with the size of the set that it was
measured on. Figures stand in quotes, as printed: their last digit says how far they reach.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from lentigo.papers import binary_search, class_search
from lentigo.papers.printed import Printed
from lentigo.papers.second_opinion import class_opinion, second_opinion

Verdict = Literal["consistent", "inconsistent", "undecidable"]
Positive = Annotated[int, Field(ge=1)]
AVERAGES = tuple(f"{s}_{m}" for s, m in product(class_search.AVERAGED, ("macro", "weighted")))
# The search looks at every pair of (positives + 1) x (negatives + 1), for every size it may have.
MOST_PAIRS = 2_000_000_000
SIGNIFICANT = 1.96
"""Standard errors that chance alone exceeds in 5% of comparisons."""


def _one_of(*known: str) -> AfterValidator:
    """Keys that are not known are told one by one, beside all else that is wrong."""

    def checked(name: str) -> str:
        if name not in known:
            raise ValueError(f"is none of {', '.join(known)}")
        return name

    return AfterValidator(checked)


def _share(printed: Printed) -> Printed:
    """Refused rather than found inconsistent: it is a slip in copying, and no proof of anything."""
    low, high = printed.rounded
    if high < 0 or low > 1:
        hint = ""
        if printed.value > 1 and "%" not in printed.text:
            hint = f": per cent want their sign, '{printed.text}%'"
        raise ValueError(f"{printed} is no share of a whole{hint}")
    return printed


Share = Annotated[Printed, AfterValidator(_share)]


class _Check(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    where: str = ""

    def answer(self) -> tuple[Verdict, tuple[str, ...]]:
        """The verdict and its arithmetic, in sentences."""
        raise NotImplementedError


class Binary(_Check):
    """Scores of two classes on one test set; see ``binary_search.SCORES`` for their names.

    Where a paper gives the size of the set and not of its classes, ``total`` stands alone, and
    every division of it is searched.
    """

    kind: Literal["binary"]
    positives: Positive | None = None
    negatives: Positive | None = None
    total: Annotated[int, Field(ge=2)] | None = None
    scores: dict[Annotated[str, _one_of(*binary_search.SCORES)], Share] = Field(min_length=1)

    @model_validator(mode="after")
    def _few_enough(self) -> Binary:
        pairs = 0
        if self.total and (self.positives, self.negatives) == (None, None):
            pairs = self.total**3 // 6
        elif self.positives and self.negatives and self.total is None:
            pairs = (self.positives + 1) * (self.negatives + 1)
        else:
            raise ValueError("wants positives and negatives, or their total alone")
        if pairs > MOST_PAIRS:
            raise ValueError(f"more than {MOST_PAIRS:,} confusion matrices are not searched")
        return self

    def answer(self) -> tuple[Verdict, tuple[str, ...]]:
        """Search every confusion matrix, and ask mlscorecheck where the classes are known."""
        if not (self.positives and self.negatives):
            assert self.total is not None
            fits, told = binary_search.explain_total(self.scores, self.total)
            return "consistent" if fits else "inconsistent", told
        fits, told = binary_search.explain(self.scores, self.positives, self.negatives)
        prevalence = "" if fits else binary_search.implied_prevalence(self.scores)
        opinion = second_opinion(self.scores, self.positives, self.negatives, fits=fits)
        more = tuple(each for each in (prevalence, opinion) if each)
        return "consistent" if fits else "inconsistent", told + more


class Classes(_Check):
    """A per-class report: ``supports`` images a class, figures a class, and averages."""

    kind: Literal["classes"]
    supports: tuple[Positive, ...] = Field(min_length=2)
    rows: dict[Annotated[str, _one_of(*class_search.ROWS)], tuple[Share, ...]] = Field(min_length=1)
    whole: dict[Annotated[str, _one_of("accuracy", *AVERAGES)], Share] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _whole_rows(self) -> Classes:
        problems = [
            f"{name} has {len(each)} figures for {len(self.supports)} classes"
            for name, each in self.rows.items()
            if len(each) != len(self.supports)
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def answer(self) -> tuple[Verdict, tuple[str, ...]]:
        """Choose a pair of margins a class by integer programming, and ask mlscorecheck."""
        try:
            fits, told = class_search.explain(self.supports, self.rows, self.whole)
        except class_search.UndecidedError as error:
            return "undecidable", (str(error),)
        opinion = class_opinion(self.supports, self.rows, self.whole, fits=fits)
        return "consistent" if fits else "inconsistent", (*told, *([opinion] if opinion else ()))


class Counts(_Check):
    """Shares of one total, as accuracies are: each must be a whole number of it.

    ``totals`` may name several sizes where a share of the data falls between two. Scores
    that rest on class counts or an averaging that is not given are named in ``unknown``; with
    any, what is not refuted stays undecidable.
    """

    kind: Literal["counts"]
    totals: tuple[Positive, ...] = Field(min_length=1)
    figures: dict[str, Share] = Field(min_length=1)
    unknown: str = ""

    def answer(self) -> tuple[Verdict, tuple[str, ...]]:
        """Look for a count of every figure."""
        told, possible = [], False
        for total in self.totals:
            missing = [
                sentence
                for name, printed in self.figures.items()
                if (sentence := binary_search.no_count_gives(name, printed, total))
            ]
            possible = possible or not missing
            counts = ", ".join(
                f"{round(each.value * total)}/{total}" for each in self.figures.values()
            )
            told += missing or [f"Each is a whole number of {total}: {counts}."]
        if not possible:
            return "inconsistent", tuple(told)
        if self.unknown:
            return "undecidable", (*told, self.unknown)
        return "consistent", tuple(told)


class Derived(_Check):
    """A figure that follows from others.

    ``sum``, ``mean``, ``difference`` (first less second), ``reduction`` (how much less the
    second is, as a share of the first), ``average``: some weighted mean of them, whatever
    the weights, or ``same``: one figure, printed twice.
    """

    kind: Literal["derived"]
    operation: Literal["sum", "mean", "difference", "reduction", "average", "same"]
    of: tuple[Printed, ...] = Field(min_length=1)
    printed: Printed

    @model_validator(mode="after")
    def _enough(self) -> Derived:
        count = {"difference": 2, "reduction": 2, "same": 1}.get(self.operation)
        if len(self.of) != count if count else len(self.of) < 2:
            wanted = count or "two or more"
            raise ValueError(f"{self.operation} takes {wanted} figures, not {len(self.of)}")
        if self.operation == "reduction" and self._reach()[0][0] <= 0:
            raise ValueError(f"no share can be taken of {self.of[0]}, which may be 0")
        return self

    def answer(self) -> tuple[Verdict, tuple[str, ...]]:
        """Carry the reach of every printed figure through the operation."""
        low, high = self._range()
        a, b = self.printed.rounded
        fits = a <= high and low <= b
        shown = [
            f"{each:.4%}" if "%" in str(self.printed) else f"{each:.6g}" for each in (low, high)
        ]
        span = shown[0] if math.isclose(low, high, rel_tol=1e-9) else " to ".join(shown)
        told = f"The {self.operation} of the printed figures is {span}; printed {self.printed}."
        if self.operation == "same":
            told = f"The same figure is printed as {self.of[0]} and as {self.printed}."
        return "consistent" if fits else "inconsistent", (told,)

    def _reach(self) -> list[tuple[float, float]]:
        """Of each figure; a whole number, such as seconds or images, is exact."""
        return [(p.value, p.value) if p.step == 1 else p.rounded for p in self.of]

    def _range(self) -> tuple[float, float]:
        lows, highs = ([each[end] for each in self._reach()] for end in (0, 1))
        if self.operation in {"average", "same"}:
            return min(lows), max(highs)
        if self.operation == "difference":
            return lows[0] - highs[1], highs[0] - lows[1]
        if self.operation == "reduction":
            return 1 - highs[1] / lows[0], 1 - lows[1] / highs[0]
        share = len(self.of) if self.operation == "mean" else 1
        return sum(lows) / share, sum(highs) / share


class Candidates(_Check):
    """A printed number of parameters against those of the models it may mean."""

    kind: Literal["candidates"]
    printed: Printed
    candidates: dict[str, int] = Field(min_length=1)

    def answer(self) -> tuple[Verdict, tuple[str, ...]]:
        """One that fits is consistent, several leave it open, none refutes it."""
        said = {name: self._says(value) for name, value in self.candidates.items()}
        fits = [name for name, each in said.items() if not each.startswith("does not")]
        told = tuple(
            f"{name}: {self.candidates[name]:,} {each} {self.printed}."
            for name, each in said.items()
        )
        verdict: Verdict = "undecidable" if len(fits) > 1 else "consistent"
        return verdict if fits else "inconsistent", told

    def _says(self, value: int) -> str:
        if self.printed.holds(value):
            return "prints as"
        return (
            "with digits cut off is" if self.printed.holds(value, cut=True) else "does not print as"
        )


class Significance(_Check):
    """Whether the best of several shares of a test set is further from the worst than by chance.

    As of separate sets, and by McNemar (1947) for every number of images that both may have
    right, which papers do not print.
    """

    kind: Literal["significance"]
    total: Positive
    figures: dict[str, Share] = Field(min_length=2)

    def answer(self) -> tuple[Verdict, tuple[str, ...]]:
        """Standard errors between the two: ``SIGNIFICANT`` are wanted."""
        n, names = self.total, sorted(self.figures, key=lambda name: self.figures[name].value)
        worst, best = (round(self.figures[names[end]].value * n) for end in (0, -1))
        more, both = best - worst, max(0, best + worst - n)
        error = math.sqrt((best * (n - best) + worst * (n - worst)) / n) or math.inf
        # Images that one of them alone has right: at most where they share the fewest.
        apart = (best + worst - 2 * both, more)
        low, high = (more / math.sqrt(each) if more else 0.0 for each in apart)
        told = (
            f"{names[-1]} has {best} of {n} right, {names[0]} {worst}: {more} more.",
            f"As of two separate sets, z = {more} / {error:.2f} = {more / error:.2f}.",
            f"On the same images z is {low:.2f} to {high:.2f}, by how many both have right, which "
            f"is not given. At 5%, {SIGNIFICANT} is wanted of two models that were named before"
            + (f", and more of the best and the worst of {len(names)}." * (len(names) > 2) or "."),
        )
        if high < SIGNIFICANT:
            return "inconsistent", told
        return "consistent" if low >= SIGNIFICANT else "undecidable", told


Check = Annotated[
    Binary | Classes | Counts | Derived | Candidates | Significance, Field(discriminator="kind")
]


class ScoreFile(BaseModel):
    """Everything in one file of printed scores."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    citation: str
    checks: tuple[Check, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_differ(self) -> ScoreFile:
        names = [each.name for each in self.checks]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"checks need different names; twice: {twice}")
        return self
