"""The one file: what is refused, and that equal input gives equal bytes."""

from __future__ import annotations

import io
import json
import os
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from pydantic import ValidationError

from lentigo.deploy.bundle import (
    BundleInfo,
    parse_bundle,
    read_bundle,
    shipped_models,
    write_bundle,
)
from lentigo.errors import BundleError
from lentigo.image.spec import PreprocessSpec
from lentigo.score.operating import OperatingPoint
from lentigo.taxonomy import HAM10000

GRAPH = b"\x1c\0\0\0TFL3" + bytes(range(256)) * 4


def info(**changes: object) -> BundleInfo:
    fields: dict[str, object] = {
        "name": "toy",
        "created_with": {"lentigo": "0"},
        "network": "none",
        "taxonomy": HAM10000,
        "spec": PreprocessSpec(size=32),
        "temperature": 1.5,
        "operating_points": (
            OperatingPoint(name="sensitivity_0.90", target_sensitivity=0.9, threshold=0.25),
        ),
        "attention": "class-activation",
        "intended_use": "tests",
        "limits": "all",
        "license": "CC0",
        "recipe_digest": "a",
        "data_digest": "b",
        "test_digest": "c",
        "leaky": False,
    }
    return BundleInfo.model_validate({**fields, **changes})


@pytest.fixture
def bundle_file(tmp_path: Path) -> Path:
    path = tmp_path / "toy.tflite"
    write_bundle(GRAPH, info(), path, model_card="# Toy")
    return path


def with_entries(entries: dict[str, str]) -> bytes:
    stream = io.BytesIO(GRAPH)
    with zipfile.ZipFile(stream, "a") as archive:
        for name, text in entries.items():
            archive.writestr(name, text)
    return stream.getvalue()


def stated(**changes: object) -> bytes:
    content = io.BytesIO()
    fields = info().model_dump(mode="json") | {"graph_sha256": "0" * 64} | changes
    content.write(with_entries({"bundle.json": json.dumps(fields)}))
    return content.getvalue()


def test_what_is_written_is_read_back(bundle_file: Path) -> None:
    bundle = read_bundle(bundle_file)
    assert bundle.graph == GRAPH
    assert bundle.model_card == "# Toy"
    assert bundle.info == info(graph_sha256=bundle.info.graph_sha256)


def test_a_bundle_that_does_not_state_its_fold_is_read() -> None:
    stated_fields = info().model_dump(mode="json")
    del stated_fields["fold"]
    assert BundleInfo.model_validate(stated_fields).fold is None


def test_the_file_starts_with_the_graph_and_ends_with_a_plain_zip(bundle_file: Path) -> None:
    assert bundle_file.read_bytes().startswith(GRAPH)
    with zipfile.ZipFile(bundle_file) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["bundle.json", "model_card.md"]
        assert {each.compress_type for each in archive.infolist()} == {zipfile.ZIP_STORED}


def test_equal_input_gives_equal_bytes(bundle_file: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.tflite"
    write_bundle(GRAPH, info(), again, model_card="# Toy")
    assert again.read_bytes() == bundle_file.read_bytes()


def test_a_bundle_cannot_be_changed_in_memory(bundle_file: Path) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        read_bundle(bundle_file).info.temperature = 2.0  # type: ignore[misc]


@pytest.mark.parametrize("name", ["bundle.json", "model_card.md"])
def test_what_would_unpack_to_more_than_the_file_is_refused_before_it_is_read(
    bundle_file: Path, name: str
) -> None:
    content = io.BytesIO(GRAPH)
    with zipfile.ZipFile(content, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, " " * 20_000_000)
        if name != "bundle.json":
            archive.writestr("bundle.json", "{}", zipfile.ZIP_STORED)
    harmful = content.getvalue()
    tracemalloc.start()
    with pytest.raises(BundleError, match="is compressed"):
        parse_bundle(harmful)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_every_truncation_is_refused(bundle_file: Path) -> None:
    content = bundle_file.read_bytes()
    for length in range(len(content)):
        with pytest.raises(BundleError):
            parse_bundle(content[:length])


def test_a_truncation_behind_the_graph_is_called_damaged(bundle_file: Path) -> None:
    with pytest.raises(BundleError, match="damaged: it was cut short"):
        parse_bundle(bundle_file.read_bytes()[:-30])


def test_a_changed_byte_is_refused_or_changes_nothing(bundle_file: Path) -> None:
    content, whole = bytearray(bundle_file.read_bytes()), read_bundle(bundle_file)
    refused = 0
    for position in range(len(content)):
        content[position] ^= 0x55
        try:
            # An archive's dates and file modes carry nothing that is used.
            bundle = parse_bundle(bytes(content))
        except BundleError:
            refused += 1
        else:
            assert (bundle.info, bundle.graph) == (whole.info, whole.graph)
        content[position] ^= 0x55
    assert refused > 0.95 * len(content)


def test_a_changed_graph_is_called_damaged(bundle_file: Path) -> None:
    content = bytearray(bundle_file.read_bytes())
    content[100] ^= 1
    with pytest.raises(BundleError, match="does not have the digest"):
        parse_bundle(bytes(content))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (GRAPH, "carries no bundle.json"),
        (with_entries({"labels.txt": "a"}), "holds no bundle.json"),
        (with_entries({"bundle.json": "{"}), "damaged: bundle.json"),
        (with_entries({"bundle.json": "[" * 100_000}), "damaged: bundle.json"),
        (with_entries({"bundle.json": "[]"}), "cannot be used"),
        (stated(temperature=0), "temperature"),
        (stated(mixture=[0.5, 0.25, 0.125, 0.125]), "mixture has 4 shares for"),
        (stated(schema_version=2, what="ever"), "schema 2; this lentigo reads up to 1"),
        (stated(), "digest"),
        (b"", "not a LiteRT graph"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not a LiteRT graph"),
    ],
)
def test_a_foreign_or_newer_file_is_refused_with_its_reason(content: bytes, reason: str) -> None:
    with pytest.raises(BundleError, match=reason) as refusal:
        parse_bundle(content, source="some.tflite")
    assert "some.tflite" in refusal.value.problem
    assert refusal.value.todo


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="folder"):
        read_bundle(tmp_path)
    with pytest.raises(BundleError, match="does not exist"):
        read_bundle(tmp_path / "none.tflite")


def test_what_cannot_be_a_bundle_is_refused_before_all_of_it_is_read(tmp_path: Path) -> None:
    film, huge, pipe = (tmp_path / name for name in ("film.mp4", "huge.tflite", "pipe"))
    for path, start, size in (
        (film, b"\0\0\0\x20ftyp", 1 << 28),
        (huge, b"\x1c\0\0\0TFL3", 1 << 32),
    ):
        path.write_bytes(start)
        os.truncate(path, size)  # takes no room on the disk
    os.mkfifo(pipe)
    tracemalloc.start()
    for path, reason in (
        (film, "not a LiteRT graph"),
        (huge, "4,294,967,296 bytes"),
        (pipe, "not a file"),
    ):
        with pytest.raises(BundleError, match=reason):
            read_bundle(path)
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most_bytes < 1_000_000


def test_what_is_no_graph_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not a LiteRT graph"):
        write_bundle(b"hello", info(), tmp_path / "x.tflite")
    assert not list(tmp_path.iterdir())


def test_a_model_that_ships_goes_by_its_name_and_a_file_of_that_name_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "lentigo-ham10000" in shipped_models()
    assert all(read_bundle(name).info.name == name for name in shipped_models())
    Path("lentigo-ham10000").write_bytes(b"not a model")
    with pytest.raises(BundleError, match="no bundle"):
        read_bundle("lentigo-ham10000")
    with pytest.raises(BundleError, match=r"a model that ships: .*lentigo-ham10000"):
        read_bundle("lentigo-unknown")


@pytest.mark.parametrize(("name", "limit"), [("lentigo-ham10000", 5e6), ("lentigo-tiny", 1e6)])
def test_the_models_that_ship_keep_their_size_and_carry_their_figures_and_card(
    name: str, limit: float
) -> None:
    assert shipped_models()[name].stat().st_size <= limit
    bundle = read_bundle(name)
    assert {"balanced_accuracy", "roc_auc.mel"} <= set(bundle.info.metrics or {})
    assert f"# Model card: {name}" in (bundle.model_card or "")
