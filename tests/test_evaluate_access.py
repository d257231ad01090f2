"""Looks at a list are kept through crashes and counted by list."""

from __future__ import annotations

from pathlib import Path

from lentigo.evaluate.access import log_look, read_looks, shared_log


def test_looks_are_counted_by_list_and_by_model(tmp_path: Path) -> None:
    log = tmp_path / "test_access.jsonl"
    assert log_look("a", "one", log=log).total == 1
    assert log_look("b", "one", log=log).total == 1
    assert log_look("a", "one", log=log).models == 1
    looks = log_look("a", "two", log=log, details={"images": 3})
    assert (looks.total, looks.models) == (3, 2)
    assert read_looks(log)[-1]["images"] == 3


def test_a_line_torn_by_a_crash_spoils_no_other(tmp_path: Path) -> None:
    log = tmp_path / "test_access.jsonl"
    log_look("a", "one", log=log)
    with log.open("a") as stream:
        stream.write('{"digest": "a", "mod')
    assert log_look("a", "two", log=log).total == 2


def test_the_shared_log_lies_beside_the_prepared_set_even_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "sets" / "one").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "sets" / "one")
    for folder in ("sets/one", "link"):
        assert shared_log(tmp_path / folder) == tmp_path / "sets" / "test_access.jsonl"


def test_no_log_means_no_looks(tmp_path: Path) -> None:
    assert read_looks(tmp_path / "none.jsonl") == []
