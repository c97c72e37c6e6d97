"""A view of what is in etcd: step by step, in any order of pages, and with junk in between."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lochkit.etcd.messages import KeyValue
from lochkit.etcd.model import KeyChange, Origin, Step
from lochkit.zfs import directing_sightings
from lochkit.zfs.cursor_record import (
    BadCursor,
    CursorRecord,
    cursors_of,
    encode_cursor,
    read_cursor,
)
from lochkit.zfs.directing_notes import Tick
from lochkit.zfs.directing_policy import KeptPolicy
from lochkit.zfs.directing_record import (
    BadRecordOfDirector,
    DirectorKeys,
    GivenOrder,
    encode_given,
    encode_result,
    encode_tick,
    read_given,
    read_tick,
)
from lochkit.zfs.directing_sightings import Sightings
from lochkit.zfs.directing_work import Pursuit, Wanted
from lochkit.zfs.director_status import (
    BadDirectorStatus,
    DirectorStatus,
    HostLine,
    TroubleLine,
    decode_status,
    encode_status,
)
from lochkit.zfs.inventory_json import dataset_pages, encode_page
from lochkit.zfs.layout import CursorKey, Layout
from lochkit.zfs.model import Dataset, Snapshot
from lochkit.zfs.orders import Action, Order, OrderResult, OrderStatus, SnapshotRef
from lochkit.zfs.policy_json import job_text
from lochkit.zfs.publish_record import AgentRecord, record_document
from lochkit.zfs.work_queue import Work

from .agent_scene import job, to_vault
from .director_scene import hosted

LAYOUT = Layout("/z")
DATASET = Dataset(
    name="ssd/pg", guid=7, snapshots=tuple(Snapshot(f"s{n}", 100 + n, n, n) for n in range(9))
)


def step(values: Mapping[bytes, bytes | None], *, listed: bool = False, created: int = 1) -> Step:
    changes = {
        key: KeyChange(
            key,
            None,
            None if value is None else KeyValue(key=key, value=value, create_revision=created),
        )
        for key, value in values.items()
    }
    return Step(revision=1, changes=changes, origin=Origin.LISTED if listed else Origin.WATCHED)


def agent(host: str = "web1", instance: str = "1", started: float = 0.0) -> dict[bytes, bytes]:
    record = AgentRecord(host=host, address="10.0.0.1", instance=instance, started=started)
    return {LAYOUT.agent(host): json.dumps(record_document(record)).encode()}


def pages(dataset: Dataset = DATASET, host: str = "web1", rows: int = 3) -> dict[bytes, bytes]:
    return {
        LAYOUT.inventory(host, dataset.name, number): encode_page(page)
        for number, page in enumerate(dataset_pages(dataset, volatile=False, most_rows=rows))
    }


def test_a_dataset_is_seen_when_all_its_pages_are_of_one_state() -> None:
    seen = Sightings(LAYOUT)
    seen.apply(step(agent() | pages(), listed=True), 100.0)
    (host,) = seen.view(100.0).hosts.values()
    assert host.get("ssd/pg") == DATASET
    shorter = Dataset(name="ssd/pg", guid=7, snapshots=DATASET.snapshots[:4])
    first, second = pages(shorter).items()
    seen.apply(step(dict([first])), 101.0)
    assert seen.view(101.0).hosts["web1"].get("ssd/pg") == DATASET
    seen.apply(step(dict([second]) | {LAYOUT.inventory("web1", "ssd/pg", 2): None}), 102.0)
    assert seen.view(102.0).hosts["web1"].get("ssd/pg") == shorter
    seen.apply(step(dict.fromkeys(pages(shorter), None)), 103.0)
    assert not seen.view(103.0).hosts["web1"].inventory.datasets


def test_an_agent_that_has_just_begun_has_not_told_everything() -> None:
    seen = Sightings(LAYOUT, settle=10)
    seen.apply(step(agent()), 100.0)
    assert not seen.view(200.0).hosts["web1"].complete  # it may be reading what there is
    seen.apply(step(pages()), 200.0)
    view = seen.view(205.0).hosts["web1"]
    assert not view.complete
    assert not view.lacks("ssd/other")
    assert seen.settles_at() == 210.0
    view = seen.view(211.0).hosts["web1"]
    assert view.lacks("ssd/other")
    assert not view.lacks("ssd/pg")
    assert seen.settles_at() is None
    seen.apply(step(agent() | dict.fromkeys(pages(), None), created=5), 300.0)
    assert (
        not seen.view(300.0).hosts["web1"].complete
    )  # a lease was lost, and all of it is told anew


def test_a_silent_agent_is_not_seen() -> None:
    seen = Sightings(LAYOUT)
    seen.apply(step(agent() | pages(), listed=True), 100.0)
    assert seen.record_of("web1") is not None
    seen.apply(step(dict.fromkeys(agent(), None)), 101.0)
    assert seen.record_of("web1") is None
    assert not seen.view(101.0).hosts


def test_what_can_not_be_read_is_unknown_until_it_can() -> None:
    seen = Sightings(LAYOUT)
    key = LAYOUT.inventory("web1", "ssd/odd")
    seen.apply(step(agent() | pages() | {key: b"{"}, listed=True), 100.0)
    host = seen.view(100.0).hosts["web1"]
    assert host.unreadable == {"ssd/odd"}
    assert not host.lacks("ssd/odd")
    assert list(seen.junk) == [key]
    seen.apply(step(pages(Dataset(name="ssd/odd"))), 101.0)
    assert seen.view(101.0).hosts["web1"].get("ssd/odd") is not None
    assert not seen.junk


def test_what_is_over_the_limits_is_left_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directing_sightings, "_MOST_DATASETS", 2)
    monkeypatch.setattr(directing_sightings, "_MOST_PAGES", 2)
    seen = Sightings(LAYOUT)
    small = [Dataset(name=f"ssd/{number}") for number in range(3)]
    values = {key: value for one in small for key, value in pages(one).items()}
    seen.apply(step(agent() | values, listed=True), 100.0)
    assert len(seen.view(100.0).hosts["web1"].inventory.datasets) == 2
    assert len(seen.junk) == 1
    seen = Sightings(LAYOUT)
    seen.apply(step(agent() | pages(), listed=True), 100.0)  # of three pages
    view = seen.view(100.0).hosts["web1"]
    assert view.unreadable == {"ssd/pg"}
    assert not view.lacks("ssd/pg")


KEYS = st.sampled_from(
    [
        *pages(),
        *agent(),
        b"/z/agent/",
        b"/z/agent/a%2fb",
        b"/z/inventory/web1/ssd%2Fpg/0",
        b"/z/inventory/web1",
        b"/z/inventory/web1/ssd%2Fpg/99999999",
        LAYOUT.cursor(CursorKey("a", "b", "c", "d")),
        b"/z/cursor/a",
        b"/z/policy/pg",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Name", "Pages", "Page", "Stamp", "Host", "Guid"]), inner
        )
    ),
    max_leaves=6,
)
VALUES = st.binary(max_size=20) | JSON.map(lambda one: json.dumps(one).encode())


@settings(max_examples=50)
@given(
    steps=st.lists(
        st.dictionaries(KEYS, st.none() | VALUES | st.sampled_from([*pages().values()])), max_size=4
    )
)
def test_no_junk_stops_anything(steps: list[dict[bytes, bytes | None]]) -> None:
    seen, kept = Sightings(LAYOUT), KeptPolicy(LAYOUT)
    for number, values in enumerate(steps):
        seen.apply(step(values), float(number))
        kept.apply(step(values))
        seen.view(float(number))
    clean = dict.fromkeys((key for values in steps for key in values), None)
    seen.apply(step({**clean, **agent(), **pages()}), 100.0)
    assert seen.view(100.0).hosts["web1"].get("ssd/pg") == DATASET
    assert not seen.junk


# -- a policy in etcd


def test_a_bad_job_stays_as_it_was() -> None:
    kept = KeptPolicy(LAYOUT)
    good = hosted(job(to=(to_vault(),)))
    key = LAYOUT.policy("pg")
    assert kept.apply(step({key: job_text(good).encode()}))
    assert kept.policy.jobs == (good,)
    for value in (b"{", b"[]", b'{"name": "other"}', job_text(job()).encode()):
        kept.apply(step({key: value}))
        assert kept.policy.jobs == (good,)
        assert kept.error
    kept.apply(step({key: job_text(hosted(job())).encode()}))
    assert kept.policy.jobs == (hosted(job()),)
    assert not kept.error
    kept.apply(step({key: None}))
    assert [one.name for one in kept.policy.jobs] == []
    assert not kept.apply(step({b"/z/agent/x": b""}))


def test_jobs_that_do_not_fit_together_leave_all_as_it_was() -> None:
    kept = KeptPolicy(LAYOUT)
    kept.apply(step({LAYOUT.policy("pg"): job_text(hosted(job(to=(to_vault(),)))).encode()}))
    before = kept.policy
    other = hosted(job("two", to=(to_vault("two"),)))
    kept.apply(step({LAYOUT.policy("two"): job_text(other).encode()}))
    assert kept.policy == before
    assert "overlaps" in kept.error


# -- records


def given_order() -> GivenOrder:
    order = Order(
        uuid="u-1",
        action=Action.DESTROY,
        dataset="ssd/pg",
        snapshots=(SnapshotRef(guid=1, dataset="ssd/pg", name="s"),),
        skip_if_renamed=True,
    )
    wanted = Wanted(pursuit=Pursuit("pg", Work.DESTROY, "ssd/pg"), host="web1", order=order)
    return GivenOrder(wanted=wanted, given=5.0)


def test_records_are_read_as_they_were_written() -> None:
    assert read_given(encode_given(given_order()), "web1") == given_order()
    assert read_tick(encode_tick(Tick(tick=5, recursive=True))) == Tick(tick=5, recursive=True)
    cursor = CursorRecord(guid=2**64 - 1, name="s", at=1.5, order="u")
    assert read_cursor(encode_cursor(cursor)) == cursor
    keys = DirectorKeys(LAYOUT)
    assert keys.tick_of(keys.tick("a/b", "ssd/pg")) == ("a/b", "ssd/pg")
    assert keys.tick_of(b"/z/director/tick/a/b/c") is None
    status = DirectorStatus(
        name="d",
        since=1.0,
        at=2.0,
        hosts=(HostLine(host="web1", datasets=2, complete=True),),
        troubles=(TroubleLine(job="j", work="take", dataset="d", error="x" * 5000),) * 300,
        notices=("one",),
    )
    read = decode_status(encode_status(status))
    assert (read.hosts, read.notices) == (status.hosts, status.notices)
    assert len(read.troubles) == 200
    assert read.left_out == 100
    assert len(encode_status(status)) < 400_000
    assert not read.well


@pytest.mark.parametrize("value", [b"", b"[]", b"{}", b'{"Order": {}}', b"[" * 50_000])
def test_records_that_can_not_be_read(value: bytes) -> None:
    with pytest.raises(BadRecordOfDirector):
        read_given(value, "web1")
    with pytest.raises(BadCursor):
        read_cursor(value)
    with pytest.raises(BadDirectorStatus):
        decode_status(value)


def test_a_result_is_cut_to_a_size() -> None:
    many = [{"Dataset": "x" * 1000} for _ in range(10_000)]
    result = OrderResult(
        uuid="u-1",
        is_success=False,
        status=OrderStatus.FAILED,
        error="e" * 100_000,
        details={"Datasets": many, "Odd": "o" * 1_000_000},
    )
    value = encode_result(given_order(), result, 9.0)
    assert len(value) < 64 * 1024
    assert json.loads(value)["OrderUUID"] == "u-1"


def test_cursors_move_for_what_the_order_was_about_only() -> None:
    def row(name: str, outcome: str = "sent", guid: object = "5") -> dict[str, object]:
        return {"Dataset": name, "Outcome": outcome, "Newest": {"Name": "@s", "Guid": guid}}

    order = Order(uuid="u", action=Action.SEND, source_dataset="ssd/pg", recursive=True)
    rows = [row("ssd/pg"), row("ssd/pg/a", "up-to-date"), row("ssd/pg/b", "failed"), row("ssd/x")]
    result = OrderResult(
        uuid="u", is_success=True, status=OrderStatus.DONE, details={"Datasets": rows}
    )
    found = dict(cursors_of(order, result, 1.0))
    assert set(found) == {"ssd/pg", "ssd/pg/a"}
    assert found["ssd/pg"] == CursorRecord(guid=5, name="s", at=1.0, order="u")
    for bad in ([7], [row("../x")], [row("ssd/pg", guid=-1)], "no"):
        wrong = OrderResult(
            uuid="u", is_success=True, status=OrderStatus.DONE, details={"Datasets": bad}
        )
        with pytest.raises(BadCursor):
            list(cursors_of(order, wrong, 1.0))
