"""An answer in another language, as this process has said it; refusals in the visitor's."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator

import pytest

from lentigo.web import litert
from lentigo.web.settings import Limits
from lentigo.web.strings import LANGUAGES, Words
from lentigo.web.told import TOLD_BYTES
from web_server import BROWSER, get, page, photo, post, said_in, sealed_in

TR = Words("tr")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with page() as found:
        yield found


@pytest.fixture(scope="module")
def first(address: str) -> str:
    """The page of an answer about a photo of a plain camera, in English."""
    form = {"photo": ("spot \N{GREEK SMALL LETTER MU}\r\n.jpg", photo())}
    answer = post(f"{address}/result", data={"scope": "no"}, files=form, headers=BROWSER)
    assert answer.status_code == 200
    return answer.text


def test_an_answer_is_said_in_another_language_without_being_asked_again(
    address: str, first: str
) -> None:
    def answered() -> int:
        counted = re.search(r"prediction_seconds_count (\d+)", get(f"{address}/metrics").text)
        return int(counted[1]) if counted else 0

    before = answered()
    told = said_in("tr", address, sealed_in(first))
    assert told.status_code == 200
    assert '<html lang="tr">' in told.text
    assert TR("result.plain") in told.text
    assert TR("next.doctor") in told.text
    figures = re.compile(r'data-answer="[^"]*"|href="data:[^"]*"')
    assert len(figures.findall(first)) == 3
    assert figures.findall(told.text) == figures.findall(first)
    assert answered() == before


@pytest.mark.parametrize(
    ("language", "urgent"),
    [("en", "soon"), ("es", "pronto"), ("id", "segera"), ("tr", "en kısa sürede")],
)
def test_what_lies_above_a_threshold_is_sent_to_a_doctor_without_delay(
    language: str, urgent: str
) -> None:
    assert urgent in Words(language)("next.above")


def test_back_in_the_first_language_it_is_the_first_page_to_the_letter(
    address: str, first: str
) -> None:
    turkish = said_in("tr", address, sealed_in(first))
    assert said_in("en", address, sealed_in(turkish.text)).text == first


def test_the_language_chosen_there_is_remembered_and_nothing_is_cached(
    address: str, first: str
) -> None:
    told = said_in("tr", address, sealed_in(first))
    assert told.cookies["lang"] == "tr"
    assert told.headers["cache-control"] == "no-store"
    # Whoever asks for the address itself has no answer with them.
    assert get(f"{address}/result/language?lang=tr").headers["location"] == "/"


def forged(sealed: str) -> dict[str, str | bytes]:
    """What somebody may send in place of a signed answer."""
    signature, _, text = sealed.partition(".")
    fields = json.loads(text)
    other = json.dumps(fields | {"probability": fields["probability"][::-1]})
    assert other != text
    return {
        "other figures": f"{signature}.{other}",
        "no signature": text,
        "an empty one": f".{text}",
        "one that is no ASCII": f"{signature[:-1]}\N{LATIN SMALL LETTER E WITH ACUTE}.{text}",
        "something appended": f"{sealed} ",
        "nothing": b"",
        "what is no text": bytes(range(256)),
        "too much": sealed + " " * TOLD_BYTES,
    }


def test_what_this_server_has_not_said_leads_to_the_form_with_a_sentence(
    address: str, first: str
) -> None:
    for name, content in forged(sealed_in(first)).items():
        told = said_in("tr", address, content)
        assert told.status_code == 400, name
        assert '<html lang="tr">' in told.text, name
        assert TR("problem.lost") in told.text, name
        assert 'id="hand-in"' in told.text, name
        assert "data-answer" not in told.text, name


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "text/plain"])
def test_so_does_a_form_that_is_damaged_or_none(address: str, kind: str) -> None:
    head = BROWSER | {"content-type": kind}
    told = post(f"{address}/result/language?lang=tr", content=b"nonsense", headers=head)
    assert told.status_code == 400
    assert TR("problem.lost") in told.text


def test_so_does_an_answer_of_before_a_restart(first: str) -> None:
    with page() as restarted:
        told = said_in("tr", restarted, sealed_in(first))
    assert told.status_code == 400
    assert TR("problem.lost") in told.text


FORM = "multipart/form-data; boundary=x"
CUT = b"--x\r\nContent-Disposition: form-data; name=photo\r\n\r\nab"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("body", "kind", "keys"),
    [
        (bytes(Limits().body_bytes + 1), FORM, ("problem.too_large", "problem.bytes")),
        (CUT, FORM, ("problem.malformed",)),
        (CUT, "multipart/form-data; boundary=y", ("problem.malformed",)),
        (CUT, "multipart/form-data", ("problem.malformed",)),
        (CUT.replace(b": ", b"\0"), FORM, ("problem.malformed",)),
    ],
    ids=["too many bytes", "cut short", "of another boundary", "of no boundary", "damaged"],
)
def test_a_refused_form_is_told_in_one_language_alone(
    address: str, language: str, body: bytes, kind: str, keys: tuple[str, ...]
) -> None:
    head = {**BROWSER, "accept-language": language, "content-type": kind}
    shown = post(f"{address}/result", content=body, headers=head).text
    main = shown.partition("<main")[2].partition(">")[2].partition("</main>")[0]
    told = html.unescape(re.sub("<[^>]*>", "\n", main)).splitlines()
    words = Words(language)
    wanted = [words(key, megabytes=20) for key in ("problem.title", *keys, "nav.home")]
    assert [line for line in told if line] == wanted


def test_without_the_offline_app_a_visitor_reads_how_it_is_added(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(litert, "runtime_folder", lambda: None)
    with page() as bare:
        shown = get(f"{bare}/app/", headers={**BROWSER, "accept-language": "tr"}).text
    assert TR("problem.no_app") in html.unescape(shown)
    assert "which carries it" not in shown
