"""What somebody with a right could do with it beyond it: found by looking for ways around."""

import json
from dataclasses import replace
from functools import partial
from typing import Any, cast

import pytest
import trio

from lochkit.io.peer_serve import open_listener
from lochkit.io.peer_tls import ClientSecurity, ServerSecurity
from lochkit.wire.control import decode_message, encode_message
from lochkit.zfs.capabilities import Capabilities
from lochkit.zfs.errors import Failure, Refused, ZfsError
from lochkit.zfs.inventory_wire import inventory_messages
from lochkit.zfs.judging import Accepted, Refusal, judge_offer
from lochkit.zfs.model import Dataset, Inventory, Snapshot
from lochkit.zfs.offers import (
    Base,
    Greeting,
    InventoryRequest,
    Offer,
    ReleasableRequest,
    SnapshotId,
)
from lochkit.zfs.order_json import order_message, read_answer, read_order
from lochkit.zfs.order_server import answer_to, datasets_of
from lochkit.zfs.orders import Action, Order, OrderResult, OrderStatus
from lochkit.zfs.permits import Permit
from lochkit.zfs.policy_types import Replication, Selection
from lochkit.zfs.publish_record import AgentRecord
from lochkit.zfs.receiver import Receiver
from lochkit.zfs.receiver_facts import Facts
from lochkit.zfs.remote_target import RemoteTarget
from lochkit.zfs.replicator_look import Looker
from lochkit.zfs.stream_server import serve_streams
from lochkit.zfs.targets import TargetSession

from ..fakes.zfs_host import FakeHost

NAME = "bulk/web1/data"
WEB1 = Permit(client="web1", write=("bulk/web1",), properties=True)
ABLE = Capabilities.everything("zfs-2.3.2")


def offer(**more: Any) -> Offer:
    given: dict[str, Any] = {
        "replication": "job",
        "dataset": NAME,
        "to": SnapshotId(guid=7, name="one"),
    }
    return Offer(**(given | more))


def order(**more: Any) -> Order:
    given: dict[str, Any] = {"uuid": "s1", "action": Action.SEND, "source_dataset": "ssd/pg"}
    return Order(**(given | more))


@pytest.mark.parametrize(
    "asked",
    [
        order(destination="local", dataset="rpool/ROOT"),
        order(replication=Replication(name="r", to="local", target="rpool/ROOT", rollback=True)),
        order(
            destination="vault",
            dataset="bulk/pg",
            replication=Replication(name="r", to="local", target="rpool/ROOT"),
        ),
    ],
)
def test_an_order_to_send_within_the_host_is_also_about_where_it_goes(asked: Order) -> None:
    assert datasets_of(read_order(order_message(asked))) == {"ssd/pg", "rpool/ROOT"}


def test_an_order_to_send_to_another_host_is_about_its_source_only() -> None:
    assert datasets_of(order(destination="vault", dataset="rpool/ROOT")) == {"ssd/pg"}


@pytest.mark.parametrize(
    "result",
    [
        OrderResult(
            uuid="d1",
            is_success=True,
            status=OrderStatus.DONE,
            details={"Gone": [f"{guid}:bulk/{'x' * 200}@y" for guid in range(100_000)]},
        ),
        OrderResult(
            uuid="d1",
            is_success=True,
            status=OrderStatus.DONE,
            details={"Skipped": [{"Snapshot": "", "Reason": ""} for _ in range(150_000)]},
        ),
        OrderResult(
            uuid="d1", is_success=False, status=OrderStatus.FAILED, error="no\n" * 7_000_000
        ),
    ],
    ids=["large", "many", "error"],
)
def test_what_is_answered_fits_a_message(result: OrderResult) -> None:
    found = read_answer(decode_message(encode_message(answer_to(result), limit=8 << 20)))
    assert isinstance(found, OrderResult)
    assert (found.uuid, found.is_success, found.status) == ("d1", result.is_success, result.status)


def test_an_answer_of_usual_size_is_whole() -> None:
    gone = [f"{guid}:bulk/a@hot_{guid}" for guid in range(1000)]
    result = OrderResult(
        uuid="d1", is_success=True, status=OrderStatus.DONE, details={"Gone": gone}
    )
    assert answer_to(result)["Details"] == {"Gone": gone}


def test_properties_are_not_taken_where_they_can_not_be_left_out() -> None:
    # `zfs receive` without -x takes the stream's mountpoint, and all else.
    unable = replace(ABLE, receive_properties=False)
    found = judge_offer(offer(properties=True), None, WEB1, unable)
    assert isinstance(found, Refusal)
    assert found.failure is Failure.UNSUPPORTED
    trusted = replace(WEB1, anywhere=True)
    assert isinstance(judge_offer(offer(properties=True), None, trusted, unable), Accepted)


def test_our_own_properties_are_never_taken_from_a_stream() -> None:
    # A value may have ends of lines in it: rows of `zfs list` would be forged with them.
    found = judge_offer(offer(properties=True), None, WEB1, ABLE)
    assert isinstance(found, Accepted)
    assert {"lochkit:placeholder", "lochkit:source"} <= set(found.spec.exclude_properties)


async def test_a_stream_with_properties_needs_the_dataset_above() -> None:
    # A package may name its parent by the guid of a snapshot: were the dataset above not there,
    # `zfs receive` would look for that guid in the whole pool, and make the dataset below it.
    host = FakeHost("vault", pools=("bulk",))
    host.state.make("bulk/web1")
    receiver = Receiver(host, compressions=())
    async with receiver.session(WEB1) as session:
        with pytest.raises(Refused) as caught:
            async with session.admit(offer(properties=True, dataset="bulk/web1/a/b")):
                pass
        assert caught.value.failure is Failure.MISSING
        asked = offer(properties=True, dataset="bulk/web1/a/b", placeholders=("bulk/web1/a",))
        async with session.admit(asked):
            pass


def test_who_may_write_where_a_host_is_does_not_say_who_it_is() -> None:
    record = AgentRecord(host="vault", address="10.0.0.66", certificate="web2")
    assert record.where.certificate is None


@pytest.mark.parametrize("recursive", [True, False])
async def test_who_asks_for_no_dataset_is_told_of_none(recursive: bool) -> None:
    # For ZFS, no name means all there is.
    host = FakeHost("vault", pools=("bulk", "secret"))
    async with Receiver(host, compressions=()).session(WEB1) as session:
        found = await session.inventory(InventoryRequest(datasets=(), recursive=recursive))
        assert not found.datasets
        held = await session.releasable(ReleasableRequest(datasets=(), replication="job"))
        assert held.guids == ()
    assert host.calls == []


def test_where_a_dataset_was_cloned_from_is_not_told() -> None:
    one = Dataset(name=NAME, origin="secret/customers@2026", snapshots=(Snapshot("s1", 1, 1, 1),))
    told = json.dumps(list(inventory_messages(Inventory(datasets={NAME: one}, at=1.0))))
    assert NAME in told
    assert "secret" not in told


async def test_a_right_that_is_taken_away_ends_with_the_next_request() -> None:
    host, permits = FakeHost("vault", pools=("bulk",)), {"now": WEB1}
    host.state.make("bulk/web1")
    listener = await open_listener("127.0.0.1", 0)
    serve = partial(
        serve_streams,
        Receiver(host, compressions=()),
        lambda name: permits.get("now"),
        listener,
        security=ServerSecurity(),
    )
    target = RemoteTarget("127.0.0.1", listener.port, security=ClientSecurity(), name="vault")
    request = InventoryRequest(datasets=("bulk/web1",))
    async with trio.open_nursery() as nursery:
        await nursery.start(serve)
        async with target.session() as session:
            assert (await session.inventory(request)).datasets
            del permits["now"]
            with pytest.raises(ZfsError) as caught:
                await session.inventory(request)
            assert "bulk" not in str(caught.value)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("permit", [WEB1, replace(WEB1, anywhere=True)])
async def test_what_a_client_sends_is_judged_by_a_look_of_now(permit: Permit) -> None:
    host = FakeHost("vault", pools=("bulk",))
    host.state.make(NAME)
    base = host.state.snap(f"{NAME}@one")
    asked = offer(
        base=Base(guid=base, name="one"), to=SnapshotId(guid=7, name="two"), properties=False
    )
    async with Receiver(host, compressions=()).session(permit) as session:
        await session.inventory(InventoryRequest(datasets=("bulk/web1",)))
        looks = len(host.calls)
        async with session.admit(asked):
            pass
        assert (len(host.calls) > looks) is not permit.anywhere


def test_what_has_changed_is_not_remembered_for_ever() -> None:
    now = 0.0
    facts = Facts(FakeHost("vault", pools=("bulk",)), clock=lambda: now)
    for number in range(25_000):
        now += 1.0
        facts.changed(f"bulk/{number}")
    assert facts.remembered <= 10_000


class TargetWithTokens:
    """Has the copy, and a thousand other datasets with interrupted receives."""

    async def inventory(self, request: InventoryRequest) -> Inventory:
        del request
        await trio.lowlevel.checkpoint()
        names = ["bulk/pg", *(f"bulk/pg/{number}" for number in range(1000))]
        return Inventory(datasets={one: Dataset(name=one, resume_token="1-a-b-c") for one in names})


async def test_a_target_does_not_decide_how_many_tokens_are_read() -> None:
    host = FakeHost("web1", pools=("ssd",))
    host.state.make("ssd/pg")
    host.state.snap("ssd/pg@one")
    looker = Looker(
        host,
        Replication(name="pg", to="vault", target="bulk/pg"),
        Selection(roots=("ssd/pg",), recursive=True),
        Greeting(capabilities=ABLE),
    )
    await looker.look(cast(TargetSession, TargetWithTokens()))
    assert sum(call.what == "read_token" for call in host.calls) == 1
