"""Whether a stream may come, by what is at the target; and whether it has arrived."""

from dataclasses import replace
from typing import Any

import pytest

from lochkit.zfs.capabilities import Capabilities
from lochkit.zfs.errors import Failure, ZfsError
from lochkit.zfs.judging import Accepted, AlreadyThere, Judgement, Refusal, judge_offer
from lochkit.zfs.judging_result import judge_result
from lochkit.zfs.model import Dataset, Kind, Snapshot
from lochkit.zfs.offers import Base, Failed, Offer, Received, SnapshotId
from lochkit.zfs.permits import Permit

ABLE = Capabilities.everything("zfs-2.3.2")
FUSE = Capabilities(version="zfs-fuse")
NAME = "bulk/web1/data"
PERMIT = Permit(client="web1", write=("bulk/web1",))
ROLLBACK = replace(PERMIT, rollback=True)
PROPERTIES = replace(PERMIT, properties=True)


def snapshot(number: int, **more: Any) -> Snapshot:
    return Snapshot(f"s{number}", number, number, number)._replace(**more)


def there(*numbers: int, **more: Any) -> Dataset:
    given = {"name": NAME, "snapshots": tuple(map(snapshot, numbers))} | more
    return Dataset(**given)


def offer(to: int, base: int | None = None, **more: Any) -> Offer:
    given: dict[str, Any] = {
        "replication": "job",
        "dataset": NAME,
        "to": SnapshotId(guid=to, name=f"s{to}"),
        "base": None if base is None else Base(guid=base, name=f"s{base}"),
    }
    return Offer(**(given | more))


def judge(
    offer: Offer,
    target: Dataset | None,
    permit: Permit = PERMIT,
    able: Capabilities = ABLE,
    **more: Any,
) -> Judgement:
    return judge_offer(offer, target, permit, able, **more)


EMPTY = there()
PLACEHOLDER = there(placeholder=True, written=98304)
LOSES = {"rollback": True, "would_lose": (3, 4)}


@pytest.mark.parametrize(
    ("asked", "target", "permit"),
    [
        pytest.param(offer(1), None, PERMIT, id="full, nothing there"),
        pytest.param(offer(2, 1), there(1), PERMIT, id="incremental on its base"),
        pytest.param(offer(5, 2), there(1, 2), PERMIT, id="incremental on the newest of several"),
        pytest.param(offer(1, rollback=True), PLACEHOLDER, PERMIT, id="full into a placeholder"),
        pytest.param(offer(1, rollback=True), EMPTY, ROLLBACK, id="full over what is not needed"),
        pytest.param(
            offer(5, 2, **LOSES), there(1, 2, 3, 4), ROLLBACK, id="rollback of what was said"
        ),
        pytest.param(offer(5, 2, rollback=True), there(1, 2), ROLLBACK, id="rollback of writes"),
        pytest.param(offer(1, token="t"), there(resume_token="t"), PERMIT, id="full goes on"),
        pytest.param(
            offer(2, 1, token="t"), there(1, resume_token="t"), PERMIT, id="incremental goes on"
        ),
        pytest.param(
            offer(1, placeholders=("bulk/web1",)), None, PERMIT, id="parent that may be missing"
        ),
        pytest.param(
            offer(1, placeholders=("bulk/web1",), dataset="bulk/web1/x/data"),
            None,
            PERMIT,
            id="some of the parents",
        ),
    ],
)
def test_accepted(asked: Offer, target: Dataset | None, permit: Permit) -> None:
    found = judge(asked, target, permit)
    assert isinstance(found, Accepted)
    assert found.spec.dataset == asked.dataset
    assert found.spec.rollback is asked.rollback
    assert found.before is target


@pytest.mark.parametrize(
    ("asked", "target", "permit", "failure"),
    [
        pytest.param(offer(1, dataset="bulk/web10/x"), None, PERMIT, Failure.DENIED, id="foreign"),
        pytest.param(offer(1, dataset="bulk"), None, PERMIT, Failure.DENIED, id="above"),
        pytest.param(offer(2, 1), None, PERMIT, Failure.MISSING, id="incremental to nowhere"),
        pytest.param(offer(2, 1), EMPTY, PERMIT, Failure.DIVERGED, id="incremental to nothing"),
        pytest.param(offer(9, 8), there(1, 2), PERMIT, Failure.DIVERGED, id="foreign base"),
        pytest.param(offer(3, 1), there(1, 2), PERMIT, Failure.DIVERGED, id="base not newest"),
        pytest.param(
            offer(3, 1, would_lose=(2,)), there(1, 2), PERMIT, Failure.DIVERGED, id="no rollback"
        ),
        pytest.param(
            offer(5, 2, **LOSES), there(1, 2, 3, 4), PERMIT, Failure.DENIED, id="no permit for it"
        ),
        pytest.param(
            offer(5, 2, **LOSES), there(1, 2, 3, 4, 6), ROLLBACK, Failure.DIVERGED, id="loses more"
        ),
        pytest.param(
            offer(5, 2, **LOSES), there(1, 2, 3), ROLLBACK, Failure.DIVERGED, id="loses less"
        ),
        pytest.param(
            offer(5, 2, rollback=True), there(1, 2, 3), ROLLBACK, Failure.DIVERGED, id="loses"
        ),
        pytest.param(offer(1), EMPTY, PERMIT, Failure.EXISTS, id="full over something"),
        pytest.param(offer(9), there(1), PERMIT, Failure.EXISTS, id="full over snapshots"),
        pytest.param(
            offer(9, rollback=True), there(1), ROLLBACK, Failure.EXISTS, id="never over snapshots"
        ),
        pytest.param(
            offer(1, rollback=True), EMPTY, PERMIT, Failure.DENIED, id="full over data, no permit"
        ),
        pytest.param(
            offer(1, rollback=True),
            there(placeholder=True, written=10_000_000),
            PERMIT,
            Failure.DENIED,
            id="a placeholder that was written to",
        ),
        pytest.param(
            offer(1), there(resume_token="t"), PERMIT, Failure.STALE_TOKEN, id="token in the way"
        ),
        pytest.param(
            offer(1, token="t"), there(resume_token="u"), PERMIT, Failure.STALE_TOKEN, id="other"
        ),
        pytest.param(offer(1, token="t"), None, PERMIT, Failure.STALE_TOKEN, id="token of nothing"),
        pytest.param(
            offer(2, 1), there(1, kind=Kind.VOLUME), PERMIT, Failure.EXISTS, id="other kind"
        ),
        pytest.param(
            offer(1, placeholders=("bulk/web1", "bulk/x")),
            None,
            PERMIT,
            Failure.BAD_REQUEST,
            id="placeholder elsewhere",
        ),
        pytest.param(
            offer(1, placeholders=("bulk",)), None, PERMIT, Failure.BAD_REQUEST, id="the pool"
        ),
        pytest.param(
            offer(1, placeholders=(NAME,)), None, PERMIT, Failure.BAD_REQUEST, id="itself"
        ),
        pytest.param(
            offer(1, hold_tag="keep"), None, PERMIT, Failure.BAD_REQUEST, id="foreign tag"
        ),
        pytest.param(
            offer(1, hold_tag="lochkit:other:last"), None, PERMIT, Failure.BAD_REQUEST, id="tag"
        ),
        pytest.param(offer(1, properties=True), None, PERMIT, Failure.DENIED, id="properties"),
        pytest.param(
            offer(1, set_properties={"mountpoint": "/etc"}), None, PERMIT, Failure.DENIED, id="set"
        ),
        pytest.param(
            offer(1, compression="zstd"), None, PERMIT, Failure.UNSUPPORTED, id="no program"
        ),
    ],
)
def test_refused(asked: Offer, target: Dataset | None, permit: Permit, failure: Failure) -> None:
    found = judge(asked, target, permit)
    assert isinstance(found, Refusal)
    assert found.failure is failure
    assert asked.dataset in found.message


def test_what_zfs_can_not_do_is_refused() -> None:
    for more in ({"token": "t"}, {"raw": True}, {"exclude_properties": ("atime",)}):
        found = judge(offer(1, **more), None, able=FUSE)
        assert isinstance(found, Refusal)
        assert found.failure is Failure.UNSUPPORTED


def test_what_is_there_need_not_come() -> None:
    assert judge(offer(2, 1), there(1, 2)) == AlreadyThere(target=there(1, 2))
    assert judge(offer(2), there(1, 2)) == AlreadyThere(target=there(1, 2))
    assert not isinstance(judge(offer(1), there(1, 2)), AlreadyThere)


def test_resumable_where_it_can_be() -> None:
    for able, resumable in ((ABLE, True), (FUSE, False)):
        found = judge(offer(1, resumable=True), None, able=able)
        assert isinstance(found, Accepted)
        assert found.spec.resumable is resumable


def test_properties_of_clients_are_kept_out() -> None:
    found = judge(offer(1, properties=True), None, PROPERTIES)
    assert isinstance(found, Accepted)
    assert {"mountpoint", "sharenfs", "setuid", "exec"} <= set(found.spec.exclude_properties)
    assert found.spec.set_properties == {"canmount": "noauto"}
    again = judge(offer(2, 1, properties=True), there(1), PROPERTIES)
    assert isinstance(again, Accepted)
    assert {"mountpoint", "sharenfs", "setuid", "exec"} <= set(again.spec.exclude_properties)
    assert again.spec.set_properties == {}


def test_what_is_set_is_not_left_out_as_well() -> None:
    asked = offer(1, properties=True, set_properties={"mountpoint": "none"})
    found = judge(asked, None, PROPERTIES)
    assert isinstance(found, Accepted)
    assert "mountpoint" not in found.spec.exclude_properties
    assert found.spec.set_properties["mountpoint"] == "none"


def test_this_host_may_do_to_itself_what_it_wants() -> None:
    asked = offer(1, properties=True, set_properties={"mountpoint": "/srv"}, dataset="any/where")
    found = judge(asked, None, Permit(client="local", anywhere=True, properties=True))
    assert isinstance(found, Accepted)
    assert found.spec.set_properties == {"mountpoint": "/srv"}
    assert found.spec.exclude_properties == ()


def test_holds_that_stand_in_the_way_of_a_rollback_are_named() -> None:
    target = there(snapshots=(snapshot(2), snapshot(3, holds=1), snapshot(4)))
    found = judge(offer(5, 2, **LOSES), target, ROLLBACK)
    assert isinstance(found, Accepted)
    assert found.release == ("s3",)


CUT = ZfsError("the connection broke", failure=Failure.CUT)


def test_arrived_is_what_is_the_newest() -> None:
    before, after = there(1), there(1, 2, 3)
    found = judge_result(offer(3, 1, between=(2,)), before, after, trouble=None, arrived=9)
    assert found == Received(guid=3, bytes=9, snapshots=2)


def test_complaints_about_what_arrived_are_warnings() -> None:
    found = judge_result(offer(1), None, there(1), trouble=CUT, arrived=9)
    assert isinstance(found, Received)
    assert "the connection broke" in found.warning
    missing = judge_result(
        offer(3, 1, between=(2,)), there(1), there(1, 3), trouble=None, arrived=9
    )
    assert isinstance(missing, Received)
    assert "1 of the snapshots" in missing.warning


@pytest.mark.parametrize(
    ("after", "trouble", "failure"),
    [
        (there(1), None, Failure.BAD_STREAM),
        (None, None, Failure.BAD_STREAM),
        (there(1), CUT, Failure.CUT),
        (there(1, resume_token="t"), CUT, Failure.RESUMABLE),
        (None, ZfsError("full", failure=Failure.NO_SPACE), Failure.NO_SPACE),
        (
            there(resume_token="t"),
            ZfsError("full", failure=Failure.NO_SPACE),
            Failure.NO_SPACE,
        ),
        (there(1, 2, 9), None, Failure.BAD_STREAM),
    ],
)
def test_what_has_not_arrived(
    after: Dataset | None, trouble: ZfsError | None, failure: Failure
) -> None:
    found = judge_result(offer(2, 1), there(1), after, trouble=trouble, arrived=5)
    assert isinstance(found, Failed)
    assert found.failure is failure
    assert found.token == (after.resume_token if after else None)
