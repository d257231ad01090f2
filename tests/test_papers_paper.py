"""Papers are read whole, or refused with all that is wrong with them."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import pytest

from lentigo.errors import InputError
from lentigo.image import HairRemoval, remove_hair, to_greyscale
from lentigo.papers.paper import experiment, packaged_papers, read_paper
from lentigo.papers.schema import DataPlan, with_changes
from sixth_paper import SIXTH


def test_a_bad_paper_is_told_all_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(
        SIXTH.replace("test_share = 0.25", "test_share = 2").replace('"98%"', '"many"'),
        encoding="utf-8",
    )
    with pytest.raises(InputError) as caught:
        read_paper(str(path))
    assert "test_share" in str(caught.value)
    assert "'many'" in str(caught.value)
    path.write_text(SIXTH.replace("stages.0.batch_size", "stages.9.batch_size"), encoding="utf-8")
    with pytest.raises(InputError, match=r"stages\.9\.batch_size"):
        read_paper(str(path))


def line_of(text: str, start: str) -> int:
    return 1 + next(i for i, each in enumerate(text.splitlines()) if each.startswith(start))


def test_recipe_data_tables_and_variants_are_told_together_each_with_its_line(
    tmp_path: Path,
) -> None:
    text = SIXTH
    for right, wrong in (
        ("epochs = 4", "epochs = -4"),
        ("flip_horizontal", "flip_horizontl"),
        ("size = 32", "size = 3"),
        ('"data.greyscale" = true', '"data.grayscale" = true'),
        ('key = "accuracy"', 'key = "acuracy"'),
        ('"98%"', '"many"'),
    ):
        assert text.count(right) == 1
        text = text.replace(right, wrong)
    path = tmp_path / "bad.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_paper(str(path))
    said = str(caught.value).splitlines()[1:]
    epochs, flip, grey = (
        line_of(text, start) for start in ("epochs", "flip_hor", 'set = { "data.gray')
    )
    assert f"(line {epochs})" in next(each for each in said if "recipe.stages.0.epochs" in each)
    assert f"(line {flip})" in next(each for each in said if "flip_horizontl" in each)
    only = next(each for each in said if "data.grayscale" in each)
    assert only.strip() == f"variant 'grey': data.grayscale: there is no such key (line {grey})"
    assert any("data.size" in each for each in said)
    assert any("'many'" in each for each in said)
    # What all variants meet is the paper's, and told once.
    assert sum("epochs" in each for each in said) == 1


def test_what_every_variant_replaces_need_not_be_right_in_the_paper(tmp_path: Path) -> None:
    path = tmp_path / "bare.toml"
    text = SIXTH.partition("[[variants]]")[0].replace('name = "tiny_network:build"', 'name = "x"')
    text += '[[variants]]\nname = "one"\nset = { "recipe.network.name" = "MobileNet" }\n'
    text += '[[tables]]\ntitle = "1"\ncolumns = [{ title = "a" }]\nrows = { one = ["1"] }\n'
    path.write_text(text, encoding="utf-8")
    assert read_paper(str(path)).variants[0].name == "one"


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ('key = "accuracy"', 'key = "acuracy"', "'acuracy'; the nearest is 'accuracy'"),
        ("images.train.malignant", "images.learn.malignant", "'images.train.malignant'"),
        ('star = "malignant"', 'stars = "malignant"', "data.labels.phantom: 'stars' is not of"),
        ('malignant = ["malignant"]', 'malignant = ["mel"]', "data.malignant: 'mel' is not of"),
        ('{ "recipe.stages.0', '{ "stages.0', "must begin with one of recipe, data, protocols"),
        ('"tiny_network:build"', '"MobileNetV9"', "'MobileNetV9' is no network of MobileNet,"),
        ("[by_epoch.small-batch]", "[by_epoch.large]", "by_epoch has 'large', which is no variant"),
        ('"1.2", "1.1"]', '"1.2"]', "by_epoch.small-batch has columns of different lengths"),
        (
            "sensitivity.{}.argmax",
            "sensitivty.{}.argmax",
            "row 'malignant': no figure has the key 'sensitivty.malignant.argmax'; the nearest is",
        ),
        ('of = "grey"', 'of = "gray"', "table 'Table 9' is of 'gray', which is no variant"),
        (
            'keys = ["sensitivity", ""]',
            'keys = ["sensitivity"]',
            "'average' has 1 keys for 2 columns",
        ),
        ('key = "f1" }', 'key = "f1", keys = ["f1"] }', "key and keys exclude each other"),
        ('benign = ["0.97", "30"]', 'benign = ["0.97"]', "'benign' has 1 figures for 2 columns"),
        ('grey = ["97.5%", "0.99"', 'grey = ["97.5%", 0.99', "0.99 must stand in quotes"),
    ],
)
def test_what_would_only_show_after_training_is_told_when_a_paper_is_read(
    tmp_path: Path, right: str, wrong: str, told: str
) -> None:
    assert right in SIXTH
    path = tmp_path / "bad.toml"
    path.write_text(SIXTH.replace(right, wrong), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_paper(str(path))
    assert told in str(caught.value)
    assert "Value error" not in str(caught.value)


def test_a_mistyped_figure_is_told_with_its_line_where_only_images_tell_the_classes(
    tmp_path: Path,
) -> None:
    text = SIXTH.partition("[[variants]]")[0]
    labels, protocols = text.index("[data.labels.phantom]"), text.index("[protocols.as-published]")
    text = text[:labels] + text[protocols:]
    text = text.replace('malignant = ["malignant"]', 'malignant = ["star"]')
    text += '[[variants]]\nname = "grey"\n[[tables]]\ntitle = "1"\ncolumns = [\n'
    good = '{ title = "a", key = "roc_auc.star" },\n'
    path = tmp_path / "paper.toml"
    for key, told in (
        ("acuracy", "'acuracy'; the nearest is 'accuracy'"),
        ("sensitivty.star.argmax", "no figure has the key 'sensitivty.star.argmax'"),
    ):
        bad = f'{{ title = "b", key = "{key}" }},\n]\n[tables.rows]\ngrey = ["1", "1"]\n'
        path.write_text(text + good + bad, encoding="utf-8")
        with pytest.raises(InputError) as caught:
            read_paper(str(path))
        said = [each for each in str(caught.value).splitlines() if "no figure" in each]
        assert len(said) == 1
        assert told in said[0]
        assert said[0].endswith(f"(line {line_of(path.read_text(), 'columns')})")


def test_whole_images_are_squeezed_unless_a_paper_says_that_it_crops() -> None:
    bright_left = np.zeros((64, 128, 3), np.uint8)
    bright_left[:, :32] = 255  # just what the central square leaves out
    plan = DataPlan(sources=("phantom",), malignant=("star",), size=32)
    assert plan.spec.apply(bright_left)[:, :8].min() > 250
    cropped = plan.model_copy(update={"crop": "center-square"})
    assert cropped.spec.apply(bright_left).max() == 0


@pytest.mark.parametrize(
    ("name", "side", "there"),
    [
        ("guntara2024", 256, lambda rgb: remove_hair(rgb, HairRemoval())),
        ("agarwal2025", 300, to_greyscale),
    ],
)
def test_papers_that_resize_twice_work_on_the_square_between(name, side, there) -> None:
    photo = cv2.resize(
        np.random.default_rng(3).integers(0, 256, (15, 20, 3), dtype=np.uint8), (600, 450)
    )
    cv2.line(photo, (20, 20), (580, 420), (25, 15, 10), 5)
    paper = read_paper(name)
    plan = experiment(paper, paper.variants[0], "leak-free").data
    between = there(cv2.resize(photo, (side, side), interpolation=cv2.INTER_AREA))
    by_hand = cv2.resize(between, (224, 224), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(plan.spec.apply(photo), by_hand)


def test_dotted_keys_change_a_copy() -> None:
    before = {"a": {"b": [1, 2]}, "c": 3}
    assert with_changes(before, {"a.b.1": 5, "d.e": 6}) == {
        "a": {"b": [1, 5]},
        "c": 3,
        "d": {"e": 6},
    }
    assert before == {"a": {"b": [1, 2]}, "c": 3}


def test_merchan_keeps_the_best_epoch_only_from_the_version_on_that_has_a_checkpoint() -> None:
    paper = read_paper("merchan2021")
    for variant in paper.variants:
        kept = experiment(paper, variant, "leak-free").recipe.keep
        checkpoint = variant.name.rpartition("-")[2] in {"v3", "v4", "v5"}
        assert kept == ("best" if checkpoint else "last"), variant.name


def test_agarwals_reports_claim_what_check_scores_was_given_of_them() -> None:
    reports = [t for t in read_paper("agarwal2025").tables if t.title == "Report"]
    packaged = files("lentigo.papers") / "scores" / "agarwal2025.toml"
    scores = tomllib.loads(packaged.read_text(encoding="utf-8"))["checks"]
    for table, check in zip(reports[:3], scores[:3], strict=True):
        classes = [list(row.claimed) for row in list(table.rows.values())[:7]]
        given = [check["rows"][name] for name in ("precision", "recall", "f1")]
        assert [list(column) for column in zip(*classes, strict=True)] == [
            *given,
            [str(n) for n in check["supports"]],
        ]
        for name in ("macro", "weighted"):
            claimed = table.rows[f"{name} average"].claimed
            wanted = [check["whole"][f"{each}_{name}"] for each in ("precision", "recall", "f1")]
            assert list(claimed) == [*wanted, "1000"]


@pytest.mark.parametrize("name", packaged_papers())
def test_every_packaged_paper_can_be_run(name: str) -> None:
    paper = read_paper(name)
    assert paper.name == name
    claimed = {row for table in paper.tables for row in table.rows}
    assert claimed
    assert paper.contradictions
    assert paper.choices
    assert paper.gaps
    for variant in paper.variants:
        published = experiment(paper, variant, "as-published")
        assert published.recipe.protocol == "as-published"
        assert experiment(paper, variant, "leak-free").split.group_by is None


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("agarwal2025", {"black (constant)", "ImageDataGenerator", "contrast"}),
        ("guntara2024", {"synthetic", "nearest pixel"}),
        ("sun2023", {"mirror image (reflect)"}),
        ("yilmaz2021", {"nearest pixel"}),
    ],
)
def test_what_lies_beyond_the_border_is_marked_as_our_choice(name: str, named: set[str]) -> None:
    paper = read_paper(name)
    fills = {"constant": "(constant)", "nearest": "nearest pixel", "reflect": "(reflect)"}
    beyond = next(each for each in paper.choices if "beyond the border" in each)
    assert fills[paper.recipe["augmentation"]["fill"]] in beyond
    assert all(any(each in choice for choice in paper.choices) for each in named)
