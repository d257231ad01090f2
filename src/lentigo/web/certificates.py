"""A local certificate authority and a certificate of it, for a page in a home network.

No public authority certifies ``raspberrypi.local`` or ``192.168.1.7``. So the server makes an
authority of its own, once, which phones are told to trust. It may speak for local names and
private addresses only (RFC 5280, 4.2.1.10): whoever stole its key could not pretend to be a
bank.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import socket
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lentigo.errors import InputError
from lentigo.files import write_bytes
from lentigo.web.names import own_addresses, own_names

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

AUTHORITY_YEARS = 10
# Phones refuse certificates that are valid for longer than 398 days.
CERTIFICATE_DAYS, RENEW_DAYS = 397, 30
_PRIVATE = (
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16"),
    "100.64.0.0/10",  # of telephone companies and private networks over the internet
    *("fc00::/7", "fe80::/10", "::1/128"),
)


@dataclass(frozen=True)
class Certificates:
    """Where the files of an authority and its certificate lie.

    Attributes:
        folder: Readable by this user alone.
        names: That the certificate speaks for: host names and addresses.
        fingerprint: SHA-256 of the authority, in pairs of hexadecimal digits.
    """

    folder: Path
    names: tuple[str, ...]
    fingerprint: str

    @property
    def chain(self) -> Path:
        """Certificate and authority, PEM."""
        return self.folder / "server.pem"

    @property
    def key(self) -> Path:
        """Key of the certificate, PEM."""
        return self.folder / "server.key"

    def authority(self) -> bytes:
        """What phones are told to trust, DER."""
        found = x509.load_pem_x509_certificate((self.folder / "ca.pem").read_bytes())
        return found.public_bytes(serialization.Encoding.DER)


def prepare(folder: Path, *, host: str = "", extra: Iterable[str] = ()) -> Certificates:
    """Make the authority and the certificate, where they are missing or out of date.

    The authority is made once. The certificate is renewed when the machine's names or
    addresses change, and before it ends.

    Args:
        folder: For keys and certificates.
        host: What the page is bound to.
        extra: Further host names.

    Raises:
        InputError: The folder cannot be written, or holds something else.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (folder / "ca.pem").is_file():
            _make_authority(folder)
        authority = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
        known = {*own_names(extra), *own_addresses(host)}
        names = tuple(sorted(each for each in known if _speaks_for(authority, each)))
        if not _fits(folder, authority, names):
            _make_certificate(folder, authority, names)
    except (OSError, ValueError) as error:
        raise InputError(
            f"The certificates in {folder} cannot be used: {error}",
            todo="Name another folder with --certificates, or empty this one.",
        ) from None
    digits = authority.fingerprint(hashes.SHA256()).hex().upper()
    pairs = ":".join(digits[i : i + 2] for i in range(0, len(digits), 2))
    return Certificates(folder, names, pairs)


def _address(name: str) -> Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _speaks_for(authority: x509.Certificate, name: str) -> bool:
    """Whether the authority may: one name too many makes browsers refuse the whole certificate."""
    constraints = authority.extensions.get_extension_for_class(x509.NameConstraints).value
    permitted = constraints.permitted_subtrees or []
    address = _address(name)
    if address is None:
        domains = [each.value for each in permitted if isinstance(each, x509.DNSName)]
        return any(name == each or name.endswith(f".{each}") for each in domains)
    values = [each.value for each in permitted if isinstance(each, x509.IPAddress)]
    return any(
        address in each
        for each in values
        if isinstance(each, Network) and each.version == address.version
    )


def _networks() -> list[Network]:
    return [ipaddress.ip_network(each) for each in _PRIVATE]


def _make_authority(folder: Path) -> None:
    key, now = ec.generate_private_key(ec.SECP256R1()), _now()
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, f"lentigo on {socket.gethostname()}"[:64])]
    )
    names = [x509.DNSName(each) for each in sorted(own_names())]
    permitted: list[x509.GeneralName] = [*names, x509.DNSName("local")]
    permitted += [x509.IPAddress(each) for each in _networks()]
    builder = (
        _builder(name, name, key, now, dt.timedelta(days=365 * AUTHORITY_YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(permitted, None), critical=True)
    )
    _write_key(folder / "ca.key", key)
    certificate = builder.sign(key, hashes.SHA256())
    # Written last: its presence says that the key is there.
    write_bytes(folder / "ca.pem", certificate.public_bytes(serialization.Encoding.PEM))


def _make_certificate(folder: Path, authority: x509.Certificate, names: tuple[str, ...]) -> None:
    loaded = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    assert isinstance(loaded, ec.EllipticCurvePrivateKey)
    key, now = ec.generate_private_key(ec.SECP256R1()), _now()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lentigo")])
    builder = (
        _builder(subject, authority.subject, key, now, dt.timedelta(days=CERTIFICATE_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general(n) for n in names]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(loaded.public_key()), critical=False
        )
    )
    certificate = builder.sign(loaded, hashes.SHA256())
    _write_key(folder / "server.key", key)
    pem = serialization.Encoding.PEM
    chain = certificate.public_bytes(pem) + authority.public_bytes(pem)
    write_bytes(folder / "server.pem", chain)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: dt.datetime,
    lasting: dt.timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # A Pi without a clock of its own may be a little ahead of the phone.
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now - dt.timedelta(days=1) + lasting)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general(name: str) -> x509.GeneralName:
    address = _address(name)
    return x509.DNSName(name) if address is None else x509.IPAddress(address)


def _fits(folder: Path, authority: x509.Certificate, names: tuple[str, ...]) -> bool:
    """Whether the certificate that lies there speaks for these names, and for long enough."""
    if not ((folder / "server.pem").is_file() and (folder / "server.key").is_file()):
        return False
    found = x509.load_pem_x509_certificate((folder / "server.pem").read_bytes())
    key = serialization.load_pem_private_key((folder / "server.key").read_bytes(), None)
    wanted = {_general(name) for name in names}
    spoken = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    left = found.not_valid_after_utc - _now()
    return (
        # A machine that starts before its network is up keeps the addresses it had.
        wanted <= set(spoken)
        and left > dt.timedelta(days=RENEW_DAYS)
        and found.issuer == authority.subject
        and key.public_key() == found.public_key()
    )


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """Atomically, and never readable by others: a temporary file is its owner's alone."""
    content = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    Path(temporary).replace(path)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
