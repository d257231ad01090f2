"""A paper that nobody has seen is one TOML, and its tables come out finished."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest

from lentigo.errors import InputError
from lentigo.papers import pages
from lentigo.papers.figures import FIGURES
from lentigo.papers.measured import Outcome
from lentigo.papers.paper import read_paper
from lentigo.papers.reproduce import Reproduction, Request, reproduce
from lentigo.papers.schema import PROTOCOLS, FigureName
from lentigo.score.estimate import Estimate
from lentigo.train import open_run
from small import lentigo

LOGGED = {"Training accuracy": "accuracy", "Validation accuracy": "val_accuracy"}


@pytest.fixture(scope="module")
def done(
    sixth_images: Path, sixth_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Reproduction:
    request = Request(given={"phantom": sixth_images}, scale=0.5, seeds=2)
    return reproduce(str(sixth_file), request, tmp_path_factory.mktemp("out"))


def rows(done: Reproduction) -> list[dict[str, str]]:
    with done.csv.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_an_unseen_paper_gets_its_finished_table(done: Reproduction) -> None:
    table = {
        (r["variant"], r["column"], r["protocol"]): (r["claimed"], r["stamp"], r["status"][:6])
        for r in rows(done)
        if r["table"] == "Table 7"
    }
    columns = ("Accuracy", "AUC", "Parameters", "Kappa")
    claims = {
        "small-batch": ("98%", "1.0", "1,000", "0.9"),
        "impossible": ("99%", "", "", ""),
        "grey": ("97.5%", "0.99", "", ""),
        "each-fold": ("96%", "", "", ""),
    }
    assert table == {
        (variant, column, protocol): (
            claim,
            "LEAKY" if protocol == "as-published" and variant != "impossible" else "",
            "failed" if variant == "impossible" else "done",
        )
        for variant, figures in claims.items()
        for column, claim in zip(columns, figures, strict=True)
        for protocol in ("as-published", "leak-free")
    }


def test_its_figures_are_the_means_of_the_evaluations(done: Reproduction) -> None:
    by_place = {(o.variant, o.protocol): o for o in done.outcomes}
    for row in rows(done):
        outcome = by_place[row["variant"], row["protocol"]]
        if row["key"] not in {"accuracy", "roc_auc.malignant"} or outcome.failure:
            continue
        single = [
            json.loads((report.parent / "metrics.json").read_text())[row["key"]]["value"]
            for report in outcome.reports
        ]
        assert len(single) == (4 if row["variant"] == "each-fold" else 2)
        assert float(row["value"]) == pytest.approx(sum(single) / len(single))
        assert float(row["low"]) <= float(row["value"]) <= float(row["high"])


@pytest.mark.parametrize("figure_name", ["val_accuracy", "val_loss"])
def test_validation_figures_have_intervals_over_groups(
    figure_name: str, done: Reproduction
) -> None:
    for outcome in (o for o in done.outcomes if o.figures):
        runs = [open_run(report.parents[2]) for report in outcome.reports]
        best = [float(run.history()[run.info.best_epoch - 1][figure_name]) for run in runs]
        figure = outcome.figures[f"history.{figure_name}"]
        assert figure.value == pytest.approx(sum(best) / len(best), abs=1e-4)
        assert figure.low <= figure.value <= figure.high
        assert figure.low < figure.high
        assert figure.n_groups > 1


def test_every_fold_validates_once_a_seed_and_all_images_count(done: Reproduction) -> None:
    for outcome in (o for o in done.outcomes if o.variant == "each-fold"):
        runs = [report.parents[2].name for report in outcome.reports]
        assert len(set(runs)) == len(runs) == 2 * 2  # folds and seeds
        validated = [pd.read_csv(r.parent / "predictions.csv")["image_id"] for r in outcome.reports]
        times = pd.concat(validated).value_counts()
        assert set(times) == {2}
        assert outcome.images == len(times)
        manifest = open_run(outcome.reports[0].parents[2]).info.prepared_path
        frame = pd.read_csv(Path(manifest) / "manifest.csv")
        assert set(times.index) == set(frame.loc[frame["split"] == "train", "image_id"])
        assert f"{outcome.images} images of" in done.markdown.read_text()
        assert "4 trainings, 2 for each of 2 folds." in done.markdown.read_text()


def test_false_positive_rates_are_the_rest_of_specificity(done: Reproduction) -> None:
    figures = next(o.figures for o in done.outcomes if o.figures is not None)
    rate = figures["false_positive_rate.malignant.argmax"]
    specificity = figures["specificity.malignant.argmax"]
    assert rate.value == pytest.approx(1 - specificity.value)
    assert (rate.low, rate.high) == pytest.approx((1 - specificity.high, 1 - specificity.low))


def test_a_failing_variant_is_told_in_its_row_and_the_others_go_on(done: Reproduction) -> None:
    failed = [each for each in done.outcomes if each.failure]
    assert {each.variant for each in failed} == {"impossible"}
    assert all("no_such_module" in each.failure for each in failed)
    text = done.markdown.read_text()
    line = next(each for each in text.splitlines() if each.startswith("| impossible"))
    assert line.count("failed") == 8
    assert "no_such_module" in text


def test_the_pages_carry_every_stamp_and_all_that_the_paper_says(done: Reproduction) -> None:
    for path in (done.page, done.markdown):
        text = path.read_text()
        assert "SCALE 0.5" in text
        assert "LEAKY" in text
        assert "not a medical device" in text
        for sentence in ("Its two tables disagree.", "The rate is ours.", "third table"):
            assert sentence in text
    page = done.page.read_text()
    # Variants by measured columns; rows by class and an average; two of two; two of two.
    assert page.count('class="stamped"') == 3 * 3 + 3 + (2 * 2 + 1) + 2 * 2 + 2 * 2
    for report in (r for o in done.outcomes for r in o.reports):
        assert report.relative_to(done.page.parent).as_posix() in page
        for told in (
            report,
            report.with_name("MODEL_CARD.md"),
            report.with_name("evaluation.json"),
        ):
            assert "SCALE 0.5: a look" in told.read_text()
    assert {row["scale"] for row in rows(done)} == {"0.5"}


def test_the_papers_figures_are_drawn_with_a_table_behind_each(done: Reproduction) -> None:
    page = done.page.read_text()
    assert set(get_args(FigureName)) == set(FIGURES)
    for heading, _ in FIGURES.values():
        assert page.count(f"<h2>{heading}</h2>") == 1
    # Self-contained, and told to those who cannot see.
    assert not re.findall(r'(?:src|href)="(?!data:|runs/)', page)
    assert page.count("<img") == page.count('alt="') >= 4 * 16 + 8
    assert page.count("<svg") == page.count('role="img" aria-label="')
    assert page.count("<details>") == page.count("<svg") + 5  # grids and examples, colour and grey
    # As many curves as models, in one plot a protocol.
    models = sum(o.protocol == "leak-free" and not o.failure for o in done.outcomes)
    plot = page.split("<h2>ROC curves of all models</h2>")[1].split("</svg>")[0]
    assert plot.count('class="line s') == models == 3
    assert "Epoch [1/2], Train Loss: " in page
    assert re.search(r"Train Accuracy: \d+\.\d\d%, Val Loss: \d", page)
    seconds = page.split("<h2>Seconds an epoch</h2>")[1].split("</table>")[0]
    assert re.findall(r'<th scope="row">(\w+)</th>', seconds) == ["1", "2", "3", "all"]
    diagnoses = page.split("<h2>Diagnoses</h2>")[1].split("</table>")[0]
    named = re.findall(r'<th scope="row">([^<]+)</th>', diagnoses)
    assert named == ["bicolour", "disc", "globules", "pale", "star"]


def test_what_the_paper_prints_of_each_epoch_stands_beside_ours(done: Reproduction) -> None:
    page = done.page.read_text()
    log = page.split("<h2>Epoch by epoch</h2>")[1].split("</section>")[0]
    first, *others = log.split("<figure")[1:]
    assert "Tiny, batch 8, claimed." in first
    assert "Epoch [2/3], Train Loss: 1.2000, Train Accuracy: 60.50%, Val Loss: 1.4000" in first
    assert not any("claimed" in each for each in others)
    seconds = page.split("<h2>Seconds an epoch</h2>")[1].split("</section>")[0]
    assert seconds.count('<th scope="col">Tiny, batch 8, claimed</th>') == 2  # both protocols
    assert seconds.count("<td>33.5</td>") == 2
    curves = page.split("<h2>Curves</h2>")[1].split("</section>")[0]
    assert curves.count("Curves of Tiny, batch 8, claimed") == 1
    assert "LEAKY" not in curves.split("<figure")[1]


def test_what_is_printed_of_each_epoch_has_its_tables_beside_the_papers_others(
    done: Reproduction,
) -> None:
    found = {(r["protocol"], r["column"], r["row"]): r for r in rows(done) if "by_ep" in r["key"]}
    assert len(found) == 2 * 5 * 3
    for outcome in (o for o in done.outcomes if o.variant == "small-batch"):
        runs = [open_run(report.parents[2]) for report in outcome.reports]
        for epoch in (1, 2):
            row = found[outcome.protocol, "Validation loss", str(epoch)]
            each = [run.history()[epoch - 1]["val_loss"] for run in runs]
            assert float(row["value"]) == pytest.approx(sum(each) / 2)
            assert float(row["low"]) <= min(each) <= max(each) <= float(row["high"])
            for column in LOGGED:
                row = found[outcome.protocol, column, str(epoch)]
                logged = [run.history()[epoch - 1][LOGGED[column]] for run in runs]
                if len(set(logged)) == 1:
                    assert row["low"] == row["high"] == ""
                    assert row["remark"].endswith("no interval: all trainings gave the same.")
                else:
                    assert 0 <= float(row["low"]) < float(row["value"]) < float(row["high"]) <= 1
            seconds = [run.info.epoch_seconds[epoch - 1] for run in runs]
            row = found[outcome.protocol, "Tiny, batch 8", str(epoch)]
            assert float(row["value"]) == pytest.approx(sum(seconds) / 2)
        row = found[outcome.protocol, "Training accuracy", "3"]  # half as many epochs were run
        assert (row["claimed"], row["value"]) == ("61%", "")
    text = done.markdown.read_text()
    log = text.split("## Epoch by epoch, Tiny, batch 8\n")[1].split("\n## ")[0].splitlines()
    assert "Validation accuracy, as published (LEAKY) | Validation accuracy, leak-free |" in log[1]
    assert [line[:11] for line in log[3:5]] == ["| 1 | 1.5 |", "| 2 | 1.2 |"]
    assert log[5].startswith("| 3 | 1.1 | not reached | not reached | 61% | not reached")
    assert "## Seconds an epoch (of ours, the first compiles)\n" in text
    assert "not reached" not in done.page.read_text()


def test_the_confusion_matrix_of_the_page_is_that_of_the_evaluation(done: Reproduction) -> None:
    outcome = next(o for o in done.outcomes if o.variant == "small-batch")
    frame = pd.read_csv(outcome.reports[0].parent / "confusion.csv", index_col=0)
    section = done.page.read_text().split("<h2>Confusion matrices</h2>")[1]
    first = section.split("</tbody>")[0].split("<tbody>")[1]
    cells = re.findall(r"<td>(\d+) \((\d+\.\d)%\)</td>", first)
    counts = frame.loc[:, ["benign", "malignant"]].to_numpy()
    assert [int(n) for n, _ in cells] == counts.ravel().tolist()
    shares = 100 * counts / counts.sum(axis=1, keepdims=True)
    assert [float(s) for _, s in cells] == pytest.approx(shares.ravel().tolist(), abs=0.051)


def test_the_confusion_matrix_of_folds_holds_every_image_once(done: Reproduction) -> None:
    section = done.page.read_text().split("<h2>Confusion matrices</h2>")[1].split("</section>")[0]
    for outcome in (o for o in done.outcomes if o.variant == "each-fold"):
        where = "as published" if outcome.leaky else "leak-free"
        told = f"each-fold, {where}, the answers of 2 folds together"
        figure = next(each for each in section.split("<figure")[1:] if told in each)
        counts = re.findall(r"<td>(\d+) ?", figure)
        assert sum(map(int, counts)) == outcome.images


def test_the_papers_tables_of_data_count_the_images_of_each_side(done: Reproduction) -> None:
    counted = {(r["protocol"], r["key"]): r for r in rows(done) if r["table"] == "Table 8"}
    for outcome in (o for o in done.outcomes if o.variant == "grey"):
        data = open_run(outcome.reports[0].parents[2]).info.prepared_path
        frame = pd.read_csv(Path(data) / "manifest.csv", keep_default_na=False)
        malignant = frame[frame["label"] == "malignant"]
        learning = malignant["split"] == "train"
        held_out = learning & (malignant["fold"].astype(str) == "0")
        measured = held_out if outcome.protocol == "as-published" else malignant["split"] == "test"
        found = {
            key: float(counted[outcome.protocol, f"images.{key}.malignant"]["value"])
            for key in ("train", "measured")
        }
        assert found == {"train": (learning & ~held_out).sum(), "measured": measured.sum()}


def test_rows_by_class_hold_the_figures_of_their_variant_with_intervals(
    done: Reproduction,
) -> None:
    found = {(r["protocol"], r["row"], r["column"]): r for r in rows(done)}
    for outcome in (o for o in done.outcomes if o.variant == "grey"):
        for name, column, key in (
            ("benign", "Recall", "sensitivity.benign.argmax"),
            ("malignant", "Recall", "sensitivity.malignant.argmax"),
            ("average", "Recall", "sensitivity"),
            ("malignant", "Support", "images.measured.malignant"),
        ):
            row, figure = found[outcome.protocol, name, column], outcome.figures[key]
            assert (row["table"], row["variant"], row["key"]) == ("Table 9", "grey", key)
            assert float(row["value"]) == figure.value
            assert row["low"] == ("" if figure.low is None else repr(float(figure.low)))
        support = [found[outcome.protocol, code, "Support"] for code in ("benign", "malignant")]
        assert sum(float(row["value"]) for row in support) == outcome.images
        # What the paper left blank stays blank.
        blank = found[outcome.protocol, "average", "Support"]
        assert (blank["claimed"], blank["key"], blank["value"]) == ("", "", "")


def test_rows_by_figure_have_a_variant_a_column(done: Reproduction) -> None:
    for protocol in PROTOCOLS:
        named = {(o.variant, o.protocol): o.figures for o in done.outcomes}
        for row in (r for r in rows(done) if r["table"] == "Table 10"):
            variant = {"small": "small-batch", "folds": "each-fold"}[row["column"]]
            assert row["variant"] == variant
            figure = named[variant, row["protocol"]][{"F1": "f1"}.get(row["row"], "seconds")]
            assert float(row["value"]) == figure.value
        assert protocol in {r["protocol"] for r in rows(done) if r["table"] == "Table 10"}


def test_tables_with_rows_by_class_stand_on_the_page_and_in_markdown(done: Reproduction) -> None:
    text, page = done.markdown.read_text(), done.page.read_text()
    for title in ("Table 9 (grey)", "Table 10", "Table 11 (Tiny, batch 8)"):
        assert f"## {title}\n" in text
        assert f"<h2>{title}</h2>" in page
    report = text.split("## Table 9 (grey)")[1].split("## ")[0].splitlines()
    heads, _, *lines = [each for each in report if each.startswith("|")]
    assert "| Recall, claimed | Recall, as published (LEAKY) | Recall, leak-free |" in heads
    assert [each.split(" | ")[0] for each in lines] == ["| benign", "| malignant", "| average"]
    assert re.match(r"\| benign \| 0\.97 \| \d\.\d\d \[\d\.\d\d, \d\.\d\d\] \|", lines[0])
    assert lines[2].endswith("|  |  |  |")
    section = page.split("<h2>Table 9 (grey)</h2>")[1].split("</table>")[0]
    assert re.findall(r'<th scope="row">(\w+)</th>', section) == ["benign", "malignant", "average"]


def test_a_table_of_several_is_of_the_first_that_was_run(sixth_file: Path) -> None:
    paper = read_paper(str(sixth_file))
    counts = {
        f"images.all.{code}": Estimate(9.0, None, None, 0) for code in ("benign", "malignant")
    }
    outcomes = [Outcome("grey", "leak-free", figures=counts)]
    tables = {each.title: each for each in paper.tables}
    shown = pages.filled(paper, tables["Table 11"], ("leak-free",), outcomes)
    assert shown.title == "Table 11 (grey)"
    assert [cells[0].value for _, cells in shown.rows[1].cells] == ["9", "9"]
    # A column whose variant was not asked for is left out, and so is a table without any.
    assert pages.filled(paper, tables["Table 10"], ("leak-free",), outcomes).rows == ()
    folds = [Outcome("each-fold", "leak-free", figures={})]
    assert pages.filled(paper, tables["Table 10"], ("leak-free",), folds).columns == ("folds",)


def test_inference_is_timed_over_all_measured_images_once(done: Reproduction) -> None:
    for outcome in (o for o in done.outcomes if o.variant == "grey"):
        kept = json.loads((outcome.reports[0].parents[2] / "export/inference.json").read_text())
        assert kept["images"] == outcome.images
        assert outcome.figures["inference_s"].value == kept["seconds"] > 0
    others = (o.figures for o in done.outcomes if o.figures and o.variant != "grey")
    assert not any("inference_s" in figures for figures in others)


def test_a_damaged_model_costs_its_figure_and_not_the_page(
    done: Reproduction, sixth_images: Path, sixth_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(done.page.parent, out)
    for model in out.glob("runs/*/model.keras"):
        model.write_bytes(b"")
    request = Request(given={"phantom": sixth_images}, scale=0.5, seeds=2)
    again = reproduce(str(sixth_file), request, out)
    page = again.page.read_text()
    assert "Not drawn: " in page
    assert "model.keras is damaged" in page
    assert again.csv.read_text() == done.csv.read_text()


def test_leak_free_alone_is_not_stamped(
    done: Reproduction, sixth_file: Path, sixth_images: Path
) -> None:
    request = Request(
        given={"phantom": sixth_images}, protocols=("leak-free",), variants=("grey",), scale=0.5
    )
    alone = reproduce(str(sixth_file), request, done.page.parent)
    assert "LEAKY" not in alone.markdown.read_text()


def test_what_an_earlier_call_finished_stands_beside_what_is_asked(
    done: Reproduction, sixth_file: Path, sixth_images: Path
) -> None:
    steps: list[object] = []
    request = Request(given={"phantom": sixth_images}, variants=("grey",), scale=0.5, seeds=2)
    again = reproduce(str(sixth_file), request, done.page.parent, report=steps.append)
    assert not steps
    finished = {(o.variant, o.protocol) for o in done.outcomes if not o.failure}
    assert {(o.variant, o.protocol) for o in again.outcomes} == finished
    other = Request(given={"phantom": sixth_images}, variants=("grey",), scale=0.5)
    alone = reproduce(str(sixth_file), other, done.page.parent, report=steps.append)
    assert {o.variant for o in alone.outcomes if not o.derived} >= {"grey"}
    assert all(o.seeds == 1 for o in alone.outcomes if not o.derived)


def test_a_source_that_is_not_given_is_refused_before_anything_is_made(
    sixth_file: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="phantom, which is not given"):
        reproduce(str(sixth_file), Request(given={}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_second_call_trains_and_looks_no_more(
    done: Reproduction, sixth_file: Path, sixth_images: Path
) -> None:
    out = done.page.parent
    kept = [
        (r.parent / "metrics.json").stat().st_mtime_ns for o in done.outcomes for r in o.reports
    ]
    looks = [path.read_bytes() for path in sorted(out.rglob("test_access.jsonl"))]
    steps: list[object] = []
    request = Request(given={"phantom": sixth_images}, scale=0.5, seeds=2)
    again = reproduce(str(sixth_file), request, out, report=steps.append)
    assert not steps
    assert kept == [
        (r.parent / "metrics.json").stat().st_mtime_ns for o in again.outcomes for r in o.reports
    ]
    assert looks == [path.read_bytes() for path in sorted(out.rglob("test_access.jsonl"))]


def test_no_group_crosses_the_leak_free_split(done: Reproduction) -> None:
    for path in done.page.parent.glob("prepared/leak-free-*/manifest.csv"):
        frame = pd.read_csv(path, keep_default_na=False)
        assert (frame.groupby("patient_id")["split"].nunique() == 1).all()
        assert set(frame["label"]) == {"benign", "malignant"}


def test_the_command_reproduces_and_refuses(
    done: Reproduction, sixth_file: Path, sixth_images: Path
) -> None:
    data = ("--data", f"phantom={sixth_images}")
    _, refused = lentigo("reproduce", sixth_file, *data, "--variants", "none,grey", code=2)
    assert "'none' is no variant" in refused
    for nothing in (",", ""):
        _, refused = lentigo("reproduce", sixth_file, *data, "--variants", nothing, code=2)
        assert "names none" in refused


def test_a_variant_that_failed_is_told_by_the_exit_code(
    done: Reproduction, sixth_file: Path, sixth_images: Path
) -> None:
    out = done.page.parent
    (out / "sixth2031").symlink_to(out)
    asked = ("--data", f"phantom={sixth_images}", "--scale", "0.5", "--out", out, "--json")
    told, beside = lentigo("reproduce", sixth_file, *asked, "--variants", "impossible", code=1)
    assert "lentigo: impossible, leak-free failed: " in beside
    assert "  -> " in beside  # what can be done about it
    assert {each["variant"] for each in json.loads(told)["failed"]} == {"impossible"}
