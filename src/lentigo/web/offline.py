"""The offline app: a bundle that runs in the browser.

The page's own modules, LiteRT.js and the bundle's own file; nothing is converted a second
time. A service worker keeps all of it in the browser by digest, so that the network may go
after the first visit. ``lentigo.web.static_app`` writes the files, ``lentigo.web.app_routes``
serves them.
"""

from __future__ import annotations

import gzip
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import IO, Any, cast

from lentigo.deploy.bundle import Bundle
from lentigo.files import canonical_json, digest_json
from lentigo.image.spec import PreprocessSpec
from lentigo.taxonomy import NOT_A_MEDICAL_DEVICE
from lentigo.web import litert
from lentigo.web.strings import DEFAULT, LANGUAGES, catalogue

WORKER = "sw.js"
LISTING = "files.js"
"""What the service worker reads; also what tells an app's folder from any other."""
HOME = "index.html"
MODEL = "model.tflite"
LISTING_START = "self.LENTIGO = "
PIECE_BYTES = 64 * 1024

# Of the server's page, which looks the same.
_SHARED = (
    *("page.css", "mark.svg", "scope-yes.svg", "scope-no.svg"),
    *("dom.js", "doubts.js", "keepsake.js", "preview.js", "shelf.js", "speech.js", "store.js"),
)
# Fetched once the page works; the rest is the page.
_LATER = ("litert/", MODEL, "LICENSES")
# Sentences that only a server's pages say.
_OF_SERVERS = ("api.", "code.", "privacy.", "problem.", "trust.")
_PLAIN, _SERVED = b'<html lang="en">', b'<html lang="en" data-scope="/">'


Opening = Callable[[], AbstractContextManager[IO[bytes]]]


@dataclass(frozen=True)
class Part:
    """A file of the app.

    Attributes:
        open: Opens its content: a small device does not hold it all.
        gzipped: The same, compressed, where that is how it lies in the package.
    """

    open: Opening
    gzipped: Opening | None = None

    def read(self) -> bytes:
        """All of it."""
        with self.open() as stream:
            return stream.read()

    def digest(self) -> str:
        """SHA-256, 64 hexadecimal digits."""
        state = hashlib.sha256()
        for piece in pieces(self.open):
            state.update(piece)
        return state.hexdigest()


def pieces(opening: Opening) -> Iterator[bytes]:
    """What a file holds, so little at a time that many may be read at once."""
    with opening() as stream:
        while piece := stream.read(PIECE_BYTES):
            yield piece


def decline_key(spec: PreprocessSpec) -> str | None:
    """The catalogue's key of why the browser cannot do a spec; None where it can."""
    # The counterpart of `decline` in static/offline/preprocess.js, sentence by sentence.
    return None if spec.hair_removal is None else "offline.decline.hair"


def decline(spec: PreprocessSpec) -> str | None:
    """Why the browser cannot do a spec, as an English sentence; None where it can."""
    key = decline_key(spec)
    return None if key is None else catalogue()[key][DEFAULT]


class OfflineApp:
    """The app of one bundle.

    Args:
        bundle: What it runs.
        served: A server makes the pages around it, and is asked first while it answers.
    """

    def __init__(self, bundle: Bundle, *, served: bool) -> None:
        self._bundle, self._served = bundle, served

    @property
    def obstacle(self) -> str | None:
        """The catalogue's key of why there is no such app; None where there is."""
        if litert.runtime_folder() is None:
            return "offline.missing"
        return decline_key(self._bundle.info.spec)

    @cached_property
    def parts(self) -> Mapping[str, Part]:
        """Every file by name.

        Raises:
            MissingExtraError: This installation has no LiteRT.js.
        """
        parts = dict(self._page())
        parts |= {
            f"words/{language}.json": _made(partial(_words, language)) for language in LANGUAGES
        }
        parts["app.webmanifest"] = _made(lambda: canonical_json(manifest()).encode())
        parts |= {f"litert/{name}": part for name, part in _runtime(litert.need_runtime())}
        parts[MODEL] = Part(partial(_own_file, self._bundle))
        parts["LICENSES.txt"] = _made(partial(_licences, self._bundle))
        parts[LISTING] = _made(lambda: self._listing)
        return parts

    @cached_property
    def digests(self) -> Mapping[str, str]:
        """SHA-256 of every file that the service worker keeps."""
        own = {LISTING, WORKER}
        kept = ((name, part) for name, part in sorted(self.parts.items()) if name not in own)
        return {name: part.digest() for name, part in kept}

    @property
    def version(self) -> str:
        """First 12 digits of the digest over names and contents."""
        return digest_json(self.digests)[:12]

    @cached_property
    def _listing(self) -> bytes:
        """The script that tells the service worker which files there are."""
        facts = {
            "version": self.version,
            "served": self._served,
            "home": HOME,
            "first": [name for name in self.digests if not name.startswith(_LATER)],
            "files": self.digests,
        }
        return f"{LISTING_START}{canonical_json(facts)};\n".encode()

    def _page(self) -> Iterator[tuple[str, Part]]:
        """The app's own files, as they lie in the package."""
        static = files("lentigo") / "web" / "static"
        for name in _SHARED:
            yield name, Part(partial(_opened, static / name))
        for each in (static / "offline").iterdir():
            yield each.name, Part(partial(_opened, each))
        if self._served:
            home = (static / "offline" / HOME).read_bytes()
            assert home.count(_PLAIN) == 1
            yield HOME, _made(lambda: home.replace(_PLAIN, _SERVED))


def manifest() -> dict[str, Any]:
    """The web app manifest, which makes the page installable."""
    icons: list[dict[str, str]] = [
        {"src": f"icon-{side}.png", "sizes": f"{side}x{side}", "type": "image/png"}
        for side in (192, 512)
    ]
    return {
        "id": "./",
        "name": "lentigo: skin lesion research",
        "short_name": "lentigo",
        "description": NOT_A_MEDICAL_DEVICE,
        "start_url": "./",
        "scope": "./",
        "display": "standalone",
        "background_color": "#faf8f5",
        "theme_color": "#faf8f5",
        "icons": [*icons, *({**each, "purpose": "maskable"} for each in icons)],
    }


def _words(language: str) -> bytes:
    """The page's catalogue in one language."""
    kept = {key: entry for key, entry in catalogue().items() if not key.startswith(_OF_SERVERS)}
    words = {key: entry[language] for key, entry in kept.items()}
    return canonical_json(words).encode()


def _runtime(folder: Traversable) -> Iterator[tuple[str, Part]]:
    for each in folder.iterdir():
        if each.name.endswith(".gz"):
            unpacked = partial(_unpacked, each)
            yield each.name.removesuffix(".gz"), Part(unpacked, partial(_opened, each))
        else:
            yield each.name, Part(partial(_opened, each))


def _opened(file: Traversable) -> IO[bytes]:
    return file.open("rb")


@contextmanager
def _unpacked(file: Traversable) -> Iterator[IO[bytes]]:
    with file.open("rb") as packed, gzip.open(packed) as stream:
        yield cast("IO[bytes]", stream)


def _made(content: Callable[[], bytes]) -> Part:
    """A file that lies nowhere."""
    return Part(lambda: io.BytesIO(content()))


def _own_file(bundle: Bundle) -> IO[bytes]:
    """The bundle's own file, read again: in memory only its graph is held."""
    return Path(bundle.source).open("rb")


def _licences(bundle: Bundle) -> bytes:
    """Who made the parts, and under which conditions they may be used and passed on."""
    folder = litert.need_runtime()
    notice, apache = ((folder / name).read_text("utf-8") for name in ("NOTICE", "LICENSE"))
    lines = [
        NOT_A_MEDICAL_DEVICE,
        "",
        "The app: lentigo, Apache License 2.0 (below).",
        f"The model {bundle.info.name} ({MODEL}): {bundle.info.license}",
        "",
        notice,
        "-" * 72,
        apache,
    ]
    return "\n".join(lines).encode()
