"""Signals: a stop that is clean when it can be and forced when it must be."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import trio

from lochkit.runtime.signals import exit_code_of, run_until_stopped

SOURCE = Path(__file__).parents[2] / "toolkit"


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_cancels_the_body_and_is_returned(asked: signal.Signals) -> None:
    cleaned = False

    async def body() -> None:
        nonlocal cleaned
        signal.raise_signal(asked)
        try:
            await trio.sleep_forever()
        finally:
            cleaned = True

    with trio.fail_after(5):
        assert await run_until_stopped(body) is asked
    assert cleaned


async def test_the_first_request_is_told_once() -> None:
    told: list[str] = []

    async def body() -> None:
        signal.raise_signal(signal.SIGTERM)
        try:
            await trio.sleep_forever()
        finally:
            told.append("cleaning up")
            signal.raise_signal(signal.SIGTERM)
            with trio.CancelScope(shield=True):
                await trio.sleep(0.05)

    with trio.fail_after(5):
        await run_until_stopped(body, on_stop=lambda: told.append("stopping"))
    assert told == ["stopping", "cleaning up"]


async def test_a_body_that_ends_by_itself_was_not_stopped() -> None:
    async def body() -> None:
        await trio.lowlevel.checkpoint()

    with trio.fail_after(5):
        assert await run_until_stopped(body) is None


async def test_an_error_of_the_body_is_raised_in_a_group() -> None:
    async def body() -> None:
        await trio.lowlevel.checkpoint()
        raise ZeroDivisionError

    with pytest.RaisesGroup(ZeroDivisionError):
        await run_until_stopped(body)


async def test_other_signals_are_told_also_during_the_stop() -> None:
    told: list[str] = []
    others = {signal.SIGUSR1: lambda: told.append("USR1")}

    async def body() -> None:
        signal.raise_signal(signal.SIGUSR1)
        await trio.sleep(0.05)
        signal.raise_signal(signal.SIGTERM)
        try:
            await trio.sleep_forever()
        finally:
            told.append("cleaning up")
            signal.raise_signal(signal.SIGUSR1)
            with trio.CancelScope(shield=True):
                await trio.sleep(0.05)

    with trio.fail_after(5):
        assert await run_until_stopped(body, others=others) is signal.SIGTERM
    assert told == ["USR1", "cleaning up", "USR1"]


async def test_a_second_request_may_only_hurry() -> None:
    hurried = trio.Event()

    def hurry() -> bool:
        hurried.set()
        return True

    async def body() -> None:
        signal.raise_signal(signal.SIGTERM)
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.6)  # else it is the same request
                signal.raise_signal(signal.SIGINT)
                await hurried.wait()
                signal.raise_signal(signal.SIGINT)  # the same request
                await trio.sleep(0.05)

    with trio.fail_after(5):
        assert await run_until_stopped(body, hurry=hurry) is signal.SIGTERM


async def test_hangup_reloads_where_that_is_wanted() -> None:
    reloaded = trio.Event()

    async def body() -> None:
        signal.raise_signal(signal.SIGHUP)
        await reloaded.wait()

    with trio.fail_after(5):
        assert await run_until_stopped(body, on_hangup=reloaded.set) is None


async def test_the_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)

    async def body() -> None:
        assert signal.getsignal(signal.SIGTERM) is not before
        await trio.lowlevel.checkpoint()

    await run_until_stopped(body)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("stopped_by", "code"),
    [(None, 0), (signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGINT, 130)],
)
def test_exit_codes(stopped_by: signal.Signals | None, code: int) -> None:
    assert exit_code_of(stopped_by) == code


class Program:
    """A process of its own, for what ends the process."""

    def __init__(self, body: str, call: str, *, after: str = "") -> None:
        script = textwrap.dedent("""
            import os, signal, sys, time, trio
            from lochkit.runtime.signals import run_until_stopped
            def last_words():
                print("last words", flush=True)
            async def body():
                print("ready", flush=True)
        """)
        script += textwrap.indent(textwrap.dedent(body), "    ")
        script += f"\ntrio.run(lambda: {call})\n{after}\nprint('clean end')\n"
        self.process = subprocess.Popen(
            [sys.executable, "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": str(SOURCE)},
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def ends(self) -> tuple[int, str]:
        try:
            output, _ = self.process.communicate(timeout=20)
        finally:
            self.process.kill()
        return self.process.returncode, output


UNWILLING = """
    with trio.CancelScope(shield=True):
        await trio.sleep(15)
"""


def test_a_stop_that_takes_too_long_is_forced() -> None:
    call = "run_until_stopped(body, stop_within=0.2, before_force=last_words)"
    program = Program(UNWILLING, call)
    began = time.monotonic()
    program.process.terminate()
    assert program.ends() == (143, "last words\n")
    assert 0.2 <= time.monotonic() - began < 10


def test_a_hung_event_loop_is_stopped_too() -> None:
    program = Program(
        """
        signal.raise_signal(signal.SIGTERM)
        with trio.CancelScope(shield=True):
            await trio.sleep(0.1)  # let it be heard
        time.sleep(15)
        """,
        "run_until_stopped(body, stop_within=0.5)",
    )
    assert program.ends() == (143, "")


def test_a_second_request_is_not_waited_for() -> None:
    program = Program(UNWILLING, "run_until_stopped(body, stop_within=14)")
    began = time.monotonic()
    program.process.send_signal(signal.SIGINT)
    time.sleep(0.8)
    program.process.send_signal(signal.SIGINT)
    assert program.ends() == (130, "")
    assert time.monotonic() - began < 10


def test_the_same_request_said_twice_is_one() -> None:
    program = Program(
        """
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.3)
        """,
        "run_until_stopped(body)",
    )
    program.process.terminate()
    time.sleep(0.1)
    program.process.terminate()
    assert program.ends() == (0, "clean end\n")


def test_once_it_has_ended_nothing_is_forced() -> None:
    call = "run_until_stopped(body, stop_within=0.2)"
    program = Program("await trio.sleep_forever()", call, after="time.sleep(0.6)")
    program.process.terminate()
    assert program.ends() == (0, "clean end\n")
