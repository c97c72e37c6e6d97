"""What the service manager hears, and that nothing waits or fails when it does not listen."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lochkit.io.notify import Notifier


class Manager:
    """Listens where a service manager would."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)

    def heard(self) -> str:
        return self.socket.recv(65536).decode()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(str(tmp_path / "notify"))
    yield manager
    manager.socket.close()


@pytest.fixture
def notifier(manager: Manager, tmp_path: Path) -> Notifier:
    return Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")}, clock=lambda: 12.5)


def test_what_is_said(manager: Manager, notifier: Notifier) -> None:
    assert notifier.wanted
    assert notifier.ready("serving 3 hosts")
    assert manager.heard() == "READY=1\nSTATUS=serving 3 hosts"
    assert notifier.ready()
    assert manager.heard() == "READY=1"
    assert notifier.reloading()
    assert manager.heard() == "RELOADING=1\nMONOTONIC_USEC=12500000"
    assert notifier.watchdog()
    assert manager.heard() == "WATCHDOG=1"
    assert notifier.stopping("bye")
    assert manager.heard() == "STOPPING=1\nSTATUS=bye"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("two\nREADY=0\r\nlines", "STATUS=two READY=0 lines"),
        ("hôte \udcff", "STATUS=hôte ?"),
        ("é" * 2000, "STATUS=" + "é" * 500),
    ],
)
def test_a_status_is_one_line(manager: Manager, notifier: Notifier, text: str, line: str) -> None:
    assert notifier.status(text)
    assert manager.heard() == line


def test_an_empty_status_is_not_sent(manager: Manager, notifier: Notifier) -> None:
    assert not notifier.status(" \n")
    with pytest.raises(BlockingIOError):
        manager.heard()


def test_an_abstract_address() -> None:
    name = f"lochkit-test-{os.getpid()}"
    manager = Manager("\0" + name)
    assert Notifier({"NOTIFY_SOCKET": "@" + name}).ready()
    assert manager.heard() == "READY=1"
    manager.socket.close()


@pytest.mark.parametrize("word", ["", "@", "vsock:2:1234", "relative/path"])
def test_nobody_to_tell(word: str, caplog: pytest.LogCaptureFixture) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": word, "WATCHDOG_USEC": "1000000"})
    assert not notifier.wanted
    assert not notifier.ready("x")
    assert notifier.watchdog_seconds is None
    assert ("no unix socket" in caplog.text) == bool(word)
    assert not Notifier({}).wanted


def test_a_manager_that_went_away_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    assert not notifier.ready()
    assert not notifier.watchdog()
    assert caplog.text.count("can not tell the service manager") == 1


def test_a_manager_that_does_not_listen_is_not_waited_for(notifier: Notifier) -> None:
    sent = [notifier.status("x" * 900) for _ in range(5000)]
    assert sent[0]
    assert not sent[-1]


def test_an_address_that_is_too_long(tmp_path: Path) -> None:
    assert not Notifier({"NOTIFY_SOCKET": "/" + "x" * 200}).ready()


@pytest.mark.parametrize(
    ("word", "pid", "seconds"),
    [
        ("30000000", "", 30.0),
        ("500000", "own", 0.5),
        ("30000000", "1", None),
        ("0", "", None),
        ("", "", None),
        ("-5", "", None),
        ("soon", "", None),
        ("9" * 5000, "", None),
    ],
)
def test_the_watchdog_is_ours_when_it_says_so(word: str, pid: str, seconds: float | None) -> None:
    environ = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": word}
    if pid:
        environ["WATCHDOG_PID"] = str(os.getpid()) if pid == "own" else pid
    assert Notifier(environ).watchdog_seconds == seconds
