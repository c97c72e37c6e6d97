"""Looking up once: one request, one revision, and an answer for every state of the registry."""

from collections.abc import Callable

import pytest
import trio
import trio.testing

from lochkit.discovery.errors import InvalidName, NoHostFound, ServiceNotFound
from lochkit.discovery.layout import Layout
from lochkit.discovery.reading import catalog, get
from lochkit.etcd.client import Client
from lochkit.etcd.errors import (
    Compacted,
    ConnectionLost,
    DeadlineExceeded,
    EtcdError,
    MessageTooLarge,
    PermissionDenied,
)
from tests.discovery.fake_registry import FakeRegistry
from tests.discovery.registry_words import host_key, host_value, infos_key
from tests.etcd.real import client_of
from tests.servers.etcd_server import EtcdServer

A, B = host_key("web/a"), host_key("web/b")


def store_of(**hosts: bytes) -> FakeRegistry:
    store = FakeRegistry()
    for name, value in hosts.items():
        store.put(host_key(f"web/{name}"), value)
    return store


async def test_infos_and_hosts_in_one_request() -> None:
    store = store_of(b=host_value("old"), a=host_value("young"), bad=b"junk")
    store.put(infos_key("web"), b'{"name":"web","public":true,"hostname":"w","ports":{"http":"1"}}')
    store.put(host_key("web2/c"), host_value())
    service = await get(store, "web")
    assert [host.name for host in service.all()] == ["old", "young"]
    assert service.public
    assert service.revision == store.revision
    assert [fault.key for fault in service.faults] == ["/services/web/bad"]
    assert len(store.requests) == 2
    assert not any(request.serializable for request in store.requests)


async def test_a_member_may_answer_for_itself_if_asked() -> None:
    store = store_of(a=host_value())
    assert (await get(store, "web", serializable=True)).first().uuid == "a"
    assert all(request.serializable for request in store.requests)


async def test_never_heard_of_is_not_the_same_as_empty() -> None:
    store = FakeRegistry()
    store.put(infos_key("web"), b"{}")
    with pytest.raises(NoHostFound):
        (await get(store, "web")).first()
    with pytest.raises(ServiceNotFound):
        (await get(store, "we")).first()
    for name in ("", "a/b"):
        with pytest.raises(InvalidName):
            await get(store, name)


async def test_a_lot_is_drawn() -> None:
    store = store_of(a=host_value("one"), b=host_value("two", lochkit={"weight": 3}))
    lots: list[Callable[[], float]] = [lambda: 0.0, lambda: 0.24, lambda: 0.26, lambda: 0.99]
    web = await get(store, "web")
    assert [web.one(draw=draw).name for draw in lots] == ["one", "one", "two", "two"]
    # Without a lot of our own, it is random.
    assert {web.one(weighted=False).name for _ in range(60)} == {"one", "two"}
    listed = (await catalog(store))["web"]
    assert {str(listed.url("http", "/x")) for _ in range(60)} == {
        "http://one:80/x",
        "http://two:80/x",
    }


@pytest.mark.parametrize("fault", [ConnectionLost("cut"), Compacted("x")])
async def test_a_reading_that_was_interrupted_is_begun_anew(
    autojump_clock: trio.testing.MockClock, fault: EtcdError
) -> None:
    store = store_of(a=host_value())
    store.faults += [fault, fault]
    assert (await get(store, "web")).first().uuid == "a"
    store.faults += [fault, fault]
    assert list(await catalog(store)) == ["web"]
    store.faults += [fault] * 4
    with pytest.raises(type(fault)):
        await get(store, "web")
    assert store.faults == []


async def test_what_time_does_not_heal_is_raised() -> None:
    store = store_of(a=host_value())
    store.faults += [DeadlineExceeded("x")] * 2
    with pytest.raises(DeadlineExceeded):
        await get(store, "web")
    assert len(store.faults) == 1


async def test_what_may_not_be_read_is_named() -> None:
    store = store_of(a=host_value())
    store.forbidden = b"/services/"
    with pytest.raises(PermissionDenied, match=r"read permission .* begin with '/services/web/'"):
        await get(store, "web")
    with pytest.raises(PermissionDenied, match=r"read permission .* begin with '/services/'"):
        await catalog(store)


async def test_who_may_not_read_infos_finds_instances(caplog: pytest.LogCaptureFixture) -> None:
    store = store_of(a=host_value())
    store.put(infos_key("web"), b'{"name":"web","public":true}')
    store.forbidden = b"/services_infos/"
    for service in (await get(store, "web"), (await catalog(store))["web"]):
        assert service.infos is None
        assert service.first().uuid == "a"
    assert [vars(record)["keys"] for record in caplog.records] == [
        *("key '/services_infos/web'", "keys that begin with '/services_infos/'")
    ]


async def test_a_service_too_large_for_one_answer_is_read_in_pages() -> None:
    store = store_of(a=host_value())
    store.put(infos_key("web"), b'{"name":"web","critical":true}')
    store.faults.append(MessageTooLarge("x"))
    service = await get(store, "web")
    assert service.first().uuid == "a"
    assert service.infos is not None
    assert service.infos.critical


async def test_the_catalog_has_every_service_with_a_record_of_any_kind() -> None:
    store = store_of(a=host_value(), b=host_value())
    store.put(host_key("bad/x"), b"junk")
    store.put(infos_key("empty"), b"{}")
    store.put(infos_key("web"), b'{"name":"web","critical":true}')
    store.put(host_key("deep/x/y"), host_value())
    store.put(b"/services/lonely", host_value())
    found = await catalog(store)
    assert list(found) == ["bad", "deep", "empty", "web"]
    assert [len(service.instances) for service in found.values()] == [0, 1, 0, 2]
    assert len(found["bad"].faults) == 1
    assert found["web"].infos is not None
    assert found["web"].infos.critical
    assert {service.revision for service in found.values()} == {store.revision}


@pytest.mark.real_etcd
async def test_a_real_etcd_answers(shared_etcd: EtcdServer) -> None:
    layout = Layout(namespace="/reading")
    async with client_of(shared_etcd.endpoint) as etcd:
        await _fill(etcd, layout)
        for serializable in (False, True):
            service = await get(etcd, "web", layout=layout, serializable=serializable)
            assert [host.uuid for host in service.all()] == [str(number) for number in range(40)]
            assert service.infos is not None
        assert (await get(etcd, "web2", layout=layout)).one().uuid == "x"
        assert list(await catalog(etcd, layout)) == ["web", "web2"]
        with pytest.raises(ServiceNotFound):
            (await get(etcd, "we", layout=layout)).all()


async def _fill(etcd: Client, layout: Layout) -> None:
    for number in range(40):
        await etcd.kv.put(layout.instance_key("web", str(number)), host_value())
    await etcd.kv.put(layout.instance_key("web2", "x"), host_value())
    await etcd.kv.put(layout.infos_key("web"), b"{}")
