"""Runs and bundles, measured the same way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from lentigo.data.prepared import PreparedSet, open_prepared
from lentigo.deploy.bundle import shipped_models
from lentigo.deploy.runtime import BundlePredictor
from lentigo.errors import InputError, LentigoError
from lentigo.evaluate import Evaluation
from lentigo.evaluate import evaluate as measure
from lentigo.evaluate.evaluation import check_prevalence
from lentigo.evaluate.facts import Findings
from lentigo.evaluate.lesions import MaskCrop
from lentigo.evaluate.outputs import CONTEXT, METRICS, context, write_pages
from lentigo.evaluate.reasons import Memory
from lentigo.evaluate.rebuild import read_context, rebuild
from lentigo.evaluate.sides import find_evaluation
from lentigo.files import write_json
from lentigo.train import NetworkRun, Run, open_run
from lentigo.train.features import training_features, training_rows
from lentigo.train.sight import kept_sight


def open_predictor(path: Path | str) -> Run | BundlePredictor:
    """The run (a folder) or bundle (a file, or the name of one that ships) at ``path``.

    Raises:
        InputError: Nothing is there, or it is neither.
    """
    path = Path(path)
    if path.is_dir():
        return open_run(path)
    if path.is_file() or str(path) in shipped_models():
        return BundlePredictor(path)
    raise InputError(f"{path} does not exist.", todo="Name a run's folder or a .tflite bundle.")


def evaluate(
    model: Run | Path | str,
    data: PreparedSet | Path | str,
    *,
    out: Path | str | None = None,
    split: str = "test",
    fold: int | None = None,
    labels_map: Mapping[str, str] | Path | str | None = None,
    seed: int = 0,
    replicates: int = 1000,
    masks: Path | str | None = None,
    mask_crop: MaskCrop = "none",
    prevalence: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Measure a run or a bundle on a split of a prepared set, with intervals.

    Args:
        model: An open run, the folder of one, or a bundle.
        data: The prepared set or its folder.
        out: The folder to write; by default ``evaluation/SPLIT`` in the run, or
            ``BUNDLE-evaluation/SPLIT`` beside the bundle, with a longer name for another set
            (``-DIGEST``), another fold (``-foldK``) or mapped classes (``-labels``).
        split: ``test``, ``validation`` or ``train``.
        fold: The fold that ``train`` and ``validation`` refer to; the model's own by default.
        labels_map: The set's classes to the model's, or a file with that.
        seed: Of the bootstrap.
        replicates: Of the bootstrap.
        masks: A folder of lesion outlines, to say how much of the attention they hold.
        mask_crop: ``center-square`` where the masks are of whole frames, and the image files
            the central squares of those.
        prevalence: Share of malignant lesions in (0, 1) that predictive values are restated for.
        progress: Told of (images done, images).

    Raises:
        LentigoError: See `lentigo.evaluate.evaluate` and `open_predictor`.
    """
    check_prevalence(prevalence)
    predictor = model if isinstance(model, Run) else open_predictor(model)
    path = model.path if isinstance(model, Run) else Path(model)
    prepared = data if isinstance(data, PreparedSet) else open_prepared(data)
    if split not in {"train", "validation"}:
        fold = None
    elif fold is None:
        fold = predictor.info.fold
    mapped = labels_map is not None
    return measure(
        predictor,
        prepared,
        Path(out or _home(path) / _folder(predictor, prepared, split, fold, mapped=mapped)),
        split=split,
        fold=fold,
        labels_map=Path(labels_map) if isinstance(labels_map, str) else labels_map,
        seed=seed,
        replicates=replicates,
        run_folder=predictor.path if isinstance(predictor, Run) else None,
        training_files=_training_files(_run_of(predictor, path), prepared),
        memory=_memory(predictor, prepared),
        masks=None if masks is None else Path(masks),
        mask_crop=mask_crop,
        prevalence=prevalence,
        progress=progress,
    )


def report(
    model: Path | str,
    *,
    split: str = "test",
    data: PreparedSet | Path | str | None = None,
    out: Path | str | None = None,
    prevalence: float | None = None,
) -> Path:
    """Write the page of a finished evaluation anew: nothing is predicted, no look is counted.

    The answers and figures are those that ``evaluate`` wrote; what a later lentigo shows of
    them is new. The model is asked once more only for its attention to the worst errors.

    Args:
        model: The run or bundle that was evaluated.
        split: Which evaluation: the name of its folder in ``RUN/evaluation``, or its path.
        data: The prepared set, where it has moved.
        out: The folder to write; by default that of the evaluation.
        prevalence: Share of malignant lesions in (0, 1) that predictive values are restated
            for, in place of that of the evaluation; ``evaluation.json`` then has them too.

    Returns:
        The page.

    Raises:
        InputError: There is no such evaluation, it is of other images, or no such share.
    """
    check_prevalence(prevalence)
    folder = Path(out or _evaluation(model, split))
    findings = findings_of(model, split=split, data=data)
    if prevalence is not None:
        findings = replace(findings, prevalence=prevalence)
        write_json(folder / CONTEXT, context(findings))
    return write_pages(folder, findings)


def findings_of(
    model: Path | str,
    *,
    split: str = "test",
    data: PreparedSet | Path | str | None = None,
) -> Findings:
    """What a finished evaluation found, read from its files; the options are those of `report`."""
    predictor, folder = open_predictor(model), _evaluation(model, split)
    given = read_context(folder)["data"] if data is None else data
    prepared = given if isinstance(given, PreparedSet) else open_prepared(given)
    return rebuild(predictor, prepared, folder, _memory(predictor, prepared))


def _evaluation(model: Path | str, split: str) -> Path:
    named = Path(split)
    return find_evaluation(named if (named / METRICS).is_file() else Path(model), split)


def _home(path: Path) -> Path:
    return path / "evaluation" if path.is_dir() else path.with_name(f"{path.stem}-evaluation")


def _folder(
    predictor: Run | BundlePredictor,
    prepared: PreparedSet,
    split: str,
    fold: int | None,
    *,
    mapped: bool,
) -> str:
    """A name of its own for every question, so that no figures replace those of another."""
    name = split
    if _trained_digest(predictor) != prepared.digest:
        name += f"-{prepared.digest[:10]}"
    if fold is not None and fold != predictor.info.fold:
        name += f"-fold{fold}"
    return f"{name}-labels" if mapped else name


def _trained_digest(predictor: Run | BundlePredictor) -> str:
    if isinstance(predictor, Run):
        return predictor.info.prepared_digest
    return predictor.info.data_digest


def _own_set(run: Run, prepared: PreparedSet) -> PreparedSet | None:
    """What a run was trained on: this set, or another that is still where it was."""
    if run.info.prepared_digest == prepared.digest:
        return prepared
    try:
        own = open_prepared(run.info.prepared_path)
    except (LentigoError, OSError):
        return None
    return own if own.digest == run.info.prepared_digest else None


def _run_of(predictor: Run | BundlePredictor, path: Path) -> Run | None:
    """The run itself; that of a bundle, where it lies around it as ``export`` leaves them."""
    if isinstance(predictor, Run):
        return predictor
    told, here = predictor.info, path.resolve().parent
    beside = (here.parent, *sorted(here.glob("*")), *sorted(here.glob("runs/*")))
    for folder in beside if path.is_file() else ():
        if not (folder / "run.json").is_file():
            continue
        with suppress(LentigoError):
            run = open_run(folder)
            made = (run.info.recipe_digest, run.info.prepared_digest, run.info.fold)
            if made == (told.recipe_digest, told.data_digest, told.fold):
                return run
    return None


def _training_files(run: Run | None, prepared: PreparedSet) -> frozenset[str]:
    """SHA-256 of what a run was trained on, if that is another set and still where it was."""
    own = None if run is None else _own_set(run, prepared)
    if run is None or own is None or own is prepared:
        return frozenset()
    return frozenset(own.manifest["sha256"].iloc[training_rows(run, own)]) - {""}


def _memory(predictor: Run | BundlePredictor, prepared: PreparedSet) -> Memory | None:
    """The training images of a run, which a bundle does not carry."""
    own = _own_set(predictor, prepared) if isinstance(predictor, Run) else None
    if own is None or not isinstance(predictor, NetworkRun):
        return None
    kept_sight(predictor, own)  # before anything is seen, which it corrects
    return Memory(training_features(predictor, own), training_rows(predictor, own), own)
