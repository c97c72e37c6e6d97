"""Steps and the states they add up to."""

from hypothesis import given
from hypothesis import strategies as st

from lochkit.etcd.messages import KeyValue
from lochkit.etcd.model import Appeared, KeyChange, Keyspace, Origin, Step

State = dict[bytes, KeyValue]
KEYS = st.sampled_from([b"a", b"b", b"c", b"d"])
states = st.lists(st.dictionaries(KEYS, st.integers(1, 3)), min_size=2, max_size=8)


def steps_between(values: list[dict[bytes, int]]) -> list[Step]:
    """The steps through these states, each key's value standing for all there is to know of it."""
    made = []
    before: State = {}
    for revision, value in enumerate(values, start=1):
        after = {key: KeyValue(key=key, mod_revision=number) for key, number in value.items()}
        changes = {
            key: KeyChange(key, before.get(key), after.get(key))
            for key in before.keys() | after.keys()
            if before.get(key) != after.get(key)
        }
        made.append(Step(revision=revision, changes=changes))
        before = after
    return made


def applied(steps: list[Step]) -> State:
    keyspace = Keyspace()
    for step in steps:
        keyspace.apply(step)
    return dict(keyspace.entries)


@given(values=states, cut=st.integers(1, 7))
def test_merged_steps_lead_where_single_ones_do(values: list[dict[bytes, int]], cut: int) -> None:
    expected = applied(steps_between(values))
    steps = steps_between(values)
    first, rest = steps[:cut], steps[cut:]
    merged = first[0]
    for step in first[1:]:
        merged = merged.merge(step)
    assert merged.revision == len(first)
    assert applied([merged, *rest]) == expected


@given(values=states)
def test_merging_in_any_grouping_is_the_same(values: list[dict[bytes, int]]) -> None:
    left = steps_between(values)
    whole = left[0]
    for step in left[1:]:
        whole = whole.merge(step)
    right = steps_between(values)
    tail = right[-1]
    for step in reversed(right[:-1]):
        tail = step.merge(tail)
    assert dict(whole.changes) == dict(tail.changes)


@given(values=states)
def test_a_key_that_came_and_went_is_not_in_a_merged_step(values: list[dict[bytes, int]]) -> None:
    steps = steps_between([*values, {}])
    merged = steps[0]
    for step in steps[1:]:
        merged = merged.merge(step)
    assert not merged.changes


@given(values=states)
def test_a_merged_step_is_the_difference_of_its_ends(values: list[dict[bytes, int]]) -> None:
    """No more and no less: a key that a restore took back to where it was has not changed."""
    first, *later = steps_between(values)
    if not later:
        return
    before = applied([first])
    merged = later[0]
    for step in later[1:]:
        merged = merged.merge(step)
    after = applied([first, merged])
    assert after == applied(steps_between(values))
    assert merged.changes == {
        key: KeyChange(key, before.get(key), after.get(key))
        for key in before.keys() | after.keys()
        if before.get(key) != after.get(key)
    }


def test_merging_costs_what_the_later_step_has() -> None:
    """The mapping of the first is taken over, not copied."""
    first = Step(revision=1, changes={b"%d" % n: KeyChange(b"", None, None) for n in range(9)})
    kept = first.changes
    later = Step(revision=2, changes={b"x": KeyChange(b"x", None, KeyValue(key=b"x"))})
    assert first.merge(later).changes is kept


def test_a_first_list_is_a_view_until_something_is_merged_into_it() -> None:
    entries = {b"a": KeyValue(key=b"a", mod_revision=1)}
    first = Step(revision=1, changes=Appeared(entries), origin=Origin.LISTED)
    assert dict(first.changes) == {b"a": KeyChange(b"a", None, entries[b"a"])}
    assert len(first.changes) == 1
    gone = Step(revision=2, changes={b"a": KeyChange(b"a", entries[b"a"], None)})
    merged = first.merge(gone)
    assert (dict(merged.changes), merged.origin) == ({}, Origin.LISTED)
    assert entries
