"""`reproduce`: every variant of a paper under both protocols, and its tables beside them."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lentigo.data.prepare import prepare
from lentigo.data.prepared import PreparedSet, open_prepared
from lentigo.data.sources import SOURCES, ReadOptions
from lentigo.errors import InputError, LentigoError, in_one_line, listed
from lentigo.files import digest_json, locked
from lentigo.papers import pages
from lentigo.papers.cluster import check_address, run_all
from lentigo.papers.collect import Collected, available, collect
from lentigo.papers.counts import image_counts
from lentigo.papers.deployed import cost_of, wanted
from lentigo.papers.derived import derive
from lentigo.papers.measured import Outcome
from lentigo.papers.paper import Experiment, experiment, read_paper
from lentigo.papers.running import Task, Work, do, is_finished, measure, tasks_of
from lentigo.papers.schema import PROTOCOLS, Paper, Protocol, Variant
from lentigo.recipe import NAMED_WEIGHTS
from lentigo.train import open_run
from lentigo.train.loop import Report

logger = logging.getLogger(__name__)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What was asked of a paper.

    Attributes:
        given: Source to folder.
        protocols: Which splits, in the order of the tables.
        variants: Names; empty means all.
        scale: Share of images and epochs, in (0, 1].
        seeds: Trainings a variant and protocol.
        weights: Network to weights file or ``none``, in place of ImageNet's download.
        cluster: Where trainings run: ``local`` or ``ray://HOST:PORT`` (``lentigo[cluster]``);
            empty is here, one after another.
    """

    given: Mapping[str, Path]
    protocols: tuple[Protocol, ...] = PROTOCOLS
    variants: tuple[str, ...] = ()
    scale: float = 1.0
    seeds: int = 1
    weights: Mapping[str, str] = dataclasses.field(default_factory=dict)
    cluster: str = ""


@dataclass(frozen=True)
class Reproduction:
    """A finished reproduction: the page, the tables, and what they rest on."""

    page: Path
    csv: Path
    markdown: Path
    outcomes: tuple[Outcome, ...]


def reproduce(
    paper: Paper | str,
    request: Request,
    out: Path,
    *,
    say: Say | None = None,
    report: Report | None = None,
) -> Reproduction:
    """Run a paper's variants and write its tables: claimed, as published, leak-free.

    What is done stays done: prepared sets, runs and evaluations under ``out`` are used again,
    and after a kill the same call goes on. A variant that fails is told in its row. Variants
    that earlier calls with the same options finished under ``out`` stand in the tables too.

    Args:
        paper: A read paper, a packaged one's name, or a path.
        request: What is asked.
        out: The folder of everything that is made.
        say: Told of each step in a sentence.
        report: Told of each training's batches and epochs.

    Raises:
        InputError: No such variant, an option out of range, or data that are not given.
        LentigoError: ``out`` is in use.
    """
    paper = read_paper(paper) if isinstance(paper, str) else paper
    chosen = _chosen(paper, request)
    if request.cluster:
        check_address(request.cluster)
    out.mkdir(parents=True, exist_ok=True)
    with locked(out / ".lock"):
        outcomes = []
        work: Work = partial(do, report=report)
        if request.cluster:
            work = run_all(request.cluster, _all_tasks(paper, chosen, request, out), say)
        for variant in paper.variants:
            for protocol in request.protocols:
                if variant in chosen:
                    if say is not None:
                        say(f"{paper.name}: {variant.name}, {protocol}")
                    outcomes.append(_outcome(paper, variant, protocol, request, out, work))
                elif _is_finished(paper, variant, protocol, request, out):
                    read = _outcome(paper, variant, protocol, request, out, do)
                    outcomes += [] if read.failure else [read]
        outcomes += derive(paper, outcomes, request.protocols)
        written = pages.write(paper, request.scale, request.protocols, outcomes, out)
    return Reproduction(*written, tuple(outcomes))


def _chosen(paper: Paper, request: Request) -> list[Variant]:
    """The variants that are run.

    Raises:
        InputError: All that was asked and cannot be.
    """
    names = [each.name for each in paper.variants]
    told = [
        f"{each!r} is no variant; it has {', '.join(names)}"
        for each in request.variants
        if each not in names
    ]
    if not 0 < request.scale <= 1:
        told.append(f"the scale is {request.scale}, outside (0, 1]")
    if request.seeds < 1:
        told.append(f"{request.seeds} seeds are none")
    told += _given_problems(paper, request)
    if told:
        raise InputError(f"{paper.name} cannot be run so:\n{listed(told)}")
    wanted = request.variants or tuple(names)
    chosen = [each for each in paper.variants if each.name in wanted]
    for each in chosen:  # here, and not after the first night
        available(experiment(paper, each, request.protocols[0]).data, request.given)
    return chosen


def _given_problems(paper: Paper, request: Request) -> list[str]:
    """Folders and files that are not there, and names that the paper does not use."""
    plans = [experiment(paper, variant, "leak-free") for variant in paper.variants]
    instead = (each for plan in plans for some in plan.data.stand_ins.values() for each in some)
    sources = dict.fromkeys([*(each for plan in plans for each in plan.data.sources), *instead])
    networks = dict.fromkeys(plan.recipe.network.name for plan in plans)
    told = []
    for name, folder in request.given.items():
        if name not in sources:
            told.append(f"{name!r} is no source of its images; they are of {', '.join(sources)}")
        elif not folder.exists():
            told.append(f"the folder of {name}, {folder}, does not exist")
        elif problem := _unreadable(name, folder):
            told.append(f"the folder of {name} cannot be read: {problem}")
    for name, weights in request.weights.items():
        if name not in networks:
            told.append(f"{name!r} is no network of it; it has {', '.join(networks)}")
        elif weights not in NAMED_WEIGHTS and not Path(weights).is_file():
            told.append(f"the weights of {name}, {weights}, do not exist")
    return told


def _unreadable(name: str, folder: Path) -> str:
    """Why a folder does not hold a source, and what would; empty where it does.

    Read at the start, as each variant reads it later: the wrong folder would fail every row.
    """
    try:
        SOURCES[name].read(folder, ReadOptions(skip_missing=True))
    except InputError as error:
        return f"{in_one_line(error.problem)} (it must hold {SOURCES[name].layout})"
    return ""


def _outcome(
    paper: Paper,
    variant: Variant,
    protocol: Protocol,
    request: Request,
    out: Path,
    work: Work,
) -> Outcome:
    """The variant's figures, or why there are none."""
    failed = Outcome(variant.name, protocol)
    try:
        plan = experiment(paper, variant, protocol, scale=request.scale, weights=request.weights)
        data, remarks = _prepared(plan, request, out)
        outcome = _measured(plan, data, remarks, request.seeds, out, work)
        rows = data.rows(plan.split.measured, _folds(plan, data)[0])
        run = open_run(outcome.reports[0].parents[2])
        cost = cost_of(run, data, rows, wanted(paper, variant.name))
        return dataclasses.replace(outcome, figures={**(outcome.figures or {}), **cost})
    except LentigoError as error:
        return dataclasses.replace(failed, failure=str(error))
    except Exception as error:
        # Whatever a backend raises over one network: a night's other variants go on.
        logger.exception("%s failed", variant.name)
        reason = str(error).partition("\n")[0] or type(error).__name__
        return dataclasses.replace(failed, failure=f"{type(error).__name__}: {reason}")


def _is_finished(
    paper: Paper, variant: Variant, protocol: Protocol, request: Request, out: Path
) -> bool:
    """Whether an earlier call trained and measured all that this row needs."""
    try:
        plan = experiment(paper, variant, protocol, scale=request.scale, weights=request.weights)
        if not any((out / "runs").glob(f"{plan.recipe.name}-*")):
            return False  # most often so, and sooner known than what it would be prepared from
        data = open_prepared(_set_folder(plan, _collected(plan, request, out), out))
    except LentigoError:
        return False
    return all(is_finished(task, data) for task in _tasks(plan, data, request.seeds, out))


def _collected(plan: Experiment, request: Request, out: Path) -> Collected:
    return collect(plan.data, request.given, request.scale, out / "tables")


def _set_folder(plan: Experiment, collected: Collected, out: Path) -> Path:
    """Where the prepared set lies: named by its images, their preparation and their split."""
    made = plan.split.oversampling(plan.data)
    options = [plan.data.spec.model_dump(mode="json"), plan.split.model_dump()]
    options += [made.model_dump(mode="json")] if made else []
    name = digest_json([collected.path.name, *options])
    return out / "prepared" / f"{plan.protocol}-{name[:10]}"


def _prepared(plan: Experiment, request: Request, out: Path) -> tuple[PreparedSet, tuple[str, ...]]:
    collected, split = _collected(plan, request, out), plan.split
    data = prepare(
        "table",
        collected.path,
        _set_folder(plan, collected, out),
        spec=plan.data.spec,
        protocol=plan.protocol,
        group_by=split.group_by,
        test_share=split.test_share,
        folds=split.folds,
        malignant=frozenset(plan.data.malignant),
        oversampling=split.oversampling(plan.data),
    )
    return data, collected.remarks


def _measured(
    plan: Experiment,
    data: PreparedSet,
    remarks: tuple[str, ...],
    seeds: int,
    out: Path,
    work: Work,
) -> Outcome:
    measured, folders = measure(_tasks(plan, data, seeds, out), data, work)
    counts = image_counts(data, _folds(plan, data)[0], plan.split.measured)
    return Outcome(
        variant=plan.variant.name,
        protocol=plan.protocol,
        leaky=data.leaky or plan.protocol == "as-published",
        figures={**measured.figures, **counts},
        images=measured.images,
        groups=measured.groups,
        seeds=seeds,
        folds=len(_folds(plan, data)),
        reports=tuple(each / "report.html" for each in folders),
        remarks=(*remarks, *_weights_remark(plan)),
    )


def _all_tasks(paper: Paper, chosen: Sequence[Variant], request: Request, out: Path) -> list[Task]:
    """Every training that was asked for; what cannot be prepared is told in its row later."""
    tasks = []
    for variant in chosen:
        for protocol in request.protocols:
            with contextlib.suppress(Exception):
                plan = experiment(
                    paper, variant, protocol, scale=request.scale, weights=request.weights
                )
                data, _ = _prepared(plan, request, out)
                tasks += _tasks(plan, data, request.seeds, out)
    return tasks


def _tasks(plan: Experiment, data: PreparedSet, seeds: int, out: Path) -> list[Task]:
    folds = _folds(plan, data)
    return tasks_of(plan.recipe, data, out / "runs", seeds, folds, plan.split.measured)


def _folds(plan: Experiment, data: PreparedSet) -> list[int | None]:
    """The folds that validate in turn: every one, or the first; None is an official split."""
    if plan.split.every_fold:
        return list(range(data.folds))
    return [None if (data.manifest["split"] == "validation").any() else 0]


def _weights_remark(plan: Experiment) -> tuple[str, ...]:
    if plan.recipe.network.weights != "none":
        return ()
    return (f"{plan.recipe.network.name} began from random weights, not from ImageNet's.",)


def parse_pairs(pairs: Sequence[str], option: str, form: str) -> dict[str, str]:
    """Texts of ``form``, such as ``NAME=DIR``, as a mapping.

    Raises:
        InputError: One that is not of that form, or a name twice.
    """
    found: dict[str, str] = {}
    for each in pairs:
        name, equals, value = each.partition("=")
        if not equals or not name or not value or name in found:
            raise InputError(f"{option} {each!r} is not {form} with a name of its own.")
        found[name] = value
    return found
