"""What is destroyed: what no rule keeps, and never what others need; and that it stays so."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


# Properties. Instants are coarse so that some are equal, and some are at the very borders.

moments = st.one_of(
    st.integers(-2, 30).map(lambda hours: NOW - hours * HOUR),
    st.integers(-2, 400).map(lambda days: NOW - days * DAY),
    st.integers(-100_000, 400 * DAY).map(lambda seconds: NOW - seconds),
)


@st.composite
def snapshot_lists(draw: st.DrawFn) -> list[Snapshot]:
    found: list[Snapshot] = []
    taken: set[str] = set()
    for number, at in enumerate(sorted(draw(st.lists(moments, max_size=40))), start=1):
        name = NAMES.name(at, taken=taken)
        taken.add(name)
        kind = draw(st.sampled_from(["own"] * 8 + ["foreign", "held", "cloned", "deferred"]))
        found.append(
            Snapshot(
                f"manual{number}" if kind == "foreign" else name,
                number,
                number,
                at,
                holds=int(kind in ("held", "deferred")),
                clones=("tank/b",) if kind == "cloned" else (),
                deferred=kind == "deferred",
            )
        )
    return found


counts = st.integers(1, 12)
phrases = st.tuples(
    counts,
    st.sampled_from(
        [" in last day", "/day in last week", "/week in last month", "/month in last year"]
    ),
).map(lambda parts: f"{parts[0]}{parts[1]}")
lasts = counts.map(lambda count: f"last {count}")
regexes = st.sampled_from(["regex _00:00", "not regex _12:", "regex March"])


@st.composite
def grids(draw: st.DrawFn) -> str:
    lengths = sorted(
        draw(st.lists(st.sampled_from([HOUR, 2 * HOUR, DAY, 7 * DAY]), min_size=1, max_size=3))
    )
    parts = []
    for length in lengths:
        keep = draw(st.sampled_from(["", "(keep=all)", "(keep=2)", "(keep=3)"]))
        parts.append(f"{draw(counts)}x{length // HOUR}h{keep}")
    return " | ".join(parts)


rules = st.one_of(phrases, lasts, regexes, grids(), st.just("not replicated"))
policies = st.lists(rules, min_size=1, max_size=4)
cursors = st.dictionaries(
    st.sampled_from(["vault", "other"]), st.one_of(st.none(), st.integers(0, 40))
)
property_of_pruning = settings(max_examples=100, deadline=None)


@given(
    snapshot_lists(),
    policies,
    cursors,
    st.sets(st.integers(1, 40)),
    st.sampled_from(["UTC", "Europe/Paris"]),
)
@property_of_pruning
def test_what_others_need_is_never_destroyed(
    snapshots: list[Snapshot],
    texts: list[str],
    replicated: dict[str, int | None],
    needed: set[int],
    zone: str,
) -> None:
    protected = dict.fromkeys(needed, "needed")
    policy = parse_keep(texts, zone)
    pruning = prune(snapshots, policy, protected=protected, replicated=replicated)
    for one in pruning.destroy:
        assert NAMES.owns(one.name)
        assert not one.holds
        assert not one.clones
        assert one.guid not in needed
        assert one.creation <= NOW
    assert sorted([*pruning.destroy, *(one.snapshot for one in pruning.keep)]) == sorted(snapshots)
    assert all(one.reasons for one in pruning.keep)
    judged = [one for one in snapshots if NAMES.owns(one.name) and one.creation <= NOW]
    assert not judged or judged[-1] not in pruning.destroy


@given(snapshot_lists(), policies, cursors)
@property_of_pruning
def test_pruning_what_is_left_destroys_nothing_more(
    snapshots: list[Snapshot], texts: list[str], replicated: dict[str, int | None]
) -> None:
    first = prune(snapshots, texts, replicated=replicated)
    left = [one.snapshot for one in first.keep]
    again = prune(left, texts, replicated=replicated)
    assert again.destroy == ()
    assert again.keep == first.keep


@given(snapshot_lists(), policies, st.randoms(use_true_random=False))
@property_of_pruning
def test_the_order_of_snapshots_and_rules_does_not_matter(
    snapshots: list[Snapshot], texts: list[str], random: Any
) -> None:
    first = prune(snapshots, texts)
    random.shuffle(shuffled := list(snapshots))
    random.shuffle(rules_shuffled := list(texts))
    assert prune(shuffled, rules_shuffled).destroy == first.destroy
    assert prune(shuffled, texts) == first


@given(snapshot_lists(), policies, rules)
@property_of_pruning
def test_one_more_rule_destroys_never_more(
    snapshots: list[Snapshot], texts: list[str], more: str
) -> None:
    assert set(guids(prune(snapshots, [*texts, more]))) <= set(guids(prune(snapshots, texts)))


@st.composite
def longer(draw: st.DrawFn) -> tuple[str, str]:
    """A rule, and the same with more of it, for each kind of rule."""
    more = draw(counts)
    kind = draw(st.sampled_from(["phrase", "last", "end", "keep", "count", "all"]))
    if kind == "phrase":
        text = draw(phrases)
        number = text.partition(" ")[0].partition("/")[0]
        return text, f"{int(number) + more}{text[len(number) :]}"
    if kind == "last":
        text = draw(lasts)
        return text, f"last {int(text[5:]) + more}"
    grid = draw(grids())
    if kind == "end":
        return grid, f"{grid} | {more}x168h"
    if kind == "all":
        return grid, grid.replace("(keep=2)", "(keep=all)")
    if kind == "keep":
        return grid, grid.replace("(keep=2)", "(keep=5)")
    head, _, tail = grid.rpartition(" | ")
    number = tail.partition("x")[0]
    longer_tail = f"{int(number) + more}{tail[len(number) :]}"
    return grid, f"{head} | {longer_tail}" if head else longer_tail


@given(snapshot_lists(), longer())
@settings(max_examples=200, deadline=None)
def test_a_longer_rule_destroys_never_more(
    snapshots: list[Snapshot], pair: tuple[str, str]
) -> None:
    shorter, more = pair
    assert set(guids(prune(snapshots, [more]))) <= set(guids(prune(snapshots, [shorter])))


@given(snapshot_lists(), st.integers(-1, 40))
@property_of_pruning
def test_a_destination_that_is_behind_destroys_never_more(
    snapshots: list[Snapshot], reached: int
) -> None:
    texts = ["last 1", "not replicated"]
    ahead = prune(snapshots, texts, replicated={"vault": reached + 1})
    behind = prune(snapshots, texts, replicated={"vault": reached})
    never = prune(snapshots, texts, replicated={"vault": None})
    assert set(guids(never)) <= set(guids(behind)) <= set(guids(ahead))
    assert not guids(never)
