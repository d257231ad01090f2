"""The local authority: made once, speaks for local names alone, renewed when it has to be."""

from __future__ import annotations

import dataclasses
import ipaddress
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from lentigo.errors import InputError
from lentigo.web import certificates
from lentigo.web.certificates import Certificates, prepare
from lentigo.web.settings import Settings
from lentigo.web.strings import Words
from web_server import get, page, process


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return prepare(tmp_path_factory.mktemp("certificates"))


def served(made: Certificates) -> x509.Certificate:
    return x509.load_pem_x509_certificate(made.chain.read_bytes())


def test_a_client_that_trusts_the_authority_trusts_the_page(made: Certificates) -> None:
    trusting = ssl.create_default_context(cadata=made.authority())
    with page(Settings(certificates=made, https_port=1)) as address:
        assert address.startswith("https://")
        assert get(f"{address}/healthz", verify=trusting).status_code == 200
        port = address.rsplit(":", maxsplit=1)[1]
        assert get(f"https://localhost:{port}/healthz", verify=trusting).status_code == 200
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            get(f"{address}/healthz")


def test_the_authority_may_speak_for_local_names_only(made: Certificates) -> None:
    authority = x509.load_der_x509_certificate(made.authority())
    limits = authority.extensions.get_extension_for_class(x509.NameConstraints)
    assert limits.critical
    permitted = limits.value.permitted_subtrees or []
    networks = [each.value for each in permitted if isinstance(each, x509.IPAddress)]
    assert not any(each.is_global for each in networks)
    domains = [each.value for each in permitted if isinstance(each, x509.DNSName)]
    assert "local" in domains
    assert not any(each.endswith((".com", ".org")) for each in domains)


def test_a_page_without_https_does_without_cryptography() -> None:
    told = "import sys, lentigo.web.serve; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", told], check=False).returncode == 0


def test_keys_are_readable_by_their_owner_alone(made: Certificates) -> None:
    for name in ("ca.key", "server.key"):
        assert stat.S_IMODE((made.folder / name).stat().st_mode) == 0o600


def test_the_certificate_ends_before_phones_refuse_it(made: Certificates) -> None:
    found = served(made)
    assert (found.not_valid_after_utc - found.not_valid_before_utc).days <= 398


def test_starting_again_changes_nothing_and_a_new_name_renews_the_certificate_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare(tmp_path)
    before = served(first).serial_number
    assert prepare(tmp_path) == first
    assert served(first).serial_number == before
    again = prepare(tmp_path, host="192.168.7.7")
    assert "192.168.7.7" in again.names
    assert again.fingerprint == first.fingerprint
    names = served(again).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert ipaddress.ip_address("192.168.7.7") in names.get_values_for_type(x509.IPAddress)
    monkeypatch.setattr(certificates, "RENEW_DAYS", 5000)
    later = served(prepare(tmp_path, host="192.168.7.7")).serial_number
    assert later != served(first).serial_number or later != before


def test_a_public_name_stays_out_rather_than_spoil_the_certificate(tmp_path: Path) -> None:
    found = prepare(tmp_path, host="8.8.8.8", extra=["page.example.org", "pi.local"])
    assert "8.8.8.8" not in found.names
    assert "page.example.org" not in found.names
    assert "pi.local" in found.names
    hotspot = prepare(tmp_path / "hotspot", host="100.64.3.2")
    assert "100.64.3.2" in hotspot.names


def test_nobody_is_led_to_an_address_that_the_certificate_does_not_speak_for(
    made: Certificates,
) -> None:
    elsewhere = dataclasses.replace(made, names=("localhost", "pi.local"))
    with page(Settings(certificates=elsewhere, https_port=7)) as address:
        text = get(f"{address}/trust", verify=False).text
    assert "https://pi.local:7/" in text
    assert "https://127.0.0.1" not in text


def test_a_half_made_authority_is_made_anew_and_a_damaged_one_is_a_sentence(tmp_path: Path) -> None:
    prepare(tmp_path / "half")
    (tmp_path / "half" / "server.key").unlink()
    assert prepare(tmp_path / "half").key.is_file()
    prepare(tmp_path / "bad")
    (tmp_path / "bad" / "ca.pem").write_text("nonsense")
    with pytest.raises(InputError, match="cannot be used"):
        prepare(tmp_path / "bad")


def test_the_page_explains_how_to_trust_it(made: Certificates) -> None:
    trusting = ssl.create_default_context(cadata=made.authority())
    with page(Settings(certificates=made, https_port=7)) as address:
        text = get(f"{address}/trust", verify=trusting).text
        assert made.fingerprint in text
        assert "https://127.0.0.1:7/" in text
        assert "Android" in text
        assert "iPhone" in text
        given = get(f"{address}/trust/lentigo-ca.crt", verify=trusting)
    assert given.content == made.authority()
    with page() as address:
        answer = get(f"{address}/trust", headers={"accept": "text/html"})
        assert Words("en")("trust.none") in answer.text


def test_the_command_serves_both_and_prints_the_fingerprint(tmp_path: Path) -> None:
    options = ("--https", "--https-port", "0", "--certificates", str(tmp_path / "made"))
    with process(*options) as (started, (plain,)):
        assert started.stdout is not None
        assert started.stderr is not None
        secure = started.stdout.readline().strip()
        made = prepare(tmp_path / "made", host="127.0.0.1")
        assert made.fingerprint in started.stderr.readline()
        trusting = ssl.create_default_context(cadata=made.authority())
        assert get(f"{plain}/healthz").status_code == 200
        assert get(f"{secure}/healthz", verify=trusting).status_code == 200
