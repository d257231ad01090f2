"""The offline app: a bundle that runs in the browser, as files for any web host.

The page's own modules, LiteRT.js and the bundle's own file; nothing is converted a second
time. A service worker keeps all of it in the browser by digest, so that the network may go
after the first visit.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from lentigo.deploy.bundle import Bundle, read_bundle
from lentigo.errors import BundleError, InputError
from lentigo.files import canonical_json, digest_json
from lentigo.image.spec import PreprocessSpec
from lentigo.taxonomy import NOT_A_MEDICAL_DEVICE
from lentigo.web.litert import need_runtime, runtime_files
from lentigo.web.strings import LANGUAGES, catalogue

WORKER = "sw.js"
MANIFEST = "app.webmanifest"
MODEL = "model.tflite"
HOME = "index.html"
LISTING = "files.js"
"""What the service worker reads; also what tells an app's folder from any other."""

# Of the server's page, which looks the same.
_SHARED = ("page.css", "mark.svg", "scope-yes.svg", "scope-no.svg")
# Fetched once the page works; the rest is the page.
_LATER = ("litert/", MODEL, "LICENSES")
_LISTING_START = "self.LENTIGO = "


@dataclass(frozen=True)
class Written:
    """A static app.

    Attributes:
        folder: Where it lies.
        files: How many files it has.
        size_bytes: Of all of them.
        version: First 12 digits of the digest over all files.
    """

    folder: Path
    files: int
    size_bytes: int
    version: str


def decline(spec: PreprocessSpec) -> str | None:
    """Why the browser cannot do a spec, as a sentence; None where it can.

    Args:
        spec: Of a bundle.
    """
    # The counterpart of `decline` in static/offline/preprocess.js, sentence by sentence.
    if spec.hair_removal is not None:
        return (
            "The model's preprocessing removes hair by inpainting (Telea 2004), for which "
            "browsers have no equivalent that gives the same pixels."
        )
    return None


def write_app(path: Path, out: Path) -> Written:
    """Write the offline app of a bundle as static files, whole or not at all.

    Args:
        path: A bundle.
        out: A folder that does not exist, is empty, or holds an earlier app, which is replaced.

    Returns:
        What was written.

    Raises:
        BundleError: No bundle, or one whose preprocessing browsers cannot do.
        InputError: ``out`` holds something else.
        MissingExtraError: This installation has no LiteRT.js.
    """
    bundle = read_bundle(path)
    if reason := decline(bundle.info.spec):
        raise BundleError(
            f"{path} cannot run in a browser. {reason}",
            todo=f"Serve it instead: lentigo serve --model {path}",
        )
    _check_target(out)
    content = dict(app_files(bundle, path.read_bytes()))
    content[LISTING] = listing(content, served=False)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as temporary:
        filled = Path(temporary) / "new"
        for name, each in content.items():
            target = filled / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(each)
        # A folder cannot replace another in one step; the older one goes aside for the moment.
        if out.exists():
            out.rename(Path(temporary) / "old")
        filled.rename(out)
    size = sum(len(each) for each in content.values())
    return Written(out, len(content), size, version(content))


def version(content: Mapping[str, bytes]) -> str:
    """First 12 digits of the digest over names and contents, the listing left out."""
    return digest_json(_digests(content))[:12]


def listing(content: Mapping[str, bytes], *, served: bool) -> bytes:
    """The script that tells the service worker which files there are.

    Args:
        content: Name and content of each file.
        served: A server makes the page, so that is asked first while it answers.
    """
    digests = _digests(content)
    facts = {
        "version": version(content),
        "served": served,
        "home": HOME,
        "first": [name for name in digests if not name.startswith(_LATER)],
        "files": digests,
    }
    return f"{_LISTING_START}{canonical_json(facts)};\n".encode()


def _digests(content: Mapping[str, bytes]) -> dict[str, str]:
    return {
        name: hashlib.sha256(each).hexdigest()
        for name, each in sorted(content.items())
        if name not in {LISTING, WORKER}
    }


def _static() -> Iterator[tuple[str, bytes]]:
    """The app's own files, as they lie in the package."""
    static = files("lentigo") / "web" / "static"
    for name in _SHARED:
        yield name, (static / name).read_bytes()
    for each in sorted((static / "offline").iterdir(), key=lambda each: each.name):
        yield each.name, each.read_bytes()


def _words() -> Iterator[tuple[str, bytes]]:
    """The page's catalogue, a file a language."""
    for language in LANGUAGES:
        words = {key: entry[language] for key, entry in catalogue().items()}
        yield f"words/{language}.json", canonical_json(words).encode()


def _licences(bundle: Bundle) -> str:
    """Who made the parts, and under which conditions they may be used and passed on."""
    folder = need_runtime()
    notice, apache = ((folder / name).read_text("utf-8") for name in ("NOTICE", "LICENSE"))
    return "\n".join(
        [
            NOT_A_MEDICAL_DEVICE,
            "",
            "The app: lentigo, Apache License 2.0 (below).",
            f"The model {bundle.info.name} ({MODEL}): {bundle.info.license}",
            "",
            notice,
            "-" * 72,
            apache,
        ]
    )


def manifest() -> dict[str, Any]:
    """The web app manifest, which makes the page installable."""
    icons: list[dict[str, str]] = [
        {"src": f"icon-{side}.png", "sizes": f"{side}x{side}", "type": "image/png"}
        for side in (192, 512)
    ]
    icons += [{**each, "purpose": "maskable"} for each in icons]
    return {
        "id": "./",
        "name": "lentigo: skin lesion research",
        "short_name": "lentigo",
        "description": NOT_A_MEDICAL_DEVICE,
        "start_url": "./",
        "scope": "./",
        "display": "standalone",
        "background_color": "#f4f6f5",
        "theme_color": "#1f5f5b",
        "icons": icons,
    }


def _check_target(out: Path) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    listing_file = out / LISTING
    if listing_file.is_file() and listing_file.read_text("utf-8").startswith(_LISTING_START):
        return
    raise InputError(
        f"{out} holds something else than an offline app.", todo="Name a new or empty folder."
    )


def app_files(bundle: Bundle, content: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file of the app but the listing.

    Args:
        bundle: What the app runs.
        content: Its own file, which is what the browser loads.

    Raises:
        MissingExtraError: This installation has no LiteRT.js.
    """
    yield from _static()
    yield from _words()
    yield MANIFEST, canonical_json(manifest()).encode()
    for name, each in runtime_files(need_runtime()):
        yield f"litert/{name}", each
    yield MODEL, content
    yield "LICENSES.txt", _licences(bundle).encode()
