"""Registrations among others: who delete what is ours, write into it, or share it with us."""

import itertools
import json
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from lochkit.discovery.host import Credentials, Host, State
from lochkit.discovery.registrar import register
from lochkit.discovery.registration import Registration
from lochkit.discovery.registration_status import Phase
from tests.discovery.test_registrar import HOST, INFOS, PUBLIC
from tests.discovery.test_registration_faults import OPTIONS, is_clean, is_whole, own_key
from tests.fakes.lease_store import LeaseStore


async def test_a_key_that_somebody_deletes_comes_back(autojump_clock: MockClock) -> None:
    async with LeaseStore.run() as etcd, register(etcd, "web", HOST, options=OPTIONS) as here:
        await here.wait_ready()
        lease = here.status.lease_id
        etcd.delete_by_hand(own_key(here))
        await trio.sleep(1)
        assert is_whole(etcd, here)
        assert here.status.lease_id == lease
        for _ in range(50):
            etcd.delete_by_hand(own_key(here))
            await trio.sleep(1)
        before = etcd.requests.count("txn")
        assert before < 25, "a fight"


@pytest.mark.parametrize("how", ["key", "lease", "leaving", "unwatched"])
async def test_a_deletion_may_be_honoured(how: str, autojump_clock: MockClock) -> None:
    options = replace(OPTIONS, honour_deletion=True)
    async with LeaseStore.run() as etcd, register(etcd, "web", HOST, options=options) as here:
        await here.wait_ready()
        key, lease = own_key(here), here.status.lease_id
        match how:
            case "key":
                etcd.delete_by_hand(key)
            case "lease":
                etcd.end_lease(lease)
            case "leaving":
                record = json.loads(etcd.state[key].value)
                record["lochkit"] = {"state": "leaving"}
                etcd.put_by_hand(key, json.dumps(record).encode(), lease)
            case "unwatched":
                etcd.go_down()
                etcd.delete_by_hand(key)
                await trio.sleep(1)
                etcd.come_back()
        await trio.sleep(8)
        assert here.status.phase is Phase.STOPPED
        assert is_clean(etcd)


async def test_an_expiry_is_no_deletion_to_honour(autojump_clock: MockClock) -> None:
    options = replace(OPTIONS, honour_deletion=True)
    async with LeaseStore.run() as etcd, register(etcd, "web", HOST, options=options) as here:
        await here.wait_ready()
        etcd.go_down()
        await trio.sleep(30)
        etcd.come_back()
        await trio.sleep(10)
        assert is_whole(etcd, here)


async def test_what_others_put_into_the_record_survives(autojump_clock: MockClock) -> None:
    async with LeaseStore.run() as etcd, register(etcd, "web", HOST, options=OPTIONS) as here:
        await here.wait_ready()
        key, lease = own_key(here), here.status.lease_id
        record = json.loads(etcd.state[key].value)
        record |= {"note": {"by": ["ann"]}, "critical": True, "lochkit": {"rack": 4}}
        etcd.put_by_hand(key, json.dumps(record).encode())  # without a lease, and out of our format
        await trio.sleep(2)
        found = json.loads(etcd.state[key].value)
        assert found["note"] == {"by": ["ann"]}
        assert found["lochkit"] == {"rack": 4}
        assert "critical" not in found
        assert etcd.state[key].lease == lease
        here.set_state(State.MAINTENANCE)
        await trio.sleep(0.2)
        etcd.end_lease(lease)
        await trio.sleep(4)
        found = json.loads(etcd.state[key].value)
        assert found["note"] == {"by": ["ann"]}
        assert found["lochkit"] == {"rack": 4, "state": "maintenance"}


@pytest.mark.parametrize(
    "junk", [b"", b"junk", b"[]", b'{"x":"\\ud800"}', b'{"x":NaN}', b'{"uuid":7}', b"\xff"]
)
async def test_junk_in_the_record_is_replaced(junk: bytes, autojump_clock: MockClock) -> None:
    async with LeaseStore.run() as etcd, register(etcd, "web", HOST, options=OPTIONS) as here:
        await here.wait_ready()
        before = json.loads(etcd.state[own_key(here)].value)
        etcd.put_by_hand(own_key(here), junk, here.status.lease_id)
        await trio.sleep(2)
        now = json.loads(etcd.state[own_key(here)].value)
        assert now.items() >= before.items()


async def test_conflicts_over_the_shared_record(autojump_clock: MockClock) -> None:
    async with LeaseStore.run() as etcd:
        numbers = itertools.count()

        def meddle() -> None:
            if (number := next(numbers)) < 6:
                infos = {"name": "web", "public": True, "user": "o", "password": str(number)}
                etcd.put_by_hand(INFOS, json.dumps(infos | {"mine": number}).encode())

        etcd.before_txn = meddle
        async with register(etcd, "web", PUBLIC, options=OPTIONS) as here:
            await here.wait_ready()
            assert here.credentials == Credentials("u", "p"), "the newest starter wins"
            assert json.loads(etcd.values()[INFOS])["mine"] == 5


async def test_many_of_one_service_start_and_put_back_together(autojump_clock: MockClock) -> None:
    async with LeaseStore.run() as etcd, trio.open_nursery() as nursery:
        here: list[Registration] = []

        async def live(number: int) -> None:
            host = Host(name=f"h{number}", public=True, user="u", password="p")
            async with register(etcd, "web", replace(host, name="w"), machine="m") as one:
                here.append(one)
                await trio.sleep_forever()

        for number in range(30):
            nursery.start_soon(live, number)
        await trio.sleep(10)
        assert all(one.ready for one in here)
        etcd.delete_by_hand(INFOS)
        revision = etcd.revision
        await trio.sleep(10)
        assert INFOS in etcd.state
        puts = [event for event in etcd.history if event.kv.mod_revision > revision]
        assert sum(event.kv.key == INFOS for event in puts) == 1
        assert len(puts) == 31, "each adopts it once"
        assert {one.credentials for one in here} == {Credentials("u", "p")}
        nursery.cancel_scope.cancel()
