"""Orders, and what is answered, over the wire and back."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lochkit.zfs.errors import BadName, Failure
from lochkit.zfs.order_json import (
    order_message,
    progress_message,
    read_answer,
    read_order,
    result_message,
)
from lochkit.zfs.orders import (
    Action,
    BadOrder,
    Order,
    OrderProgress,
    OrderResult,
    OrderStatus,
    SnapshotRef,
    parse_snapshot_ref,
)
from lochkit.zfs.policy_types import HostAddress, Replication

# As the director of the program before this one wrote it, flags and all.
OLD_TAKE = {
    "OrderUUID": "5a3c0f8e-7f0a-4a8a-9b3e-0c7b8a1f2d3c",
    "Action": "take_snapshot",
    "Destination": "",
    "SnapshotUUID": [""],
    "SnapshotName": "PG_2026-March-10_12:00:00",
    "DestDataset": "ssd/pgdata",
    "RollbackIfNeeded": True,
    "SkipIfRenamed": True,
    "SkipIfNotWritten": True,
    "SkipIfCloned": True,
}

ORDERS = [
    Order(uuid="t1", action=Action.TAKE, dataset="ssd/a", snapshot_name="hot_1"),
    Order(
        uuid="t2",
        action=Action.TAKE,
        dataset="ssd/a",
        snapshot_name="hot_db_1",
        recursive=True,
        exclude=("ssd/a/tmp*",),
        skip_if_not_written=True,
        written_since="hot_db",
        job="pg",
    ),
    Order(
        uuid="s1",
        action=Action.SEND,
        destination="vault",
        source_dataset="ssd/a",
        dataset="bulk/a",
        rollback_if_needed=True,
        snapshots=(SnapshotRef(guid=2**64 - 1),),
    ),
    Order(
        uuid="s2",
        action=Action.SEND,
        source_dataset="ssd/a",
        replication=Replication(name="pg", to="vault", target="bulk/a", rate=10_000),
        address=HostAddress(address="10.0.0.2", streams=9, certificate="vault.example"),
    ),
    Order(
        uuid="d1",
        action=Action.DESTROY,
        dataset="ssd/a",
        snapshots=(SnapshotRef(guid=7, dataset="ssd/a", name="x_1"), SnapshotRef(guid=8)),
        skip_if_renamed=True,
        skip_if_cloned=True,
    ),
    Order(uuid="r1", action=Action.RESYNC),
]


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.uuid)
def test_an_order_arrives_as_it_was_given(order: Order) -> None:
    assert read_order(json.loads(json.dumps(order_message(order)))) == order


def test_an_order_of_the_old_director_is_understood() -> None:
    order = read_order(OLD_TAKE)
    assert order.action is Action.TAKE
    assert (order.dataset, order.snapshot_name) == ("ssd/pgdata", "PG_2026-March-10_12:00:00")
    assert order.skip_if_not_written
    assert order.snapshots == ()
    assert {key: order_message(order)[key] for key in OLD_TAKE if key != "SnapshotUUID"} == {
        key: value for key, value in OLD_TAKE.items() if key != "SnapshotUUID"
    }


def test_the_old_resync_is_understood_and_is_no_identity() -> None:
    order = read_order({"OrderUUID": "zRESYNC", "Action": "kv_resync", "Destination": "par1"})
    assert order.action is Action.RESYNC
    assert not order.is_unique


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"OrderUUID": ""}, "OrderUUID"),
        ({"OrderUUID": "../../etc/passwd"}, "OrderUUID"),
        ({"OrderUUID": "a" * 65}, "OrderUUID"),
        ({"OrderUUID": ".hidden"}, "OrderUUID"),
        ({"Action": "format_disk"}, "Action"),
        ({"Action": ["take_snapshot"]}, "Action"),
        ({"DestDataset": ""}, "needs DestDataset"),
        ({"DestDataset": "-r"}, "pool"),
        ({"DestDataset": "ssd/../etc"}, "path"),
        ({"DestDataset": "ssd/a@b"}, "not allowed"),
        ({"DestDataset": 7}, "string"),
        ({"SnapshotName": ""}, "needs SnapshotName"),
        ({"SnapshotName": "a,b"}, "not allowed"),
        ({"SnapshotName": "-r"}, "not allowed"),
        ({"Recursive": 1}, "true nor false"),
        ({"SnapshotUUID": ["12:ssd/a"]}, "snapshot"),
        ({"SnapshotUUID": ["x"]}, "guid"),
        ({"SnapshotUUID": [str(2**64)]}, "guid"),
        ({"SnapshotUUID": "12"}, "list"),
        ({"Exclude": ["x" * 301]}, "longer"),
        ({"Destination": "a b"}, "not allowed"),
        ({"Destination": "-x"}, "not allowed"),
        ({"Replication": {"name": "x"}}, "missing"),
        ({"Replication": {"name": "x:y", "to": "v", "target": "b/c"}}, "name"),
        ({"Address": {"Address": "h", "Streams": 70000}}, "Streams"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, object], word: str) -> None:
    with pytest.raises(BadOrder, match=word) as caught:
        read_order(OLD_TAKE | changes)
    assert caught.value.failure is Failure.BAD_REQUEST


@pytest.mark.parametrize(
    ("order", "lacks"),
    [
        ({"Action": "send_snapshot", "Destination": "v", "DestDataset": "b/c"}, "SourceDataset"),
        ({"Action": "send_snapshot", "SourceDataset": "s/a", "DestDataset": "b/c"}, "Destination"),
        ({"Action": "send_snapshot", "SourceDataset": "s/a", "Destination": "v"}, "DestDataset"),
        ({"Action": "destroy_snapshot", "DestDataset": "b/c"}, "SnapshotUUID"),
        ({"Action": "destroy_snapshot", "SnapshotUUID": ["12"]}, "DestDataset"),
    ],
)
def test_what_an_action_needs_must_be_there(order: dict[str, object], lacks: str) -> None:
    with pytest.raises(BadOrder, match=f"needs {lacks}"):
        read_order({"OrderUUID": "x"} | order)


def test_a_destroy_names_snapshots_of_one_dataset_only() -> None:
    message = {
        "OrderUUID": "x",
        "Action": "destroy_snapshot",
        "DestDataset": "ssd/a",
        "SnapshotUUID": ["12:ssd/a@one", "13:ssd/b@two"],
    }
    with pytest.raises(BadOrder, match="13:ssd/b@two is not a snapshot of ssd/a"):
        read_order(message)


def test_a_reference_is_a_guid_or_says_a_name_as_well() -> None:
    assert parse_snapshot_ref("12") == SnapshotRef(guid=12)
    whole = SnapshotRef(guid=12, dataset="ssd/a", name="one")
    assert parse_snapshot_ref("12:ssd/a@one") == whole
    assert parse_snapshot_ref("12:ssd/a@one#sent#deleted") == whole
    assert str(whole) == "12:ssd/a@one"
    for wrong in ("", "-12", "12:", "0x12", "12:ssd/a@one#sent;rm", "12:ssd/a@one#", "1" * 21):
        with pytest.raises(BadOrder):
            parse_snapshot_ref(wrong)
    for wrong in ("12:ssd/a", "12:-a@b", "12:ssd/a@b@c"):
        with pytest.raises(BadName):
            parse_snapshot_ref(wrong)


@pytest.mark.parametrize(
    "result",
    [
        OrderResult(uuid="a", is_success=True, status=OrderStatus.WAS_WRITTEN),
        OrderResult(
            uuid="b",
            is_success=False,
            status=OrderStatus.FAILED,
            error="ssd/a is busy",
            failure=Failure.BUSY,
            details={"Taken": ["ssd/a@x"], "Bytes": 12},
        ),
    ],
)
def test_a_result_arrives_as_it_was_given(result: OrderResult) -> None:
    assert read_answer(json.loads(json.dumps(result_message(result)))) == result


def test_progress_arrives_as_it_was_given() -> None:
    progress = OrderProgress(
        uuid="a", phase="sending", dataset="ssd/a", done=12, size=None, rate=1.5
    )
    assert read_answer(json.loads(json.dumps(progress_message(progress)))) == progress


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"Type": "result", "OrderUUID": "a", "Status": 5},
        {"Type": "result", "OrderUUID": "a", "Status": True},
        {"Type": "result", "OrderUUID": "a", "IsSuccess": "yes"},
        {"Type": "result", "Details": []},
        {"Type": "progress", "Rate": float("nan")},
        {"Type": "progress", "Bytes": -1},
    ],
)
def test_an_answer_that_is_none_is_refused(message: dict[str, object]) -> None:
    with pytest.raises(BadOrder):
        read_answer(message)


def test_a_failure_of_a_newer_program_is_a_failure_all_the_same() -> None:
    answer = read_answer({"Type": "result", "OrderUUID": "a", "Status": 4, "Failure": "on-fire"})
    assert isinstance(answer, OrderResult)
    assert answer.failure is Failure.OTHER


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
KEYS = st.sampled_from([*OLD_TAKE, "Replication", "Address", "Exclude", "SourceDataset", "Type"])


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=8))
def test_whatever_comes_is_an_order_or_refused(changes: dict[str, object]) -> None:
    try:
        read_order(OLD_TAKE | changes)
    except BadOrder:
        return
