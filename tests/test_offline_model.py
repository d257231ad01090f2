"""What the offline app tells of its model: in the visitor's language, and all of it in sight."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from browsing import CATALOGUE, MODEL, hosted, installed_lentigo, kept, open_app, touching
from lentigo.deploy.bundle import read_bundle, write_bundle
from lentigo.web.strings import LANGUAGES

OWN = "Not for ears."


@pytest.fixture(scope="module")
def limited(installed_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app of a bundle that states one more limit, and a figure that has no plain name."""
    folder = tmp_path_factory.mktemp("limited")
    bundle = read_bundle(MODEL)
    info = bundle.info
    assert info.metrics is not None
    metrics = {**info.metrics, "roc_auc.of_tomorrow_and_after": info.metrics["accuracy"]}
    told = {"limits": f"{info.limits} {OWN}", "metrics": metrics}
    write_bundle(bundle.graph, info.model_copy(update=told), folder / "limited.tflite")
    done = installed_lentigo(
        installed_wheel, "web-app", folder / "limited.tflite", "--out", folder / "app"
    )
    assert done.returncode == 0, done.stderr
    return folder / "app"


def opened(browser: Any, folder: Path, language: str, width: int = 390) -> Any:
    """The panel of the model, on a phone."""
    context = browser.new_context(viewport={"width": width, "height": 844}, locale=language)
    with hosted(folder) as host:
        page = open_app(context, host.url)
        kept(page, language)
        page.locator("summary").click()
    return page


@pytest.mark.parametrize("language", LANGUAGES)
def test_use_and_limits_are_told_in_the_visitor_s_language(
    language: str, browser: Any, limited: Path
) -> None:
    page = opened(browser, limited, language)
    use, limits, licence = (page.locator("#model dd").nth(i) for i in range(3))
    assert use.inner_text() == CATALOGUE["model.use.default"][language]
    assert use.locator("[lang]").count() == 0
    assert limits.inner_text() == f"{CATALOGUE['model.limits.default'][language]} {OWN}"
    # What only the bundle says is read out as the English that it is.
    assert limits.locator("[lang=en]").inner_text() == OWN
    assert licence.locator("[lang=en]").count() == 1
    assert page.locator("#model th[lang=en]").inner_text() == "roc_auc.of_tomorrow_and_after"
    page.context.close()


@pytest.mark.parametrize("width", [390, 320])
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_figures_fit_on_a_phone(
    language: str, width: int, browser: Any, app_folder: Path
) -> None:
    page = opened(browser, app_folder, language, width)
    assert touching(page) == []
    region = page.get_by_role("region", name=CATALOGUE["model.figures"][language])
    assert region.locator("tbody td").count() == region.locator("td.number").count() > 0
    page.context.close()


def test_a_figure_without_a_plain_name_fits_as_well(browser: Any, limited: Path) -> None:
    page = opened(browser, limited, "en", 320)
    assert touching(page) == []
    page.context.close()
