"""Puts LiteRT.js where the wheel carries it: taken from its npm package, never committed.

Runs when a wheel is built, and by hand as `make offline-app` for a checkout. npm downloads; what
arrives is checked against the digests below. Where npm is missing or cannot reach its registry,
the wheel is built without LiteRT.js, and says so: everything but the offline app works.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
TARGET = Path("src/lentigo/web/litert")
PACKAGES = {
    "@litertjs/core@2.5.3": "PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ==",  # noqa: E501 - digests
    "@litertjs/wasm-utils@2.5.3": "4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW580Tmk78pC2kT39A9OYBVdFawteZ/sI1kQ==",  # noqa: E501
}
"""npm's package and the SHA-512 of its archive."""

# With relaxed SIMD, and without it (Safari). The variants with threads need headers that no
# plain web host sends.
WASM = ("litert_wasm_internal", "litert_wasm_compat_internal")
BARE_IMPORT = b'"@litertjs/wasm-utils"'
TIMEOUT_S = 300
NOTICE = """LiteRT.js, unchanged but for one line, from the npm packages {packages}.
Copyright Google LLC. Licensed under the Apache License, Version 2.0 (LICENSE beside this file).
Source: https://github.com/google-ai-edge/LiteRT

Changed: index.js imports ./wasm-utils.js by its place instead of by its package's name. The
.wasm files are compressed with gzip.
"""


class LiteRtMissingError(Exception):
    """Why LiteRT.js could not be put in place."""


class CustomBuildHook(BuildHookInterface[Any]):
    """Called by hatchling; the name is its convention."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Put LiteRT.js in place before a wheel's files are collected."""
        del build_data
        # An editable install shows the checkout as it is; `make offline-app` fills it.
        if version == "editable":
            return
        try:
            place(Path(self.root) / TARGET)
        except LiteRtMissingError as reason:
            self.app.display_warning(f"This wheel carries no offline app: {reason}")


def place(folder: Path) -> None:
    """Fill ``folder`` with LiteRT.js, whole or not at all; one of this version is left alone.

    Raises:
        LiteRtMissingError: npm is missing, failed, or delivered something else.
    """
    notice = NOTICE.format(packages=" and ".join(PACKAGES))
    stated = folder / "NOTICE"
    if stated.is_file() and stated.read_text(encoding="utf-8") == notice:
        return
    core, utils = (_download(package, digest) for package, digest in PACKAGES.items())
    files = {"index.js": _rewritten(core["package/dist/index.js"])}
    files["wasm-utils.js"] = utils["package/dist/index.js"]
    for name in WASM:
        files[f"{name}.js"] = core[f"package/wasm/{name}.js"]
        files[f"{name}.wasm.gz"] = gzip.compress(core[f"package/wasm/{name}.wasm"], 9, mtime=0)
    files["LICENSE"] = (ROOT / "LICENSE").read_bytes()
    files["NOTICE"] = notice.encode()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".litert.", dir=folder.parent) as temporary:
        filled = Path(temporary) / "litert"
        filled.mkdir()
        for name, content in files.items():
            (filled / name).write_bytes(content)
        shutil.rmtree(folder, ignore_errors=True)
        filled.rename(folder)


def _download(package: str, digest: str) -> dict[str, bytes]:
    """The files of an npm package, by name."""
    npm = shutil.which("npm")
    if npm is None:
        raise LiteRtMissingError("npm is not installed; on Debian: apt-get install npm")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", "--silent", package, "--pack-destination", folder]
        try:
            done = subprocess.run(  # noqa: S603 - fixed arguments
                command, cwd=folder, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
            )
        except subprocess.TimeoutExpired:
            raise LiteRtMissingError(f"npm took more than {TIMEOUT_S} s for {package}") from None
        archives = list(Path(folder).glob("*.tgz"))
        if done.returncode or len(archives) != 1:
            said = (done.stderr.strip() or "nothing").splitlines()[-1]
            raise LiteRtMissingError(f"npm could not fetch {package}; it said: {said}")
        content = archives[0].read_bytes()
    if base64.b64encode(hashlib.sha512(content).digest()).decode() != digest:
        raise LiteRtMissingError(f"what npm fetched as {package} does not have its digest")
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        members = [(each.name, archive.extractfile(each)) for each in archive if each.isfile()]
        return {name: stream.read() for name, stream in members if stream is not None}


def _rewritten(index: bytes) -> bytes:
    """index.js with its one import by place: browsers resolve no package names."""
    if index.count(BARE_IMPORT) != 1:
        raise LiteRtMissingError("LiteRT.js no longer imports its helper as it did")
    return index.replace(BARE_IMPORT, b'"./wasm-utils.js"')


if __name__ == "__main__":
    try:
        place(ROOT / TARGET)
    except LiteRtMissingError as reason:
        sys.exit(f"LiteRT.js is not here: {reason}")
    print(f"LiteRT.js lies in {TARGET}")
