"""What is destroyed: what no rule keeps, and never what others need; and that it stays so."""

import time
from typing import Any

import pytest

from lochkit.zfs.errors import BadPolicy
from lochkit.zfs.keep_rules import KeepPolicy, parse_keep
from lochkit.zfs.model import Dataset, Snapshot
from lochkit.zfs.naming import NameTemplate
from lochkit.zfs.pruning import Pruning, plan_pruning

NOW = 1_773_144_000  # Tuesday, 2026-03-10 12:00:00 UTC
HOUR = 3600
DAY = 24 * HOUR
NAMES = NameTemplate(prefix="SNAP", template="legacy", zone="UTC")


def own(guid: int, at: int, **more: Any) -> Snapshot:
    return Snapshot(NAMES.name(at), guid, guid, at, **more)


def prune(
    snapshots: list[Snapshot], rules: list[str] | KeepPolicy, now: int = NOW, **more: Any
) -> Pruning:
    policy = rules if isinstance(rules, KeepPolicy) else parse_keep(rules)
    dataset = Dataset(name="tank/a", snapshots=tuple(snapshots))
    return plan_pruning(dataset, policy, template=NAMES, now=now, **more)


def guids(pruning: Pruning) -> list[int]:
    return [one.guid for one in pruning.destroy]


def reasons(pruning: Pruning) -> dict[int, tuple[str, ...]]:
    return {one.snapshot.guid: one.reasons for one in pruning.keep}


HOURLY = [own(hour, NOW - (12 - hour) * HOUR) for hour in range(7, 13)]
ALL_FOUR = ["3 in last day", "1/day in last week", "1/week in last month", "1/month in last year"]


def test_the_table_of_the_old_program() -> None:
    assert guids(prune(HOURLY, ALL_FOUR)) == [7, 8, 9]
    assert guids(prune(HOURLY, ALL_FOUR, protected={8: "sent"})) == [7, 9]


def test_what_is_foreign_is_left_alone_and_takes_no_place() -> None:
    foreign = [
        one._replace(name=one.name.replace("SNAP", "OTH"), guid=one.guid + 100) for one in HOURLY
    ]
    manual = Snapshot("manual", 200, 200, NOW - 400 * DAY)
    pruning = prune([*foreign, *HOURLY, manual], ["last 2"])
    assert guids(pruning) == [7, 8, 9, 10]
    assert reasons(pruning)[200] == ("not this job's own",)


def test_what_is_held_cloned_protected_or_vanishing_anyway() -> None:
    snapshots = [
        own(1, NOW - 9 * HOUR, holds=1),
        own(2, NOW - 8 * HOUR, holds=3),
        own(3, NOW - 7 * HOUR, clones=("tank/b",)),
        own(4, NOW - 6 * HOUR),
        own(5, NOW - 5 * HOUR, deferred=True),
        own(6, NOW - 4 * HOUR),
        own(7, NOW - 3 * HOUR),
    ]
    pruning = prune(snapshots, ["last 1"], protected={4: "the newest at vault"})
    assert guids(pruning) == [6]
    assert reasons(pruning) == {
        1: ("held",),
        2: ("held 3 times",),
        3: ("clones were made of it: tank/b",),
        4: ("the newest at vault",),
        5: ("marked to vanish already",),
        7: ("the newest", "last 1"),
    }


def test_all_reasons_are_told() -> None:
    pruning = prune(HOURLY, ["last 2", "1/day in last week"], protected={12: "being sent"})
    assert reasons(pruning) == {
        11: ("last 2",),
        12: ("being sent", "the newest", "last 2", "1/day in last week"),
    }


def test_the_newest_is_kept_when_time_stood_still_or_jumped() -> None:
    for now in (NOW + 5000 * DAY, NOW):
        assert guids(prune(HOURLY, ["24 in last day"], now=now + 2 * DAY)) == [7, 8, 9, 10, 11]


def test_a_clock_that_is_behind_destroys_nothing() -> None:
    assert guids(prune(HOURLY, ["last 1"], now=0)) == []


def test_what_is_from_the_future_is_kept_and_takes_no_place() -> None:
    future = [own(50 + number, NOW + number * DAY) for number in range(1, 10)]
    pruning = prune([*HOURLY, *future], ["last 2"])
    assert guids(pruning) == [7, 8, 9, 10]
    assert reasons(pruning)[51] == ("from the future",)
    grid = prune([*HOURLY, *future], ["3x1h"])
    assert guids(grid) == [7, 8, 9]


def test_what_is_a_second_ahead_is_from_the_future() -> None:
    pruning = prune([own(1, NOW - 60), own(2, NOW), own(3, NOW + 1)], ["last 1"])
    assert guids(pruning) == [1]
    assert reasons(pruning)[3] == ("from the future",)


def test_what_vanishes_anyway_takes_no_place() -> None:
    snapshots = [own(1, NOW - 3), own(2, NOW - 2), own(3, NOW - 1, deferred=True, holds=1)]
    assert guids(prune(snapshots, ["last 1"])) == [1]


def test_the_newest_is_what_was_made_last_whatever_the_clock_said() -> None:
    snapshots = [own(1, NOW - 3 * DAY), own(2, NOW - 9 * DAY), own(3, NOW - 2 * DAY)]
    assert guids(prune(snapshots, ["last 2"])) == [1]
    assert guids(prune(snapshots, ["1/day in last week"])) == [2]


def test_what_is_not_replicated_is_kept() -> None:
    rules = ["last 1", "not replicated"]
    assert guids(prune(HOURLY, rules, replicated={"vault": 9})) == [7, 8, 9]
    assert guids(prune(HOURLY, rules, replicated={"vault": 9, "other": None})) == []
    assert guids(prune(HOURLY, rules)) == []


def test_nothing_to_judge() -> None:
    assert prune([], ["last 1"]) == Pruning(dataset="tank/a")


def test_a_policy_that_can_not_be_destroys_nothing() -> None:
    for rules in ([], ["nonsense"], ["0 in last day"]):
        with pytest.raises(BadPolicy):
            prune(HOURLY, rules)


def test_a_hundred_thousand_snapshots() -> None:
    names = NameTemplate(prefix="SNAP", template="{prefix}_{epoch}")
    times = [NOW - number * 300 for number in range(100_000, 0, -1)]
    snapshots = [Snapshot(f"SNAP_{at}", at, at, at) for at in times]
    dataset = Dataset(name="tank/a", snapshots=tuple(snapshots))
    rules = [*ALL_FOUR, "1x1h(keep=all) | 24x1h | 300x1d", "last 10", "regex 000$"]
    began = time.process_time()
    pruning = plan_pruning(dataset, parse_keep(rules), template=names, now=NOW)
    spent = time.process_time() - began
    assert len(pruning.destroy) + len(pruning.keep) == 100_000
    assert spent < 1.0
