"""What mlscorecheck adds to our search, whether shares differ at all, and the bytes of files."""

from __future__ import annotations

import math

import pytest

from lentigo.model import NETWORKS
from lentigo.papers import score_checks
from lentigo.papers.check_scores import read_scores
from lentigo.papers.printed import Printed
from lentigo.papers.second_opinion import class_opinion


@pytest.mark.parametrize(
    ("figure", "refuted"),
    [
        ({"precision": ("0.48", "0.55", "0.87")}, "on precision, recall of each class"),
        ({"accuracy": "74.33%"}, "on accuracy as a micro average"),
        ({"recall_macro": "0.90"}, "on accuracy and macro recall between the classes' own"),
    ],
)
def test_mlscorecheck_refutes_a_report_by_its_classes_its_accuracy_or_its_macro_recall(
    figure: dict[str, str], refuted: str
) -> None:
    rows = {"precision": ("0.50", "0.60", "0.87"), "recall": ("0.40", "0.60", "0.87")}
    whole = {"accuracy": "74.0%", "recall_macro": "0.62"}
    rows |= {key: each for key, each in figure.items() if key in rows}
    whole |= {key: each for key, each in figure.items() if key in whole}
    shown = {key: tuple(Printed.of(each) for each in row) for key, row in rows.items()}
    averages = {key: Printed.of(each) for key, each in whole.items()}
    told = class_opinion((5, 25, 70), shown, averages, fits=False)
    said = dict(each.rsplit(": ", 1) for each in told.removesuffix(".").split("; "))
    assert [answer for about, answer in said.items() if refuted in about] == ["inconsistent"]
    assert list(said.values()).count("inconsistent") == 1
    assert "disagrees" not in told
    assert "disagrees" in class_opinion((5, 25, 70), shown, averages, fits=True)


@pytest.mark.parametrize(
    ("shares", "total", "verdict"),
    [
        (("90%", "10%"), 100, "consistent"),  # however many they share
        (("52%", "48%"), 100, "undecidable"),
        (("50%", "47%"), 100, "inconsistent"),
        (("51%", "50%"), 100, "inconsistent"),
        (("50%", "50%"), 100, "inconsistent"),
        (("0%", "0%"), 100, "inconsistent"),
    ],
)
def test_two_shares_differ_by_more_than_chance_only_whatever_they_have_in_common(
    shares: tuple[str, str], total: int, verdict: str
) -> None:
    named = {name: Printed.of(each) for name, each in zip("ab", shares, strict=True)}
    check = score_checks.Significance(name="a", kind="significance", total=total, figures=named)
    best, worst = (round(each.value * total) for each in named.values())
    every = [
        (best - worst) / math.sqrt(best + worst - 2 * both)
        for both in range(max(0, best + worst - total), worst + 1)
        if best > worst
    ] or [0.0]
    found, told = check.answer()
    assert found == verdict
    assert f"z is {min(every):.2f} to {max(every):.2f}" in told[2]
    wanted = {all: "consistent", any: "undecidable"}
    assert found == next(
        (word for these, word in wanted.items() if these(z >= 1.96 for z in every)), "inconsistent"
    )


@pytest.mark.parametrize(("name", "channels"), [("MobileNet", 1024), ("InceptionV3", 2048)])
def test_the_bytes_of_the_files_are_those_of_keras_with_batch_norm_folded(
    name: str, channels: int
) -> None:
    network = NETWORKS[name].build(weights=None, include_top=False)
    # Scale, mean and variance of a channel go into the kernel before it; the shift stays, as bias.
    norms = [each for each in network.layers if type(each).__name__ == "BatchNormalization"]
    folded = sum(each.count_params() - each.moving_mean.shape[0] for each in norms)
    numbers = network.count_params() - folded + channels * 1024 + 1024 + 1024 * 2 + 2
    check = next(c for c in read_scores("merchan2021").checks if c.name == f"file of {name}")
    fits = [key for key, each in check.candidates.items() if check.printed.holds(each)]
    assert fits == [f"4 bytes x {numbers:,} (pooling, 1024, 2 in float32)"]
    assert check.candidates[fits[0]] == 4 * numbers
    for key, each in check.candidates.items():
        size, count = key.split(" byte")[0], key.split(" x ")[1].split(" ")[0]
        assert each == int(size) * int(count.replace(",", ""))
