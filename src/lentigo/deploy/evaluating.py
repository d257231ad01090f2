"""Runs and bundles, measured the same way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from lentigo.data.prepared import PreparedSet, open_prepared
from lentigo.deploy.runtime import BundlePredictor
from lentigo.errors import InputError
from lentigo.evaluate import Evaluation, Predictor
from lentigo.evaluate import evaluate as measure
from lentigo.train import Run, open_run


def open_predictor(path: Path | str) -> Run | BundlePredictor:
    """The run (a folder) or bundle (a file) at ``path``.

    Raises:
        InputError: Nothing is there, or it is neither.
    """
    path = Path(path)
    if path.is_dir():
        return open_run(path)
    if path.is_file():
        return BundlePredictor(path)
    raise InputError(f"{path} does not exist.", todo="Name a run's folder or a .tflite bundle.")


def evaluate(
    model: Path | str,
    data: PreparedSet | Path | str,
    *,
    out: Path | None = None,
    split: str = "test",
    fold: int | None = None,
    labels_map: Mapping[str, str] | Path | None = None,
    seed: int = 0,
    replicates: int = 1000,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Measure a run or a bundle on a split of a prepared set, with intervals.

    Args:
        model: The folder of a run, or a bundle.
        data: The prepared set or its folder.
        out: The folder to write; by default ``evaluation/SPLIT`` in the run, or
            ``BUNDLE-evaluation/SPLIT`` beside the bundle.
        split: ``test``, ``validation`` or ``train``.
        fold: The fold that ``train`` and ``validation`` refer to; a run's own by default.
        labels_map: The set's classes to the model's, or a file with that.
        seed: Of the bootstrap.
        replicates: Of the bootstrap.
        progress: Told of (images done, images).

    Raises:
        LentigoError: See `lentigo.evaluate.evaluate` and `open_predictor`.
    """
    path = Path(model)
    predictor: Predictor = open_predictor(path)
    prepared = data if isinstance(data, PreparedSet) else open_prepared(data)
    run_folder = None
    if isinstance(predictor, Run):
        run_folder = predictor.path
        fold = predictor.info.fold if fold is None else fold
    if out is None:
        home = (
            path / "evaluation"
            if run_folder
            else path.with_suffix("").with_name(f"{path.stem}-evaluation")
        )
        # Another data set's figures must not replace these.
        own = predictor.describe().get("prepared_digest") == prepared.digest
        out = home / (split if own or not run_folder else f"{split}-{prepared.digest[:10]}")
    return measure(
        predictor,
        prepared,
        out,
        split=split,
        fold=None if split == "test" else fold,
        labels_map=labels_map,
        seed=seed,
        replicates=replicates,
        run_folder=run_folder,
        progress=progress,
    )
