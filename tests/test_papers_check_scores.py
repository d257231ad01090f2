"""Printed scores: possible, impossible, or not said clearly enough to tell."""

from __future__ import annotations

import itertools
import json
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import classification_report, confusion_matrix

from lentigo.errors import InputError
from lentigo.model import NETWORKS
from lentigo.papers import binary_search, class_search, score_checks
from lentigo.papers.check_scores import check_scores, packaged_scores, read_scores
from lentigo.papers.printed import Printed
from lentigo.papers.score_checks import Classes, Counts
from lentigo.papers.second_opinion import class_opinion
from small import lentigo

# What the notes on the five studies say of them, one verdict a check. In one the notes say more:
# yilmaz2021's best against worst, z = 1.88, is "not significant" there as of two separate test
# sets; on the same images the printed accuracies leave it open, so it is undecidable here.
VERDICTS = {
    "guntara2024": {
        "float32": "consistent",
        "mixed float16": "consistent",
        "seconds of model 1": "consistent",
        "seconds of model 2": "consistent",
        "seconds saved": "consistent",
        "speed-up in the abstract": "inconsistent",
        "speed-up in the text": "inconsistent",
        "share of malignant images that are synthetic": "consistent",
    },
    "yilmaz2021": {
        "accuracies, official test set": "inconsistent",
        "accuracies, the stated 15%": "inconsistent",
        "accuracies, 20%": "consistent",
        "precision and F1": "undecidable",
        "mean of MobileNet": "inconsistent",
        "mean of MobileNetV2": "consistent",
        "mean of NASNetMobile": "consistent",
        "significantly better": "undecidable",
    },
    "agarwal2025": {
        "MobileNetV3Large": "consistent",
        "MobileNetV2": "consistent",
        "MobileNetV2 after hard data mining, report": "consistent",
        "MobileNetV2 after hard data mining, report and list of classes": "inconsistent",
        "final accuracy against the log": "consistent",
    },
    "merchan2021": {
        "MobileNet, accuracy and recall": "inconsistent",
        "MobileNet, Table 10": "inconsistent",
        "InceptionV3, Table 10": "inconsistent",
        "test accuracies": "inconsistent",
        "MobileNet, total F1 between its classes": "inconsistent",
        "InceptionV3, total F1 between its classes": "consistent",
        "screening accuracies": "consistent",
        "screening accuracies on the test set": "inconsistent",
        "MobileNet unfrozen, Table 2 and Table 5": "inconsistent",
        "F1 of the abstract is the F1 of Table 9": "inconsistent",
        "parameters of MobileNet": "undecidable",
        "parameters of MobileNetV2": "consistent",
        "parameters of VGG19": "consistent",
        "parameters of VGG16": "undecidable",
        "parameters of InceptionV3": "consistent",
        "parameters of ResNet50": "consistent",
        "file of MobileNet": "consistent",
        "file of InceptionV3": "consistent",
    },
    "sun2023": {
        "SVM baseline": "inconsistent",
        "MobileNetV3Small": "inconsistent",
        "EfficientNetV2B0": "inconsistent",
        "ResNet50": "inconsistent",
        "VGG16": "inconsistent",
        "specificity of MobileNetV3Small": "inconsistent",
        "specificity of EfficientNetV2B0 and ResNet50": "consistent",
        "specificity of VGG16": "inconsistent",
        "parameters of MobileNetV3Small": "consistent",
        "parameters of EfficientNetV2B0": "consistent",
        "parameters of ResNet50": "consistent",
        "parameters of VGG16": "consistent",
    },
}


def as_printed(value: float, digits: int) -> str:
    return str(Decimal(value).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP))


@pytest.mark.parametrize("paper", VERDICTS)
def test_the_papers_get_the_verdicts_of_the_notes(paper: str) -> None:
    findings = check_scores(paper)
    assert {each.name: each.verdict for each in findings} == VERDICTS[paper]
    assert all(each.arithmetic for each in findings)


def test_every_packaged_paper_has_its_verdicts_here() -> None:
    assert packaged_scores() == sorted(VERDICTS)


@pytest.mark.parametrize("paper", VERDICTS)
def test_mlscorecheck_never_disagrees(paper: str) -> None:
    told = " ".join(" ".join(each.arithmetic) for each in check_scores(paper))
    assert "disagrees" not in told
    assert ("mlscorecheck" in told) == any(
        c.kind in {"binary", "classes"} for c in read_scores(paper).checks
    )


def test_the_arithmetic_shows_what_the_notes_found() -> None:
    svm, *_, vgg = check_scores("sun2023")[:5]
    assert "prevalence of 35" in " ".join(svm.arithmetic)
    assert "5151/6509" in " ".join(vgg.arithmetic)
    small = " ".join(check_scores("sun2023")[1].arithmetic)
    around = "recall, specificity (by its nearest counts) imply precision 0.0723"
    assert f"{around} to 0.0724; printed 0.0841." in small
    twenty = next(e for e in check_scores("yilmaz2021") if e.name == "accuracies, 20%")
    counts = [442, 444, 427, 448, 432, 445, 451, 438, 426]
    assert ", ".join(f"{k}/550" for k in counts) in twenty.arithmetic[0]
    speed = next(e for e in check_scores("guntara2024") if e.name == "speed-up in the abstract")
    assert "8.3967%" in speed.arithmetic[0]
    apart = next(e for e in check_scores("yilmaz2021") if e.name == "significantly better")
    assert "has 451 of 550 right, NASNetMobile 64 426: 25 more" in apart.arithmetic[0]
    assert "z = 25 / 13.31 = 1.88" in apart.arithmetic[1]
    assert "best and the worst of 9" in apart.arithmetic[2]
    synthetic = check_scores("guntara2024")[-1]
    assert "98.2054%" in synthetic.arithmetic[0]


def test_the_candidate_parameter_counts_are_those_of_keras() -> None:
    smallest = {"MobileNet": 3_228_864, "VGG16": 14_714_688}
    for name, count in smallest.items():
        assert NETWORKS[name].build(weights=None, include_top=False).count_params() == count
    merchan = {c.name: c for c in read_scores("merchan2021").checks}
    for name, channels, side in (
        ("MobileNet", 1024, 7), ("MobileNetV2", 1280, 7), ("VGG16", 512, 7), ("VGG19", 512, 7),
        ("InceptionV3", 2048, 5), ("ResNet50", 2048, 7),
    ):  # fmt: skip
        counts = merchan[f"parameters of {name}"].candidates
        assert counts["global pooling, 2"] - counts["backbone"] == channels * 2 + 2
        assert counts["flatten, 2"] - counts["backbone"] == side * side * channels * 2 + 2


def test_a_brute_force_over_all_reports_agrees_on_the_weighted_f1() -> None:
    check = read_scores("agarwal2025").checks[0]
    rows = [{name: each[c] for name, each in check.rows.items()} for c in range(7)]
    pairs = [
        class_search.class_pairs(row, n, 1000) for row, n in zip(rows, check.supports, strict=True)
    ]
    weighted = []
    for choice in itertools.product(*(range(len(each.right)) for each in pairs)):
        picked = list(zip(pairs, choice, strict=True))
        right = sum(p.right[i] for p, i in picked)
        if right == 738 and sum(p.called[i] for p, i in picked) == 1000:
            f1 = [p.scores[2, i] for p, i in picked]
            weighted.append(float(np.dot(f1, check.supports)) / 1000)
    possible = {as_printed(each, 2) for each in weighted}
    assert possible == {str(check.whole["f1_weighted"])}
    for text in ("0.72", "0.74"):
        whole = check.whole | {"f1_weighted": Printed.of(text)}
        assert not class_search.explain(check.supports, check.rows, whole)[0]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 60), st.integers(1, 60), st.data(), st.integers(1, 4),
    st.sets(st.sampled_from(sorted(binary_search.SCORES)), min_size=1),
)  # fmt: skip
def test_scores_of_a_real_matrix_are_always_possible(p, n, data, digits, names) -> None:
    tp, tn = data.draw(st.integers(0, p)), data.draw(st.integers(0, n))
    cells = binary_search.Cells.of(tp, np.array([float(tn)]), p, n)
    scores = {
        name: Printed.of(as_printed(float(binary_search.SCORES[name](cells)[0]), digits))
        for name in names
    }
    fits, told = binary_search.explain(scores, p, n)
    assert fits, told


def test_a_matrix_is_found_exactly_when_one_exists() -> None:
    for k in range(21):
        printed = Printed.of(f"{k / 20:.2f}")
        fits, _ = binary_search.explain({"accuracy": printed, "recall": printed}, 7, 13)
        some = any(
            printed.holds((tp + tn) / 20) and printed.holds(tp / 7)
            for tp in range(8)
            for tn in range(14)
        )
        assert fits == some


def test_with_the_total_alone_every_division_of_it_is_searched() -> None:
    pairs = (
        ("0.85", "0.60"),
        ("0.85", "0.5"),
        ("0.85", "0.61"),
        ("0.84", "0.60"),
        ("0.90", "0.00"),
    )
    for accuracy, recall in pairs:
        scores = {"accuracy": Printed.of(accuracy), "recall": Printed.of(recall)}
        fits, told = binary_search.explain_total(scores, 20)
        by_hand = {
            p
            for p in range(1, 20)
            for tp in range(p + 1)
            for tn in range(21 - p)
            if scores["accuracy"].holds((tp + tn) / 20) and scores["recall"].holds(tp / p)
        }
        assert fits == bool(by_hand)
        if by_hand:
            assert f"With {min(by_hand)} positives" in told[0]
            assert ("No other" in told[1]) == (len(by_hand) == 1)
            assert len(by_hand) == 1 or told[1].startswith(f"{len(by_hand)} sizes")
    _, told = binary_search.explain_total({"accuracy": Printed.of("0.86")}, 19)
    assert "accuracy 0.86 is no count of 19" in told[1]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
def test_reports_of_scikit_learn_are_always_possible(seed: int, k: int) -> None:
    random = np.random.default_rng(seed)
    truth = np.concatenate([np.arange(k), random.integers(0, k, 60)])
    called = np.where(random.random(len(truth)) < 0.6, truth, random.integers(0, k, len(truth)))
    report = classification_report(truth, called, output_dict=True, zero_division=0)
    supports = confusion_matrix(truth, called).sum(axis=1).tolist()

    def text(value: float) -> Printed:
        return Printed.of(f"{value:.2f}")

    keys = {"precision": "precision", "recall": "recall", "f1": "f1-score"}
    rows = {ours: [text(report[str(c)][key]) for c in range(k)] for ours, key in keys.items()}
    whole = {"accuracy": text(report["accuracy"])}
    for mean in ("macro", "weighted"):
        whole |= {f"{ours}_{mean}": text(report[f"{mean} avg"][key]) for ours, key in keys.items()}
    fits, told = class_search.explain(supports, rows, whole)
    assert fits, told
    assert "disagrees" not in class_opinion(supports, rows, whole, fits=True)


def test_a_report_whose_accuracy_was_changed_is_refused() -> None:
    rows = {"recall": [Printed.of("0.90"), Printed.of("0.50")]}
    assert class_search.explain([10, 10], rows, {"accuracy": Printed.of("0.70")})[0]
    fits, told = class_search.explain([10, 10], rows, {"accuracy": Printed.of("0.75")})
    assert not fits
    assert "accuracy 0.75" in " ".join(told)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("0.91", 0.905, 0.915), ("80.36%", 0.80355, 0.80365), ("3.23M", 3.225e6, 3.235e6)],
)
def test_a_printed_figure_reaches_half_a_unit_of_its_last_digit(
    text: str, low: float, high: float
) -> None:
    assert Printed.of(text).rounded == pytest.approx((low, high))


def test_a_bad_file_is_told_all_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(
        'name = "bad"\ncitation = ""\n'
        '[[checks]]\nname = "one"\nkind = "binary"\npositives = 0\nnegatives = 5\n'
        "scores = { accuracy = 0.9 }\n"
        '[[checks]]\nname = "two"\nkind = "counts"\ntotals = [5]\nfigures = { a = "much" }\n',
        encoding="utf-8",
    )
    with pytest.raises(InputError) as caught:
        read_scores(str(path))
    said = str(caught.value)
    assert "check 'one'" in said
    assert "check 'two'" in said
    assert "quotes" in said
    assert "greater than or equal to 1" in said
    assert "(line 6)" in said


@pytest.mark.parametrize(
    ("check", "told"),
    [
        (
            'operation = "reduction"\nof = ["0.0", "0.2"]\nprinted = "1"',
            "no share can be taken of 0.0",
        ),
        ('operation = "same"\nof = ["1", "2"]\nprinted = "1"', "same takes 1 figures, not 2"),
        ('operation = "sum"\nof = ["1"]\nprinted = "1"', "sum takes two or more figures"),
    ],
)
def test_what_has_no_answer_is_refused(tmp_path: Path, check: str, told: str) -> None:
    path = tmp_path / "bad.toml"
    head = 'name = "bad"\ncitation = ""\n[[checks]]\nname = "one"\nkind = "derived"\n'
    path.write_text(head + check, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_scores(str(path))
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("figure", "told"),
    [
        ("90.51", "90.51 is no share of a whole: per cent want their sign, '90.51%'"),
        ("1.5", "per cent want their sign"),
        ("150%", "150% is no share of a whole"),
        ("-90%", "-90% is no share of a whole"),
    ],
)
@pytest.mark.parametrize(
    "check",
    [
        'kind = "binary"\npositives = 263\nnegatives = 264\nscores = {{ accuracy = "{}" }}',
        'kind = "counts"\ntotals = [527]\nfigures = {{ a = "{}" }}',
        'kind = "significance"\ntotal = 100\nfigures = {{ a = "{}", b = "0.5" }}',
        'kind = "classes"\nsupports = [9, 9]\nrows = {{ recall = ["{}", "0.5"] }}',
    ],
)
def test_what_is_no_share_is_a_slip_and_no_proof(
    tmp_path: Path, check: str, figure: str, told: str
) -> None:
    path = tmp_path / "bad.toml"
    head = 'name = "bad"\ncitation = ""\n[[checks]]\nname = "one"\n'
    path.write_text(head + check.format(figure), encoding="utf-8")
    with pytest.raises(InputError, match="check 'one'") as caught:
        read_scores(str(path))
    assert told in str(caught.value)


def test_a_share_that_rounds_beyond_one_is_one() -> None:
    check = Counts(name="a", kind="counts", totals=(527,), figures={"a": Printed.of("1.0")})
    assert check.answer()[0] == "consistent"


@pytest.mark.parametrize(
    ("supports", "recall"), [((3000, 4000), "0.5"), ((30_000, 40_000), "0.5"), ((5000,) * 8, "0.6")]
)
def test_a_report_too_coarse_to_search_is_undecidable(
    supports: tuple[int, ...], recall: str
) -> None:
    rows = {"recall": (Printed.of(recall),) * len(supports)}
    check = Classes(name="a", kind="classes", supports=supports, rows=rows)
    verdict, told = check.answer()
    assert verdict == "undecidable"
    assert "too coarse" in " ".join(told)


def test_a_search_that_is_given_up_is_undecidable(monkeypatch: pytest.MonkeyPatch) -> None:
    given_up = SimpleNamespace(status=1, x=None, message="time limit")
    monkeypatch.setattr("scipy.optimize.milp", lambda *_, **__: given_up)
    rows = {"recall": (Printed.of("0.90"), Printed.of("0.50"))}
    check = Classes(
        name="a",
        kind="classes",
        supports=(10, 10),
        rows=rows,
        whole={"accuracy": rows["recall"][1]},
    )
    assert check.answer() == ("undecidable", ("The search was given up undecided: time limit",))


@pytest.mark.parametrize(
    "sizes", ["positives = 5", "positives = 5\nnegatives = 5\ntotal = 10", "", "total = 100_000"]
)
def test_a_check_of_two_classes_wants_their_sizes_or_the_total(tmp_path: Path, sizes: str) -> None:
    path = tmp_path / "bad.toml"
    head = 'name = "bad"\ncitation = ""\n[[checks]]\nname = "one"\nkind = "binary"\n'
    path.write_text(f'{head}{sizes}\nscores = {{ accuracy = "0.9" }}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"their total alone|are not searched"):
        read_scores(str(path))


def test_a_score_that_is_unknown_is_told_beside_one_that_is_no_figure(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(
        'name = "bad"\ncitation = ""\n[[checks]]\nname = "one"\nkind = "binary"\n'
        'positives = 5\nnegatives = 5\nscores = { accurcy = "0.9", recall = "high" }\n'
        '[[checks]]\nname = "two"\nkind = "classes"\nsupports = [5, 5]\n'
        'rows = { recal = ["1.0", "1.0"] }\nwhole = { f1 = "0.5" }\n',
        encoding="utf-8",
    )
    with pytest.raises(InputError) as caught:
        read_scores(str(path))
    said = str(caught.value)
    for key in ("scores.accurcy: is none of", "recall: 'high'", "rows.recal:", "whole.f1:"):
        assert key in said


@pytest.mark.parametrize(
    ("printed", "verdict"), [("91.0%", "consistent"), ("0.9107", "inconsistent")]
)
def test_one_figure_printed_twice_must_be_the_same(printed: str, verdict: str) -> None:
    check = score_checks.Derived(
        name="a", kind="derived", operation="same", of=("0.9104",), printed=printed
    )
    assert check.answer()[0] == verdict


def test_the_command_prints_verdicts_and_json() -> None:
    text, _ = lentigo("check-scores", "yilmaz2021")
    assert "INCONSISTENT: accuracies, official test set" in text
    assert text.endswith("\n3 consistent, 3 inconsistent, 2 undecidable\n")
    found, beside = lentigo("check-scores", "sun2023", "--json")
    assert beside == ""  # nothing of what mlscorecheck logs
    assert json.loads(found)["checks"][0]["verdict"] == "inconsistent"
    _, refused = lentigo("check-scores", "nobody2020", code=2)
    assert "sun2023" in refused
