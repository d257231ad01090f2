"""Preparing: the same whatever the workers, whole after any kill, nothing dropped in silence."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from layouts import class_folder
from lentigo.data import finish as finish_module
from lentigo.data.fingerprint import perceptual_hash
from lentigo.data.phantom import generate
from lentigo.data.pixels import HASH_PX, chunks_of, pixels_of
from lentigo.data.prepare import prepare
from lentigo.data.prepared import open_prepared
from lentigo.data.splits import check_no_group_crosses
from lentigo.errors import InputError, LeakageError, SourceError
from lentigo.image.decode import decode
from lentigo.image.hair import HairRemoval
from lentigo.image.spec import PreprocessSpec, preprocess

SIZE = 256
"""Large enough that the phantom below makes several chunks."""

RUN = """
import os, signal, sys
from pathlib import Path
from multiprocessing import active_children
from lentigo.data.prepare import prepare

def die(done, total):
    if done >= int(sys.argv[3]):
        print(*(child.pid for child in active_children()), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    prepare("phantom", sys.argv[1], sys.argv[2], size=256, workers=int(sys.argv[4]), progress=die)
"""


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("raw") / "phantom", lesions=63, seed=1, size=64)


@pytest.fixture(scope="module")
def whole(phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared in one go, in one process."""
    out = tmp_path_factory.mktemp("prepared") / "whole"
    prepare("phantom", phantom, out, size=SIZE, workers=1)
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def killed(phantom: Path, out: Path, *, after: int, workers: int) -> list[int]:
    """Prepare in a process that kills itself; the workers it had."""
    script = out.parent / "run.py"
    script.write_text(RUN)
    ran = subprocess.run(
        [sys.executable, script, phantom, out, str(after), str(workers)],
        stdout=subprocess.PIPE,
        check=False,
    )
    assert ran.returncode == -signal.SIGKILL
    return [int(pid) for pid in ran.stdout.split()]


def test_a_prepared_row_is_what_serving_would_see(phantom: Path, whole: Path) -> None:
    prepared = open_prepared(whole)
    assert len(prepared.images) == len(prepared.manifest) > 100
    assert prepared.manifest["image_id"].is_monotonic_increasing
    for row in (0, 57, len(prepared.images) - 1):
        path = Path(prepared.manifest["path"][row])
        assert (prepared.images[row] == preprocess(path, prepared.spec)).all()


def test_the_table_may_be_named_by_a_text(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    rows = []
    for i in range(12):
        (tmp_path / "images").mkdir(exist_ok=True)
        cv2.imwrite(f"{tmp_path}/images/ISIC_{i}.png", noise.integers(0, 256, (40, 40, 3)))
        rows.append(f"HAM_{i},ISIC_{i},{'nv' if i % 2 else 'mel'},histo,50.0,male,back\n")
    head = "lesion_id,image_id,dx,dx_type,age,sex,localization\n"
    (tmp_path / "mine.csv").write_text(head + "".join(rows), encoding="ascii")
    named = str(tmp_path / "mine.csv")
    data = prepare(
        "ham10000", str(tmp_path / "images"), str(tmp_path / "out"), metadata=named, size=32
    )
    assert len(data.manifest) == 12


@pytest.mark.parametrize("pixels", [100, 900])
def test_large_photographs_are_reduced_as_in_serving(pixels: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (pixels, pixels + 31, 3), dtype=np.uint8)
    content = cv2.imencode(".jpg", noise)[1].tobytes()
    spec = PreprocessSpec(size=64, greyscale=True)
    assert (pixels_of(content, spec)[0] == preprocess(content, spec)).all()


@pytest.mark.parametrize("pixels", [150, 450, 700, 900, 1900])
def test_which_pictures_are_copies_does_not_depend_on_the_size_asked_for(pixels: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (pixels, pixels + 31, 3), dtype=np.uint8)
    content = cv2.imencode(".jpg", noise)[1].tobytes()
    specs = [PreprocessSpec(size=size) for size in (32, 100, 160, 224, 448)]
    specs += [PreprocessSpec(size=32, reduce=False)]
    hashes = {pixels_of(content, spec)[1].tobytes() for spec in specs}
    assert len(hashes) == 1
    if pixels < 2 * HASH_PX:  # never reduced, so the hash is that of the whole picture
        assert hashes == {perceptual_hash(decode(content)).tobytes()}


def test_the_result_does_not_depend_on_the_number_of_workers(
    phantom: Path, whole: Path, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    prepare(
        "phantom",
        phantom,
        tmp_path / "two",
        size=SIZE,
        workers=2,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert contents(tmp_path / "two") == contents(whole)
    assert seen[0][0] == 0
    assert seen[-1][0] == seen[-1][1] == len(open_prepared(whole).images)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_run_looks_unfinished_and_goes_on(
    phantom: Path, whole: Path, tmp_path: Path, workers: int
) -> None:
    out = tmp_path / "out"
    killed(phantom, out, after=1, workers=workers)
    assert not (out / "prepared.json").exists()
    with pytest.raises(InputError, match="not finished"):
        open_prepared(out)
    seen: list[int] = []
    prepare(
        "phantom", phantom, out, size=SIZE, workers=1, progress=lambda done, _: seen.append(done)
    )
    assert seen[0] > 0
    assert contents(out) == contents(whole)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks at /proc")
def test_workers_end_when_their_parent_is_killed(phantom: Path, tmp_path: Path) -> None:
    pids = killed(phantom, tmp_path / "out", after=1, workers=2)
    assert len(pids) == 2
    deadline = time.monotonic() + 20
    while any(_alive(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_pixels_that_were_lost_and_half_a_line_are_done_again(
    phantom: Path, whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    killed(phantom, out, after=60, workers=1)
    work = out / ".prepare"
    with (work / "images.npy").open("r+b") as stream:
        stream.seek(5000)
        stream.write(b"lost pages")
    with (work / "journal.jsonl").open("a") as stream:
        stream.write('{"number": 2, "crc')
    prepare("phantom", phantom, out, size=SIZE, workers=1)
    assert contents(out) == contents(whole)


def test_work_of_another_version_is_done_again(phantom: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    killed(phantom, out, after=60, workers=1)
    journal = out / ".prepare" / "journal.jsonl"
    journal.write_text(journal.read_text().replace('"checksum"', '"crc32"'))
    seen: list[int] = []
    prepare(
        "phantom", phantom, out, size=SIZE, workers=1, progress=lambda done, _: seen.append(done)
    )
    assert seen[0] == 0
    assert contents(out) == contents(whole)


def test_nothing_that_workers_need_waits_for_pandas() -> None:
    told = "import sys, lentigo.data.prepare; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", told], check=False).returncode == 0


@pytest.mark.parametrize("step", ["_synced_pixels", "write_manifest", "_info"])
def test_a_run_killed_while_finishing_goes_on(
    phantom: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "out"
    with monkeypatch.context() as patched:
        patched.setattr(finish_module, step, die)
        with pytest.raises(KeyboardInterrupt):
            prepare("phantom", phantom, out, size=SIZE, workers=1)
    assert not (out / "prepared.json").exists()
    seen: list[int] = []
    prepare(
        "phantom", phantom, out, size=SIZE, workers=1, progress=lambda done, _: seen.append(done)
    )
    assert seen == [len(open_prepared(whole).images)]
    assert contents(out) == contents(whole)


def test_other_options_begin_an_unfinished_folder_anew(phantom: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    killed(phantom, out, after=1, workers=1)
    seen: list[int] = []
    prepare("phantom", phantom, out, size=32, progress=lambda done, _: seen.append(done))
    assert seen[0] == 0
    assert open_prepared(out).spec.size == 32


def test_two_at_work_on_one_folder_are_refused_and_nothing_is_left(
    phantom: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    def start_another(*_: int) -> None:
        with pytest.raises(InputError, match=f"Another process is working on {out}"):
            prepare("phantom", phantom, out, size=SIZE, workers=1)

    prepare("phantom", phantom, out, size=SIZE, workers=1, progress=start_another)
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


def test_run_twice_nothing_changes(phantom: Path, whole: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in [whole, *whole.iterdir()]}
    prepare("phantom", phantom, whole, size=SIZE, workers=2)
    assert {path: path.stat().st_mtime_ns for path in [whole, *whole.iterdir()]} == before


def test_a_folder_of_other_options_is_refused_by_name(phantom: Path, whole: Path) -> None:
    with pytest.raises(InputError, match="seed 0, not 5; folds 5, not 4"):
        prepare("phantom", phantom, whole, size=SIZE, seed=5, folds=4)


def test_a_changed_image_is_noticed(tmp_path: Path) -> None:
    root = class_folder(tmp_path / "raw")
    prepare("folder", root, tmp_path / "out", size=32)
    image = root / "benign" / "benign0.png"
    content = bytearray(image.read_bytes())
    later = time.time_ns() + 10**9
    os.utime(image, ns=(later, later))
    prepare("folder", root, tmp_path / "out", size=32)  # touched, not changed
    content[-20] ^= 1
    image.write_bytes(content)
    os.utime(image, ns=(later, later))
    with pytest.raises(InputError, match="other content of benign/benign0"):
        prepare("folder", root, tmp_path / "out", size=32)
    image.unlink()
    with pytest.raises(InputError, match="other images"):
        prepare("folder", root, tmp_path / "out", size=32)


def test_a_folder_with_other_things_in_it_is_refused(phantom: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="did not make it"):
        prepare("phantom", phantom, tmp_path, size=32)
    with pytest.raises(InputError, match="not a folder"):
        prepare("phantom", phantom, tmp_path / "thesis.txt", size=32)


def test_images_that_cannot_be_read_are_set_aside_by_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = class_folder(tmp_path / "raw")
    whole_image = (root / "benign" / "benign1.png").read_bytes()
    (root / "benign" / "benign1.png").write_bytes(whole_image[: len(whole_image) // 2])
    (root / "malignant" / "malignant5.png").write_bytes(b"a web page")
    with caplog.at_level(logging.WARNING):
        prepared = prepare("folder", root, tmp_path / "out", size=32)
    aside = prepared.audit["set_aside"]
    assert [Path(each["path"]).name for each in aside] == ["benign1.png", "malignant5.png"]
    assert all(each["reason"] for each in aside)
    assert "2 image(s) set aside" in caplog.text
    assert len(prepared.images) == len(prepared.manifest) == 10
    for row, path in enumerate(prepared.manifest["path"]):
        assert (prepared.images[row] == preprocess(Path(path), prepared.spec)).all()


def test_a_set_without_any_readable_image_is_refused(tmp_path: Path) -> None:
    root = class_folder(tmp_path / "raw", n=1)
    for path in root.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(SourceError, match="None of the 2 images"):
        prepare("folder", root, tmp_path / "out", size=32)


def test_absent_images_are_recorded_when_they_are_skipped(tmp_path: Path) -> None:
    root = class_folder(tmp_path / "raw")
    rows = [f"{each.stem},{each.parent.name}" for each in sorted(root.rglob("*.png"))]
    (root / "table.csv").write_text("\n".join(["image,label", *rows, "gone,benign"]) + "\n")
    with pytest.raises(SourceError, match="gone"):
        prepare("table", root, tmp_path / "out", size=32)
    prepared = prepare("table", root, tmp_path / "out", size=32, skip_missing=True)
    assert prepared.audit["missing"] == ["gone"]


def test_grouping_by_image_must_be_asked_for_by_name(phantom: Path, tmp_path: Path) -> None:
    with pytest.raises(LeakageError, match="same lesion"):
        prepare("phantom", phantom, tmp_path / "out", size=32, group_by="image")
    leaky = prepare(
        "phantom", phantom, tmp_path / "out", size=32, group_by="image", protocol="as-published"
    )
    assert leaky.leaky
    assert leaky.protocol == "as-published"
    assert leaky.audit["crossings"]["final"][0]["groups"] > 0


def test_the_test_list_depends_on_ids_and_seed_only(
    phantom: Path, whole: Path, tmp_path: Path
) -> None:
    spec = PreprocessSpec(size=48, hair_removal=HairRemoval())
    other = prepare("phantom", phantom, tmp_path / "other", spec=spec, folds=3)
    assert other.test_digest == open_prepared(whole).test_digest
    assert other.digest != open_prepared(whole).digest
    reseeded = prepare("phantom", phantom, tmp_path / "seed", size=32, seed=1)
    assert reseeded.test_digest != other.test_digest


@pytest.mark.parametrize("protocol", ["leak-free", "as-published"])
def test_what_crosses_an_official_split_is_reported(tmp_path: Path, protocol: str) -> None:
    root = class_folder(tmp_path / "raw")
    rows = ["image,label,split,lesion_id"]
    for number, path in enumerate(sorted(root.rglob("*.png"))):
        side = "test" if number % 3 == 0 else "train"
        lesion = "L1" if number < 2 else f"X{number}"
        rows.append(f"{path.stem},{path.parent.name},{side},{lesion}")
    (root / "table.csv").write_text("\n".join(rows) + "\n")
    prepared = prepare("table", root, tmp_path / "out", size=32, folds=2, protocol=protocol)
    expected = [{"between": "train/test", "groups": 1, "images": 1}]
    assert prepared.audit["crossings"]["official"] == expected
    assert len(prepared.rows("test")) == 4
    if protocol == "leak-free":
        check_no_group_crosses(prepared.manifest)
        assert len(prepared.rows("excluded")) == len(prepared.audit["excluded"]) == 1
        assert not prepared.leaky
    else:
        assert prepared.leaky
        assert len(prepared.rows("train")) == 8


def test_chunks_stay_small_however_large_the_images() -> None:
    assert [len(chunk.paths) for chunk in chunks_of(["a"] * 3, 2048)] == [1, 1, 1]
    assert [chunk.start for chunk in chunks_of(["a"] * 130, 32)] == [0, 64, 128]
