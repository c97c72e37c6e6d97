"""The command as a whole, in parts: its options, its pipeline on a store that the test plays."""

import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from lochkit import cli
from lochkit.commands import etcdwatch
from lochkit.commands.etcdwatch import EtcdLost, Session
from lochkit.commands.etcdwatch_options import EtcdwatchOptions
from lochkit.commands.etcdwatch_settings import (
    connection_of,
    guards_of,
    limit_of,
    policy_of,
    reconnects_of,
    selection_of,
)
from lochkit.errors import CommandFailed, leaves
from lochkit.etcd_options import EtcdOptions
from lochkit.etcdwatch.formats import Format
from lochkit.etcdwatch.policy import OnBusy, OnFailure
from lochkit.options import Subcommand

from ..etcdwatch.scripted import ScriptedLauncher
from .playing_store import PlayingStore


def options(**given: Any) -> EtcdwatchOptions:
    given.setdefault("command", ("true",))
    return EtcdwatchOptions(**given)


# -- options ---------------------------------------------------------------------------------------


async def parsed(monkeypatch: pytest.MonkeyPatch, *argv: str) -> EtcdwatchOptions:
    """Return what the command line makes of the words."""
    caught: list[EtcdwatchOptions] = []

    async def run(given: EtcdwatchOptions) -> int:
        await trio.lowlevel.checkpoint()
        caught.append(given)
        return 0

    subcommand = Subcommand(options=EtcdwatchOptions, run=run, help="x")
    monkeypatch.setattr(etcdwatch, "SUBCOMMAND", subcommand)
    assert await cli.invoke(["etcdwatch", *argv]) == 0
    return caught[0]


@pytest.mark.parametrize(
    ("argv", "endpoint"),
    [
        (["-p", "4001"], "http://localhost:4001"),
        (["-H", "etcd.example"], "http://etcd.example:2379"),
        (["--host", "::1", "--port", "1"], "http://[::1]:1"),
        (["--protocol", "https"], "https://localhost:2379"),
        (["-u", "http://[::1]:4001"], "http://[::1]:4001"),
        (["--url", "https://etcd.example:1"], "https://etcd.example:1"),
        (["--etcd", "http://x:1"], "http://x:1"),
    ],
)
async def test_endpoint(argv: list[str], endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A7.15 and A7.16: the original's options, without their faults."""
    given = await parsed(monkeypatch, *argv, "true")
    assert connection_of(given).endpoints == (endpoint,)


async def test_every_option_of_the_original(monkeypatch: pytest.MonkeyPatch) -> None:
    given = await parsed(
        monkeypatch,
        *("-f", "yaml", "-d", "/a", "--wait-index", "7", "-1", "--no-reconnect", "--no-recursive"),
        *("--reconnect-timeout", "5", "--no-stable", "--stable-timeout", "2", "--debug"),
        *("--", "sh", "-c", "cat"),
    )
    assert given.command == ("sh", "-c", "cat")
    assert given.format is Format.YAML
    assert selection_of(given).paths == ("/a",)
    assert not selection_of(given).recursive
    assert guards_of(given).above_revision == 7
    assert given.once
    assert given.debug
    assert not given.reconnect
    assert reconnects_of(given).maximum == 5
    assert given.quiet_time == 2
    assert policy_of(given).each_step


async def test_command_needs_no_dashes(monkeypatch: pytest.MonkeyPatch) -> None:
    given = await parsed(monkeypatch, "--one-event", "sh", "-c", "--once")
    assert given.command == ("sh", "-c", "--once")


def test_defaults() -> None:
    given = options()
    assert selection_of(given).paths == ("/",)
    assert connection_of(given) == EtcdOptions()
    assert (given.quiet_time, limit_of(given)) == (1.0, 4.0)
    assert policy_of(given).on_busy is OnBusy.QUEUE
    assert policy_of(given).on_failure is OnFailure.IGNORE
    assert selection_of(options(prefix=("x",))).paths == ()
    assert selection_of(options(prefix=("\udcff",))).prefixes == (b"\xff",)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"command": ()}, "no command"),
        ({"print": True}, "leave it out"),
        ({"print": True, "dry_run": True}, "exclude"),
        ({"stable": False, "on_busy": OnBusy.RESTART}, "queue"),
        ({"stable": False, "max_wait": 5.0}, "no meaning"),
        ({"quiet_time": 2.0, "max_wait": 1.0}, "shorter"),
        ({"env_prefix": "X_"}, "--format env"),
        ({"url": "http://x:1", "port": 1}, "leave out"),
        ({"port": 1, "etcd": EtcdOptions(endpoints=("embedded",))}, "embedded"),
    ],
)
def test_contradiction_is_refused(given: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        options(**given)


@pytest.mark.parametrize(
    "argv",
    [
        ["--stable-timeout", "-1", "true"],
        ["--stop-signal", "NONE", "true"],
        ["--env-prefix", "1X", "--format", "env", "true"],
        ["--max-shrink", "101", "true"],
        ["-d", "\udcff", "true"],
        ["-f", "xml", "true"],
        [],
    ],
)
async def test_wrong_usage_is_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert await cli.invoke(["etcdwatch", *argv]) == 2
    assert "Error" in capsys.readouterr().err


# -- the pipeline ----------------------------------------------------------------------------------


class Play:
    """A session on a store that the test plays, with a command that it scripts."""

    def __init__(self, launcher: ScriptedLauncher, **given: Any) -> None:
        self.store = PlayingStore({"/a": "0"})
        self.launcher = launcher
        self.session = Session(options(**given))

    @asynccontextmanager
    async def on(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.session.pipeline, self.store, self.launcher)
            yield
            nursery.cancel_scope.cancel()


async def test_first_run_is_after_one_quiet_time(autojump_clock: MockClock) -> None:
    play = Play(ScriptedLauncher())
    async with play.on():
        await trio.sleep(10)
    assert play.launcher.began == [1.0]
    assert play.launcher.states == [{"a": "0"}]


async def test_burst_is_one_run(autojump_clock: MockClock) -> None:
    """A4: five puts 0.3 s apart."""
    play = Play(ScriptedLauncher())
    async with play.on():
        await trio.sleep(5)
        for number in range(5):
            play.store.put("/a", f"x{number}")
            await trio.sleep(0.3)
        await trio.sleep(10)
    assert play.launcher.began == [1.0, pytest.approx(7.2)]
    assert play.launcher.states[-1] == {"a": "x4"}


async def test_endless_changes_do_not_starve_the_command(autojump_clock: MockClock) -> None:
    """A7.9: a put each half second never let the original's command run."""
    play = Play(ScriptedLauncher(), max_wait=3.0)
    async with play.on():
        for number in range(20):
            play.store.put("/a", f"x{number}")
            await trio.sleep(0.5)
        await trio.sleep(10)
    assert len(play.launcher.began) >= 3
    assert play.launcher.began[0] <= 3.0
    assert play.launcher.states[-1] == {"a": "x19"}


async def test_quiet_time_of_nothing_runs_at_once(autojump_clock: MockClock) -> None:
    """A1: 0 meant never."""
    play = Play(ScriptedLauncher(), quiet_time=0.0)
    async with play.on():
        await trio.sleep(1)
        play.store.put("/a", "1")
        await trio.sleep(1)
    assert play.launcher.began == [0.0, 1.0]


async def test_no_stable_is_one_run_for_every_revision(autojump_clock: MockClock) -> None:
    """A5 and A7.1."""
    play = Play(ScriptedLauncher((5, 0)), stable=False)
    async with play.on():
        await trio.sleep(1)
        play.store.transact({"/a": "1", "/b": "1"})
        play.store.put("/a", "2")
        await trio.sleep(1000)
    assert play.launcher.states == [{"a": "0"}, {"a": "1", "b": "1"}, {"a": "2", "b": "1"}]
    assert play.launcher.began == [0.0, 5.0, 10.0]


async def test_outage_is_waited_out_and_nothing_is_run_twice(autojump_clock: MockClock) -> None:
    """A6 and A7.13."""
    play = Play(ScriptedLauncher())
    async with play.on():
        await trio.sleep(5)
        play.store.away = True
        play.store.cut()
        await trio.sleep(1000)
        play.store.away = False
        await trio.sleep(1000)
        assert len(play.launcher.began) == 1
        play.store.cut()
        play.store.put("/a", "1")
        await trio.sleep(100)
    assert play.launcher.states == [{"a": "0"}, {"a": "1"}]


async def test_absent_etcd_is_waited_for(autojump_clock: MockClock) -> None:
    play = Play(ScriptedLauncher(), once=True)
    play.store.away = True
    async with play.on():
        await trio.sleep(1000)
        assert play.launcher.began == []
        play.store.away = False
        await trio.sleep(100)
    assert play.launcher.states == [{"a": "0"}]


async def test_changes_lost_to_compaction_are_found(autojump_clock: MockClock) -> None:
    """A7.4: the original crashed on 401."""
    play = Play(ScriptedLauncher())
    async with play.on():
        await trio.sleep(5)
        play.store.cut()
        play.store.transact({"/a": None, "/b": "1"})
        play.store.compact()
        await trio.sleep(100)
        play.store.cut()
        play.store.compact()  # nothing was missed
        await trio.sleep(100)
    assert play.launcher.states == [{"a": "0"}, {"b": "1"}]
    assert [c.key for c in play.launcher.runs[1].job.changes] == [b"/a", b"/b"]


async def test_resync_lists_again_and_runs_nothing(autojump_clock: MockClock) -> None:
    play = Play(ScriptedLauncher(), resync_interval=60.0)
    async with play.on():
        await trio.sleep(200)
    assert play.store.lists >= 3
    assert len(play.launcher.began) == 1


async def test_missing_path_is_an_empty_state(autojump_clock: MockClock) -> None:
    """A7.5: keys that came while the original slept were lost."""
    play = Play(ScriptedLauncher(), path=("/m",))
    async with play.on():
        await trio.sleep(5)
        play.store.put("/m/early", "1")
        await trio.sleep(5)
        play.store.put("/m/late", "1")
        await trio.sleep(5)
    assert play.launcher.states == [{}, {"m": {"early": "1"}}, {"m": {"early": "1", "late": "1"}}]


async def test_transaction_over_two_prefixes_is_seen_at_once(autojump_clock: MockClock) -> None:
    play = Play(ScriptedLauncher(), path=("/x", "/z"), stable=False)
    async with play.on():
        await trio.sleep(1)
        play.store.transact({"/x/1": "1", "/y/1": "1", "/z/1": "1"})
        await trio.sleep(1)
    assert play.launcher.states == [{}, {"x": {"1": "1"}, "z": {"1": "1"}}]


async def test_no_reconnect_ends_with_75(autojump_clock: MockClock) -> None:
    """A6: it was 0."""
    play = Play(ScriptedLauncher(), reconnect=False)
    with pytest.RaisesGroup(EtcdLost, flatten_subgroups=True) as caught:
        async with play.on():
            await trio.sleep(5)
            play.store.away = True
            play.store.cut()
            await trio.sleep(100)
    (lost,) = leaves(caught.value)
    assert isinstance(lost, EtcdLost)
    assert lost.exit_code == 75


@pytest.mark.parametrize("selection", [{"path": ("/a",)}, {"prefix": ("/a",)}])
async def test_no_reconnect_bears_a_compaction(
    selection: dict[str, Any], autojump_clock: MockClock
) -> None:
    """History can be gone before it is watched or wholly listed: then etcd is not lost."""
    play = Play(ScriptedLauncher(), reconnect=False, **selection)
    play.store.forgetful = 3
    async with play.on():
        await trio.sleep(100)
    assert play.store.forgetful == 0
    assert play.launcher.states == [{"a": "0"}]


@pytest.mark.parametrize("status", [0, 3])
async def test_once_ends_the_pipeline(status: int, autojump_clock: MockClock) -> None:
    """A7.2."""
    play = Play(ScriptedLauncher((1, status)), once=True)
    try:
        with trio.fail_after(10):
            await play.session.pipeline(play.store, play.launcher)
    except* CommandFailed as group:
        (failure,) = leaves(group)
        assert isinstance(failure, CommandFailed)
        assert failure.exit_code == status == 3
    assert len(play.launcher.began) == 1


async def test_wait_index_holds_the_command_back(autojump_clock: MockClock) -> None:
    """A7.14: it was ignored."""
    play = Play(ScriptedLauncher(), wait_index=3)
    async with play.on():
        await trio.sleep(10)
        play.store.put("/a", "1")  # revision 3
        await trio.sleep(10)
        play.store.put("/a", "2")
        await trio.sleep(10)
    assert play.launcher.states == [{"a": "2"}]


async def test_code_of_the_command_that_our_end_stopped(autojump_clock: MockClock) -> None:
    play = Play(ScriptedLauncher((100, 0)))
    assert play.session.code_when_stopped() is None
    async with play.on():
        await trio.sleep(5)
    assert play.session.code_when_stopped() == 143


async def test_no_code_of_a_command_that_was_not_running(autojump_clock: MockClock) -> None:
    play = Play(ScriptedLauncher((0, 3)))
    async with play.on():
        await trio.sleep(5)
    assert play.session.code_when_stopped() is None


# -- run() -----------------------------------------------------------------------------------------


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> PlayingStore:
    """Put a played store in place of etcd."""
    played = PlayingStore({"/a": "0"})

    @asynccontextmanager
    async def open_store(given: EtcdOptions) -> AsyncIterator[PlayingStore]:
        await trio.lowlevel.checkpoint()
        yield played

    monkeypatch.setattr(etcdwatch, "open_store", open_store)
    return played


@pytest.mark.usefixtures("store")
async def test_print(monkeypatch: pytest.MonkeyPatch) -> None:
    out: list[bytes] = []
    monkeypatch.setattr(etcdwatch, "write_stdout", out.append)
    with trio.fail_after(10):
        assert await etcdwatch.run(options(print=True, command=(), once=True, quiet_time=0.0)) == 0
    assert b"".join(out) == b'{"a": "0"}\n'


@pytest.mark.usefixtures("store")
async def test_dry_run_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    out: list[bytes] = []
    monkeypatch.setattr(etcdwatch, "write_stdout", out.append)
    given = options(dry_run=True, command=("/no/such/command",), once=True, quiet_time=0.0)
    with trio.fail_after(10):
        assert await etcdwatch.run(given) == 0
    assert b'+"/a": "0"' in b"".join(out)


@pytest.mark.usefixtures("store")
async def test_reader_that_has_seen_enough_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(data: bytes) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(etcdwatch, "write_stdout", closed)
    with trio.fail_after(10):
        assert await etcdwatch.run(options(print=True, command=())) == 141


@pytest.mark.usefixtures("store")
async def test_run_of_a_real_command() -> None:
    check = 'import sys; sys.exit(0 if sys.stdin.read() == \'{"a": "0"}\' else 1)'
    given = options(command=(sys.executable, "-c", check), once=True, quiet_time=0.0)
    with trio.fail_after(10):
        assert await etcdwatch.run(given) == 0


async def test_missing_command_is_found_out_before_etcd_is_asked() -> None:
    with pytest.raises(CommandFailed) as caught:
        await etcdwatch.run(options(command=("/no/such/command",)))
    assert caught.value.exit_code == 127


@pytest.mark.usefixtures("store")
async def test_what_is_unusual_is_said(caplog: pytest.LogCaptureFixture) -> None:
    given = options(format=Format.PICKLE, wait_index=0, once=True, quiet_time=0.0, debug=True)
    level = logging.getLogger("lochkit").level
    try:
        with trio.fail_after(10):
            assert await etcdwatch.run(given) == 0
        assert logging.getLogger("lochkit").level == logging.DEBUG
    finally:
        logging.getLogger("lochkit").setLevel(level)
    warnings = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert any("unpickles" in text for text in warnings)
    assert any("--wait-index" in text for text in warnings)
