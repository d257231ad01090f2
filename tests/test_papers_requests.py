"""What is asked of `reproduce`: its folders, stand-ins and scale, before anything is trained."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lentigo.data.sources import SOURCES, ReadOptions
from lentigo.data.sources.table import SourceTable
from lentigo.errors import InputError, LentigoError
from lentigo.papers import pages
from lentigo.papers.collect import collect
from lentigo.papers.measured import NO_INTERVAL, Outcome
from lentigo.papers.paper import experiment, read_paper
from lentigo.papers.reproduce import Request, reproduce
from lentigo.papers.schema import PROTOCOLS, DataPlan
from lentigo.papers.tables import ClaimRow, Column
from lentigo.score.estimate import Estimate, summarise
from small import lentigo


def test_scale_shrinks_images_and_epochs(
    sixth_file: Path, sixth_images: Path, tmp_path: Path
) -> None:
    paper = read_paper(str(sixth_file))
    whole = collect(paper.data, {"phantom": sixth_images}, 1.0, tmp_path)
    half = collect(paper.data, {"phantom": sixth_images}, 0.5, tmp_path)
    assert half.images == pytest.approx(whole.images / 2, abs=2)
    plan = experiment(paper, paper.variants[0], "leak-free", scale=0.5)
    assert plan.recipe.epochs == 2
    assert plan.recipe.stages[0].batch_size == 8


def test_a_missing_source_is_named_with_its_option(sixth_file: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="phantom") as caught:
        reproduce(str(sixth_file), Request(given={}), tmp_path)
    assert "--data phantom=FOLDER" in str(caught.value)


def test_a_stand_in_takes_the_place_and_is_told(sixth_images: Path, tmp_path: Path) -> None:
    plan = DataPlan(
        sources=("isic9",), stand_ins={"isic9": ("phantom",)}, malignant=("star",), size=32
    )
    collected = collect(plan, {"phantom": sixth_images}, 1.0, tmp_path)
    assert "phantom stand in for isic9." in collected.remarks
    assert not any("name neither" in each for each in collected.remarks)


def test_a_source_that_names_no_lesions_is_told(
    sixth_images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = SOURCES["phantom"]

    def nameless(folder: Path, options: ReadOptions) -> SourceTable:
        table = source.reader(folder, options)
        names = dict.fromkeys(("lesion_id", "patient_id"), [""] * len(table.frame))
        return replace(table, columns=dict(table.columns) | names)

    monkeypatch.setitem(SOURCES, "phantom", replace(source, reader=nameless))
    plan = DataPlan(sources=("phantom",), malignant=("star",), size=32)
    collected = collect(plan, {"phantom": sixth_images}, 1.0, tmp_path)
    n = collected.images
    assert f"{n} of {n} images of phantom name neither lesion" in " ".join(collected.remarks)


def test_fewer_images_than_the_paper_had_keep_its_proportions(
    sixth_images: Path, tmp_path: Path
) -> None:
    plan = DataPlan(
        sources=("phantom",),
        malignant=("star",),
        per_class={"star": 2000, "disc": 1000},
        size=32,
    )
    collected = collect(plan, {"phantom": sixth_images}, 1.0, tmp_path)
    counts = pd.read_csv(collected.path)["label"].value_counts()
    assert counts["star"] == pytest.approx(2 * counts["disc"], abs=2)
    assert "in the same proportions" in " ".join(collected.remarks)


def test_what_was_given_and_cannot_be_used_is_refused_before_anything_is_made(
    sixth_file: Path, sixth_images: Path, tmp_path: Path
) -> None:
    request = Request(
        given={"phantom": sixth_images / "absent", "isic2020": sixth_images},
        weights={"MobileNet": "none", "tiny_network:build": "absent.h5"},
        seeds=0,
    )
    with pytest.raises(InputError) as caught:
        reproduce(str(sixth_file), request, tmp_path / "out")
    for told in (
        "absent, does not exist",
        "'isic2020' is no source of its images; they are of phantom",
        "'MobileNet' is no network of it; it has tiny_network:build",
        "absent.h5, do not exist",
        "0 seeds",
    ):
        assert told in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_another_source_is_refused_before_anything_is_made(
    sixth_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "ISIC_0000000.jpg").write_bytes(b"")
    asked = ("--data", f"phantom={tmp_path / 'given'}", "--out", tmp_path / "out")
    _, told = lentigo("reproduce", sixth_file, *asked, code=2)
    assert "the folder of phantom cannot be read" in told
    assert not (tmp_path / "out").exists()


def test_a_failure_with_a_list_is_one_line_of_the_tables(sixth_file: Path) -> None:
    paper, failure = read_paper(str(sixth_file)), "two are absent:\n  a.jpg\n  b.jpg"
    outcomes = [Outcome("grey", "leak-free", failure=failure)]
    (row, *_) = csv.DictReader(pages.csv_text(paper, 1.0, PROTOCOLS, outcomes).splitlines())
    assert row["status"] == "failed: two are absent: a.jpg ..."
    told = dict(pages.notes(paper, outcomes, []))["What failed"]
    assert told == ["grey, leak-free: two are absent: a.jpg ..."]
    with_advice = str(LentigoError(failure, todo="Look for them\n  elsewhere."))
    outcomes = [Outcome("grey", "leak-free", failure=with_advice)]
    told = dict(pages.notes(paper, outcomes, []))["What failed"]
    assert told == ["grey, leak-free: two are absent: a.jpg ... -> Look for them elsewhere."]


def test_a_figure_without_an_interval_says_why_beneath_the_tables(sixth_file: Path) -> None:
    paper = read_paper(str(sixth_file))
    place = next(
        each for table in paper.tables for line in table.lines for each in line if each.key
    )
    still = summarise(0.0, np.zeros(20), 30, bounded=True)
    figures = {place.key: still, "epochs": Estimate(4.0, None, None, 0, NO_INTERVAL)}
    outcomes = [Outcome(place.of[0], "as-published", figures=figures)]
    told = dict(pages.notes(paper, outcomes, []))["Why there is no interval"]
    where = f"{place.row}, {place.column}, as-published"
    assert len(told) == 1
    assert told[0].startswith(
        f"no draw moves it, so resampling cannot tell how sure it is: {where}"
    )
    fact = Estimate(4.0, None, None, 0, NO_INTERVAL)
    outcomes = [Outcome(place.of[0], p, figures={place.key: fact}) for p in PROTOCOLS]
    told = dict(pages.notes(paper, outcomes, []))["Why there is no interval"]
    assert len(told) == 1
    assert told[0].startswith(f"{NO_INTERVAL}: {paper.tables[0].title}, {place.column}")
    known = Outcome(place.of[0], "as-published", figures={place.key: Estimate(0.5, 0.4, 0.6, 9)})
    assert "Why there is no interval" not in dict(pages.notes(paper, [known], []))


def test_what_an_interval_rests_on_is_told_beneath_the_tables(sixth_file: Path) -> None:
    paper = read_paper(str(sixth_file))
    table = paper.tables[0].model_copy(
        update={"columns": (Column(title="Seconds an epoch", key="seconds_per_epoch"),)}
    )
    rows = {name: ClaimRow(claimed=("",)) for name in table.rows}
    paper = paper.model_copy(update={"tables": (table.model_copy(update={"rows": rows}),)})
    name = next(iter(rows))
    timed = Estimate(3.0, 2.0, 4.0, 19, "over 19 epochs of 1 training; the first compiles")
    outcomes = [Outcome(name, "leak-free", figures={"seconds_per_epoch": timed})]
    told = dict(pages.notes(paper, outcomes, []))["What to know of intervals"]
    assert told == [f"{timed.reason}: {name}, Seconds an epoch, leak-free."]


def test_a_missing_source_is_asked_for_with_what_may_stand_in_for_it(tmp_path: Path) -> None:
    plan = DataPlan(
        sources=("isic9",), stand_ins={"isic9": ("isic2017", "phantom")}, malignant=("star",)
    )
    with pytest.raises(InputError) as caught:
        collect(plan, {}, 1.0, tmp_path)
    for name in ("isic9", "isic2017", "phantom"):
        assert f"--data {name}=FOLDER" in str(caught.value)
    assert "in its place" in str(caught.value)
