"""Comparing models: the same images only, paired, and no further look at a test list."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from lentigo.cli.app import app
from lentigo.data.phantom import generate
from lentigo.data.prepare import prepare
from lentigo.data.prepared import PreparedSet
from lentigo.errors import InputError
from lentigo.evaluate.comparison import Comparison, compare
from lentigo.evaluate.sides import find_evaluation, read_sides
from lentigo.taxonomy import NOT_A_MEDICAL_DEVICE


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    folder = tmp_path_factory.mktemp("phantom")
    generate(folder / "images", lesions=210, seed=0, size=32)
    return prepare("phantom", folder / "images", folder / "prepared", size=32, workers=1)


def answers(data: PreparedSet, skill: float, seed: int) -> np.ndarray:
    """Probabilities (n, k) for the test images, the better the higher ``skill``."""
    labels = data.labels[data.rows("test")]
    noise = np.random.default_rng(seed).normal(size=(len(labels), 7))
    logits = noise + skill * np.eye(7)[labels]
    exponential = np.exp(logits)
    return np.asarray(exponential / exponential.sum(axis=1, keepdims=True))


def evaluated(
    folder: Path,
    data: PreparedSet,
    probability: np.ndarray,
    *,
    name: str,
    points: dict[str, float] | None = None,
    leaky: bool = False,
    cautions: tuple[str, ...] = (),
    **about: object,
) -> Path:
    """A run folder with a finished evaluation of the test split."""
    out = folder / name / "evaluation" / "test"
    out.mkdir(parents=True)
    rows, codes = data.rows("test"), data.taxonomy.codes
    with (out / "predictions.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image_id", "label", *codes])
        for row, values in zip(rows, probability, strict=True):
            line = data.manifest.iloc[row]
            writer.writerow([line["image_id"], line["label"], *values])
    context = {"model": name, "data": str(data.path), "description": about}
    context |= {"leaky": leaky, "cautions": list(cautions)}
    if points:
        context["operating_points"] = [
            {"name": point, "target_sensitivity": 0.9, "threshold": threshold}
            for point, threshold in points.items()
        ]
    (out / "evaluation.json").write_text(json.dumps(context))
    (out / "metrics.json").write_text("{}")
    return folder / name


def two(folder: Path, data: PreparedSet, **skill: float) -> list[Path]:
    """Evaluated models by name, with noise of their own."""
    return [
        evaluated(folder, data, answers(data, each, seed), name=name)
        for seed, (name, each) in enumerate(skill.items(), 1)
    ]


def compared(folders: list[Path], *metrics: str) -> Comparison:
    sides = read_sides([find_evaluation(each, "test") for each in folders])
    return compare(sides, metrics or None, replicates=300)


def test_a_better_model_is_called_better_in_every_metric(data: PreparedSet, tmp_path: Path) -> None:
    good, poor = two(tmp_path, data, good=4.0, poor=1.0)
    found = compared([poor, good])
    assert found.groups == data.manifest.iloc[data.rows("test")]["group_id"].nunique()
    by_metric = {each.metric: each for each in found.differences}
    assert set(by_metric) == {
        "balanced_accuracy", "accuracy", "roc_auc.macro", "roc_auc.malignant",
    }  # fmt: skip
    for difference in by_metric.values():
        assert "good is better than poor" in difference.sentence
        assert difference.estimate.high is not None
        assert difference.estimate.high < 0
    assert by_metric["accuracy"].test == "McNemar"
    assert by_metric["roc_auc.malignant"].test == "DeLong"
    assert by_metric["roc_auc.macro"].test == "bootstrap"


def test_a_smaller_calibration_error_is_better(data: PreparedSet, tmp_path: Path) -> None:
    sharp = answers(data, 4.0, 1)
    flat = 0.5 * sharp + 0.5 / 7
    a = evaluated(tmp_path, data, sharp, name="sharp")
    b = evaluated(tmp_path, data, flat, name="flat")
    (difference,) = compared([a, b], "brier_score").differences
    assert "sharp is better than flat" in difference.sentence


def test_a_sentence_gives_the_advantage_and_its_interval_one_sign(
    data: PreparedSet, tmp_path: Path
) -> None:
    good, poor = two(tmp_path, data, good=4.0, poor=1.0)
    (difference,) = compared([poor, good], "accuracy").differences
    e = difference.estimate
    assert e.value is not None
    assert e.low is not None
    assert e.high is not None
    assert e.high < 0
    said = f"by {-e.value:.3f} (95% interval {-e.high:.3f} to {-e.low:.3f})"
    assert said in difference.sentence


def test_equal_models_cannot_be_told_apart(data: PreparedSet, tmp_path: Path) -> None:
    a = evaluated(tmp_path, data, answers(data, 2.0, 1), name="a")
    b = evaluated(tmp_path, data, answers(data, 2.0, 1), name="b")
    for difference in compared([a, b]).differences:
        assert difference.estimate.value == 0
        assert difference.p_value == 1
        assert "cannot be told apart, +0.000 (" in difference.sentence


def test_many_comparisons_are_corrected_for(data: PreparedSet, tmp_path: Path) -> None:
    folders = [
        evaluated(tmp_path, data, answers(data, 2.0, seed), name=f"m{seed}") for seed in range(4)
    ]
    differences = compared(folders, "accuracy").differences
    assert len(differences) == 6
    for each in differences:
        assert each.p_corrected >= each.p_value


def test_an_operating_point_is_compared_at_each_models_own_threshold(
    data: PreparedSet, tmp_path: Path
) -> None:
    probability = answers(data, 2.0, 1)
    low = evaluated(tmp_path, data, probability, name="low", points={"sensitivity_0.90": 0.05})
    high = evaluated(tmp_path, data, probability, name="high", points={"sensitivity_0.90": 0.6})
    found = compared(
        [low, high],
        "sensitivity.malignant.sensitivity_0.90",
        "specificity.malignant.sensitivity_0.90",
    )
    malignant = np.asarray(data.taxonomy.malignant)
    truth = malignant[data.labels[data.rows("test")]]
    score = probability[:, malignant].sum(axis=1)
    for name, threshold in (("low", 0.05), ("high", 0.6)):
        sensitivity = found.scores[name]["sensitivity.malignant.sensitivity_0.90"]
        assert sensitivity.value == pytest.approx((score[truth] >= threshold).mean())
    first, second = found.differences
    assert "low is better than high" in first.sentence
    assert "high is better than low" in second.sentence
    assert {first.test, second.test} == {"bootstrap"}


def test_every_figure_of_an_evaluation_can_be_compared(data: PreparedSet, tmp_path: Path) -> None:
    points = {"sensitivity_0.80": 0.4, "sensitivity_0.95": 0.1}
    folders = [
        evaluated(tmp_path, data, answers(data, 2.0, seed), name=f"m{seed}", points=points)
        for seed in range(2)
    ]
    keys = read_sides([find_evaluation(each, "test") for each in folders])[0].panel.keys
    assert "f1.malignant.sensitivity_0.95" in keys
    found = compared(folders, *keys)
    assert [each.metric for each in found.differences] == list(keys)
    assert all(each.sentence for each in found.differences)


def test_a_model_without_the_threshold_is_named(data: PreparedSet, tmp_path: Path) -> None:
    a = evaluated(tmp_path, data, answers(data, 2.0, 1), name="a", points={"sensitivity_0.90": 0.2})
    b = evaluated(tmp_path, data, answers(data, 2.0, 2), name="b")
    with pytest.raises(InputError, match=r"sensitivity_0\.90: not of b"):
        compared([a, b], "sensitivity.malignant.sensitivity_0.90")


def test_a_class_is_malignant_where_the_evaluation_says_so(
    data: PreparedSet, tmp_path: Path
) -> None:
    a, b = two(tmp_path, data, a=2.0, b=2.0)
    codes = data.taxonomy.codes
    for run in (a, b):
        path = run / "evaluation" / "test" / "evaluation.json"
        content = json.loads(path.read_text())
        content["classes"] = [{"code": c, "malignant": c == codes[2]} for c in codes]
        path.write_text(json.dumps(content))
    side = read_sides([find_evaluation(each, "test") for each in (a, b)])[0]
    assert side.malignant == tuple(code == codes[2] for code in codes)


def test_seeds_are_kept_apart_from_test_noise(data: PreparedSet, tmp_path: Path) -> None:
    about = {"kind": "run", "recipe": "r", "recipe_digest": "d", "prepared_digest": "p"}
    folders = [
        evaluated(tmp_path, data, answers(data, 2.0, seed), name=f"seed{seed}", **about)
        for seed in range(3)
    ]
    other = evaluated(tmp_path, data, answers(data, 2.0, 9), name="other")
    found = compared([*folders, other], "accuracy")
    (family,) = found.families
    assert family.runs == ("seed0", "seed1", "seed2")
    values = [found.scores[name]["accuracy"].value for name in family.runs]
    assert family.between_runs == pytest.approx(np.std(values, ddof=1))
    assert family.mean.value == pytest.approx(np.mean(values))
    assert family.test_noise > 0


def test_each_models_figures_are_as_cautious_as_its_own_evaluation(
    data: PreparedSet, tmp_path: Path
) -> None:
    about = {"kind": "run", "recipe": "r", "recipe_digest": "d", "prepared_digest": "p"}
    perfect = [
        evaluated(tmp_path, data, np.eye(7)[data.labels[data.rows("test")]], name=name, **about)
        for name in ("one", "other")
    ]
    sides = read_sides([find_evaluation(each, "test") for each in perfect])
    keys = ("accuracy", "sensitivity.star.argmax", "roc_auc.star", "balanced_accuracy")
    found = compare(sides, keys, replicates=300)
    alone = sides[0].panel.estimates(sides[0].groups, replicates=300)
    for key in keys:
        assert found.scores["one"][key] == alone[key]
        assert next(each.mean for each in found.families if each.metric == key) == alone[key]
    # Nothing was missed, and some could be: a bootstrap alone would say [1, 1].
    low = found.scores["one"]["sensitivity.star.argmax"].low
    assert low is not None
    assert low < 1
    difference = next(e for e in found.differences if e.metric == "sensitivity.star.argmax")
    assert difference.estimate.n_groups == alone["sensitivity.star.argmax"].n_groups


def test_what_flatters_a_model_stands_above_its_figures(data: PreparedSet, tmp_path: Path) -> None:
    said = ("SCALE 0.05: a look.",)
    a = evaluated(tmp_path, data, answers(data, 2.0, 1), name="a", leaky=True, cautions=said)
    b = evaluated(tmp_path, data, answers(data, 2.0, 2), name="b")
    found = compared([a, b])
    assert (found.leaky, found.cautions) == (("a",), {said[0]: ("a",)})
    printed = CliRunner().invoke(app, ["compare", str(a), str(b), "--replicates", "100"]).stdout
    first, second, *_, last = printed.splitlines()
    assert first == "LEAKY: what was trained on also sits among these images: a."
    assert second == "Caution: SCALE 0.05: a look. (a)"
    assert last == NOT_A_MEDICAL_DEVICE
    asked = ["compare", str(a), str(b), "--replicates", "100", "--json"]
    plain = json.loads(CliRunner().invoke(app, asked).stdout)
    assert (plain["leaky"], plain["cautions"]) == (["a"], {said[0]: ["a"]})
    assert plain["notice"] == NOT_A_MEDICAL_DEVICE


def test_other_images_are_refused_with_their_number(data: PreparedSet, tmp_path: Path) -> None:
    a, b = two(tmp_path, data, a=2.0, b=2.0)
    path = b / "evaluation" / "test" / "predictions.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-5]) + "\n")
    with pytest.raises(InputError, match=rf"{len(lines) - 6} images"):
        compared([a, b])


def test_one_model_or_an_unknown_metric_is_refused(data: PreparedSet, tmp_path: Path) -> None:
    a, b = two(tmp_path, data, a=2.0, b=2.0)
    with pytest.raises(InputError, match="two models"):
        compared([a])
    with pytest.raises(InputError, match=r"roc_auc\.wart"):
        compared([a, b], "roc_auc.wart")


def test_predictions_of_anything_else_can_be_compared_too(
    data: PreparedSet, tmp_path: Path
) -> None:
    a, b = two(tmp_path, data, a=3.0, b=1.0)
    foreign = tmp_path / "script.csv"
    (b / "evaluation" / "test" / "predictions.csv").rename(foreign)
    (difference,) = compared([a, foreign], "accuracy").differences
    assert "a is better than script" in difference.sentence
    with pytest.raises(InputError, match="groups of"):
        read_sides([find_evaluation(each, "test") for each in (foreign, a)])


def test_an_evaluations_own_table_stands_for_the_whole(data: PreparedSet, tmp_path: Path) -> None:
    run = evaluated(tmp_path, data, answers(data, 1.0, 1), name="good")
    table = run / "evaluation" / "test" / "predictions.csv"
    assert find_evaluation(table, "test") == find_evaluation(run, "test")


def test_one_evaluation_is_not_compared_with_itself(data: PreparedSet, tmp_path: Path) -> None:
    run = evaluated(tmp_path, data, answers(data, 1.0, 1), name="good")
    with pytest.raises(InputError, match="more than once"):
        compared([run, run / "evaluation" / "test"])


def test_a_model_that_was_not_evaluated_is_sent_to_evaluate(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(InputError, match="no finished evaluation") as caught:
        find_evaluation(tmp_path / "run", "test")
    assert "lentigo evaluate" in str(caught.value.todo)


def test_a_bundle_that_was_evaluated_on_another_set_is_told_which(tmp_path: Path) -> None:
    done = tmp_path / "model-evaluation" / "test-9b3d8f0472"
    done.mkdir(parents=True)
    (done / "metrics.json").write_text("{}")
    with pytest.raises(InputError, match="no finished evaluation") as caught:
        find_evaluation(tmp_path / "model.tflite", "test")
    assert caught.value.todo == f"Name one of another set: {done}"


def test_the_command_prints_sentences_and_json_and_takes_no_look(
    data: PreparedSet, tmp_path: Path
) -> None:
    a, b = two(tmp_path, data, a=3.0, b=1.0)
    before = sorted(tmp_path.rglob("*"))
    shown = CliRunner().invoke(app, ["compare", str(a), str(b), "--replicates", "100"])
    assert shown.exit_code == 0, shown.output
    assert "a is better than b" in shown.output
    told = CliRunner().invoke(app, ["compare", str(a), str(b), "--replicates", "100", "--json"])
    assert {each["metric"] for each in json.loads(told.output)["differences"]} >= {"accuracy"}
    assert sorted(tmp_path.rglob("*")) == before
    assert not list(data.path.parent.glob("*access*"))
