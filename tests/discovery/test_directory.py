"""The directory beside a store in memory: what is known, and from when to when."""

import logging

import pytest
import trio
import trio.testing

from lochkit.discovery.errors import (
    DirectoryStopped,
    DiscoveryError,
    InvalidName,
    NoHostFound,
    ServiceNotFound,
)
from lochkit.discovery.events import Kind
from lochkit.discovery.permissions import WITHOUT_INFOS
from lochkit.etcd.errors import PermissionDenied, Unavailable
from tests.discovery.fake_registry import FakeRegistry
from tests.discovery.hearing import directory_of, hearing, is_stale, settled
from tests.discovery.registry_words import host_key, host_value, infos_key

A, B = host_key("web/a"), host_key("web/b")


async def test_it_knows_what_there_is_and_hears_what_comes(
    autojump_clock: trio.testing.MockClock,
) -> None:
    store = FakeRegistry()
    store.put(A, host_value("one"))
    store.put(infos_key("web"), b"{}")
    async with hearing(store) as (directory, heard):
        assert not is_stale(directory)
        assert directory.service("web").first().name == "one"
        assert list(directory.services()) == ["web"]
        with pytest.raises(ServiceNotFound):
            directory.service("db").first()
        store.put(B, host_value())
        store.put(host_key("db/1"), host_value())
        store.delete(A)
        store.delete(B)
        await settled()
        assert heard.new() == ["new web/b", "new db/1", "down web/a expired", "down web/b expired"]
        assert list(directory.services()) == ["db", "web"]
        with pytest.raises(NoHostFound, match="web"):
            directory.service("web").first()


async def test_some_services_only_and_not_their_likes(
    autojump_clock: trio.testing.MockClock,
) -> None:
    store = FakeRegistry()
    async with hearing(store, "web", "web") as (directory, heard):
        for name in ("web/a", "web2/b", "we/c"):
            store.put(host_key(name), host_value())
            store.put(infos_key(name.partition("/")[0]), b"{}")
        await settled()
        assert sorted(heard.new()) == ["infos web", "new web/a"]
        assert store.watches == 2
        assert list(directory.services()) == ["web"]
        for refused in (directory.service, directory.subscribe):
            with pytest.raises(DiscoveryError, match="web2 is not among"):
                refused("web2")


@pytest.mark.parametrize("name", ["", "a/b"])
def test_a_service_needs_a_name(name: str) -> None:
    with pytest.raises(InvalidName):
        directory_of(FakeRegistry(), name)


async def test_nothing_is_said_before_the_first_reading(
    autojump_clock: trio.testing.MockClock,
    nursery: trio.Nursery,
) -> None:
    store = FakeRegistry()
    store.put(A, host_value())
    store.away = Unavailable("not up yet")
    directory = directory_of(store)
    await nursery.start(directory.run)
    await trio.sleep(100)
    assert is_stale(directory)
    for question in (lambda: directory.service("web"), directory.services):
        with pytest.raises(DiscoveryError, match="not been read"):
            question()
    with trio.move_on_after(10) as limit:
        await directory.ready()
    assert limit.cancelled_caught
    store.heal()
    await directory.ready()
    assert directory.service("web").first().uuid == "a"
    await trio.sleep(10)
    assert not is_stale(directory)


async def test_who_says_that_it_leaves_and_goes_at_once_has_left(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Both come in one answer of the watch; told as one, the word would be lost."""
    store = FakeRegistry()
    store.put(A, host_value())
    async with hearing(store) as (_, heard):
        store.held = True
        store.put(A, host_value(lochkit={"state": "leaving"}))
        store.delete(A)
        store.heal()
        await settled()
        assert heard.new() == ["changed web/a", "down web/a left"]


async def test_bad_records_are_logged_once_and_not_all_at_once(
    autojump_clock: trio.testing.MockClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "lochkit.discovery")
    store = FakeRegistry()
    for number in range(30):
        store.put(host_key(f"web/{number}"), b"secret")
    async with hearing(store) as (directory, heard):
        assert len(directory.service("web").faults) == 30
        assert len(caplog.records) == 11
        store.put(host_key("web/1"), b"secret too")
        await settled()
        assert len(caplog.records) == 11
        assert heard.new() == []
        assert "secret" not in caplog.text + str([vars(record) for record in caplog.records])


async def test_a_large_registry_is_read_with_pauses(
    autojump_clock: trio.testing.MockClock,
    nursery: trio.Nursery,
) -> None:
    store = FakeRegistry()
    for number in range(2000):
        store.put(host_key(f"web/{number}"), host_value())
    turns = []

    async def count() -> None:
        while True:
            await trio.lowlevel.checkpoint()
            turns.append(1)

    directory = directory_of(store, "web")
    async with trio.open_nursery() as counting:
        counting.start_soon(count)
        await nursery.start(directory.run)
        await directory.ready()
        counting.cancel_scope.cancel()
    assert len(directory.service("web").instances) == 2000
    assert len(turns) >= 20


async def test_a_refusal_ends_it_and_all_who_wait_or_listen(
    autojump_clock: trio.testing.MockClock,
) -> None:
    store = FakeRegistry()
    directory = directory_of(store)
    store.forbidden = b"/services/"
    with pytest.RaisesGroup(PermissionDenied):
        await directory.run()
    with pytest.raises(DirectoryStopped, match="read permission is needed") as caught:
        await directory.ready()
    assert isinstance(caught.value.__cause__, ExceptionGroup)
    with pytest.raises(DirectoryStopped):
        async with directory.subscribe("web"):
            pytest.fail("nobody would ever tell anything")


@pytest.mark.parametrize("services", [(), ("web",)])
async def test_who_may_not_read_what_instances_share_follows_the_rest(
    autojump_clock: trio.testing.MockClock,
    nursery: trio.Nursery,
    caplog: pytest.LogCaptureFixture,
    services: tuple[str, ...],
) -> None:
    store = FakeRegistry()
    store.put(A, host_value())
    store.put(infos_key("web"), b'{"name":"web","public":true,"password":"p"}')
    store.forbidden = b"/services_infos/"
    directory = directory_of(store, *services)
    await nursery.start(directory.run)
    await directory.ready()
    assert directory.service("web").infos is None
    assert directory.service("web").first().uuid == "a"
    async with directory.subscribe("web") as events:
        store.cut()
        assert [(await anext(events)).kind for _ in range(2)] == [Kind.STALE, Kind.FRESH]
        store.put(B, host_value())
        assert (await anext(events)).uuid == "b"
    told = [record for record in caplog.records if record.getMessage() == WITHOUT_INFOS]
    assert len(told) == 1
    assert "/services_infos/" in vars(told[0])["keys"]


async def test_it_can_be_run_again_and_begins_anew(
    autojump_clock: trio.testing.MockClock,
    nursery: trio.Nursery,
) -> None:
    store = FakeRegistry()
    store.put(A, host_value())
    directory = directory_of(store)
    async with trio.open_nursery() as first:
        await first.start(directory.run)
        await directory.ready()
        first.cancel_scope.cancel()
    assert is_stale(directory)
    assert directory.service("web").stale
    store.delete(A)
    await nursery.start(directory.run)
    await directory.ready()
    assert not is_stale(directory)
    assert list(directory.services()) == []
