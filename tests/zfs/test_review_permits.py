"""What somebody with a right could do with it beyond it: found by looking for ways around."""

from dataclasses import replace
from typing import Any

import pytest

from lochkit.wire.control import decode_message, encode_message
from lochkit.zfs.capabilities import Capabilities
from lochkit.zfs.errors import Failure, Refused
from lochkit.zfs.judging import Accepted, Refusal, judge_offer
from lochkit.zfs.offers import Offer, SnapshotId
from lochkit.zfs.order_json import order_message, read_answer, read_order
from lochkit.zfs.order_server import answer_to, datasets_of
from lochkit.zfs.orders import Action, Order, OrderResult, OrderStatus
from lochkit.zfs.permits import Permit
from lochkit.zfs.policy_types import Replication
from lochkit.zfs.publish_record import AgentRecord
from lochkit.zfs.receiver import Receiver

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
