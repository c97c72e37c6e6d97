"""Who is heard on the socket, and that nothing blocks it or is left of it."""

import array
import os
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL

import pytest
import trio
import trio.testing

from lochkit.io.notify import Notifier
from lochkit.io.notify_lines import MOST_NOTICE
from lochkit.io.notify_socket import NotifySocket, open_notify_socket

CEILING = 10

SENDER = """
import os, socket, sys, time
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
if sys.argv[2] == "session" and os.fork():
    time.sleep(60)
if sys.argv[2] == "session" and os.fork():
    os._exit(0)  # nobody's child any more
sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
address = sys.argv[1]
sender.sendto(b"READY=1", "\\0" + address[1:] if address[0] == "@" else address)
time.sleep(60)
"""


@pytest.fixture
def listener() -> Iterator[NotifySocket]:
    with open_notify_socket() as listener:
        yield listener


def send(listener: NotifySocket, data: bytes, *ancillary: tuple[int, int, bytes]) -> None:
    address = listener.address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect("\0" + address[1:] if address.startswith("@") else address)
        sender.sendmsg([data], ancillary)


async def test_what_the_other_side_of_ours_says(listener: NotifySocket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": listener.address})
    assert notifier.ready("all is well")
    with trio.fail_after(CEILING):
        notice = await listener.receive()
    assert (notice.ready, notice.status) == (True, "all is well")
    assert listener.receive_nowait() is None


async def test_a_datagram_is_waited_for(listener: NotifySocket, nursery: trio.Nursery) -> None:
    got = trio.Event()

    async def wait() -> None:
        assert (await listener.receive()).stopping
        got.set()

    nursery.start_soon(wait)
    await trio.testing.wait_all_tasks_blocked()
    assert not got.is_set()
    send(listener, b"STOPPING=1")
    with trio.fail_after(CEILING):
        await got.wait()


def test_nothing_is_left_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with open_notify_socket() as listener:
        directory = Path(listener.address).parent
        assert directory.parent == tmp_path
        assert directory.stat().st_mode & 0o777 == 0o711
    assert list(tmp_path.iterdir()) == []


def test_two_are_not_one() -> None:
    with open_notify_socket() as one, open_notify_socket() as other:
        assert one.address != other.address


def test_without_a_place_in_the_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 110)
    deep.mkdir()
    for place in (deep, tmp_path / "missing"):
        monkeypatch.setattr(tempfile, "tempdir", str(place))
        with open_notify_socket() as listener:
            assert listener.address.startswith("@")
            send(listener, b"READY=1")
            notice = listener.receive_nowait()
            assert notice is not None
            assert notice.ready
    assert list(deep.iterdir()) == []


def test_a_long_one_is_passed_over(
    listener: NotifySocket, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        send(listener, b"READY=1\n" + b"x" * MOST_NOTICE)
        assert listener.receive_nowait() is None
    assert caplog.text.count("too long") == 1
    send(listener, b"READY=1\n" + b"x" * (MOST_NOTICE - 8))
    assert listener.receive_nowait() is not None


def test_descriptors_that_are_sent_along_are_not_kept(listener: NotifySocket) -> None:
    """With BARRIER=1 the sender waits until its descriptor is closed."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [write]).tobytes())
    send(listener, b"BARRIER=1\nREADY=1", rights)
    os.close(write)
    notice = listener.receive_nowait()
    assert notice is not None
    assert notice.ready
    assert os.read(read, 1) == b""  # closed everywhere
    os.close(read)


def test_a_flood_is_no_trap(listener: NotifySocket) -> None:
    for _ in range(5):
        send(listener, b"WATCHDOG=1")
    assert sum(notice.alive for notice in listener.waiting()) == 5


@pytest.mark.parametrize("tie", ["session", "descent", "none"])
def test_another_user_is_heard_only_as_kin(
    tie: str,
    listener: NotifySocket,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who is not root can not be another user; then it is we who take ourselves for another."""
    monkeypatch.setattr(os, "geteuid", lambda: 1 << 20)
    argv = [sys.executable, "-I", "-S", "-c", SENDER, listener.address, tie]
    with subprocess.Popen(argv, start_new_session=True) as sender:
        listener.leader = {"session": sender.pid, "descent": os.getpid(), "none": 1 << 21}[tie]
        assert select.select([listener._socket], [], [], CEILING)[0]
        notice = listener.receive_nowait()
        os.killpg(sender.pid, SIGKILL)
    assert (notice is not None) == (tie != "none")
    assert ("not from the command" in caplog.text) == (tie == "none")
