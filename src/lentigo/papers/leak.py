"""`leak`: what a split by image, and oversampling before it, add to the figures of one recipe."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from lentigo.data.prepared import PreparedSet, open_prepared
from lentigo.errors import InputError
from lentigo.evaluate.svg import Plot, round_ticks
from lentigo.files import locked, read_json, write_json, write_text
from lentigo.papers.cluster import check_address, run_all
from lentigo.papers.dealing import FAIR, WAYS, Way, check_dealable, deal
from lentigo.papers.measured import student
from lentigo.papers.running import Task, Work, do
from lentigo.recipe import Recipe
from lentigo.score.estimate import Estimate
from lentigo.taxonomy import NOT_A_MEDICAL_DEVICE
from lentigo.train import check_fits
from lentigo.train.loop import Report

logger = logging.getLogger(__name__)

METRICS = ("roc_auc.malignant", "roc_auc.macro", "accuracy", "balanced_accuracy")
NAMES = {
    "image-before": "split by image, oversampled before the split",
    "image-after": "split by image, oversampled after the split",
    "grouped-before": "split by group, oversampled before the split",
    "grouped-after": "split by group, oversampled after the split",
}
STAMP = "LEAKY: what was trained on also sits among the images that were measured."


@dataclass(frozen=True)
class Leak:
    """A finished measurement.

    Attributes:
        figures: Way to metric to one value a seed, in their order; None where undefined.
        inflation: Way to metric: mean difference from the fair way, paired by seed.
        page: For people.
        csv: A row a seed, way and metric.
        json: All of it.
    """

    figures: Mapping[str, Mapping[str, Sequence[float | None]]]
    inflation: Mapping[str, Mapping[str, Estimate]]
    page: Path
    csv: Path
    json: Path


def leak(
    recipe: Recipe,
    data: PreparedSet | Path | str,
    *,
    seeds: int = 5,
    up_to: float = 1.0,
    cluster: str = "",
    out: Path,
    say: Callable[[str], None] | None = None,
    report: Report | None = None,
) -> Leak:
    """Train and measure one recipe under four splits of one set, with several seeds.

    Every split is dealt anew for each seed from the training images of the set; the set's own
    test images take no part. What is done under ``out`` is used again.

    Args:
        recipe: What is trained; its protocol is set to what each split is.
        data: A prepared set that keeps groups whole.
        seeds: How many; each deals all four splits and seeds their trainings.
        up_to: Share of the largest class that altered copies fill the others up to.
        cluster: Where trainings run, as in `lentigo.papers.cluster`; empty is here.
        out: The folder of everything that is made.
        say: Told of each step in a sentence.
        report: Told of each training's batches and epochs.

    Raises:
        InputError: No seeds, or a set that does not know what belongs together.
        LentigoError: As training and evaluation.
    """
    data = data if isinstance(data, PreparedSet) else open_prepared(Path(data))
    if seeds < 1 or not 0 < up_to <= 1:
        wrong = f"{seeds} seeds are none" if seeds < 1 else f"a share of {up_to:g} is not in (0, 1]"
        raise InputError(f"The leak cannot be measured so: {wrong}.")
    check_dealable(data)
    check_fits(recipe.model_copy(update={"protocol": "leak-free"}), data)
    if cluster:
        check_address(cluster)
    out.mkdir(parents=True, exist_ok=True)
    found: dict[str, dict[str, list[float | None]]] = {way.name: {} for way in WAYS}
    counted: dict[str, list[tuple[int, int]]] = {way.name: [] for way in WAYS}
    with locked(out / ".lock"):
        tasks = {
            (seed, way): _task(recipe, data, way, seed, up_to, out)
            for seed in range(seeds)
            for way in WAYS
        }
        work: Work = partial(do, report=report)
        if cluster:
            work = run_all(cluster, list(tasks.values()), say)
        for (seed, way), task in tasks.items():
            if say is not None:
                say(f"seed {seed + 1}/{seeds}: {NAMES[way.name]}")
            evaluation = work(task)
            for metric, value in _figures(evaluation).items():
                found[way.name].setdefault(metric, []).append(value)
            rests = read_json(evaluation / "evaluation.json")
            counted[way.name].append((rests["images"], rests["groups"]))
        return _written(recipe, data, found, counted, seeds, up_to, out)


def _task(recipe: Recipe, data: PreparedSet, way: Way, seed: int, up_to: float, out: Path) -> Task:
    dealt = deal(data, way, seed, up_to, out / "sets" / f"{way.name}-seed{seed}")
    named = recipe.model_copy(update={"protocol": dealt.protocol})
    return Task(named, dealt.path, out / "runs", seed, 0, "test")


def _figures(evaluation: Path) -> dict[str, float | None]:
    """The metrics that are watched; None where one is undefined, so that seeds stay in place."""
    metrics = read_json(evaluation / "metrics.json")
    figures = metrics.get("metrics", metrics)
    values = {name: figures[name]["value"] for name in METRICS if name in figures}
    return {name: None if value is None else float(value) for name, value in values.items()}


def paired(values: Sequence[float | None], fair: Sequence[float | None]) -> Estimate:
    """Mean of the differences of the same seeds, with Student's interval over them."""
    gaps = [
        ours - theirs
        for ours, theirs in zip(values, fair, strict=True)
        if ours is not None and theirs is not None
    ]
    if not gaps or len(gaps) < len(fair):
        return Estimate(None, None, None, len(fair), "undefined with some seeds")
    return student(gaps, "seeds")


def _written(
    recipe: Recipe,
    data: PreparedSet,
    found: Mapping[str, Mapping[str, Sequence[float | None]]],
    counted: Mapping[str, Sequence[tuple[int, int]]],
    seeds: int,
    up_to: float,
    out: Path,
) -> Leak:
    metrics = [name for name in METRICS if set(found[FAIR.name].get(name, ())) - {None}]
    inflation = {
        way.name: {name: paired(found[way.name][name], found[FAIR.name][name]) for name in metrics}
        for way in WAYS
        if way is not FAIR
    }
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["split", "oversampled", "metric", "seed", "value", "stamp"])
    for way in WAYS:
        for name in metrics:
            for seed, value in enumerate(found[way.name][name]):
                stamp, text = "LEAKY" if way.leaky else "", "" if value is None else repr(value)
                writer.writerow([way.split, way.oversampled, name, seed, text, stamp])
    write_text(out / "leak.csv", stream.getvalue())
    facts = {
        "recipe": recipe.name,
        "recipe_digest": recipe.digest,
        "data": data.digest,
        "source": data.info.source,
        "images": int((data.manifest["split"] == "train").sum()),
        "left_out": int((data.manifest["split"] != "train").sum()),
        "grouped_by": data.info.group_by,
        "seeds": seeds,
        "up_to": up_to,
    }
    told = {way: {k: e.to_dict() for k, e in each.items()} for way, each in inflation.items()}
    leaky = {way.name: way.leaky for way in WAYS}
    rests = {
        way: [{"images": images, "groups": groups} for images, groups in each]
        for way, each in counted.items()
    }
    content: dict[str, Any] = {
        **facts,
        "leaky": leaky,
        "measured": rests,
        "figures": found,
        "inflation": told,
    }
    write_json(out / "leak.json", content)
    write_text(out / "leak.html", _page(facts, found, counted, inflation, metrics))
    return Leak(found, inflation, out / "leak.html", out / "leak.csv", out / "leak.json")


def _page(
    facts: Mapping[str, Any],
    found: Mapping[str, Mapping[str, Sequence[float | None]]],
    counted: Mapping[str, Sequence[tuple[int, int]]],
    inflation: Mapping[str, Mapping[str, Estimate]],
    metrics: Sequence[str],
) -> str:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = files("lentigo.papers").joinpath("leak.html.j2").read_text(encoding="utf-8")
    means = {
        way: {k: sum(filter(None, v)) / len(v) for k, v in each.items() if None not in v}
        for way, each in found.items()
    }
    return environment.from_string(source).render(
        facts=facts,
        names=NAMES,
        leaky={way.name: way.leaky for way in WAYS},
        metrics=metrics,
        means=means,
        measured={way: tuple(map(_span, zip(*each, strict=True))) for way, each in counted.items()},
        inflation=inflation,
        plot=_plot(inflation, metrics),
        stamp=STAMP,
        disclaimer=NOT_A_MEDICAL_DEVICE,
    )


def _span(counts: Iterable[int]) -> str:
    """Counts of all seeds: the one that they are, or the least and the most."""
    ends = sorted(set(counts))
    return f"{ends[0]:,}" if len(ends) == 1 else f"{ends[0]:,} to {ends[-1]:,}"


def _plot(inflation: Mapping[str, Mapping[str, Estimate]], metrics: Sequence[str]) -> Markup:
    """A row a way and metric: mean inflation and its interval, 0 being the fair split."""
    ends = [
        end
        for each in inflation.values()
        for e in each.values()
        for end in (e.value, e.low, e.high)
        if end is not None
    ]
    low, high = min([*ends, 0.0]) - 0.01, max([*ends, 0.0]) + 0.01
    rows = len(inflation) * (len(metrics) + 1)
    plot = Plot(
        (low, high),
        (0.0, float(rows)),
        "Inflation against the split by group with oversampling after it",
        "The table holds the numbers.",
        width=560,
        height=rows * 18.0 + 48,
        margin_left=150.0,
    )
    plot.axes("points gained, of 1", "", round_ticks(low, high), [])
    plot.line([0, 0], [0, rows], "chance")
    at = float(rows)
    for way, each in inflation.items():
        at -= 1
        plot.text(4, plot.up(at + 0.3), NAMES[way], kind="point-label")
        for name in metrics:
            at -= 1
            plot.text(12, plot.up(at + 0.5) + 3.5, name.replace("_", " "))
            e = each[name]
            if e.value is None:
                continue
            if e.low is not None and e.high is not None:
                plot.line([e.low, e.high], [at + 0.5, at + 0.5], "main")
            plot.dot(e.value, at + 0.5, "point", 3.2, f"{e.value:+.3f}")
    return plot.render()
