"""Registrations on a store in memory: what is written, and when; nothing goes wrong here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from lochkit.discovery.errors import InvalidHost, RegistrationEnded
from lochkit.discovery.host import Credentials, Host, State
from lochkit.discovery.layout import Layout
from lochkit.discovery.register_options import RegisterOptions
from lochkit.discovery.registrar import Registrar, register
from lochkit.discovery.registration_status import Phase, Status
from lochkit.etcd.errors import PermissionDenied
from tests.fakes.lease_store import LeaseStore

HOST = Host(name="a.example", ports={"http": "80"})
PUBLIC = replace(HOST, public=True, user="u", password="p")
INFOS = b"/services_infos/web"


def record_of(etcd: LeaseStore, uuid: str) -> dict[str, object]:
    found = json.loads(etcd.state[f"/services/web/{uuid}".encode()].value)
    assert isinstance(found, dict)
    return found


@dataclass(frozen=True)
class Words:
    """Publishes one key for the instance and one for all."""

    word: str = "w"

    def keys(self, host: Host) -> Mapping[bytes, bytes]:
        return {f"/words/{host.uuid}".encode(): self.word.encode()}

    def shared_keys(self, host: Host) -> Mapping[bytes, bytes]:
        return {b"/words/shared": self.word.encode()}


async def test_it_is_there_and_goes(autojump_clock: MockClock) -> None:
    async with LeaseStore.run() as etcd:
        async with register(etcd, "web", HOST) as here:
            assert [here.ready] == [False]
            assert here.uuid.endswith("-a.example")
            await here.wait_ready()
            assert here.ready
            assert here.status.phase is Phase.READY
            record = record_of(etcd, here.uuid)
            assert record["name"] == "a.example"
            assert record["private_ports"] == {"http": "80"}
            assert etcd.values()[INFOS] == b'{"name":"web","critical":false}'
            lease = etcd.state[f"/services/web/{here.uuid}".encode()].lease
            assert list(etcd.living) == [lease] == [here.status.lease_id]
            assert etcd.state[INFOS].lease == 0
            revision = etcd.revision
            await trio.sleep(600)
            assert etcd.revision == revision, "written in the steady state"
            assert set(etcd.requests) == {"grant", "txn", "range"}
        assert list(etcd.values()) == [INFOS]
        assert not etcd.living
        assert [here.status.phase] == [Phase.STOPPED]


async def test_its_end_is_announced(autojump_clock: MockClock) -> None:
    async with LeaseStore.run() as etcd:
        async with register(etcd, "web", HOST) as here:
            await here.wait_ready()
        states = [json.loads(event.kv.value or b"{}") for event in etcd.history]
        assert states[-2]["lochkit"] == {"state": "leaving"}
        assert states[-1] == {}
        assert etcd.history[-1].kv.mod_revision > etcd.history[-2].kv.mod_revision


async def test_a_drain_keeps_it_in_the_registry(autojump_clock: MockClock) -> None:
    async with LeaseStore.run() as etcd, register(etcd, "web", HOST) as here:
        await here.wait_ready()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(here.deregister, 60.0)
            await trio.sleep(59)
            assert record_of(etcd, here.uuid)["lochkit"] == {"state": "leaving"}
            assert here.status.phase is Phase.STOPPING
        assert list(etcd.values()) == [INFOS]
        with pytest.raises(RegistrationEnded):
            await here.wait_ready()


async def test_publications_follow_the_state(autojump_clock: MockClock) -> None:
    options = RegisterOptions(publications=(Words(),))
    async with LeaseStore.run() as etcd, register(etcd, "web", HOST, options=options) as here:
        await here.wait_ready()
        own = f"/words/{here.uuid}".encode()
        assert etcd.state[own].lease == here.status.lease_id
        assert etcd.state[b"/words/shared"].lease == 0
        assert etcd.state[own].mod_revision == etcd.state[INFOS].mod_revision, "not one transaction"

        here.set_state(State.CRITICAL)
        await trio.sleep(0.1)
        assert own not in etcd.state
        assert record_of(etcd, here.uuid)["lochkit"] == {"state": "critical"}

        here.set_state(State.PASSING)
        await trio.sleep(0.1)
        assert etcd.values()[own] == b"w"
        assert "lochkit" not in record_of(etcd, here.uuid)

        here.publish([Words("other")])
        await trio.sleep(0.1)
        assert etcd.values()[own] == b"other"
        here.publish([])
        await trio.sleep(0.1)
        assert own not in etcd.state
        assert b"/words/shared" in etcd.state


async def test_a_host_that_cannot_be_written_changes_nothing(autojump_clock: MockClock) -> None:
    async with LeaseStore.run() as etcd, register(etcd, "web", HOST) as here:
        await here.wait_ready()
        with pytest.raises(InvalidHost):
            here.update(ports={"http": "0"})
        with pytest.raises(InvalidHost):
            here.publish([Words("a"), Words("b")])
        assert here.host.ports == {"http": "80"}
        here.update(weight=7, ports={"http": "81"})
        await trio.sleep(0.1)
        assert record_of(etcd, here.uuid)["lochkit"] == {"weight": 7}
        assert here.uuid.endswith("-a.example")


async def test_credentials_of_a_public_service(autojump_clock: MockClock) -> None:
    async with LeaseStore.run() as etcd, register(etcd, "web", PUBLIC) as here:
        await here.wait_ready()
        await trio.sleep(0.1)
        assert here.credentials == Credentials("u", "p")
        assert record_of(etcd, here.uuid)["lochkit"] == {
            "credentials": etcd.state[INFOS].mod_revision
        }
        rotated = b'{"name":"web","critical":false,"user":"u2","password":"p2","public":true,"x":1}'
        etcd.put_by_hand(INFOS, rotated)
        await trio.sleep(0.9)
        assert here.credentials == Credentials("u2", "p2")
        assert record_of(etcd, here.uuid)["password"] == "p2"
        assert etcd.values()[INFOS] == rotated, "who only runs writes no infos"

        for junk in (b"", b"null", b"[]", b"{}", b'{"public":false,"user":"x"}'):
            etcd.put_by_hand(INFOS, junk)
            await trio.sleep(2)
            assert here.credentials == Credentials("u2", "p2")
            assert etcd.values()[INFOS] == junk
        etcd.put_by_hand(INFOS, rotated)
        await trio.sleep(2)
        etcd.delete_by_hand(INFOS)
        await trio.sleep(2)
        assert here.credentials == Credentials("u2", "p2")
        assert json.loads(etcd.values()[INFOS]) == json.loads(rotated)

        here.update(user="u3", password="p3")
        await trio.sleep(1)
        assert json.loads(etcd.values()[INFOS])["password"] == "p3"
        assert json.loads(etcd.values()[INFOS])["x"] == 1
        assert record_of(etcd, here.uuid)["password"] == "p3"


async def test_passwords_may_be_kept_out_of_instances(autojump_clock: MockClock) -> None:
    options = RegisterOptions(instance_passwords=False)
    async with LeaseStore.run() as etcd, register(etcd, "web", PUBLIC, options=options) as here:
        await here.wait_ready()
        await trio.sleep(0.1)
        assert not {"user", "password"} & record_of(etcd, here.uuid).keys()
        assert here.credentials == Credentials("u", "p")
        etcd.put_by_hand(INFOS, b'{"name":"web","public":true,"user":"u","password":"new"}')
        await trio.sleep(0.9)
        assert here.credentials == Credentials("u", "new")
        own = record_of(etcd, here.uuid)
        assert own["lochkit"] == {"credentials": etcd.state[INFOS].mod_revision}
        assert b"new" not in etcd.state[f"/services/web/{here.uuid}".encode()].value


async def test_a_private_instance_leaves_a_public_record_alone(autojump_clock: MockClock) -> None:
    public = b'{"name":"web","critical":true,"hostname":"w.example","public":true,"user":"u"}'
    async with LeaseStore.run() as etcd:
        etcd.put_by_hand(INFOS, public)
        async with register(etcd, "web", replace(HOST, user="mine", password="own")) as here:
            await here.wait_ready()
            await trio.sleep(10)
            assert etcd.values()[INFOS] == public
            assert here.credentials == Credentials("mine", "own")


async def test_takeover_overwrites_once(autojump_clock: MockClock) -> None:
    options = RegisterOptions(takeover=True)
    async with LeaseStore.run() as etcd:
        etcd.put_by_hand(INFOS, b'{"name":"web","critical":true,"public":true,"user":"u","x":2}')
        async with register(etcd, "web", HOST, options=options) as here:
            await here.wait_ready()
            assert etcd.values()[INFOS] == b'{"name":"web","critical":false}'
            other = b'{"name":"web","critical":true}'
            etcd.put_by_hand(INFOS, other)
            etcd.end_lease(here.status.lease_id)
            await trio.sleep(5)
            assert here.ready
            assert etcd.values()[INFOS] == other


async def test_an_end_from_outside_of_a_refused_registration(autojump_clock: MockClock) -> None:
    async with LeaseStore.run() as etcd:
        etcd.refuse["txn"] = PermissionDenied(7, "etcdserver: permission denied")
        with pytest.RaisesGroup(PermissionDenied):
            async with register(etcd, "web", HOST) as here:
                await trio.sleep_forever()
        assert [here.status.phase] == [Phase.STOPPED]
        assert "permission denied" in here.status.last_error
        assert not etcd.living


async def test_a_registrar_holds_many(autojump_clock: MockClock) -> None:
    async with LeaseStore.run() as etcd, trio.open_nursery() as nursery:
        registrar = Registrar(etcd, layout=Layout(namespace="/blue"), machine="box")
        with pytest.raises(RegistrationEnded):
            await registrar.add("web", HOST)
        await nursery.start(registrar.run)
        told: list[Status] = []
        many = [
            await registrar.add(f"s{number % 3}", Host(public=True), on_change=told.append)
            for number in range(60)
        ]
        for each in many:
            await each.wait_ready()
        assert len(etcd.living) == 60
        assert len(etcd.state) == 63
        assert sum(key.startswith(b"/blue/services/s1/") for key in etcd.state) == 20
        assert many[0].host.private_hostname == "box"
        await many[0].deregister()
        assert len(etcd.living) == 59
        assert told[-1].phase is Phase.STOPPED
        nursery.cancel_scope.cancel()
    assert not etcd.living
    assert len(etcd.state) == 3


async def test_one_that_is_refused_harms_no_other(autojump_clock: MockClock) -> None:
    async with LeaseStore.run() as etcd, trio.open_nursery() as nursery:
        registrar = Registrar(etcd, machine="box")
        await nursery.start(registrar.run)
        first = await registrar.add("web", HOST)
        await first.wait_ready()
        etcd.refuse["txn"] = PermissionDenied(7, "etcdserver: permission denied")
        second = await registrar.add("web", HOST)
        with pytest.raises(PermissionDenied):
            await second.wait_ready()
        etcd.refuse.clear()
        await wait_all_tasks_blocked()
        assert first.ready
        nursery.cancel_scope.cancel()


async def test_statuses_are_told_in_order(autojump_clock: MockClock) -> None:
    async with LeaseStore.run() as etcd:
        async with register(etcd, "web", HOST) as here:
            statuses = here.statuses()
            await here.wait_ready()
            etcd.end_lease(here.status.lease_id)
            await trio.sleep(5)
        seen = [status.phase async for status in statuses]
    assert seen == [
        *(Phase.STARTING, Phase.READY, Phase.LOST, Phase.READY, Phase.STOPPING, Phase.STOPPED),
    ]


async def test_new_credentials_are_told(autojump_clock: MockClock) -> None:
    del autojump_clock
    store = LeaseStore()
    told: list[Credentials] = []
    async with register(
        store, "web", PUBLIC, machine="box", on_change=lambda s: told.append(s.credentials)
    ) as here:
        await here.wait_ready()
        assert told[-1] == here.credentials == PUBLIC.credentials
        value = b'{"name":"web","public":true,"user":"u","password":"new"}'
        store.put_by_hand(INFOS, value)
        await trio.sleep(1)
        assert told[-1] == here.status.credentials == Credentials("u", "new")
        assert "new" not in repr(here.status)
