"""Who is let in, what stays on disk, and what the command refuses to start with."""

from __future__ import annotations

import json
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request

from lentigo.errors import InputError
from lentigo.web import certificates, kept, names
from lentigo.web.guard import Door
from lentigo.web.names import hosts_to_open, own_names
from lentigo.web.refusals import Refusal
from lentigo.web.serve import listening
from lentigo.web.settings import Settings
from web_server import BROWSER, EN, WAIT_S, get, page, photo, post, said_in, sealed_in, unlimited


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with unlimited() as found:
        yield found


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "127.0.0.1.evil.example", "", "localhost.evil"),
        *("[::1", "[::g]", "localhost/code?", "localhost#", "me@localhost", "localhost:x"),
    ],
)
def test_a_foreign_host_name_is_refused(client: httpx.Client, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 400


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:99", "[::1]:5000", "192.168.1.7"])
def test_our_own_names_and_addresses_are_answered(client: httpx.Client, host: str) -> None:
    assert client.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "head",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://["},
        {"origin": "file://localhost"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
@pytest.mark.parametrize(
    "path", ["/result", "/result/language", "/api/v1/predict", "/code", "/camera/photo"]
)
def test_a_request_from_another_page_is_refused(
    client: httpx.Client, path: str, head: dict[str, str]
) -> None:
    assert client.post(path, content=photo(), headers=head).status_code == 403


def test_head_is_answered_as_get_without_its_body(client: httpx.Client) -> None:
    for path in ("/", "/healthz", "/none"):
        whole, head = client.get(path), client.head(path)
        assert head.status_code == whole.status_code
        assert head.headers["content-length"] == str(len(whole.content))
        assert head.content == b""


def test_every_answer_carries_the_strict_policy(client: httpx.Client) -> None:
    answers = [client.get(path) for path in ("/", "/none", "/static/page.css", "/metrics")]
    answers.append(client.post("/result", headers={"origin": "null"}))
    for each in answers:
        policy = each.headers["content-security-policy"]
        assert "script-src 'self' 'wasm-unsafe-eval';" in policy
        assert "unsafe-inline" not in policy
        assert each.headers["x-content-type-options"] == "nosniff"
        assert "server" not in each.headers
    assert answers[0].headers["cache-control"] == "no-store"


def test_the_access_code_is_asked_for_and_opens_everything() -> None:
    with page(Settings(code="seven brown moles")) as address:
        with httpx.Client(base_url=address, timeout=60, headers=BROWSER) as client:
            assert client.get("/").status_code == 401
            assert EN("problem.code") in client.get("/").text
            for path in ("/result", "/result/language"):
                assert client.post(path, files={"photo": photo()}).status_code == 401
            assert client.get("/static/page.css").status_code == 200
            wrong = client.post("/code", files={"code": (None, "six brown moles")})
            assert wrong.status_code == 401
            right = client.post("/code", files={"code": (None, "seven brown moles")})
            assert right.status_code == 303
            assert "HttpOnly" in right.headers["set-cookie"]
            assert client.get("/").status_code == 200
        bearer = {"authorization": "Bearer seven brown moles"}
        api = f"{address}/api/v1/predict"
        refused = post(api, content=photo())
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        assert post(api, content=photo(), headers=bearer).status_code == 200


def test_a_code_beyond_ascii_is_known_in_a_header_too() -> None:
    with page(Settings(code="şifre kod")) as address:
        api = f"{address}/api/v1/model"
        told = {
            code: {"authorization": f"Bearer {code}".encode()} for code in ("şifre kod", "\xfe")
        }
        assert get(api, headers=told["şifre kod"]).status_code == 200
        assert get(api, headers=told["\xfe"]).status_code == 401
        assert get(api, headers={"authorization": b"Bearer \xfe"}).status_code == 401


def test_no_host_name_passes_for_an_open_address() -> None:
    """An older Starlette (0.38) makes the address of a request out of its host name."""
    settings = Settings(code="seven")
    door = Door(settings)
    for host in ("localhost/code?", "localhost/static/?", "localhost/healthz#"):
        scope = {"type": "http", "method": "GET", "scheme": "http", "path": "/model"}
        request = Request({**scope, "query_string": b"", "headers": [(b"host", host.encode())]})
        with pytest.raises(Refusal, match="400 problem"):
            door.check(request, "GET")


@pytest.mark.parametrize(
    ("wanted", "reached"),
    [
        ("/model", "/model"),
        ("/app/", "/app/"),
        *(
            (each, "/")
            for each in ("//example.org/model", "https://example.org", "/none", "/result")
        ),
    ],
)
def test_the_code_leads_to_the_page_that_was_wanted_and_never_elsewhere(
    wanted: str, reached: str
) -> None:
    with page(Settings(code="seven")) as address, httpx.Client(base_url=address) as client:
        asked = client.get("/model", headers=BROWSER, timeout=WAIT_S)
        form = {"code": (None, "six"), "wanted": (None, wanted)}
        wrong = client.post("/code", files=form, timeout=WAIT_S)
        right = client.post("/code", files={**form, "code": (None, "seven")}, timeout=WAIT_S)
    assert 'name="wanted" value="/model"' in asked.text
    assert f'name="wanted" value="{reached}"' in wrong.text
    assert right.headers["location"] == reached


def test_the_form_for_the_code_stands_at_its_own_address_too() -> None:
    with page(Settings(code="seven")) as address, httpx.Client(base_url=address) as client:
        asked = client.get("/code", headers=BROWSER, timeout=WAIT_S)
        client.post("/code", files={"code": (None, "seven")}, timeout=WAIT_S)
        known = client.get("/code", headers=BROWSER, timeout=WAIT_S)
    assert asked.status_code == 401
    assert 'name="code"' in asked.text
    assert known.status_code == 303


def test_no_address_makes_a_link_that_leads_elsewhere(client: httpx.Client) -> None:
    for path in ("//evil.example", "/%5Cevil.example", "/%2F/evil.example"):
        text = client.get(path, headers=BROWSER).text
        links = re.findall(r'href="([^"]*)\?lang=', text)
        assert len(links) == 4
        assert all(re.match(r"/(?![/\\])", each) for each in links)


def test_a_wrong_bearer_costs_one_try_and_gets_a_page_however_often_it_comes() -> None:
    head = BROWSER | {"authorization": "Bearer wrong"}
    with page(Settings(code="seven")) as address:
        answers = [get(f"{address}/model", headers=head) for _ in range(7)]
    assert [each.status_code for each in answers] == [401] * 5 + [429] * 2
    assert EN("problem.rate") in answers[-1].text


def test_tries_of_the_access_code_are_limited() -> None:
    with page(Settings(code="seven")) as address:
        tries = [
            post(f"{address}/code", files={"code": (None, str(n))}).status_code for n in range(7)
        ]
        right = post(f"{address}/code", files={"code": (None, "seven")})
    assert tries == [401] * 5 + [429] * 2
    assert right.status_code == 429


def test_the_interface_says_who_asks_for_the_code_and_how_it_is_given() -> None:
    bearer = {"authorization": "Bearer seven"}
    with page(Settings(code="seven")) as address:
        document = get(f"{address}/api/v1/openapi.json", headers=bearer).json()
        for path, methods in document["paths"].items():
            for method, said in methods.items():
                answer = httpx.request(method, f"{address}{path}", timeout=WAIT_S)
                asked = answer.status_code == 401
                assert ("401" in said["responses"]) == asked, path
                assert said.get("security") == ([{"code": []}, {}] if asked else None), path
                foreign = get(f"{address}{path}", headers={"host": "evil.example"})
                assert str(foreign.status_code) in said["responses"], path
    assert document["components"]["securitySchemes"]["code"]["scheme"] == "bearer"


def test_photos_are_kept_only_where_asked_and_the_page_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    with page(Settings(keep=folder)) as address:
        assert EN("privacy.kept") in get(address, headers=BROWSER).text
        name = "../../../evil.jpg"
        answer = post(f"{address}/result", files={"photo": (name, photo())}, headers=BROWSER)
        assert said_in("tr", address, sealed_in(answer.text)).status_code == 200
    photos, answers = sorted(folder.glob("*.jpg")), sorted(folder.glob("*.json"))
    assert [each.read_bytes() for each in photos] == [photo()]
    assert len(answers) == 1
    assert sorted(tmp_path.rglob("*")) == sorted([folder, *photos, *answers])


def test_what_was_said_of_the_dermatoscope_is_kept_with_the_answer(tmp_path: Path) -> None:
    with page(Settings(keep=tmp_path)) as address:
        for number, said in enumerate(("yes", "no", "", "<perhaps>")):
            form = {"photo": photo(seed=number), "scope": (None, said)}
            assert post(f"{address}/result", files=form, headers=BROWSER).status_code == 200
    kept_there = [json.loads(each.read_text("utf-8")) for each in tmp_path.glob("*.json")]
    said_of_each = [each["scope"] for each in sorted(kept_there, key=lambda each: each["at"])]
    assert said_of_each == ["yes", "no", None, None]


def test_what_is_kept_is_its_owner_s_alone_in_a_folder_that_everybody_reads(
    tmp_path: Path,
) -> None:
    tmp_path.chmod(0o755)
    with page(Settings(keep=tmp_path)) as address:
        assert post(f"{address}/api/v1/predict", content=photo()).status_code == 200
    modes = {each.suffix: each.stat().st_mode & 0o777 for each in tmp_path.iterdir()}
    assert modes == {".jpg": 0o600, ".json": 0o600}


def test_a_full_disk_does_not_cost_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes, *, private: bool) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept, "write_bytes", full)
    with page(Settings(keep=tmp_path)) as address:
        answer = post(f"{address}/result", files={"photo": photo()}, headers=BROWSER)
        api = post(f"{address}/api/v1/predict", content=photo())
    assert answer.status_code == api.status_code == 200
    assert EN("result.not_kept") in answer.text
    assert list(tmp_path.iterdir()) == []


def test_the_cookie_of_a_secure_page_is_one_of_its_own(
    tmp_path: Path,
) -> None:
    """Under one name, browsers would keep the secure one and let nobody in on the plain page."""
    made = certificates.prepare(tmp_path / "made")
    settings = Settings(code="seven", certificates=made)
    trusting = ssl.create_default_context(cadata=made.authority())
    with page(settings) as address:
        given = post(f"{address}/code", files={"code": (None, "seven")}, verify=trusting)
    cookie = given.headers["set-cookie"]
    assert cookie.startswith("__Host-lentigo_code=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=strict"} <= set(cookie.split("; "))


def test_a_folder_for_photos_is_its_owner_s_alone_and_one_that_cannot_be_written_is_refused(
    tmp_path: Path,
) -> None:
    kept.prepare(tmp_path / "a" / "kept")
    assert (tmp_path / "a" / "kept").stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").touch()
    for wrong in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match="can be stored"):
            kept.prepare(wrong)


def test_a_folder_that_has_become_a_file_does_not_cost_the_answer(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    with page(Settings(keep=folder)) as address:
        folder.touch()
        answer = post(f"{address}/result", files={"photo": photo()}, headers=BROWSER)
    assert answer.status_code == 200
    assert EN("result.not_kept") in answer.text


def test_where_photos_are_kept_no_page_says_that_the_server_has_none(tmp_path: Path) -> None:
    with page(Settings(keep=tmp_path)) as address:
        shown = [get(f"{address}{path}", headers=BROWSER).text for path in ("/", "/series")]
        shown.append(post(f"{address}/result", files={"photo": photo()}, headers=BROWSER).text)
    for text in shown:
        assert EN("privacy.kept") in text
        assert EN("privacy.none") not in text
        assert "server has none" not in text
    assert shown[0].index(EN("privacy.kept")) < shown[0].index(EN("home.submit"))


def test_an_address_that_is_not_ours_and_a_port_that_is_taken_name_the_right_option() -> None:
    with pytest.raises(InputError, match="no address of this machine"):
        listening("192.0.2.77", 0)
    with listening("127.0.0.1", 0) as taken, pytest.raises(InputError) as error:
        listening("127.0.0.1", taken.getsockname()[1], "--https-port")
    assert "--https-port" in error.value.todo


def test_the_addresses_of_the_whole_network_are_told_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = {"127.0.0.1", "::1", "192.168.1.7", "fe80::1", "fd00::2"}
    monkeypatch.setattr(names, "own_addresses", lambda: known)
    monkeypatch.setattr(names, "local_name", lambda: "pi.local")
    assert hosts_to_open("0.0.0.0") == ["192.168.1.7", "pi.local"]
    assert hosts_to_open("::") == ["192.168.1.7", "[fd00::2]", "pi.local"]
    assert hosts_to_open("::1") == ["[::1]"]
    assert hosts_to_open("pi") == ["pi"]


@pytest.mark.parametrize("name", ["*", "http://a/", "a b", "", "a..b", "-a"])
def test_what_is_no_host_name_is_refused_at_the_start(name: str) -> None:
    with pytest.raises(InputError, match="no host name"):
        own_names([name])


def test_an_empty_code_is_refused_rather_than_let_everybody_in() -> None:
    command = [sys.executable, "-m", "lentigo", "serve", "--port", "0", "--code", " "]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "code is empty" in done.stderr
