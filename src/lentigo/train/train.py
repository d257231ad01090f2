"""`train`: a recipe and a prepared set in, a finished run out."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lentigo.data.prepared import PreparedSet, open_prepared
from lentigo.data.splits import check_no_group_crosses
from lentigo.errors import LeakageError, LentigoError, RecipeError
from lentigo.files import digest_file, locked, write_json, write_text
from lentigo.model import shift_logits, with_views
from lentigo.recipe import NAMED_WEIGHTS, Recipe, Sampling, load_recipe, to_toml
from lentigo.train.begun import find_begun
from lentigo.train.classic import fit_classic
from lentigo.train.features import training_features
from lentigo.train.feeding import predict_rows
from lentigo.train.feeds import Material, gather_material
from lentigo.train.info import Ingredient, RunInfo, environment, run_name
from lentigo.train.lineage import follow_runs
from lentigo.train.loop import Progress, Report, Training
from lentigo.train.mean import mean_of_runs
from lentigo.train.precision import half_speed
from lentigo.train.run import MACHINE, MODEL, NetworkRun, Run, open_run
from lentigo.train.sampling import drawn_share, spoken_mixture, used_rows
from lentigo.train.seal import seal
from lentigo.train.second_input import SecondInput, check_metadata
from lentigo.train.sight import kept_sight
from lentigo.train.state import HistoryRow
from lentigo.train.trackers import Tracker
from lentigo.train.validation import validation_scores

_log = logging.getLogger(__name__)

CHECKPOINT = "checkpoint"
LOCK = ".lock"


def train(
    recipe: Recipe | Path | str,
    data: PreparedSet | Path | str,
    *,
    out: Path | str = "runs",
    fold: int | None = None,
    seed: int = 0,
    restart: bool = False,
    report: Report | None = None,
    trackers: Sequence[Tracker] = (),
    kept: Path | str | None = None,
) -> Run:
    """Train a recipe on a prepared set; a killed training goes on where it was.

    Where a finished run in ``out`` was through the recipe's first stages, it goes on from there.

    Args:
        recipe: A recipe, the name of a packaged one, or a path to a TOML file.
        data: A prepared set or its folder.
        out: The folder of runs.
        fold: The training fold that validates; by default the official validation split,
            where there is none fold 0.
        seed: Order, augmentation, dropout and initial weights are functions of it.
        restart: Throw an unfinished run away and begin anew.
        report: Told after each batch and epoch.
        trackers: Told after each epoch (TensorBoard, MLflow).
        kept: A folder of features that runs share: of frozen backbones (``cached_views``) and
            hand-crafted ones. None keeps them with the run for as long as it trains.

    Returns:
        The finished run; one that was finished before is returned as it is.

    Raises:
        LeakageError: Leaky data without a recipe that names the published protocol, or weights
            of a run that was trained on what is now held out.
        RecipeError: The recipe does not fit the data.
        RunError: Training diverged, or a checkpoint is damaged.
        WeightsError: Pretrained weights cannot be had.
    """
    recipe = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    kept = None if kept is None else Path(kept)
    data = data if isinstance(data, PreparedSet) else open_prepared(Path(data))
    check_fits(recipe, data)
    fold = _fold(data, fold)
    recipe = follow_runs(recipe, data, fold)
    weights = _weights_digest(recipe)
    path = Path(out) / run_name(recipe, weights, data.digest, fold, seed)
    job = _Job(recipe, data, fold, seed, weights, path, kept, anew=restart)
    if (path / "run.json").is_file():
        _log.info("%s is finished", path)
        shutil.rmtree(path / CHECKPOINT, ignore_errors=True)  # of a kill after its last write
        return open_run(path)
    tell = _teller(report, trackers)
    existed = path.exists() and not restart
    with locked(path / LOCK):
        if restart:
            _empty(path)
        try:
            made = _make(job, tell)
        except LentigoError:
            if not existed and not (path / "recipe.toml").is_file():
                shutil.rmtree(path)  # refused before it began: no run to go on with
            raise
        _finish(job, made)
    run = open_run(path)
    if isinstance(run, NetworkRun):
        kept_sight(run, data)
        training_features(run, data)  # where this is killed, whoever needs them computes them
    return run


def run_folder(
    recipe: Recipe, data: PreparedSet, out: Path, *, fold: int | None = None, seed: int = 0
) -> Path:
    """Where `train` keeps a run of these arguments, be it there or not.

    Raises:
        LentigoError: What the recipe goes on from is not there.
    """
    fold = _fold(data, fold)
    recipe = follow_runs(recipe, data, fold)
    return out / run_name(recipe, _weights_digest(recipe), data.digest, fold, seed)


def _fold(data: PreparedSet, fold: int | None) -> int | None:
    """The fold that validates; None is an official validation split."""
    official = (data.manifest["split"] == "validation").any()
    return 0 if fold is None and not official else fold


def _empty(path: Path) -> None:
    """Remove all but the lock, by which another process knows that this one is at work."""
    for each in path.iterdir():
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        elif each.name != LOCK:
            each.unlink()


def _teller(report: Report | None, trackers: Sequence[Tracker]) -> Report:
    def tell(progress: Progress) -> None:
        if report is not None:
            report(progress)
        if progress.row is not None:
            for tracker in trackers:
                tracker.log(progress.epoch, progress.row)

    return tell


@dataclass(frozen=True)
class _Job:
    """What is trained on what, and where it is written."""

    recipe: Recipe
    data: PreparedSet
    fold: int | None
    seed: int
    weights: str | None
    path: Path
    kept: Path | None
    anew: bool

    @property
    def material(self) -> Material:
        """The images and their labels, in memory or mapped."""
        return gather_material(self.recipe, self.data, self.fold, self.seed)

    def begin(self) -> None:
        """Write the resolved recipe: from now on the folder is an unfinished run."""
        write_text(self.path / "recipe.toml", to_toml(self.recipe))


@dataclass(frozen=True)
class _Made:
    """What either kind of training ends with; its model lies in the run's folder."""

    history: Sequence[HistoryRow]
    best: int
    logits: NDArray[np.float32]
    mixture: NDArray[np.float64]
    parameters: int
    seconds: float
    epoch_seconds: tuple[float, ...] = ()
    first_stages: Ingredient | None = None


def _make(job: _Job, tell: Report) -> _Made:
    if job.recipe.classic is not None:
        return _fit_classic(job, tell)
    if job.recipe.soup is not None:
        return _average_networks(job)
    return _train_network(job, tell)


def _train_network(job: _Job, tell: Report) -> _Made:
    recipe, data, material = job.recipe, job.data, job.material
    begun = None
    if not job.anew:
        begun = find_begun(recipe, data, job.path.parent, job.weights, job.fold, job.seed)
    malignant, folder = data.taxonomy.malignant, job.path / CHECKPOINT
    training = Training(recipe, material, malignant, folder, tell, job.kept, begun)
    job.begin()
    training.to_the_end()
    standing, classes = training.standing, len(data.taxonomy.codes)
    labels = material.labels[material.training]
    if recipe.output.prior_power:
        share = drawn_share(labels, Sampling(), classes)
        shift_logits(training.model, recipe.output.prior_power * np.log(share))
    model = with_views(training.model, recipe.output.views)
    _save_model(model, job.path / MODEL)
    return _Made(
        standing.history,
        standing.best_epoch,
        predict_rows(model, data.images, material.validation, metadata=material.metadata),
        spoken_mixture(labels, recipe, classes),
        training.model.count_params(),
        standing.seconds,
        tuple(standing.epoch_seconds),
        standing.first_stages,
    )


def _average_networks(job: _Job) -> _Made:
    start = time.perf_counter()
    recipe, data, material = job.recipe, job.data, job.material
    model, mixture = mean_of_runs(recipe, material, len(data.taxonomy.codes))
    job.begin()
    parameters = model.count_params()
    model = with_views(model, recipe.output.views)
    _save_model(model, job.path / MODEL)
    logits = predict_rows(model, data.images, material.validation, metadata=material.metadata)
    labels = data.labels[material.validation]
    scores = validation_scores(logits, labels, data.taxonomy.malignant)
    row: HistoryRow = {"epoch": 1, "stage": "soup"}
    row |= {f"val_{name}": value for name, value in scores.items()}
    return _Made([row], 1, logits, mixture, parameters, time.perf_counter() - start)


def _fit_classic(job: _Job, tell: Report) -> _Made:
    start = time.perf_counter()

    def step(what: str, done: int, steps: int) -> None:
        if not done:  # nothing stood in the way of a beginning
            job.begin()
        tell(Progress(what, 1, 1, done, steps, 0.0))

    folder = job.path / CHECKPOINT
    fitted = fit_classic(job.recipe, job.data, job.fold, job.seed, folder, step, job.kept)
    fitted.machine.save(job.path / MACHINE)
    return _Made(
        fitted.history,
        fitted.best,
        fitted.logits,
        fitted.mixture,
        fitted.machine.parameters,
        time.perf_counter() - start,
    )


def _finish(job: _Job, made: _Made) -> None:
    """Write what the model predicts, its calibration, and last ``run.json``."""
    path, recipe, data, fold, seed = job.path, job.recipe, job.data, job.fold, job.seed
    write_text(path / "history.csv", pd.DataFrame(made.history).to_csv(index=False))
    rows = data.rows("validation", fold)
    used = used_rows(data, recipe.sampling, fold=fold, seed=seed)
    seal(path, data, rows, made.logits, made.mixture)
    info = RunInfo(
        kind="network" if recipe.classic is None else "classic",
        name=path.name,
        recipe=recipe.name,
        recipe_digest=recipe.digest,
        seed=seed,
        fold=fold,
        protocol=recipe.protocol,
        leaky=data.leaky or recipe.protocol == "as-published",
        source=data.info.source,
        prepared_path=str(data.path.resolve()),
        prepared_digest=data.digest,
        test_digest=data.test_digest,
        taxonomy=data.taxonomy,
        spec=data.spec,
        training_images=len(used),
        validation_images=len(rows),
        parameters=made.parameters,
        weights_sha256=job.weights,
        made_of=_ingredients(recipe),
        first_stages=made.first_stages,
        best_epoch=made.best,
        seconds=round(made.seconds, 1),
        epoch_seconds=made.epoch_seconds,
        half_speed=half_speed(recipe.precision),
        metadata=SecondInput.of(recipe.metadata, data, used),
        environment=environment(),
    )
    write_json(path / "run.json", info.model_dump(mode="json"))
    shutil.rmtree(path / CHECKPOINT, ignore_errors=True)  # a mean of runs has none


def _ingredients(recipe: Recipe) -> tuple[Ingredient, ...]:
    models = map(Path, recipe.soup.runs if recipe.soup else ())
    return tuple(Ingredient(name=each.parent.name, sha256=digest_file(each)) for each in models)


def check_fits(recipe: Recipe, data: PreparedSet) -> None:
    """Refuse what cannot be trained on a set, before anything is done.

    Raises:
        LeakageError: A leaky set that was not asked for by name, or one that cuts groups.
        RecipeError: Images of another size than the network's, or metadata that no image has.
    """
    if data.leaky and recipe.protocol != "as-published":
        raise LeakageError(
            f"{data.path} was prepared by a leaky protocol.",
            todo="Prepare it leak-free, or ask for the leak by name: "
            "--set protocol=as-published (every result is then stamped LEAKY).",
        )
    if recipe.network.size != data.spec.size:
        raise RecipeError(
            f"The recipe's network takes {recipe.network.size} pixels, {data.path} has "
            f"{data.spec.size}.",
            todo=f"lentigo prepare ... --size {recipe.network.size}, or "
            f"--set network.size={data.spec.size}",
        )
    check_metadata(recipe.metadata, data)
    if not data.leaky:
        check_no_group_crosses(data.manifest)


def _save_model(model: keras.Model, path: Path) -> None:
    # Keras insists on the suffix, so the temporary file carries it too.
    temporary = path.with_name(".saving.keras")
    model.trainable = True
    model.predict_function = None  # divided among devices, it holds by what was frozen
    model.save(temporary)
    temporary.replace(path)


def _weights_digest(recipe: Recipe) -> str | None:
    path = Path(recipe.network.weights)
    named = recipe.network.weights in NAMED_WEIGHTS
    return None if named or not path.is_file() else digest_file(path)
