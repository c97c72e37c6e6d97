"""When checks are run, and what is told of them, on a clock that jumps."""

import logging
from collections.abc import Sequence
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from lochkit.discovery.check_model import CheckSpec, HttpTarget
from lochkit.discovery.check_spec import parse_check
from lochkit.discovery.errors import InvalidHost
from lochkit.discovery.health import Outcome, Result
from lochkit.discovery.host import Host, State
from lochkit.discovery.monitor import Monitor

LOOKS = {
    "+": Result(Outcome.PASS),
    "!": Result(Outcome.WARNING, "slow"),
    "-": Result(Outcome.FAIL, "refused"),
}


class ScriptedCheck:
    """Says what the script says, the last of it for ever; each look takes as long as is set."""

    def __init__(self, script: str, takes: float = 0) -> None:
        self.script = script
        self.takes = takes
        self.looks: list[float] = []
        self.at_once = 0

    async def look(self) -> Result:
        self.looks.append(trio.current_time())
        self.at_once += 1
        assert self.at_once == 1
        await trio.sleep(self.takes)
        self.at_once -= 1
        return LOOKS[self.script[min(len(self.looks), len(self.script)) - 1]]


class Bench:
    """A monitor of scripted checks, and what it has told."""

    def __init__(self, *checks: tuple[str, ScriptedCheck], **options: Any) -> None:
        self.checks = [check for _, check in checks]
        waiting = iter(self.checks)
        self.told: list[tuple[float, State, str]] = []
        self.monitor = Monitor(
            [parse_check(text) for text, _ in checks],
            Host(ports={"web": "8080"}),
            self.on_state,
            opener=lambda spec: next(waiting),
            **{"jitter": lambda: 0.5} | options,
        )

    def on_state(self, state: State, text: str) -> None:
        self.told.append((trio.current_time(), state, text))

    @property
    def states(self) -> Sequence[tuple[float, State]]:
        return [(round(at, 3), state) for at, state, _ in self.told]

    async def run(self, seconds: float) -> None:
        with trio.move_on_after(seconds):
            await self.monitor.run()


async def test_states_are_told_as_they_change(autojump_clock: MockClock) -> None:
    check = ScriptedCheck("+++-----+")
    bench = Bench(("tcp:web interval=10s failures=3", check))
    assert bench.monitor.state is State.CRITICAL
    await bench.run(95)
    assert bench.states == [(0, State.PASSING), (50, State.CRITICAL), (80, State.PASSING)]
    assert bench.told[1][2] == "tcp:web: refused"
    assert check.looks == [pytest.approx(10 * n) for n in range(10)]


async def test_intervals_vary_but_the_first_look_is_at_once(autojump_clock: MockClock) -> None:
    draws = iter([0.0, 0.999999, 0.5, 0.0])
    check = ScriptedCheck("+")
    await Bench(("tcp:web interval=10s", check), jitter=lambda: next(draws)).run(35)
    assert check.looks == [pytest.approx(at, abs=0.001) for at in (0, 9, 20, 30)]


async def test_who_starts_is_looked_at_more_often_until_a_look_is_good(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    never, late = ScriptedCheck("-"), ScriptedCheck("---+---")
    bench = Bench(
        ("tcp:web interval=3s", never), ("tcp:web interval=10s passes=2 failures=9", late)
    )
    nursery.start_soon(bench.monitor.run)
    await trio.sleep(30)
    assert never.looks[:7] == [0, 0.5, 1.5, 3.5, 6.5, 9.5, 12.5]
    assert late.looks == [0, 0.5, 1.5, 3.5, 13.5, 23.5]
    bench.monitor.reset()  # another process starts
    await trio.sleep(3)
    assert late.looks[6:] == [30, 30.5, 31.5]


async def test_a_slow_check_runs_never_twice_at_once_nor_all_the_time(
    autojump_clock: MockClock,
) -> None:
    slow, quick = ScriptedCheck("+", takes=4), ScriptedCheck("+")
    await Bench(("tcp:web interval=1s", slow), ("tcp:web interval=1s", quick)).run(9.9)
    assert slow.looks == [pytest.approx(at) for at in (0, 4.5, 9)]
    assert len(quick.looks) == 10


async def test_look_now(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    idle, busy = ScriptedCheck("+"), ScriptedCheck("+", takes=5)
    bench = Bench(("tcp:web interval=60s", idle), ("tcp:web interval=60s", busy))
    nursery.start_soon(bench.monitor.run)
    await trio.sleep(3)
    bench.monitor.look_now()
    await trio.sleep(30)
    assert idle.looks == [0, 3]
    assert busy.looks == [0, 5]


async def test_reset_forgets_all_and_a_look_under_way_counts_no_more(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    bench = Bench(("tcp:web interval=60s failures=1", ScriptedCheck("++-", takes=5)))
    nursery.start_soon(bench.monitor.run)
    await trio.sleep(62)  # the second look has begun, on the process that was
    bench.monitor.reset()
    await trio.sleep(20)
    assert bench.states == [(5, State.PASSING), (62, State.CRITICAL)]
    assert bench.monitor.text == "tcp:web: refused"
    bench.monitor.reset()
    assert len(bench.told) == 2  # it was critical before


async def test_what_it_knows_survives_a_restart(autojump_clock: MockClock) -> None:
    bench = Bench(("tcp:web interval=10s passes=3", ScriptedCheck("+")))
    await bench.run(15)
    assert bench.told == []
    await bench.run(5)
    assert bench.monitor.state is State.PASSING


async def test_without_checks_all_is_well(autojump_clock: MockClock) -> None:
    bench = Bench()
    assert bench.monitor.state is State.PASSING
    await bench.run(100)
    assert bench.told == []
    assert bench.monitor.statuses == ()


async def test_it_starts_before_the_first_look_is_done(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    bench = Bench(("tcp:web", ScriptedCheck("+", takes=5)))
    await nursery.start(bench.monitor.run)
    assert trio.current_time() == 0
    await trio.sleep(6)
    assert bench.monitor.state is State.PASSING


async def test_each_turn_is_one_line_of_the_log(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    check = ScriptedCheck("----+-----+!!!+++")
    await Bench(("tcp:web interval=1s", check)).run(30)
    assert [record.message for record in caplog.records] == [
        "a check is failing",
        "a check is passing",
        "a check failed once",
        "a check is failing",
        "a check is passing",
        "a check warns",
        "a check is well again",
    ]
    assert vars(caplog.records[0])["output"] == "refused"


def test_a_port_that_the_instance_has_not() -> None:
    with pytest.raises(InvalidHost, match="there is no port for 'grpc'"):
        Monitor([parse_check("tcp:grpc")], Host(ports={"web": "1"}), lambda state, text: None)


def test_ports_are_numbers_where_they_are_looked_at() -> None:
    opened: list[CheckSpec] = []

    def opener(spec: CheckSpec) -> ScriptedCheck:
        opened.append(spec)
        return ScriptedCheck("+")

    host = Host(ports={"web": "8080"})
    Monitor([parse_check("http:web")], host, lambda state, text: None, opener=opener)
    assert isinstance(opened[0].target, HttpTarget)
    assert opened[0].target.port == 8080
