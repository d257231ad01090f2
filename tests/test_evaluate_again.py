"""What an evaluation says of how it came about: the question, the commands, the earlier runs."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import typer

from fake_evaluation import FakeInfo, FakePredictor, FakePrepared, FakeSpec, measured
from lentigo.cli.app import app
from lentigo.deploy.evaluating import evaluate as evaluate_files
from lentigo.errors import InputError

EARLIER = {
    "name": "first-run",
    "recipe": "frames",
    "source": "ham10000",
    "prepared_digest": "f" * 64,
    "training_images": 7575,
    "validation_images": 821,
    "seed": 0,
    "fold": 0,
    "leaky": False,
    "size": 160,
}


class FullInfo(FakeInfo):
    source: str = "ham10000"
    test_share: float = 0.2
    splits_of: str = "other"


@pytest.fixture
def prepared(tmp_path: Path) -> FakePrepared:
    return FakePrepared(tmp_path / "set")


def commands(text: str) -> list[list[str]]:
    """The commands of a report or a card, split as a shell does."""
    found = re.findall(
        r'<li class="code">(lentigo [^<]*)</li>|^\$ (lentigo .*)$', text, re.MULTILINE
    )
    return [shlex.split(one or other) for one, other in found]


def test_the_report_begins_with_the_question_and_ends_with_how_to_ask_it_again(
    prepared, tmp_path
) -> None:
    text = measured(prepared, tmp_path / "out").report.read_text()
    titles = re.findall(r"<h2>(.*?)</h2>", text)
    assert titles[0] == "What was asked, and of which images"
    assert titles[-1] == "Again"
    assert text.index(titles[0]) < text.index('aria-label="Headline"') < text.index(titles[1])


def test_the_commands_name_everything_that_was_asked_for(prepared, tmp_path) -> None:
    labels = tmp_path / "labels.toml"
    labels.write_text("".join(f'{code} = "{code}"\n' for code in prepared.taxonomy.codes))
    told = {"kind": "run", "recipe": "own", "seed": 3, "fold": 1, "prepared_digest": "d" * 64}
    done = measured(
        prepared,
        tmp_path / "out",
        FakePredictor(description={**told, "began_from": EARLIER}),
        labels_map=labels,
        prevalence=0.0176,
    )
    for text in (done.report.read_text(), (done.path / "MODEL_CARD.md").read_text()):
        first, second, asked, again = commands(text)
        assert first == [
            "lentigo",
            "train",
            "FIRST/recipe.toml",
            "--data",
            "ITS_SET",
            "--seed",
            "0",
            "--fold",
            "0",
        ]
        assert second[2:5] == ["RUN/recipe.toml", "--data", "PREPARED"]
        assert second[-2:] == ["--set", "network.weights=FIRST"]
        assert asked[asked.index("--labels") + 1] == "labels.toml"
        assert asked[asked.index("--prevalence") + 1] == "0.0176"
        assert again == ["lentigo", "report", "RUN", "--split", "test-labels"]


def test_a_bundle_with_the_history_of_its_run_is_made_and_measured_again(
    prepared, tmp_path
) -> None:
    told = {"kind": "run", "recipe": "own", "seed": 3, "fold": 1, "exported": "float16"}
    done = measured(prepared, tmp_path / "out", FakePredictor(description=told))
    _, exported, asked, again = commands(done.report.read_text())[-4:]
    assert exported == ["lentigo", "export", "RUN", "--quant", "float16", "--out", "BUNDLE"]
    assert asked[:3] == ["lentigo", "evaluate", "BUNDLE"]
    assert again == ["lentigo", "report", "BUNDLE"]


def test_every_option_of_the_commands_exists(prepared, tmp_path) -> None:
    prepared.info = FullInfo(protocol="leak-free", leaky=False, digest=prepared.digest)
    prepared.audit = {**prepared.audit, "missing": ["a"]}
    told = {"kind": "run", "recipe": "x", "seed": 0}
    prepared.spec = FakeSpec(first_size=48)
    predictor = FakePredictor(spec=prepared.spec, description=told)
    done = measured(prepared, tmp_path / "out", predictor, prevalence=0.1)
    assert "32 x 32 pixels by way of 48" in (done.path / "DATA_CARD.md").read_text()
    found = commands(done.report.read_text())
    assert [each[1] for each in found] == ["prepare", "train", "evaluate", "report"]
    assert found[0][2] == "ham10000"
    assert "--skip-missing" in found[0]
    assert found[0][found[0].index("--first-size") + 1] == "48"
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for command in found:
        options = {option for each in known[command[1]].params for option in each.opts}
        assert {word for word in command if word.startswith("--")} <= options


def test_the_card_tells_of_the_run_it_began_from_once_and_by_one_name(prepared, tmp_path) -> None:
    began = {**EARLIER, "packaged_as": "lentigo-frames", "training_groups": 5643}
    told = {"kind": "run", "recipe": "mine", "packaged_as": "lentigo-small", "seed": 0, "fold": 0}
    predictor = FakePredictor(description={**told, "began_from": began})
    card = (measured(prepared, tmp_path / "out", predictor).path / "MODEL_CARD.md").read_text()
    (row,) = [line for line in card.splitlines() if "began from" in line]
    assert "`lentigo-frames`, trained on ham10000: 7,575 images of 5,643 groups" in row
    assert "held out" in row
    assert "`mine`, packaged as `lentigo-small`" in card
    assert "$ lentigo train lentigo-frames --data ITS_SET" in card
    assert "$ lentigo train lentigo-small --data PREPARED --seed 0 --fold 0 --set" in card


def test_teachers_are_no_part_of_a_packaged_recipe(prepared, tmp_path) -> None:
    told = {"kind": "run", "recipe": "mine", "packaged_as": "lentigo-small", "seed": 0}
    predictor = FakePredictor(description={**told, "taught_by": [EARLIER]})
    report = measured(prepared, tmp_path / "out", predictor).report.read_text()
    assert "lentigo train RUN/recipe.toml" in report


@pytest.mark.parametrize(("keep", "what"), [("best", "the epoch, the"), ("last", "the")])
def test_the_card_says_what_the_validation_images_chose(prepared, tmp_path, keep, what) -> None:
    told = {"kind": "run", "training_images": 9, "validation_images": 4, "keep": keep}
    predictor = FakePredictor(description=told)
    card = (measured(prepared, tmp_path / "out", predictor).path / "MODEL_CARD.md").read_text()
    assert f"9 images; 4 others chose {what} temperature and the thresholds |" in card


def test_the_card_and_the_report_name_the_earlier_runs_data(prepared, tmp_path) -> None:
    taught = {**EARLIER, "recipe": "large", "training_images": 4307}
    for described, wanted in (
        ({"began_from": EARLIER, "taught_by": [taught]}, ("7,575 images", "4,307 images")),
        ({"began_from": {"name": "first-run"}}, ("first-run, which is no longer where it was",)),
    ):
        done = measured(prepared, tmp_path / "out", FakePredictor(description=described))
        card = (done.path / "MODEL_CARD.md").read_text()
        assert all(each in card for each in wanted)
        assert "Backbone began from" in done.report.read_text()


def test_images_from_elsewhere_are_not_said_to_be_split(prepared, tmp_path) -> None:
    elsewhere = FakePredictor(description={"prepared_digest": "other"})
    text = measured(prepared, tmp_path / "out", elsewhere, split="all").report.read_text()
    assert "Images from elsewhere." in text
    assert "both sides" not in text
    mine = FakePredictor(description={"prepared_digest": prepared.digest, "fold": 0})
    leaky = measured(prepared, tmp_path / "own", mine, split="all").report.read_text()
    assert "LEAKY" in leaky
    assert "leak-free" not in leaky.split("</h1>")[1].split("<h2>")[0]


def test_the_report_is_asked_for_where_evaluate_puts_it(prepared, tmp_path) -> None:
    other = FakePredictor(description={"kind": "run", "recipe": "x", "prepared_digest": "e" * 64})
    (*_, again) = commands(
        measured(prepared, tmp_path / "a", other, split="all").report.read_text()
    )
    assert again == f"lentigo report RUN --split all-{'d' * 10}".split()
    mine = FakePredictor(description={"kind": "run", "prepared_digest": prepared.digest})
    (*_, again) = commands(measured(prepared, tmp_path / "b", mine).report.read_text())
    assert again == ["lentigo", "report", "RUN"]


def test_a_bad_prevalence_is_refused_before_anything_is_opened(tmp_path) -> None:
    with pytest.raises(InputError, match="not between 0 and 1"):
        evaluate_files(tmp_path / "no-run", tmp_path / "no-set", prevalence=0.0)


def test_restated_predictive_values_are_handed_on(prepared, tmp_path) -> None:
    done = measured(prepared, tmp_path / "out", prevalence=0.0176)
    ((point, positive, _),) = done.restated
    written = json.loads((done.path / "evaluation.json").read_text())["prevalence"]
    assert written["operating_points"][0]["name"] == point.name
    assert written["operating_points"][0]["precision"]["value"] == positive.value


def test_pictures_that_stand_twice_are_shown_those_that_contradict_themselves_first(
    prepared, tmp_path
) -> None:
    near = [["img_0002", "img_0003"], ["img_0000", "img_0001"], ["img_0004", "gone"]]
    different = [["img_0000", "img_0001"]]
    prepared.audit = {"duplicates": {"near": near, "of_different_labels": different}}
    text = measured(prepared, tmp_path / "out").report.read_text()
    part = text.split("What is wrong with the images?")[1]
    assert part.count('<li class="wrong">') == 1
    assert part.index("img_0000") < part.index("img_0002")
    assert "img_0004" not in part
    assert "different labels" in part
    assert "They contradict each other" in part
