"""Whoever stops listening, a visitor or the reader of the output, breaks nothing."""

from __future__ import annotations

import errno
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from lentigo.cli.output import in_words
from lentigo.files import atomic_path
from small import environment
from web_server import get, photo, process

UNREAD = 141
RESET = struct.pack("ii", 1, 0)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for seed in range(3):
        (folder / f"{seed}.jpg").write_bytes(photo(100, seed=seed))
    return folder


def lentigo(
    *arguments: object, stdout: int, stderr: int = subprocess.PIPE, unbuffered: str = ""
) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "lentigo", *map(str, arguments)],
        stdout=stdout,
        stderr=stderr,
        text=True,
        check=False,
        env=environment(PYTHONUNBUFFERED=unbuffered),
    )
    return done.returncode, done.stderr or ""


@pytest.mark.parametrize(
    "arguments", [["predict", "--csv"], ["predict", "--json"], ["predict"], ["sources"], ["--help"]]
)
def test_a_reader_that_reads_no_further_ends_a_command_without_a_word(
    arguments: list[str], photos: Path
) -> None:
    given = [*arguments, photos] if "predict" in arguments else arguments
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert lentigo(*given, stdout=writing) == (UNREAD, "")
        assert lentigo(*given, stdout=writing, stderr=writing) == (UNREAD, "")
    finally:
        os.close(writing)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_is_closed_or_full_is_no_traceback(unbuffered: str) -> None:
    with Path("/dev/full").open("w") as full:
        code, said = lentigo("sources", stdout=full.fileno(), unbuffered=unbuffered)
    assert code == 2
    assert said.startswith("lentigo: The output cannot be used: No space left on device.\n  -> ")
    assert len(said.splitlines()) == 2
    shell = [f'"{sys.executable}" -m lentigo sources >&-']
    closed = subprocess.run(
        shell, shell=True, capture_output=True, text=True, check=False, env=environment()
    )
    assert (closed.returncode, closed.stderr) == (0, "")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EFBIG])
def test_a_file_that_finds_no_room_is_named_and_what_was_there_stays(
    code: int, tmp_path: Path
) -> None:
    path = tmp_path / "metrics.json"
    path.write_text("before")

    def half() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise OSError(code, os.strerror(code))

    with pytest.raises(OSError, match=r"metrics\.json") as caught:
        half()
    assert in_words(caught.value).startswith(f"{path} cannot be used: {os.strerror(code)}.\n  -> ")
    assert [each.read_text() for each in tmp_path.iterdir()] == ["before"]


@pytest.mark.parametrize("end", ["closes", "resets"])
def test_visitors_who_hang_up_in_the_middle_leave_the_page_running(end: str) -> None:
    body = photo(1500)
    head = f"POST /result HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    requests = [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /camera/stream HTTP/1.1\r\nHost: localhost\r\n\r\n",
        head.encode() + body,
    ]
    with process("--camera", "pattern") as (server, [address]):
        host, port = address.removeprefix("http://").split(":")
        for request in requests:
            for turn in range(10):
                with socket.create_connection((host, int(port)), timeout=60) as visitor:
                    visitor.sendall(request)
                    if turn % 2:  # in the middle of the answer, not before it
                        visitor.recv(100)
                    if end == "resets":
                        visitor.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        assert get(f"{address}/healthz").status_code == 200
        assert server.poll() is None
