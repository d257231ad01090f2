"""Looks at a list are kept through crashes and counted by list."""

from __future__ import annotations

from pathlib import Path

import pytest

from lentigo.errors import InputError
from lentigo.evaluate.access import LOG_NAME, log_look, read_looks, shared_log, user_log


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


def test_a_copy_of_the_set_in_another_folder_goes_on_counting(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "one"
    run.mkdir(parents=True)
    first, copy = tmp_path / "a" / LOG_NAME, tmp_path / "b" / LOG_NAME
    log_look("list", "one", log=first, run_folder=run)
    assert log_look("list", "one", log=copy, run_folder=run).total == 2
    # A bundle has no log of its own; the log beside the copy has learned of the first look.
    looks = log_look("list", "bundle", log=copy)
    assert (looks.total, looks.models) == (3, 2)


def test_a_look_of_one_run_is_known_to_the_runs_beside_it(tmp_path: Path) -> None:
    runs = [tmp_path / "runs" / name for name in ("one", "two")]
    for index, run in enumerate(runs):
        run.mkdir(parents=True)
        log = tmp_path / f"set{index}" / LOG_NAME
        assert log_look("list", run.name, log=log, run_folder=run).total == index + 1
    assert [each["model"] for each in read_looks(runs[1] / LOG_NAME)] == ["two"]
    assert log_look("other", "two", log=log, run_folder=runs[1]).total == 1


def test_a_look_that_several_logs_hold_counts_once(tmp_path: Path) -> None:
    run, log = tmp_path / "runs" / "one", tmp_path / LOG_NAME
    run.mkdir(parents=True)
    totals = [log_look("list", "one", log=log, run_folder=run).total for _ in range(5)]
    assert totals == [1, 2, 3, 4, 5]


def test_two_old_looks_in_the_same_second_stay_two(tmp_path: Path) -> None:
    run, log = tmp_path / "runs" / "one", tmp_path / LOG_NAME
    run.mkdir(parents=True)
    old = '{"digest": "list", "model": "one", "when": "2026-01-01T00:00:00+00:00"}\n'
    for path in (log, run / LOG_NAME):
        path.write_text(old * 2)
    assert log_look("list", "one", log=log, run_folder=run).total == 3


def test_looks_from_folders_that_share_nothing_are_counted(tmp_path: Path) -> None:
    state = tmp_path / "state" / LOG_NAME
    for index in range(4):
        run, log = tmp_path / f"runs{index}" / "one", tmp_path / f"set{index}" / LOG_NAME
        run.mkdir(parents=True)
        looks = log_look("list", f"model{index}", log=log, run_folder=run, user=state)
        assert (looks.total, looks.models) == (index + 1, index + 1)
    assert log_look("another", "model", log=log, user=state).total == 1
    # The log beside the last set knows them all, for whoever takes it to another machine.
    assert log_look("list", "bundle", log=log).total == 5


def test_what_lay_beside_a_set_reaches_the_log_of_the_user(tmp_path: Path) -> None:
    state, log = tmp_path / "state" / LOG_NAME, tmp_path / "set" / LOG_NAME
    log_look("list", "before", log=log)
    assert log_look("list", "now", log=log, user=state).total == 2
    assert log_look("list", "else", log=tmp_path / "other" / LOG_NAME, user=state).total == 3


def test_a_state_folder_that_cannot_be_written_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").write_text("a file where a folder should be")
    looks = log_look("list", "one", log=tmp_path / LOG_NAME, user=tmp_path / "state" / LOG_NAME)
    assert looks.total == 1
    assert "cannot be written" in caplog.text


def test_a_set_on_a_read_only_disk_is_looked_at_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log, state = tmp_path / "disk" / LOG_NAME, tmp_path / "state" / LOG_NAME
    log.mkdir(parents=True)  # a folder where the file should be: root writes everywhere else
    for total in (1, 2):
        assert log_look("list", f"model{total}", log=log, user=state).total == total
    assert str(log) in caplog.text
    assert len(read_looks(state)) == 2


def test_a_look_that_no_log_can_keep_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    log, state = tmp_path / "file" / LOG_NAME, tmp_path / "file" / "state" / LOG_NAME
    with pytest.raises(InputError, match="XDG_STATE_HOME") as caught:
        log_look("list", "one", log=log, user=state)
    assert str(log) in str(caught.value)
    assert str(state) in str(caught.value)


def test_the_log_of_the_user_lies_where_the_system_keeps_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert user_log() == tmp_path / "lentigo" / LOG_NAME
    monkeypatch.setenv("XDG_STATE_HOME", "relative/is/invalid")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert user_log() == tmp_path / "home" / ".local" / "state" / "lentigo" / LOG_NAME
