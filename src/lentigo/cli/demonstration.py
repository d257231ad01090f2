"""`lentigo demo`: the main job on generated images, through the public Python API."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import lentigo
from lentigo.cli.output import as_json, as_table, figure, training_progress
from lentigo.taxonomy import NOT_A_MEDICAL_DEVICE

RECIPE = "phantom-quick"
SHOWN = ("balanced_accuracy", "roc_auc.macro", "roc_auc.malignant", "expected_calibration_error")
SHOWN_LESIONS = 3


def demonstrate(out: Path, *, lesions: int, json: bool = False) -> None:
    """Prepare, train, evaluate, export and predict under ``out``, and say what to type next."""
    started = time.perf_counter()
    images = out / "phantom"
    _say(f"1/5 prepare: {lesions} generated lesions in {images}")
    lentigo.generate_phantom(images, lesions=lesions, seed=0)
    data = lentigo.prepare("phantom", images, out / "prepared", size=96)
    _say(f"2/5 train: {RECIPE}")
    with training_progress() as report:
        run = lentigo.train(RECIPE, data, out=out / "runs", report=report)
    _say("3/5 evaluate, on lesions and patients that training never saw")
    evaluation = lentigo.evaluate(run.path, data)
    _say("4/5 export")
    bundle = lentigo.export(run, quant="float32", out=out / "phantom.tflite")
    _say("5/5 predict")
    test = data.manifest[data.manifest["split"] == "test"]
    predictor = lentigo.BundlePredictor(bundle.path)
    photos = test.drop_duplicates("lesion_id")["path"].head(SHOWN_LESIONS)
    answers = [predictor.predict_file(photo) for photo in photos]
    seconds = round(time.perf_counter() - started)
    if json:
        metrics = {name: evaluation.metrics[name].to_dict() for name in SHOWN}
        paths = {"report": str(evaluation.report), "bundle": str(bundle.path)}
        each = [answer.to_dict() for answer in answers]
        as_json({**paths, "seconds": seconds, "metrics": metrics, "answers": each})
        return
    for answer in answers:
        print(lentigo.describe(answer, predictor.info), end="\n\n")
    rows = [{"metric": m, "value": figure(evaluation.metrics[m])} for m in SHOWN]
    as_table(rows, {"metric": "generated test images", "value": "value [95% interval]"})
    print(
        f"\nReport  {evaluation.report}\nBundle  {bundle.path} ({bundle.size_bytes / 1e6:.2f} MB)\n"
        f"Time    {seconds} s\n\n"
        "Next, on a photograph of your own or on a public data set:\n"
        "  lentigo predict photo.jpg\n"
        "  lentigo sources\n"
        f"{NOT_A_MEDICAL_DEVICE}"
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
