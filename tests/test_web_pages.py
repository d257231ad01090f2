"""The page over HTTP: hand a photo in, get an answer, in each language."""

from __future__ import annotations

import html
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from lentigo.deploy.export import QUANTIZATIONS
from lentigo.deploy.prediction import Reading
from lentigo.deploy.runtime import load_default
from lentigo.image.verdict import CHECKS
from lentigo.taxonomy import INTENDED_USE, LIMITS, NOT_A_MEDICAL_DEVICE, TAXONOMIES
from lentigo.web.results import sentence
from lentigo.web.strings import LANGUAGES, Words, catalogue, choose
from web_server import BROWSER, get, page, photo, process


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with page() as address, httpx.Client(base_url=address, timeout=60, headers=BROWSER) as found:
        yield found


def test_the_first_page_is_small_and_fetches_nothing_from_elsewhere(client: httpx.Client) -> None:
    home = client.get("/")
    assert home.status_code == 200
    own = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', home.text))
    total = len(home.content) + sum(len(client.get(each).content) for each in own)
    assert total < 60_000
    assert re.findall(r'(?:src|href|action)="(?!/|#|data:)[^"]+"', home.text) == []


def test_no_page_has_inline_script_or_style(client: httpx.Client) -> None:
    pages = [client.get(path).text for path in ("/", "/model", "/api", "/none")]
    pages.append(client.post("/result", files={"photo": photo()}).text)
    for text in pages:
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", text)


def test_a_photo_is_answered_without_javascript(client: httpx.Client) -> None:
    answer = client.post("/result", data={"scope": "yes"}, files={"photo": photo()})
    assert answer.status_code == 200
    words = Words("en")
    assert words("next.doctor") in answer.text
    assert "not a medical device" in answer.text
    assert answer.text.count('href="data:image/') == 2
    assert words("result.plain") not in answer.text


def test_what_makes_a_photo_doubtful_is_said_before_the_answer(client: httpx.Client) -> None:
    good = client.post("/result", files={"photo": photo()}).text
    black = cv2.imencode(".png", np.zeros((300, 300, 3), np.uint8))[1].tobytes()
    doubtful = client.post("/result", files={"photo": black}).text
    assert "alert warnings" not in good
    assert doubtful.index("alert warnings") < doubtful.index("top-class")
    assert Words("en")("result.quality.none") not in doubtful


def test_a_photo_of_a_plain_camera_gets_its_warning(client: httpx.Client) -> None:
    answer = client.post("/result", data={"scope": "no"}, files={"photo": photo()})
    assert Words("en")("result.plain") in answer.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_is_spoken_throughout(client: httpx.Client, language: str) -> None:
    words = Words(language)
    head = {**BROWSER, "accept-language": f"{language};q=0.9,fr"}
    assert f'<html lang="{language}">' in client.get("/", headers=head).text
    answer = client.post("/result", files={"photo": photo()}, headers=head)
    assert words("next.diagnosis") in answer.text
    assert words("notice") in answer.text
    for other in set(LANGUAGES) - {language}:
        assert Words(other)("next.diagnosis") not in answer.text


def test_a_language_once_chosen_is_remembered() -> None:
    with page() as address, httpx.Client(base_url=address, timeout=60, headers=BROWSER) as client:
        assert '<html lang="tr">' in client.get("/?lang=tr").text
        assert '<html lang="tr">' in client.get("/model").text


def test_every_sentence_exists_in_every_language_with_the_same_gaps() -> None:
    for key, sentences in catalogue().items():
        assert set(sentences) == set(LANGUAGES), key
        assert all(text.strip() for text in sentences.values()), key
        gaps = {tuple(sorted(re.findall(r"{(\w+)}", text))) for text in sentences.values()}
        assert len(gaps) == 1, key


def test_every_sentence_is_used_and_every_used_one_exists() -> None:
    folder = Path(__file__).parents[1] / "src" / "lentigo" / "web"
    kinds = {".py", ".html", ".js"}
    sources = [each for each in folder.rglob("*") if each.suffix in kinds]
    sources = [each for each in sources if "litert" not in each.parts]
    text = "\n".join(each.read_text("utf-8") for each in sources)
    named = set(re.findall(r"""["']([a-z]+(?:\.[a-z_.]+)?)["']""", text))
    built = ("class.", "metric.", "stored.", "warning.", "scope.")
    stated = [k for k in catalogue() if not k.startswith(built) and not k.endswith(".default")]
    unused = [k for k in stated if k not in named]
    assert unused == []
    prefixes = {key.split(".")[0] for key in catalogue()}
    files = (".css", ".js", ".html", ".jpg", ".svg", ".toml", ".webmanifest", ".tflite")
    missing = [
        each
        for each in named
        if "." in each
        and each.split(".")[0] in prefixes
        and each not in catalogue()
        and not each.endswith(files)
    ]
    assert [each for each in missing if not each.endswith(".")] == []


def test_every_class_of_skin_has_a_plain_name_and_every_warning_a_translation() -> None:
    for name in ("ham10000", "isic2017", "isic2019", "isic9", "binary"):
        for each in TAXONOMIES[name].classes:
            assert Words().class_name(each.code, "") != "", each.code
    assert Words().class_name("star", "jagged outline") == "jagged outline"
    english = {catalogue()[key]["en"] for key in catalogue() if key.startswith("warning.")}
    assert {check.hint for check in CHECKS if not check.closer} <= english


def test_the_notice_is_that_of_the_library() -> None:
    assert Words("en")("notice") == NOT_A_MEDICAL_DEVICE


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("fr-FR,fr;q=0.9", "en"),
        ("es-MX,es;q=0.9,en;q=0.8", "es"),
        ("en;q=0.2, tr;q=0.7", "tr"),
        ("in-ID", "id"),
        ("tr;q=0, id;q=0.1", "id"),
        ("es;q=nonsense, tr", "tr"),
    ],
)
def test_the_browser_chooses_the_language(accepted: str, language: str) -> None:
    assert choose(None, None, accepted=accepted).language == language


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_percentage_is_called_nothing_or_all(language: str) -> None:
    words = Words(language)
    assert words.percent(0.0).startswith("<")
    assert words.percent(1.0).startswith(">")
    assert words.percent(0.0425).strip("\N{NO-BREAK SPACE}%") in {"4.2", "4,2"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_calls_a_lesion_harmless(language: str) -> None:
    english = [text["en"].lower() for key, text in catalogue().items() if key[:6] != "class."]
    for word in ("harmless", "healthy", "nothing to worry", "no risk", "safe to"):
        assert not any(word in text for text in english)
    assert Words(language)("next.doctor")


@pytest.mark.parametrize("language", LANGUAGES)
def test_figures_of_the_model_have_plain_names_and_are_written_as_the_answer_is(
    client: httpx.Client, language: str
) -> None:
    words, info = Words(language), client.get("/api/v1/model").json()
    shown = html.unescape(client.get("/model", headers={"accept-language": language}).text)
    for key, each in info["metrics"].items():
        assert words(f"metric.{key}") in shown
        assert f">{key}<" not in shown.replace("<wbr>", "")
        assert f">{words.number(each['value'])} <" in shown
    assert ("," in words.number(0.5)) == (language != "en")
    assert words.plain("metric", "brier_score_of_tomorrow") is None


def test_terms_of_the_trade_stand_in_brackets_behind_plain_words() -> None:
    terms = "validation threshold digest graph brier roc calibration float16 sensitivity groups"
    for key, sentences in catalogue().items():
        told = re.sub(r"[({][^)}]*[)}]", "", sentences["en"]).lower()
        assert not set(terms.split()) & set(re.findall("[a-z0-9]+", told)), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_probability_below_a_mark_is_called_no_all_clear(language: str) -> None:
    not_clear = {
        "en": "no all-clear",
        "es": "no descarta nada",
        "id": "tidak berarti aman",
        "tr": "sorun yok demek değildir",
    }
    told = Words(language)("result.below", threshold="42.3%", missed="20.0%")
    assert not_clear[language] in told
    assert "42.3%" in told
    assert "20.0%" in told


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_mark_is_held_against_images_that_did_not_set_it(language: str) -> None:
    words, info = Words(language), load_default(threads=1).info
    point = info.operating_points[1]
    found = (info.metrics or {})[f"sensitivity.malignant.{point.name}"]
    reading = Reading(point.name, point.target_sensitivity, point.threshold, above=True)
    below = replace(reading, above=False)
    for each in (found.value, found.low, found.high):
        assert each is not None
        assert words.percent(each) in sentence(reading, info, words)
        assert words.percent(1 - each) in sentence(below, info, words)
    unmeasured = info.model_copy(update={"metrics": None})
    assert words.percent(found.value or 0) not in sentence(reading, unmeasured, words)


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_how_a_model_is_stored_has_plain_words(quantization: str) -> None:
    for language in LANGUAGES:
        assert f"({quantization})" in (Words(language).plain("stored", quantization) or "")


@pytest.mark.parametrize("language", LANGUAGES)
def test_use_and_limits_of_the_models_that_ship_are_told_in_the_visitor_s_language(
    client: httpx.Client, language: str
) -> None:
    shown = html.unescape(client.get("/model", headers={"accept-language": language}).text)
    for key, english in (("model.use", INTENDED_USE), ("model.limits", LIMITS)):
        plain = Words(language)(f"{key}.default")
        assert f"<dd>{plain}</dd>" in shown
        assert Words("en")(f"{key}.default") == english


def test_what_another_bundle_says_of_its_limits_stays_in_its_own_words() -> None:
    turkish = Words("tr")
    plain = turkish("model.limits.default")
    assert turkish.stated("model.limits", f"{LIMITS} Not for ears.") == (plain, "Not for ears.")
    for own in ("Not for ears.", f"{LIMITS}!", ""):
        assert turkish.stated("model.limits", own) == ("", own)
    model = load_default()
    info = model.info.model_copy(update={"limits": f"{LIMITS} Not for ears."})
    model.bundle = replace(model.bundle, info=info)
    with page(predictor=model) as address:
        shown = get(f"{address}/model?lang=tr", headers=BROWSER).text
    assert f'{plain} <span lang="en">Not for ears.</span>' in html.unescape(shown)


def test_the_model_card_can_be_read_on_the_page_of_the_model(client: httpx.Client) -> None:
    card = load_default().bundle.model_card
    assert card
    assert html.escape(card.strip().splitlines()[0], quote=False) in client.get("/model").text


@pytest.mark.parametrize("shape", [(5000, 1), (10, 20000)])
def test_a_photo_that_is_all_edge_is_drawn_without_a_frame_of_negative_size(
    client: httpx.Client, shape: tuple[int, int]
) -> None:
    thin = bytes(cv2.imencode(".png", np.full((*shape, 3), 150, np.uint8))[1])
    answer = client.post("/result", files={"photo": ("thin.png", thin), "scope": (None, "yes")})
    assert answer.status_code == 200
    assert 'class="seen"' in answer.text
    assert not re.search(r'(width|height)="-', answer.text)


def test_the_api_answers_what_the_command_prints(client: httpx.Client, tmp_path: Path) -> None:
    path = tmp_path / "spot.png"
    path.write_bytes(photo(suffix=".png"))
    command = [sys.executable, "-m", "lentigo", "predict", "spot.png", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    (printed,) = json.loads(done.stdout)
    form = client.post("/api/v1/predict", files={"photo": ("spot.png", path.read_bytes())})
    raw = client.post("/api/v1/predict", content=path.read_bytes())
    assert form.json() == printed
    assert raw.json() == {**printed, "image": "image"}


def test_the_api_describes_the_model_and_itself(client: httpx.Client) -> None:
    model = client.get("/api/v1/model").json()
    assert model["name"] == "lentigo-ham10000"
    document = client.get("/api/v1/openapi.json").json()
    shown = client.get("/api").text
    assert all(f"POST {path}" in shown or f"GET {path}" in shown for path in document["paths"])
    assert set(document["paths"]) >= {"/api/v1/predict", "/api/v1/model", "/healthz", "/metrics"}


def test_health_and_metrics_count_what_was_asked(client: httpx.Client) -> None:
    assert client.get("/healthz").json()["status"] == "ok"
    client.post("/api/v1/predict", content=photo())
    text = client.get("/metrics").text
    assert re.search(r'lentigo_requests_total{route="/api/v1/predict",status="200"} [1-9]', text)
    assert re.search(r"lentigo_prediction_seconds_count [1-9]", text)


def test_an_unknown_page_is_a_sentence(client: httpx.Client) -> None:
    answer = client.get("/none")
    assert answer.status_code == 404
    assert Words("en")("problem.missing") in answer.text
    assert client.get("/result", follow_redirects=True).url.path == "/"


def test_the_command_serves_until_it_is_told_to_stop() -> None:
    with process() as (started, (address,)):
        assert get(f"{address}/healthz").status_code == 200
        started.send_signal(signal.SIGTERM)
        assert started.wait(10) == 0


def test_a_port_that_is_taken_is_a_sentence() -> None:
    with page() as address:
        port = address.rsplit(":", maxsplit=1)[1]
        command = [sys.executable, "-m", "lentigo", "serve", "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "in use" in done.stderr
    assert "Traceback" not in done.stderr
