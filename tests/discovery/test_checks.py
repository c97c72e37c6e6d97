"""One look at real ports, servers, files and commands, on the real clock."""

import os
import socket
import ssl
import sys
from pathlib import Path

import pytest
import trio

from lochkit.discovery.check_spec import parse_check, resolve
from lochkit.discovery.checks import open_check
from lochkit.discovery.health import MOST_OUTPUT, Outcome, Result
from lochkit.discovery.host import Host
from lochkit.errors import ConfigError
from tests.io.test_process import is_running
from tests.servers.certificates import Certificates

from .hostile_http import (
    answers,
    drips,
    never_answers,
    redirects,
    serving,
    speaks_without_end,
)

CEILING = 10
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def look(text: str, port: int = 0, seconds: float = CEILING) -> Result:
    """Look once, and be done within those seconds."""
    spec = resolve(parse_check(text), Host(ports={"it": str(port)}))
    with trio.fail_after(seconds):
        return await open_check(spec).look()


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_a_port() -> None:
    async with serving(never_answers) as port:
        assert await look("tcp:it", port) == Result(Outcome.PASS, "connected")
        assert (await look(f"tcp://localhost:{port}")).outcome is Outcome.PASS
    assert await look("tcp:it", port) == Result(Outcome.FAIL, "connection refused")


async def test_a_name_that_is_none() -> None:
    result = await look("tcp://nobody.invalid:80 timeout=3s")
    assert result.outcome is Outcome.FAIL


async def test_a_connection_with_itself_is_no_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """TCP connects a socket to its own address, if that is where it happens to be from."""

    async def connect(host: str, port: int) -> trio.SocketStream:
        itself = trio.socket.socket()
        await itself.bind((host, 0))
        await itself.connect(itself.getsockname())
        return trio.SocketStream(itself)

    monkeypatch.setattr(trio, "open_tcp_stream", connect)
    assert await look("tcp:it", 1) == Result(Outcome.FAIL, "connection refused")


async def test_a_full_backlog_is_not_waited_for() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        port = deaf.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            result = await look("tcp:it timeout=200ms", port, seconds=2)
    assert result == Result(Outcome.FAIL, "no connection in time")


async def test_a_page() -> None:
    async with serving(answers(OK)) as port:
        assert await look("http:it/up", port) == Result(Outcome.PASS, "status 200 OK\nok")
    async with serving(answers(OK.replace(b"200 OK", b"503 No"))) as port:
        assert await look("http:it/up", port) == Result(Outcome.FAIL, "status 503 No\nok")
    assert await look("http:it/up", port) == Result(Outcome.FAIL, "connection refused")


async def test_a_redirect_is_not_followed() -> None:
    async with serving(redirects) as port:
        assert await look("http:it", port) == Result(Outcome.FAIL, "status 302 F")
        assert (await look("http:it status=302", port)).outcome is Outcome.PASS


async def test_a_proxy_of_ours_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with serving(answers(OK)) as port:
        assert (await look("http:it", port)).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("handler", "told"), [(never_answers, "no answer"), (drips, "no end of the answer")]
)
async def test_what_takes_too_long(handler: object, told: str) -> None:
    async with serving(handler) as port:  # type: ignore[arg-type]
        result = await look("http:it timeout=200ms", port, seconds=2)
    assert result == Result(Outcome.FAIL, f"{told} in time")


async def test_what_has_no_end_is_judged_by_its_beginning() -> None:
    async with serving(speaks_without_end) as port:
        result = await look("http:it", port)
    assert result.outcome is Outcome.PASS
    assert len(result.output) == MOST_OUTPUT


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\0\1\2\r\n\r\n", "not HTTP"),
        (b"", "closed without an answer"),
        (b"x" * 99999, "not HTTP"),
    ],
)
async def test_garbage(data: bytes, told: str) -> None:
    async with serving(answers(data)) as port:
        result = await look("http:it", port)
    assert result.outcome is Outcome.FAIL
    assert told in result.output


async def test_tls(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificates.server.cert, certificates.server.key)
    async with serving(answers(OK), tls) as port:
        assert (await look("https:it", port)).output.startswith("TLS: ")
        assert (await look("https:it insecure", port)).outcome is Outcome.PASS
        known = f"https:it cacert={certificates.cacert}"
        assert await look(known, port) == Result(Outcome.PASS, "status 200 OK\nok")
        assert (await look(f"{known} host=localhost:{port}", port)).outcome is Outcome.PASS
        wrong = await look(f"{known} host=another.example", port)
        assert wrong.outcome is Outcome.FAIL
        assert "another.example" in wrong.output


async def test_tls_where_there_is_none() -> None:
    async with serving(answers(OK)) as port:
        assert "TLS: " in (await look("https:it", port)).output
    async with serving(never_answers) as port:
        late = await look("https:it timeout=200ms", port, seconds=2)
    assert late == Result(Outcome.FAIL, "no TLS handshake in time")


def test_certificates_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("junk")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(ConfigError, match=name):
            open_check(parse_check(f"https://h cacert={tmp_path / name}"))


@pytest.mark.parametrize(
    ("script", "settings", "result"),
    [
        ("print('fine')", "", Result(Outcome.PASS, "fine")),
        ("print('slow'); raise SystemExit(1)", "", Result(Outcome.WARNING, "exit code 1\nslow")),
        ("raise SystemExit(2)", "", Result(Outcome.FAIL, "exit code 2")),
        ("raise SystemExit(1)", "warn=none", Result(Outcome.FAIL, "exit code 1")),
        ("raise SystemExit(3)", "warn=2-4", Result(Outcome.WARNING, "exit code 3")),
        ("import os; os.kill(os.getpid(), 9)", "", Result(Outcome.FAIL, "killed by SIGKILL")),
    ],
)
async def test_a_command(script: str, settings: str, result: Result) -> None:
    assert await look(f"exec {settings} -- {sys.executable} -ISc {script!r}") == result


async def test_a_command_that_hangs_is_stopped_with_all_it_started(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    text = f"sleep 60 & echo said $! | tee {pid}; wait"
    result = await look(f"exec timeout=500ms -- sh -c '{text}'", seconds=5)
    assert result.outcome is Outcome.FAIL
    assert result.output.startswith("stopped after 0.5 s\nsaid ")
    assert not is_running(int(pid.read_text().split()[1]))


async def test_a_command_that_says_too_much() -> None:
    result = await look(f"exec -- {sys.executable} -ISc 'print(\"x\" * 1000000)'")
    assert result.outcome is Outcome.PASS
    assert len(result.output) <= MOST_OUTPUT


async def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    result = await look(f"exec -- {tmp_path}/missing")
    assert result.outcome is Outcome.FAIL
    assert "missing" in result.output


async def test_a_command_does_not_speak_to_our_service_manager(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/it")
    script = 'import os; print(repr(os.environ.get("NOTIFY_SOCKET")))'
    assert (await look(f"exec -- {sys.executable} -ISc '{script}'")).output == "''"


async def test_an_absent_file(tmp_path: Path) -> None:
    path = tmp_path / "off"
    assert await look(f"absent:{path}") == Result(Outcome.PASS)
    path.symlink_to("nowhere")
    assert await look(f"absent:{path}") == Result(Outcome.FAIL, f"{path} is there")
    # Whether it is there can not be known: below a name that is too long.
    unknown = await look(f"absent:{tmp_path}/{'x' * 300}")
    assert unknown.outcome is Outcome.WARNING


async def test_an_absent_file_that_can_not_be_seen_is_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = open_check(parse_check(f"absent:{tmp_path}/off"))
    (tmp_path / "off").touch()
    assert (await check.look()).outcome is Outcome.FAIL

    def denied(path: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "lstat", denied)
    assert (await check.look()).outcome is Outcome.FAIL


async def test_a_look_that_hangs_is_not_joined_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, looks = trio.Event(), []
    token = trio.lowlevel.current_trio_token()

    def hang(path: str) -> None:
        looks.append(path)
        trio.from_thread.run(hangs.wait, trio_token=token)
        raise FileNotFoundError(2, "No such file")

    monkeypatch.setattr(os, "lstat", hang)
    check = open_check(parse_check(f"absent:{tmp_path}/off timeout=50ms"))
    for _ in range(3):
        with trio.fail_after(2):
            assert (await check.look()).outcome is Outcome.WARNING
    assert len(looks) == 1
    hangs.set()
    with trio.fail_after(2):
        while (await check.look()).outcome is not Outcome.PASS:
            pass
