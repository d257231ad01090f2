"""Make a model that ships: the bundle with its figures, and the model card beside it.

    python scripts/ship_model.py RUN [--elsewhere DIR ...] [--disturbed FILE]
        [--probe FILE] [--left-out DIR ...]
    python scripts/ship_model.py RUN --name lentigo-tiny --bundle BUNDLE [--elsewhere DIR ...]

RUN, or the BUNDLE that `lentigo export` made of it, must have been evaluated on the test and the
validation split (`lentigo evaluate RUN --data PREPARED [--split validation]`): every figure of
it in the card is read from there, none is typed. A bundle whose answers differ from its run's is
what is to be measured. Each DIR is an evaluation on images of another source (`--labels`,
`--split all`, `--out DIR`), FILE what `benchmarks/robustness.py BUNDLE CROPS --out FILE` wrote of
the same bundle alone. `--probe` is the `audit.json` of the sets that it was trained on
(`lentigo audit CROPS --against ISIC2017`), `--left-out` evaluations of small runs of its recipe
on a source that they had not seen.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from class_threshold import found_at
from lentigo.data.prepared import open_prepared
from lentigo.deploy.bundle import Figure, Quantization, read_bundle
from lentigo.deploy.evaluating import findings_of
from lentigo.deploy.export import Card, export
from lentigo.evaluate.cards import model_card
from lentigo.evaluate.facts import Findings
from lentigo.evaluate.sides import find_evaluation
from lentigo.files import write_text
from lentigo.train import Run, open_run

MODELS = Path(__file__).parents[1] / "src" / "lentigo" / "models"
NAME = "lentigo-ham10000"
LICENSE = (
    "CC BY-NC 4.0 (trained on HAM10000, Tschandl 2018, CC BY-NC 4.0, "
    "and ISIC 2017, Codella 2018, CC0)"
)
PUBLISHED = (
    "Published balanced accuracies with lesions kept together, on other test lists and printed "
    "without intervals: ResNet-50 0.722, EfficientNet-B0 0.739, ConvNeXt-T 0.779, six networks "
    "with test-time augmentation 0.804. Size and latency beside theirs stand in docs/results.md."
)
PICKED_BY = {
    NAME: "It was picked among seven by its figure on isic2020, which flatters it there.",
}
GOAL_BEHIND = 0.03
GOALS = {"balanced_accuracy": 0.83, "roc_auc.mel": 0.95, "roc_auc.macro": 0.975}
SHOWN = {
    "balanced_accuracy": "balanced accuracy",
    "accuracy": "accuracy",
    "roc_auc.mel": "ROC area, melanoma against the rest",
    "roc_auc.malignant": "ROC area, malignant (mel, bcc, akiec) against the rest",
    "roc_auc.macro": "ROC area, mean of the classes",
    "sensitivity.malignant.sensitivity_0.80": "sensitivity for malignant at the 0.80 threshold",
    "specificity.malignant.sensitivity_0.80": "specificity for malignant at the 0.80 threshold",
    "sensitivity.malignant.sensitivity_0.90": "sensitivity for malignant at the 0.90 threshold",
    "specificity.malignant.sensitivity_0.90": "specificity for malignant at the 0.90 threshold",
    "sensitivity.malignant.sensitivity_0.95": "sensitivity for malignant at the 0.95 threshold",
    "specificity.malignant.sensitivity_0.95": "specificity for malignant at the 0.95 threshold",
    "expected_calibration_error": "expected calibration error",
    "brier_score": "Brier score (0 to 2)",
}


def figure(estimate: dict[str, Any]) -> str:
    """``0.812 [0.790, 0.833]``."""
    return f"{estimate['value']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}]"


def elsewhere_text(folders: list[Path]) -> str:
    """What images of other sources said, a line each."""
    lines = []
    for folder in folders:
        asked = json.loads((folder / "evaluation.json").read_text())
        metrics = json.loads((folder / "metrics.json").read_text())
        data = open_prepared(Path(asked["data"]))
        area = metrics["roc_auc.mel"]
        lines.append(
            f"  {data.manifest['source'].iloc[0]}: ROC area for melanoma {figure(area)} on "
            f"{asked['images']:,} images of {area['n_groups']:,} patients or lesions."
        )
    if not lines:
        return "No image from elsewhere has measured it. Expect worse figures there, not these."
    return "\n".join(["On images from elsewhere it is far worse; do not rely on it there:", *lines])


def disturbed_text(file: Path) -> list[str]:
    """Which drawn disturbances move a figure beyond its interval, a line each of two figures."""
    (changes,) = json.loads(file.read_text()).values()
    lines = []
    for figure_name, title in (
        ("ROC area, malignant", "ROC area for malignant"),
        ("balanced accuracy", "balanced accuracy"),
    ):
        told = []
        for name, figures in changes.items():
            moved = figures[figure_name]
            if moved["high"] < 0 or moved["low"] > 0:
                change = f"{moved['value']:+.3f} [{moved['low']:+.3f}, {moved['high']:+.3f}]"
                told.append(f"{name} {change.replace('-', '−')}")
        lines.append(
            f"Of {len(changes)} drawn disturbances of the validation images these move its "
            f"{title}: {'; '.join(told) or 'none'}."
        )
    return lines


def probe_text(file: Path) -> str:
    """How well source is told from pixels, and the label from the source."""
    probed = json.loads(file.read_text())["sources"]
    pixels, label = figure(probed["source_from_pixels"]), figure(probed["label_from_source"])
    return (
        "From simple statistics of their pixels the two sets that it was trained on are told apart "
        f"with a balanced accuracy of {pixels}; whoever knows the set alone ranks malignant with "
        f"an area of {label} (chance is 0.5 for both)."
    )


def left_out_text(folders: list[Path]) -> str:
    """What small runs of the recipe did on a source that they had not seen, a line each."""
    lines = []
    for folder in folders:
        asked = json.loads((folder / "evaluation.json").read_text())
        metrics = json.loads((folder / "metrics.json").read_text())
        unseen = open_prepared(Path(asked["data"])).manifest["source"].iloc[0]
        area = metrics.get("roc_auc.mel") or metrics["roc_auc.melanoma"]
        trained = asked["description"]["source"]
        lines.append(f"  {unseen}, after {trained}: {figure(area)} on {asked['images']:,} images.")
    told = "Small networks of its recipe rank melanoma of a source that they never saw with areas:"
    return "\n".join([told, *lines])


def behind_text(metrics: dict[str, Any], first: dict[str, Figure] | None) -> str:
    """How far the smaller model is behind the first, and whether that was its goal."""
    value = (first or {})["balanced_accuracy"].value
    behind = (value or 0.0) - metrics["balanced_accuracy"]["value"]
    return (
        f"It was to be at most {GOAL_BEHIND} behind {NAME} in balanced accuracy, "
        f"and is {behind:.4f} behind."
    )


def goals_text(metrics: dict[str, Any]) -> str:
    """Which of the goals for the small model it misses, and by how much."""
    missed = [
        f"{SHOWN[key]} {goal} by {goal - metrics[key]['value']:.3f}"
        for key, goal in GOALS.items()
        if metrics[key]["value"] < goal
    ]
    return f"Of the goals that were set for it, it misses: {'; '.join(missed) or 'none'}."


def among_biopsied(evaluation: Path) -> dict[str, Any]:
    """The figures on lesions that were confirmed by histology."""
    axes = json.loads((evaluation / "subgroups.json").read_text())["axes"]
    (strata,) = (axis["strata"] for axis in axes if axis["name"] == "confirmed_by")
    return next(each["metrics"] for each in strata if each["name"] == "histo")


def melanoma_text(model: Path) -> str:
    """How melanoma is found at a threshold of its own."""
    validation, test = (find_evaluation(model, split) for split in ("validation", "test"))
    threshold, *shares = found_at(validation, test)
    sensitivity, specificity = (figure(each.to_dict()) for each in shares)
    return (
        f"Melanoma, called from a probability of {threshold:.3f} on, which finds nine of ten of "
        f"validation's: sensitivity {sensitivity}, specificity {specificity} on the test images. "
        "This threshold is no part of the file: those in the table above are."
    )


def remarks(run: Run, biopsied: dict[str, Any], *told: str) -> list[str]:
    """What is to be said of this model, beyond the figures; ``told`` stands in its midst."""
    data = open_prepared(run.info.prepared_path)
    tested = data.manifest.iloc[data.rows("test")]
    mixture = dict(zip(run.taxonomy.codes, run.calibration.mixture or (), strict=True))
    assumed = ", ".join(f"{code} {each:.0%}" for code, each in mixture.items())
    nevi = float((tested["label"] == "nv").mean())
    histology = float((tested["confirmed_by"] == "histo").mean())
    return [
        (
            "HAM10000 comes from Vienna and Queensland, ISIC 2017 from clinics of the ISIC "
            "Archive: few cameras, and mostly fair skin. They name no skin tones, so nothing is "
            "known of how the figures differ between them. HAM10000 names no patients either: "
            "another lesion of a test lesion's patient may have been trained on."
        ),
        (
            "How it was made, and why the images of ISIC 2017 were added, stands in "
            "docs/results.md of lentigo; scripts/train_models.py there trains it again. They are "
            "trained on and never measured on. Looks are counted on the machine that measured; all "
            "models of lentigo that looked at this test list are named there."
        ),
        *told,
        PUBLISHED,
        (
            f"Its probabilities speak of a mixture of {assumed}; {nevi:.0%} of the test images are "
            "nevi, and in a practice or a population malignant lesions are rarer still. Held "
            "against that, it names malignant classes too often, and its figures of accuracy and "
            "calibration are those of the test images."
        ),
        (
            f"{histology:.0%} of the test diagnoses were confirmed by histology, all malignant "
            "ones among them; the rest by follow-up, consensus or confocal microscopy. Against "
            "benign lesions that were confirmed by histology too, which a doctor found worth a "
            f"biopsy, the ROC area for malignant is {figure(biopsied['roc_auc.malignant'])}."
        ),
    ]


def behind(found: Findings, run: Run, quant: Quantization) -> Findings:
    """What a bundle was measured to do, with the history of the run behind it."""
    told = {key: each for key, each in run.describe().items() if key not in {"history", "caution"}}
    told["exported"] = quant
    return replace(found, asked=replace(found.asked, description=told))


def main() -> None:
    """Export the bundle into the package and write the card beside it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--name", default=NAME)
    parser.add_argument("--bundle", type=Path, help="its quantization and evaluation count")
    parser.add_argument("--elsewhere", type=Path, nargs="*", default=[])
    parser.add_argument("--disturbed", type=Path)
    parser.add_argument("--probe", type=Path)
    parser.add_argument("--left-out", type=Path, nargs="*", default=[])
    arguments = parser.parse_args()
    run = open_run(arguments.run)
    measured = arguments.bundle or run.path
    evaluation = find_evaluation(measured, "test")
    metrics = json.loads((evaluation / "metrics.json").read_text())
    found = findings_of(measured)
    quant: Quantization = "float16"
    if arguments.bundle:
        quant = read_bundle(arguments.bundle).info.quantization
        found = behind(found, run, quant)
    elsewhere = elsewhere_text(arguments.elsewhere)
    if arguments.elsewhere and arguments.name in PICKED_BY:
        elsewhere += f"\n  {PICKED_BY[arguments.name]}"
    if arguments.name == NAME:
        goals = goals_text(metrics)
    else:
        goals = behind_text(metrics, read_bundle(NAME).info.metrics)
    told = [goals, melanoma_text(measured), elsewhere]
    told += [left_out_text(arguments.left_out)] if arguments.left_out else []
    told += [probe_text(arguments.probe)] if arguments.probe else []
    told += disturbed_text(arguments.disturbed) if arguments.disturbed else []
    said = remarks(run, among_biopsied(evaluation), *told)
    text = model_card(found, name=arguments.name, license_=LICENSE, remarks=said)
    kept = {key: Figure(**metrics[key]) for key in SHOWN}
    card = Card(name=arguments.name, license=LICENSE, metrics=kept, markdown=text)
    out = MODELS / f"{arguments.name}.tflite"
    written = export(run, quant=quant, out=out, card=card)
    beside = "MODEL_CARD" if arguments.name == NAME else f"MODEL_CARD-{arguments.name}"
    write_text(MODELS / f"{beside}.md", text)
    print(f"{written.path}: {written.size_bytes:,} bytes")  # noqa: T201 - a script's result


if __name__ == "__main__":
    main()
