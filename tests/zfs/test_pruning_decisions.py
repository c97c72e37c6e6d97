"""The decisions recorded of the program before this one, beside ours: every difference has a name.

The record is no oracle: it holds what the old program did, faults included.
"""

import calendar
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lochkit.zfs.keep_rules import parse_keep
from lochkit.zfs.model import Dataset, Snapshot
from lochkit.zfs.naming import NameTemplate
from lochkit.zfs.pruning import plan_pruning
from lochkit.zfs.schedule import parse_schedule

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "decisions.json").read_text()
)
TEMPLATE = NameTemplate(prefix="SNAP", template="legacy", zone="UTC")
HOUR = 3600
DAY = 24 * HOUR

# Why we differ.
SIX_HOURS = "a tick that is six hours old was skipped for good; here it is taken late"
OLDEST_SENT = "a cron policy sent the oldest that waited; here everything up to the newest goes"
SHORTER = "a longer phrase left out what a shorter one covers; here rules are united"
WHOLE = "a day or month was cut where a shorter phrase ends, and both parts counted; here it is one"
ISO_WEEKS = "weeks were counted back from now; here they are the calendar's"
OFF_BY_ONE = "the oldest of a zone was never judged; here it is"


def of(kind: str) -> pytest.MarkDecorator:
    vectors = [vector for vector in VECTORS if vector["kind"] == kind]
    return pytest.mark.parametrize("vector", vectors, ids=lambda vector: vector["name"])


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def name_of(entry: str) -> str:
    return entry.partition("@")[2].partition("#")[0]


def time_of(entry: str) -> int:
    at = TEMPLATE.parse(name_of(entry))
    assert at is not None
    return at


def new_difference(vector: dict[str, Any]) -> str | None:
    now = instant(vector["now"])
    last = max(time_of(entry) for entry in vector["list"])
    tick = parse_schedule(vector["cron"], "UTC").due(last, now)
    ours = "" if tick is None else TEMPLATE.name(tick)
    if ours == vector["legacy"]["name"]:
        return None
    assert not vector["legacy"]["take"]
    assert tick is not None
    assert now - tick >= 6 * HOUR
    return SIX_HOURS


def send_difference(vector: dict[str, Any]) -> str | None:
    waiting = [entry for entry in vector["list"] if "#sent" not in entry]
    oldest = min(waiting, key=time_of)
    newest = max(waiting, key=time_of)
    send = vector["cron"] == "asap"
    if not send:
        due = parse_schedule(vector["cron"], "UTC").due(time_of(oldest), instant(vector["now"]))
        send = due is not None
    assert send == vector["legacy"]["send"]
    told = vector["legacy"]["uuid"]
    if not send or newest.startswith(f"{told}:"):
        return None
    assert oldest.startswith(f"{told}:")
    return OLDEST_SENT


def delete_differences(vector: dict[str, Any]) -> Iterator[str]:
    """The reason of every snapshot that one destroys and the other keeps."""
    now = instant(vector["now"])
    snapshots = [
        Snapshot(name_of(entry), number, number, time_of(entry))
        for number, entry in enumerate(vector["list"], start=1)
    ]
    sent = [one for one, entry in zip(snapshots, vector["list"], strict=True) if "#sent" in entry]
    pruning = plan_pruning(
        Dataset(name="tank/a", snapshots=tuple(snapshots)),
        parse_keep(vector["retention"]),
        template=TEMPLATE,
        now=now,
        protected={sent[-1].guid: "sent"} if sent else {},
    )
    told = {name_of(entry) for entry in vector["legacy"]["list"] or ()}
    for kept in pruning.keep:
        if kept.snapshot.name in told:
            yield why_kept(kept.snapshot, kept.reasons, now)
    for one in pruning.destroy:
        if one.name not in told:
            yield why_destroyed(one, snapshots, now)


def zone_of(age: int, now: int) -> str:
    """In which zone the old program judged a snapshot: they did not overlap."""
    before = datetime.fromtimestamp(now, UTC)
    year, month = (before.year, before.month - 1) if before.month > 1 else (before.year - 1, 12)
    lengths = (("day", DAY), ("week", 7 * DAY))
    ends = (*lengths, ("month", calendar.monthrange(year, month)[1] * DAY))
    return next((zone for zone, end in ends if age < end), "year")


def why_kept(one: Snapshot, reasons: tuple[str, ...], now: int) -> str:
    words = {"day": "none", "week": "/day in", "month": "/week in", "year": "/month in"}
    zone = zone_of(now - one.creation, now)
    if not any(words[zone] in reason for reason in reasons):
        assert any(" in last " in reason for reason in reasons)
        return SHORTER
    assert zone == "month"
    return ISO_WEEKS


def why_destroyed(one: Snapshot, snapshots: list[Snapshot], now: int) -> str:
    zone = zone_of(now - one.creation, now)
    assert zone != "day"
    same = [other for other in snapshots if zone_of(now - other.creation, now) == zone]
    if one == same[0]:
        return OFF_BY_ONE
    if zone == "month":
        return ISO_WEEKS
    form = "%Y-%m-%d" if zone == "week" else "%Y-%m"
    day, newer = (
        [datetime.fromtimestamp(other.creation, UTC).strftime(form) for other in some]
        for some in ([one], [other for other in snapshots if other.creation > same[-1].creation])
    )
    assert day[0] in newer
    return WHOLE


@of("new")
def test_whether_a_snapshot_is_taken(vector: dict[str, Any]) -> None:
    assert new_difference(vector) in (None, SIX_HOURS)


@of("send")
def test_whether_something_is_sent(vector: dict[str, Any]) -> None:
    assert send_difference(vector) in (None, OLDEST_SENT)


@of("delete")
def test_what_is_destroyed(vector: dict[str, Any]) -> None:
    assert set(delete_differences(vector)) <= {SHORTER, WHOLE, ISO_WEEKS, OFF_BY_ONE}


def test_how_often_we_differ_and_why() -> None:
    new = Counter(new_difference(one) for one in VECTORS if one["kind"] == "new")
    assert new == {None: 29, SIX_HOURS: 3}
    send = Counter(send_difference(one) for one in VECTORS if one["kind"] == "send")
    assert send == {None: 16, OLDEST_SENT: 16}
    every = [list(delete_differences(one)) for one in VECTORS if one["kind"] == "delete"]
    assert sum(not one for one in every) == 9
    delete = Counter(reason for one in every for reason in one)
    assert delete == {SHORTER: 8, WHOLE: 16, ISO_WEEKS: 32, OFF_BY_ONE: 4}
