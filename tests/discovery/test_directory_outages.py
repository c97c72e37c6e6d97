"""Outages as a directory tells of them: once each, and over when all that happened was told."""

import trio
import trio.testing

from lochkit.etcd.errors import Unavailable
from tests.discovery.fake_registry import FakeRegistry
from tests.discovery.hearing import hearing, is_stale, settled
from tests.discovery.registry_words import host_key, host_value

A, B = host_key("web/a"), host_key("web/b")


async def test_an_outage_is_told_once_and_its_end_after_what_happened_in_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    store = FakeRegistry()
    store.put(A, host_value())
    async with hearing(store) as (directory, heard):
        store.cut(away=True)
        await trio.sleep(100)
        assert heard.new() == ["stale"]
        assert is_stale(directory)
        assert directory.service("web").stale
        assert directory.service("web").first().uuid == "a"
        store.delete(A)
        store.put(B, host_value())
        store.heal(held=True)
        await trio.sleep(100)
        assert store.watches == 2
        assert heard.new() == []  # the watch stands, and says nothing yet
        assert is_stale(directory)
        store.heal()
        await settled()
        assert heard.new() == ["down web/a expired", "new web/b", "fresh"]  # at once
        assert not is_stale(directory)
        assert not directory.service("web").stale


async def test_an_outage_in_which_nothing_happened_ends_without_an_event(
    autojump_clock: trio.testing.MockClock,
) -> None:
    store = FakeRegistry()
    store.put(A, host_value())
    async with hearing(store) as (_, heard):
        store.cut()
        store.put(b"/elsewhere", b"")
        await trio.sleep(5)
        assert heard.new() == ["stale", "fresh"]
        assert store.lists == 2  # the first


async def test_what_came_and_went_again_does_not_hold_up_the_end_of_an_outage(
    autojump_clock: trio.testing.MockClock,
) -> None:
    store = FakeRegistry()
    store.put(A, host_value())
    async with hearing(store) as (_, heard):
        store.cut(away=True)
        await trio.sleep(5)
        store.put(B, host_value())
        store.delete(B)
        store.heal()
        await trio.sleep(30)
        assert heard.new() == ["stale", "new web/b", "down web/b expired", "fresh"]


async def test_a_compaction_in_an_outage_is_compared(
    autojump_clock: trio.testing.MockClock,
) -> None:
    store = FakeRegistry()
    for name in ("a", "gone", "again", "other", "left"):
        store.put(host_key(f"web/{name}"), host_value())
    async with hearing(store) as (_, heard):
        store.put(host_key("web/left"), host_value(lochkit={"state": "leaving"}))
        await settled()
        assert heard.new() == ["changed web/left"]
        store.cut(away=True)
        store.delete(host_key("web/gone"), host_key("web/again"), host_key("web/left"))
        store.put(host_key("web/again"), host_value())
        store.put(host_key("web/other"), host_value("other"))
        store.put(host_key("web/new"), host_value())
        store.compact()
        store.heal()
        await trio.sleep(30)
        told = heard.new()
        assert told[0] == "stale"
        assert told[-1] == "fresh"
        assert sorted(told[1:-1]) == [
            "changed web/other ~",
            "down web/again expired ~",
            "down web/gone expired ~",
            "down web/left left ~",
            "new web/again ~",
            "new web/new ~",
        ]
        assert told.index("down web/again expired ~") < told.index("new web/again ~")


async def test_a_compaction_without_an_outage_is_no_outage(
    autojump_clock: trio.testing.MockClock,
) -> None:
    store = FakeRegistry()
    async with hearing(store) as (_, heard):
        store.compact()
        store.put(A, host_value())
        await settled()
        assert heard.new() == ["new web/a"]


async def test_the_end_is_found_though_the_measure_fails_or_another_outage_comes_first(
    autojump_clock: trio.testing.MockClock,
) -> None:
    store = FakeRegistry()
    async with hearing(store) as (directory, heard):
        store.range_faults += [Unavailable("x")] * 4
        store.cut()
        await trio.sleep(30)
        assert heard.new() == ["stale", "fresh"]
        store.cut(away=True)
        await trio.sleep(5)
        store.put(A, host_value())
        store.heal(held=True)
        await trio.sleep(30)
        store.cut(away=True)  # before it had caught up
        await trio.sleep(5)
        store.heal()
        await trio.sleep(30)
        assert heard.new() == ["stale", "new web/a", "fresh"]
        assert not is_stale(directory)


async def test_an_answer_from_before_another_outage_ends_nothing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    store = FakeRegistry()
    async with hearing(store) as (_, heard):
        store.answers_take = 10
        store.cut()
        await trio.sleep(5)
        store.cut(away=True)
        await trio.sleep(0.1)
        store.put(A, host_value())
        store.heal(held=True)
        await trio.sleep(100)
        assert heard.new() == ["stale"]
        store.heal()
        await settled()
        assert heard.new() == ["new web/a", "fresh"]
