"""What a paper's tables say beside their figures: stamps, remarks, epochs and their curves."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import create_autospec

import pandas as pd

from lentigo.papers import pages, plots
from lentigo.papers.epochs import with_epochs
from lentigo.papers.measured import Outcome
from lentigo.papers.paper import read_paper
from lentigo.papers.schema import PROTOCOLS
from lentigo.score.estimate import Estimate
from lentigo.train import ClassicRun


def test_each_line_of_the_csv_says_what_the_page_says_of_it() -> None:
    paper = read_paper("guntara2024")
    stands_in, random = "isic2017 stand in for isic2020.", "MobileNetV3Large began from random."
    why = "no interval: there is one group"
    figures = {
        "accuracy": Estimate(0.9, None, None, 1, why),
        "seconds": Estimate(3.0, None, None, 0),
    }
    outcomes = [
        Outcome("float32", "as-published", True, figures, remarks=(stands_in, random)),
        Outcome("mixed-float16", "as-published", True, figures, remarks=(stands_in,)),
        Outcome("float32", "leak-free", False, figures, remarks=(stands_in,)),
        Outcome("speed-up", "leak-free", figures={}, derived=True, remarks=("No fast float16.",)),
    ]
    lines = list(csv.DictReader(pages.csv_text(paper, 0.5, PROTOCOLS, outcomes).splitlines()))
    told = {(r["variant"], r["protocol"], r["key"]): r["remark"] for r in lines}
    scaled, leaky = pages.stamps_of(0.5, outcomes)
    whole = told["float32", "as-published", "accuracy"]
    assert whole == " ".join([scaled, leaky, stands_in, random, f"{why}."])
    assert told["mixed-float16", "as-published", "seconds"] == f"{scaled} {leaky} {stands_in}"
    assert told["float32", "leak-free", "seconds"] == f"{scaled} {stands_in}"
    # A row that follows from others has what is said of them.
    followed = f"{scaled} No fast float16. {stands_in}"
    assert told["speed-up", "leak-free", "speed_up"] == followed


def test_logs_of_one_training_have_one_reason_for_having_no_interval(
    sixth_file: Path,
) -> None:
    paper, reason = read_paper(str(sixth_file)), "no interval: single epochs of one training"
    title, key = "Seconds an epoch (of ours, the first compiles)", "by_epoch.seconds.{}"
    figures = {key.format(i): Estimate(3.0, None, None, 1, reason) for i in range(1, 6)}
    outcomes = [Outcome("small-batch", "leak-free", figures=figures)]
    paper, measured = with_epochs(paper, outcomes)
    assert measured[0].figures == figures
    told = dict(pages.notes(paper, measured, []))["Why there is no interval"]
    assert told == [f"single epochs of one training: {title}, leak-free."]
    # Two epochs more than the paper prints: their claims are blank.
    tables = {each.title: each for each in pages.all_filled(paper, ("leak-free",), measured)}
    claims = [row.cells[0][0] for row in tables[title].rows]
    assert claims == ["10", "11", "12.5", "–", "–"]


def test_an_epoch_without_a_figure_leaves_a_gap_and_no_broken_curve() -> None:
    rows = [{"epoch": e, "loss": 1.0 / e, "accuracy": math.nan} for e in (1, 2)]
    figure = plots._curves("here", [*rows, {"epoch": 3, "loss": math.nan}], leaky=False)
    assert "nan" not in figure.picture
    assert figure.picture.count('class="line s') == 1
    assert figure.table.rows[0] == ("1", "1.0000", "–")


def test_the_grid_of_a_classic_model_is_no_curve_by_epochs() -> None:
    points = [{"epoch": e, "stage": "linear", "c": 0.1, "val_loss": 0.4} for e in (1, 2)]
    run = create_autospec(ClassicRun, instance=True)
    run.history.return_value = points
    grid = SimpleNamespace(run=run, training="A machine", leaky=False, claimed_history=[])
    assert plots.curves([grid]) == []


def test_each_set_of_images_has_its_own_class_distribution() -> None:
    def shown(title: str, labels: str) -> Any:
        images = {"image_id": [f"i{n}" for n in range(len(labels))], "label": list(labels)}
        manifest = pd.DataFrame(images | {"split": "train", "parent_id": ""})
        data = SimpleNamespace(manifest=manifest, taxonomy=SimpleNamespace(codes=("a", "b")))
        return SimpleNamespace(
            title=title, data=data, outcome=SimpleNamespace(protocol="leak-free")
        )

    found = plots.classes([shown("SVM", "aab"), shown("VGG16", "aaab"), shown("ResNet50", "aaab")])
    assert [each.caption.split(";")[0] for each in found] == [
        "Class distribution, leak-free, as SVM has it",
        "Class distribution, leak-free, as VGG16 has it",
    ]
    assert [row[1] for row in found[1].table.rows] == ["3", "1"]
