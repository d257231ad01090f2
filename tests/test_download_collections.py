"""Collections of the ISIC Archive, with a made-up isic-cli that fails as the real one does."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from lentigo.data import isic_cli
from lentigo.data.download import download
from lentigo.errors import DownloadError, MissingExtraError


def jpeg(value: int) -> bytes:
    done, encoded = cv2.imencode(".jpg", np.full((8, 8, 3), value, np.uint8))
    assert done
    return encoded.tobytes()


FAKE_CLI = """
import csv, json, pathlib, re, sys
home = pathlib.Path(__file__).parent
plan = json.loads((home / "plan.json").read_text())
arguments = sys.argv[1:]
with (home / "calls").open("a") as log:
    log.write(json.dumps(arguments) + chr(10))
def option(name):
    return arguments[arguments.index(name) + 1]
if arguments[:2] == ["metadata", "download"]:
    assert option("--collections") == "212"
    with open(option("--outfile"), "w") as stream:
        stream.write("isic_id,copyright_license,diagnosis_3,lesion_id" + chr(10))
        for each in plan["ids"]:
            stream.write(f"{each},CC-BY-NC,Nevus,IL_1" + chr(10))
elif arguments[:2] == ["image", "download"]:
    out = pathlib.Path(arguments[-1])
    good = (home / "good.jpg").read_bytes()
    for each in re.findall(r"isic_id:(ISIC_[0-9]+)", option("--search")):
        if each in plan["absent"]:
            continue  # the real one fails in silence, too
        content = good[:-9] if each in plan["truncated"] else good
        (out / f"{each}.jpg").write_bytes(content)
    (out / "metadata.csv").write_text("isic_id")
    if plan["code"]:
        sys.stderr.buffer.write(b"the archive is down, caf\\xe9" + bytes([10]))
    sys.exit(plan["code"])
else:
    sys.exit("unknown arguments")
"""


@dataclass
class FakeCli:
    home: Path
    command: tuple[str, ...]

    def plan(self, **changes: object) -> None:
        plan = {"ids": [f"ISIC_{i:07d}" for i in range(120)], "absent": [], "truncated": []}
        (self.home / "plan.json").write_text(json.dumps({**plan, "code": 0, **changes}))

    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.home / "calls").read_text().splitlines()]


@pytest.fixture
def fake(tmp_path: Path) -> FakeCli:
    home = tmp_path / "cli"
    home.mkdir()
    (home / "isic.py").write_text(FAKE_CLI)
    (home / "good.jpg").write_bytes(jpeg(128))
    made = FakeCli(home, (sys.executable, str(home / "isic.py")))
    made.plan()
    return made


def test_a_collection_is_fetched_in_pieces_and_read(fake: FakeCli, tmp_path: Path) -> None:
    out = tmp_path / "ham"
    steps: list[tuple[str, int, int | None]] = []
    download("ham10000", out, isic_command=fake.command, progress=lambda *step: steps.append(step))
    assert len(list((out / "images").iterdir())) == 120
    assert steps == [("images of collection 212", n, 120) for n in (50, 100, 120)]
    assert len(fake.calls()) == 4
    download("ham10000", out, isic_command=fake.command)
    assert len(fake.calls()) == 4


def test_images_that_fail_are_named_and_the_next_run_fetches_only_them(
    fake: FakeCli, tmp_path: Path
) -> None:
    out = tmp_path / "ham"
    fake.plan(absent=["ISIC_0000007"], truncated=["ISIC_0000099"], code=1)
    with pytest.raises(DownloadError) as caught:
        download("ham10000", out, isic_command=fake.command)
    shown = str(caught.value)
    assert "2 of 120 images" in shown
    assert "ISIC_0000007" in shown
    assert "ISIC_0000099" in shown
    assert "the archive is down" in shown
    assert len(list((out / "images").glob("*.jpg"))) == 118
    fake.plan()
    download("ham10000", out, isic_command=fake.command)
    assert "isic_id:ISIC_0000007 OR isic_id:ISIC_0000099" in fake.calls()[-1]


def test_an_archive_that_is_down_is_given_up_soon(fake: FakeCli, tmp_path: Path) -> None:
    ids = [f"ISIC_{i:07d}" for i in range(600)]
    fake.plan(ids=ids, absent=ids, code=1)
    with pytest.raises(DownloadError, match="600 of 600 images"):
        download("ham10000", tmp_path / "ham", isic_command=fake.command)
    assert len(fake.calls()) == 1 + 3 * 3


def test_what_isic_cli_says_is_told_where_it_is_not_utf_8_too(
    fake: FakeCli, tmp_path: Path
) -> None:
    fake.plan(ids=["ISIC_0000001"], absent=["ISIC_0000001"], code=1)
    with pytest.raises(DownloadError, match="the archive is down, caf\ufffd"):
        download("ham10000", tmp_path / "ham", isic_command=fake.command)


def test_an_image_cut_short_on_this_disk_is_fetched_again(fake: FakeCli, tmp_path: Path) -> None:
    out = tmp_path / "ham"
    download("ham10000", out, isic_command=fake.command)
    (out / "images" / "ISIC_0000003.jpg").write_bytes(jpeg(128)[:-20])
    download("ham10000", out, isic_command=fake.command)
    assert "isic_id:ISIC_0000003" in fake.calls()[-1]


def test_without_isic_cli_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isic_cli.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(isic_cli.shutil, "which", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"lentigo\[download\]"):
        download("ham10000", tmp_path)


def test_a_command_that_cannot_start_is_a_download_error(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="cannot be started"):
        download("ham10000", tmp_path, isic_command=[str(tmp_path / "nothing")])
