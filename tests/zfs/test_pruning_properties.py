"""What holds of every pruning: nothing that others need, all at once, and longer keeps more."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lochkit.zfs.keep_rules import parse_keep
from lochkit.zfs.model import Snapshot

from .test_pruning import DAY, HOUR, NAMES, NOW, guids, prune

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
