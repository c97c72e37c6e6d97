"""Registrations whose requests and answers are lost or hang, whose leases and keys vanish, and
which are cancelled at every point.

Whatever happens: the same id comes back, nothing of ours stays behind, nobody else's is harmed.
"""

import json

import pytest
import trio
from trio.testing import MockClock

from lochkit.discovery.calls import Calls
from lochkit.discovery.defaults import complete
from lochkit.discovery.host import Credentials, State
from lochkit.discovery.layout import DEFAULT_LAYOUT
from lochkit.discovery.register_options import RegisterOptions
from lochkit.discovery.registrar import register
from lochkit.discovery.registration import Registration
from lochkit.discovery.registration_status import Phase
from lochkit.etcd.errors import AuthFailed, PermissionDenied, RpcError
from tests.discovery.test_registrar import HOST, INFOS, PUBLIC, Words
from tests.fakes.lease_store import Fault, LeaseStore

TTL = 5
OPTIONS = RegisterOptions(ttl=TTL, publications=(Words(),))
KINDS = ("grant", "txn", "revoke", "range")


def own_key(here: Registration) -> bytes:
    return f"/services/web/{here.uuid}".encode()


def is_whole(etcd: LeaseStore, here: Registration) -> bool:
    """Whether everything is there, on the one lease."""
    own, word = etcd.state.get(own_key(here)), etcd.state.get(f"/words/{here.uuid}".encode())
    leases = {kv.lease if kv else 0 for kv in (own, word)}
    return INFOS in etcd.state and leases == {here.status.lease_id} <= etcd.living.keys()


def is_clean(etcd: LeaseStore) -> bool:
    """Whether only what is for all is left."""
    return set(etcd.state) <= {INFOS, b"/words/shared"} and not etcd.living


@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize("which", [("grant",), ("txn",), ("grant", "grant"), ("txn", "txn")])
async def test_it_starts_all_the_same(
    which: tuple[str, ...], fault: Fault, autojump_clock: MockClock
) -> None:
    async with LeaseStore.run() as etcd:
        etcd.faults += [(kind, fault) for kind in which]
        async with register(etcd, "web", PUBLIC, options=OPTIONS) as here:
            await here.wait_ready()
            await trio.sleep(1)
            assert not etcd.faults
            assert is_whole(etcd, here)
            assert len(etcd.living) == 1, "a lease leaked"
            assert here.credentials == Credentials("u", "p")
        assert is_clean(etcd)


@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cut", [0.0, 0.3, 1.0, 3.0])
async def test_cancelled_while_a_request_is_in_trouble(
    kind: str, fault: Fault, cut: float, autojump_clock: MockClock
) -> None:
    async with LeaseStore.run() as etcd:
        for skipped in range(3):
            etcd.faults = [(kind, fault)] if skipped == 0 else []
            with trio.move_on_after(cut):
                async with register(etcd, "web", PUBLIC, options=OPTIONS) as here:
                    if skipped == 2:
                        await here.wait_ready()
                        etcd.faults = [(kind, fault)]
                        here.set_state(State.CRITICAL)
                    await trio.sleep_forever()
            began = trio.current_time()
            await trio.sleep(TTL + 0.5)
            assert is_clean(etcd), skipped
            assert trio.current_time() - began < TTL + 1


async def test_cancelled_after_any_number_of_steps(autojump_clock: MockClock) -> None:
    async with LeaseStore.run() as etcd:
        for steps in range(60):
            async with trio.open_nursery() as nursery:

                async def live() -> None:
                    async with register(etcd, "web", PUBLIC, options=OPTIONS):
                        await trio.sleep_forever()

                nursery.start_soon(live)
                for _ in range(steps):
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
            # Everything was answered: nothing is left to run out by itself.
            assert is_clean(etcd), steps


@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize("kind", ["txn", "revoke"])
async def test_it_leaves_all_the_same(kind: str, fault: Fault, autojump_clock: MockClock) -> None:
    async with LeaseStore.run() as etcd:
        async with register(etcd, "web", HOST, options=OPTIONS) as here:
            await here.wait_ready()
            etcd.faults.append((kind, fault))
            began = trio.current_time()
            with trio.CancelScope() as scope:
                scope.cancel()
                await here.deregister()
        assert trio.current_time() - began <= OPTIONS.stop_within + 0.1
        await trio.sleep(TTL)
        assert is_clean(etcd)


async def test_leaving_is_bounded_when_nobody_answers(autojump_clock: MockClock) -> None:
    async with LeaseStore.run() as etcd:
        async with register(etcd, "web", HOST, options=OPTIONS) as here:
            await here.wait_ready()
            etcd.faults += [(kind, Fault.REQUEST_HANGS) for kind in KINDS for _ in range(20)]
            began = trio.current_time()
            await here.deregister()
        assert trio.current_time() - began <= OPTIONS.stop_within + 0.1
        assert here.status.phase is Phase.STOPPED
        await trio.sleep(TTL)
        assert is_clean(etcd), "the lease was kept by somebody"


@pytest.mark.parametrize("seconds", [1, 4, 20, 300])
async def test_an_outage(seconds: float, autojump_clock: MockClock) -> None:
    async with LeaseStore.run() as etcd, register(etcd, "web", HOST, options=OPTIONS) as here:
        await here.wait_ready()
        first, phases = here.status.lease_id, here.statuses()
        etcd.go_down()
        await trio.sleep(seconds)
        assert here.ready == (seconds < TTL)
        etcd.come_back()
        await trio.sleep(4)
        assert is_whole(etcd, here)
        assert here.ready
        assert len(etcd.living) == 1
        assert (here.status.lease_id == first) == (seconds < TTL)
        if seconds > TTL:
            assert (await anext(phases)).phase is Phase.READY
            assert (await anext(phases)).phase is Phase.LOST
            assert (await anext(phases)).phase is Phase.READY


async def test_it_starts_while_there_is_no_store(autojump_clock: MockClock) -> None:
    async with LeaseStore.run() as etcd:
        etcd.go_down()
        async with register(etcd, "web", HOST, options=OPTIONS) as here:
            await trio.sleep(1000)
            assert here.status.phase is Phase.STARTING
            assert "lost" in here.status.last_error
            etcd.come_back()
            with trio.fail_after(4):
                await here.wait_ready()


@pytest.mark.parametrize("fault", list(Fault))
async def test_a_lease_that_vanishes(fault: Fault, autojump_clock: MockClock) -> None:
    async with LeaseStore.run() as etcd, register(etcd, "web", PUBLIC, options=OPTIONS) as here:
        await here.wait_ready()
        for kind in ("grant", "txn"):
            etcd.faults.append((kind, fault))
            etcd.end_lease(here.status.lease_id)
            await trio.sleep(6)
            assert here.ready
            assert is_whole(etcd, here)
            assert len(etcd.living) == 1


async def test_a_lease_that_vanishes_before_each_write(autojump_clock: MockClock) -> None:
    async with LeaseStore.run() as etcd:
        left = 5

        def end_all() -> None:
            nonlocal left
            if left:
                left -= 1
                for lease in list(etcd.living):
                    etcd.end_lease(lease)

        etcd.before_txn = end_all
        async with register(etcd, "web", HOST, options=OPTIONS) as here:
            await here.wait_ready()
            assert is_whole(etcd, here)
            assert len(etcd.living) == 1


async def test_a_refusal_later_is_waited_for(autojump_clock: MockClock) -> None:
    async with LeaseStore.run() as etcd, register(etcd, "web", HOST, options=OPTIONS) as here:
        await here.wait_ready()
        etcd.refuse["txn"] = PermissionDenied(7, "etcdserver: permission denied")
        here.set_state(State.CRITICAL)
        await trio.sleep(60)
        assert here.ready
        assert "permission denied" in here.status.last_error
        del etcd.refuse["txn"]
        await trio.sleep(4)
        assert json.loads(etcd.state[own_key(here)].value)["lochkit"] == {"state": "critical"}


async def test_a_full_store_is_waited_for_from_the_beginning(autojump_clock: MockClock) -> None:
    async with LeaseStore.run() as etcd:
        etcd.refuse["grant"] = RpcError(8, "etcdserver: mvcc: database space exceeded")
        async with register(etcd, "web", HOST, options=OPTIONS) as here:
            await trio.sleep(100)
            del etcd.refuse["grant"]
            with trio.fail_after(4):
                await here.wait_ready()


async def test_an_id_that_is_taken_is_not_ours(autojump_clock: MockClock) -> None:
    async with LeaseStore.run() as etcd:
        await etcd.grant(600, lease_id=77)
        drawn = iter((77, 78, 79))
        host = complete(HOST, "web", uuid4="0" * 8 + "-0000-0000-0000-" + "0" * 12, machine="m")
        one = Registration(
            Calls(etcd), host, DEFAULT_LAYOUT, OPTIONS, new_lease=lambda: next(drawn)
        )
        async with trio.open_nursery() as nursery:
            await nursery.start(one.run)
            await one.wait_ready()
            assert one.status.lease_id == 78
            await one.deregister()
        assert list(etcd.living) == [77]


async def test_it_is_there_until_the_block_has_cleaned_up(autojump_clock: MockClock) -> None:
    async with LeaseStore.run() as etcd:
        with trio.CancelScope() as outside:
            async with register(etcd, "web", HOST, options=OPTIONS) as here:
                await here.wait_ready()
                try:
                    outside.cancel()
                    await trio.sleep_forever()
                finally:
                    with trio.CancelScope(shield=True):
                        await trio.sleep(3 * TTL)
                        assert is_whole(etcd, here)
                        await here.deregister(drain=2 * TTL)
                        assert is_clean(etcd)


async def test_a_block_that_is_cancelled_already(autojump_clock: MockClock) -> None:
    async with LeaseStore.run() as etcd:
        with trio.CancelScope() as outside:
            outside.cancel()
            async with register(etcd, "web", HOST, options=OPTIONS):
                await trio.sleep_forever()
        assert set(etcd.requests) <= {"revoke"}  # of the lease that it was about to ask for


@pytest.mark.parametrize("fault", [Fault.REQUEST_HANGS, Fault.ANSWER_HANGS])
async def test_a_long_lease_does_not_mean_a_long_wait(
    fault: Fault, autojump_clock: MockClock
) -> None:
    """For a request that hangs another endpoint may have an answer."""
    options = RegisterOptions(ttl=3600)
    async with LeaseStore.run() as etcd:
        etcd.faults = [("grant", fault)]
        async with register(etcd, "web", HOST, options=options) as here:
            with trio.fail_after(8):
                await here.wait_ready()
            etcd.faults = [("txn", fault)]
            here.set_state(State.CRITICAL)
            await trio.sleep(8)
            assert b"critical" in etcd.values()[own_key(here)]


async def test_a_drain_is_bounded_whatever_etcd_does(autojump_clock: MockClock) -> None:
    options = RegisterOptions(ttl=60)
    async with LeaseStore.run() as etcd, register(etcd, "web", HOST, options=options) as here:
        await here.wait_ready()
        etcd.faults = [("txn", Fault.REQUEST_HANGS)] * 9
        began = trio.current_time()
        await here.deregister(drain=2)
        assert 2 <= trio.current_time() - began <= 2 + 3 + 0.01


async def test_a_refusal_says_what_is_needed(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with LeaseStore.run() as etcd:
        etcd.refuse["txn"] = PermissionDenied(7, "etcdserver: permission denied")
        with pytest.RaisesGroup(PermissionDenied, flatten_subgroups=True):
            async with register(etcd, "web", HOST, options=OPTIONS) as here:
                await trio.sleep_forever()
        for key in (own_key(here), INFOS, b"/words/shared"):
            assert key.decode() in caplog.text
        assert is_clean(etcd)


async def test_what_was_refused_is_not_given_back(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor does it look as if etcd did not answer."""
    async with LeaseStore.run() as etcd:
        refusal = AuthFailed(3, "etcdserver: authentication failed")
        etcd.refuse |= {"grant": refusal, "revoke": refusal}
        with pytest.RaisesGroup(AuthFailed, flatten_subgroups=True):
            async with register(etcd, "web", HOST, options=OPTIONS):
                await trio.sleep_forever()
        assert "revoke" not in etcd.requests
        assert "does not answer" not in caplog.text
