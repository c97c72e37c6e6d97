"""Names of snapshots: what they tell, whose they are, and what is no template."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lochkit.zfs.errors import BadName, BadPolicy
from lochkit.zfs.names import check_snapshot_name
from lochkit.zfs.naming import NameTemplate

NOON = 1_773_144_000  # 2026-03-10 12:00:00 UTC
TEMPLATES = (
    "default",
    "legacy",
    "{prefix}-{epoch}",
    "{prefix}.{utc:%Y%m%dT%H%M%S}",
    "{prefix}_{time:%d%b%Y-%H.%M.%S}",
)


def test_the_default() -> None:
    assert NameTemplate(prefix="hot").name(NOON) == "hot_2026-03-10T12:00:00Z"


def test_the_legacy_form_is_in_the_time_of_the_zone() -> None:
    names = NameTemplate(prefix="PG", template="legacy", zone="Europe/Paris")
    assert names.name(NOON) == "PG_2026-March-10_13:00:00"
    assert names.parse("PG_2026-March-10_13:00:00") == NOON


@given(
    st.sampled_from(TEMPLATES),
    st.sampled_from(["hot", "a_b", "x.y-z", "0"]),
    st.integers(0, 7_000_000_000),
    st.integers(0, 98),
)
@settings(max_examples=150, deadline=None)
def test_a_name_tells_its_instant(template: str, prefix: str, at: int, others: int) -> None:
    names = NameTemplate(prefix=prefix, template=template, zone="UTC")
    taken: set[str] = set()
    for _ in range(others):
        taken.add(names.name(at, taken=taken))
    name = names.name(at, taken=taken)
    assert name not in taken
    assert check_snapshot_name(name) == name
    assert names.parse(name) == at
    assert names.owns(name)


def test_an_hour_that_comes_twice_gives_two_names() -> None:
    names = NameTemplate(prefix="hot", template="legacy", zone="Europe/Paris")
    first = int(datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp())
    again = first + 3600
    name = names.name(first)
    assert names.name(again) == name
    suffixed = names.name(again, taken={name})
    assert suffixed == "hot_2026-October-25_02:30:00.02"
    assert names.parse(name) == names.parse(suffixed) == first


def test_a_second_with_too_many_snapshots() -> None:
    names = NameTemplate(prefix="hot")

    class Everything:
        def __contains__(self, _: object) -> bool:
            return True

    with pytest.raises(BadName, match="the name is taken"):
        names.name(NOON, taken=Everything())


@given(
    st.lists(st.integers(0, 9_000_000_000), max_size=20),
    st.sampled_from(["default", "{prefix}.{utc:%Y%m%dT%H%M%S}"]),
)
@settings(max_examples=50, deadline=None)
def test_names_sort_as_time_does(instants: list[int], template: str) -> None:
    names = NameTemplate(prefix="hot", template=template)
    taken: list[str] = []
    for at in sorted(instants):
        taken.append(names.name(at, taken=taken))
    assert taken == sorted(taken)


@pytest.mark.parametrize(
    "name",
    [
        *("manual", "hot", "hot_manual", "hot_", "hotter_2026-03-10T12:00:00Z", "HOT_x"),
        *("cold_2026-03-10T12:00:00Z", "hot_2026-02-30T12:00:00Z", "hot_2026-13-10T12:00:00Z"),
        *("hot_2026-03-10T24:00:00Z", "hot_2026-03-10T12:00:00", "hot_2026-03-10T12:00:00Z.1"),
        *(
            "hot_2026-03-10T12:00:00Z.01",
            "hot_2026-03-10T12:00:00Z.100",
            "hot_2025-02-29T00:00:00Z",
        ),
        *("hot_2026-March-10_12:00:00", "hot_0000-03-10T12:00:00Z", "hot_2026-03-10T12:00:00Z\n"),
        "hot_٢٠٢٦-03-10T12:00:00Z",
    ],
)
def test_foreign_names(name: str) -> None:
    names = NameTemplate(prefix="hot")
    assert names.parse(name) is None
    assert not names.owns(name)


def test_a_prefix_that_begins_another() -> None:
    hot, hot_b = NameTemplate(prefix="hot"), NameTemplate(prefix="hot_b")
    assert not hot.owns(hot_b.name(NOON))
    assert not hot_b.owns(hot.name(NOON))


@given(st.text(st.sampled_from("hot_2026-09T1:3Z.ebruary"), max_size=30))
@settings(max_examples=200, deadline=None)
def test_owned_is_what_tells_an_instant(name: str) -> None:
    names = NameTemplate(prefix="hot", also=("legacy", "{prefix}_{epoch}"), zone="UTC")
    for candidate in (name, f"hot_{name}"):
        assert names.owns(candidate) == (names.parse(candidate) is not None)


def test_names_given_formerly_are_owned() -> None:
    names = NameTemplate(prefix="hot", also=("legacy",), zone="UTC")
    assert names.parse("hot_2026-March-10_12:00:00") == NOON
    assert names.name(NOON) == "hot_2026-03-10T12:00:00Z"


@pytest.mark.parametrize(
    "template",
    [
        *("", "snap", "{prefix}", "{epoch}", "{epoch}_{prefix}", "{prefix}{epoch}"),
        *("{prefix}_{utc:%Y-%m-%d}", "{prefix}_{utc:%Y-%m-%dT%H:%M}", "{prefix}_{utc:%c}"),
        *("{prefix}_{epoch}_{epoch}", "{prefix}_{epoch}_{utc:%Y}", "{prefix}_{epoch}@", "{prefix"),
        *("{prefix}_{epoch}}", "{prefix}_{when:%Y}", "{prefix}_{utc}", "{prefix}_{epoch}{}"),
        *(
            "{prefix}_{utc:%Y%m%d%H%M%S%}",
            "{prefix}/{epoch}",
            "{prefix}_{epoch:%Y}",
            "{prefix}%{epoch}",
        ),
        "{prefix}_{utc:%Y%m%B%d%H%M%S}",
        "{prefix}_{utc:%Y%m%d}{time:%H%M%S}",
        "{prefix}_{epoch}" + "x" * 250,
    ],
)
def test_what_is_no_template(template: str) -> None:
    with pytest.raises(BadPolicy):
        NameTemplate(prefix="hot", template=template)


@pytest.mark.parametrize("prefix", ["", "-r", "a@b", "a/b", "a b ", "x" * 250, "..", "é"])
def test_what_is_no_prefix(prefix: str) -> None:
    with pytest.raises(BadPolicy):
        NameTemplate(prefix=prefix)
