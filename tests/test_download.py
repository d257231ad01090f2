"""Downloads against a local server that breaks off, lies and forgets, and a made-up isic-cli."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from lentigo.data.download import RECORD_NAME, download
from lentigo.data.sources import SOURCES, Archive, IsicCollection
from lentigo.data.transfer import Patience, fetch
from lentigo.data.unpack import unpack
from lentigo.errors import DownloadError, SourceError
from small import lentigo

IMPATIENT = Patience(attempts=3, pause_s=0.0, timeout_s=5.0)
CONTENT = bytes(range(256)) * 4096  # 1 MiB


@dataclass
class Site:
    """What the server serves, how it misbehaves, and what it was asked."""

    files: dict[str, bytes]
    url: str = ""
    etag: str = '"one"'
    cut_after: int | None = None  # bytes, then the connection breaks, every time
    cuts_left: int = 10**6
    status: dict[str, list[int]] = field(default_factory=dict)
    ranges: list[str | None] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        name = self.path.rsplit("/", 1)[-1]
        self.site.ranges.append(self.headers.get("Range"))
        if self.site.status.get(name):
            self.send_error(self.site.status[name].pop(0))
        elif name not in self.site.files:
            self.send_error(404)
        else:
            self.serve(self.site.files[name])

    def serve(self, content: bytes) -> None:
        start, n_bytes = self.start(), len(content)
        if start >= n_bytes:
            self.answer(416, 0, f"bytes */{n_bytes}")
            return
        resumed = f"bytes {start}-{n_bytes - 1}/{n_bytes}" if start else ""
        self.answer(206 if start else 200, n_bytes - start, resumed)
        rest = content[start:]
        if self.site.cut_after is not None and self.site.cuts_left > 0:
            self.site.cuts_left -= 1
            rest = rest[: self.site.cut_after]
        self.wfile.write(rest)

    def start(self) -> int:
        asked = self.headers.get("Range")
        if asked is None or self.headers.get("If-Range") != self.site.etag:
            return 0
        return int(asked.removeprefix("bytes=").rstrip("-"))

    def answer(self, status: int, length: int, content_range: str) -> None:
        self.send_response(status)
        for name, value in (("Content-Range", content_range), ("ETag", self.site.etag)):
            if value:
                self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    served = Site({"file.bin": CONTENT})
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"site": served}))
    served.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


def get(site: Site, path: Path, **known: object) -> None:
    url = f"{site.url}/{path.name}"
    fetch(Archive(url, **known), url, path, patience=IMPATIENT)  # type: ignore[arg-type]


def test_a_file_arrives_whole_and_is_not_fetched_again(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "new" / "file.bin"
    digest = hashlib.sha256(CONTENT).hexdigest()
    for _ in range(2):
        get(site, target, sha256=digest, n_bytes=len(CONTENT))
    assert target.read_bytes() == CONTENT
    assert site.ranges == [None]
    assert [path.name for path in target.parent.iterdir()] == ["file.bin"]


def test_progress_counts_up_to_the_size(site: Site, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int | None]] = []
    url = f"{site.url}/file.bin"
    fetch(Archive(url), url, tmp_path / "file.bin", progress=lambda *step: seen.append(step))
    assert seen[-1] == ("file.bin, bytes", len(CONTENT), len(CONTENT))
    assert [step[1] for step in seen] == sorted(step[1] for step in seen)


def test_broken_connections_are_taken_up_where_they_broke(site: Site, tmp_path: Path) -> None:
    site.cut_after = 300_000
    get(site, tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert site.ranges == [None, "bytes=300000-", "bytes=600000-", "bytes=900000-"]


def test_a_killed_download_is_resumed_by_the_next_process(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "file.bin"

    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(Archive(site.url), f"{site.url}/file.bin", target, progress=kill)
    begun = target.with_name("file.bin.part").stat().st_size
    assert 0 < begun < len(CONTENT)
    get(site, target)
    assert target.read_bytes() == CONTENT
    assert site.ranges[-1] == f"bytes={begun}-"


def begin(folder: Path, site: Site, content: bytes) -> None:
    """What an earlier, killed download left."""
    (folder / "file.bin.part").write_bytes(content)
    state = {"url": f"{site.url}/file.bin", "version": '"one"'}
    (folder / "file.bin.part.json").write_text(json.dumps(state))


def test_a_file_that_changed_meanwhile_is_fetched_anew(site: Site, tmp_path: Path) -> None:
    begin(tmp_path, site, CONTENT[:400_000])
    site.files["file.bin"], site.etag = CONTENT[::-1], '"two"'
    get(site, tmp_path / "file.bin")
    assert site.ranges == ["bytes=400000-"]
    assert (tmp_path / "file.bin").read_bytes() == CONTENT[::-1]


def test_without_a_mark_of_its_version_a_file_is_never_patched_together(
    site: Site, tmp_path: Path
) -> None:
    site.etag, site.cut_after, site.cuts_left = "", 300_000, 2
    get(site, tmp_path / "file.bin")
    assert site.ranges == [None, None, None]
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_a_part_that_is_already_whole_gets_its_name(site: Site, tmp_path: Path) -> None:
    begin(tmp_path, site, CONTENT)
    get(site, tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_a_wrong_digest_or_size_is_refused_and_leaves_nothing(site: Site, tmp_path: Path) -> None:
    for known in ({"sha256": "0" * 64}, {"n_bytes": 5}):
        with pytest.raises(DownloadError, match=r"file\.bin has"):
            get(site, tmp_path / "file.bin", **known)
        assert list(tmp_path.iterdir()) == []


def test_a_missing_file_fails_at_once_by_name(site: Site, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"absent\.zip could not be fetched .*404"):
        get(site, tmp_path / "absent.zip")
    assert len(site.ranges) == 1


def test_a_busy_server_is_asked_again_but_not_for_ever(site: Site, tmp_path: Path) -> None:
    site.status["file.bin"] = [503, 503]
    get(site, tmp_path / "file.bin")
    site.files["other.bin"], site.status["other.bin"] = CONTENT, [503] * 9
    with pytest.raises(DownloadError, match=r"other\.bin .*503"):
        get(site, tmp_path / "other.bin")
    assert len(site.ranges) == 6


def test_a_page_in_place_of_a_file_is_refused(site: Site, tmp_path: Path) -> None:
    site.files["table.csv"] = b"\n<!DOCTYPE html><p>Please log in"
    with pytest.raises(DownloadError, match="web page"):
        get(site, tmp_path / "table.csv")


def test_only_web_addresses_are_opened(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="not an address"):
        fetch(Archive("file:///x"), "file:///x", tmp_path / "x")


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


@pytest.mark.parametrize("name", ["../evil.txt", "/evil.txt", "a/../../evil.txt", "C:/evil.txt"])
def test_an_archive_never_writes_outside_its_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"good.txt": b"1", name: b"2"}))
    with pytest.raises(DownloadError, match=r"evil\.txt"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc")
    with pytest.raises(DownloadError, match="links"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_a_damaged_archive_is_refused_by_its_own_checksums(tmp_path: Path) -> None:
    content = bytearray(zipped({"a.txt": b"content of a file"}))
    content[content.index(b"content")] ^= 1
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DownloadError, match=r"a\.zip is damaged.*a\.txt"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert not (tmp_path / "out" / "a.txt").exists()


def jpeg(value: int) -> bytes:
    done, encoded = cv2.imencode(".jpg", np.full((8, 8, 3), value, np.uint8))
    assert done
    return encoded.tobytes()


def publish_isic2020(site: Site) -> None:
    rows = "".join(f"ISIC_{i},IP_{i},male,45,benign,0\n" for i in range(3))
    header = "image_name,patient_id,sex,age_approx,benign_malignant,target\n"
    site.files = {
        "ISIC_2020_Training_GroundTruth_v2.csv": (header + rows).encode(),
        "ISIC_2020_Training_Duplicates.csv": b"image_name_1,image_name_2\nISIC_0,ISIC_1\n",
        "ISIC_2020_Training_JPEG.zip": zipped(
            {f"train/ISIC_{i}.jpg": jpeg(i) for i in range(3)} | {"__MACOSX/._x": b""}
        ),
    }


def test_a_source_is_downloaded_unpacked_and_read(site: Site, tmp_path: Path) -> None:
    publish_isic2020(site)
    for _ in range(2):
        download("isic2020", tmp_path, base_url=site.url, patience=IMPATIENT)
    assert len(site.ranges) == 3
    assert sorted(path.name for path in (tmp_path / "train").iterdir()) == [
        f"ISIC_{i}.jpg" for i in range(3)
    ]
    assert not (tmp_path / "ISIC_2020_Training_JPEG.zip").exists()
    record = json.loads((tmp_path / RECORD_NAME).read_text())
    assert record["ISIC_2020_Training_JPEG.zip"]["n_files"] == 3
    assert len(record["ISIC_2020_Training_JPEG.zip"]["sha256"]) == 64


def test_what_was_damaged_since_is_fetched_again(
    site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publish_isic2020(site)
    download("isic2020", tmp_path, base_url=site.url, patience=IMPATIENT)
    image, gone = (tmp_path / "train" / f"ISIC_{i}.jpg" for i in (1, 2))
    table = tmp_path / "ISIC_2020_Training_Duplicates.csv"
    image.write_bytes(image.read_bytes()[:-5])
    gone.unlink()
    table.write_text(table.read_text().replace("ISIC_0", "ISIC_2"))  # as long as before
    download("isic2020", tmp_path, base_url=site.url, patience=IMPATIENT)
    assert len(site.ranges) == 3 + 2
    assert image.read_bytes() == jpeg(1)
    assert gone.read_bytes() == jpeg(2)
    assert table.read_bytes() == site.files[table.name]
    for path in (image, gone, table):
        assert path.name in caplog.text
    download("isic2020", tmp_path, base_url=site.url, patience=IMPATIENT)
    assert len(site.ranges) == 3 + 2


def test_a_source_whose_archive_is_damaged_recovers_when_run_again(
    site: Site, tmp_path: Path
) -> None:
    publish_isic2020(site)
    name = "ISIC_2020_Training_JPEG.zip"
    good = site.files[name]
    broken = bytearray(good)
    broken[60] ^= 255
    site.files[name] = bytes(broken)
    with pytest.raises(DownloadError, match=name):
        download("isic2020", tmp_path, base_url=site.url, patience=IMPATIENT)
    site.files[name], site.etag = good, '"two"'
    download("isic2020", tmp_path, base_url=site.url, patience=IMPATIENT)


def test_an_archive_without_a_listed_image_fails_loudly(site: Site, tmp_path: Path) -> None:
    publish_isic2020(site)
    site.files["ISIC_2020_Training_JPEG.zip"] = zipped({"train/ISIC_1.jpg": jpeg(1)})
    with pytest.raises(DownloadError, match="2 of 3 listed images are absent"):
        download("isic2020", tmp_path, base_url=site.url, patience=IMPATIENT)


def test_sources_without_a_download_say_where_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="kaggle"):
        download("isic9", tmp_path)
    with pytest.raises(SourceError, match="no source 'nothing'"):
        download("nothing", tmp_path)


def test_the_command_takes_a_mirror_and_says_how_much_there_is(site: Site, tmp_path: Path) -> None:
    publish_isic2020(site)
    given = ("download", "isic2020", "--out", tmp_path / "a", "--mirror", site.url)
    out, err = lentigo(*given, "--json")
    assert json.loads(out) == {"path": str(tmp_path / "a"), "source": "isic2020"}
    size = len(site.files["ISIC_2020_Training_JPEG.zip"])
    assert f"ISIC_2020_Training_JPEG.zip, bytes: {size:,}\n" in err
    _, err = lentigo("download", "ham10000", "--out", tmp_path / "b", "--mirror", site.url, code=2)
    assert "no mirror" in err


def test_every_downloadable_source_has_archives_or_a_collection() -> None:
    kinds = {name: source.download for name, source in SOURCES.items() if source.download}
    assert isinstance(kinds["ham10000"], IsicCollection)
    assert set(kinds) == {"ham10000", "isic2017", "isic2018", "isic2019", "isic2020"}
