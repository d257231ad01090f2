"""The offline app as files: what is written, what is refused, and what a broken write leaves."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from browsing import MODEL, hosted, open_app
from lentigo.deploy.bundle import read_bundle, write_bundle
from lentigo.errors import BundleError, InputError, MissingExtraError
from lentigo.image.hair import HairRemoval
from lentigo.web import litert
from lentigo.web.offline import decline
from lentigo.web.static_app import write_app


def hairy_bundle(path: Path) -> Path:
    bundle = read_bundle(MODEL)
    spec = bundle.info.spec.model_copy(update={"hair_removal": HairRemoval()})
    write_bundle(bundle.graph, bundle.info.model_copy(update={"spec": spec}), path)
    return path


def test_a_bundle_that_browsers_cannot_preprocess_for_is_refused_with_the_reason(
    tmp_path: Path,
) -> None:
    path = hairy_bundle(tmp_path / "hairy.tflite")
    with pytest.raises(BundleError) as refused:
        write_app(path, tmp_path / "app")
    assert str(decline(read_bundle(path).info.spec)) in str(refused.value)
    assert "lentigo serve --model" in str(refused.value)
    assert not (tmp_path / "app").exists()


def test_the_browser_refuses_it_as_well_should_it_be_there(
    context: Any, app_folder: Path, tmp_path: Path
) -> None:
    hairy = tmp_path / "hairy"
    shutil.copytree(app_folder, hairy)
    hairy_bundle(hairy / "model.tflite")
    with hosted(hairy) as host:
        page = open_app(context, host.url)
        page.locator("#state", has_text="removes hair by inpainting").wait_for(timeout=60_000)


def test_a_folder_of_something_else_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "precious"
    out.mkdir()
    (out / "thesis.txt").write_text("years", "utf-8")
    with pytest.raises(InputError, match="something else"):
        write_app(MODEL, out)
    assert [each.name for each in out.iterdir()] == ["thesis.txt"]


def test_a_folder_that_cannot_be_made_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(litert, "need_runtime", lambda: tmp_path)
    (tmp_path / "file").write_text("no folder", "utf-8")
    with pytest.raises(InputError, match="cannot be written") as refused:
        write_app(MODEL, tmp_path / "file" / "below" / "app")
    assert "elsewhere" in str(refused.value)


def test_a_bundle_whose_graph_takes_other_images_than_it_says_becomes_no_app(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(litert, "need_runtime", lambda: tmp_path)
    bundle = read_bundle(MODEL)
    spec = bundle.info.spec.model_copy(update={"size": 100})
    path = tmp_path / "other.tflite"
    write_bundle(bundle.graph, bundle.info.model_copy(update={"spec": spec}), path)
    with pytest.raises(BundleError, match="100 pixels a side"):
        write_app(path, tmp_path / "app")
    assert not (tmp_path / "app").exists()


def test_without_litert_js_the_app_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(litert, "runtime_folder", lambda: None)
    with pytest.raises(MissingExtraError, match="make offline-app"):
        write_app(MODEL, tmp_path / "app")
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_breaks_off_leaves_the_earlier_app(
    app_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "app"
    shutil.copytree(app_folder, out)
    before = {each.name for each in out.iterdir()}
    full: Callable[..., int] = Path.write_bytes

    def disk_full(self: Path, content: bytes) -> int:
        if self.name == "model.tflite":
            raise OSError(28, "No space left on device")
        return full(self, content)

    monkeypatch.setattr(litert, "runtime_folder", lambda: app_folder / "litert")
    monkeypatch.setattr(Path, "write_bytes", disk_full)
    with pytest.raises(OSError, match="No space"):
        write_app(MODEL, out)
    assert {each.name for each in out.iterdir()} == before
    assert [each.name for each in tmp_path.iterdir()] == ["app"]


def test_the_app_is_the_bundle_s_own_file_and_names_every_licence(app_folder: Path) -> None:
    assert (app_folder / "model.tflite").read_bytes() == MODEL.read_bytes()
    text = (app_folder / "LICENSES.txt").read_text("utf-8")
    for part in (read_bundle(MODEL).info.license, "@litertjs/core", "Apache License"):
        assert part in text
