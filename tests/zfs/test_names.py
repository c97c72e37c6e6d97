"""Names: what ZFS allows, and what never becomes a word of a command."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lochkit.zfs.errors import BadName
from lochkit.zfs.names import (
    check_bookmark,
    check_dataset,
    check_snapshot_name,
    check_tag,
    is_within,
    moved,
    parents,
    pool_of,
    split_snapshot,
)

CHARACTERS = "abcXYZ019_.:- @#%,/\\$`'\"*?!|&;<>(){}[]~^=+\t\n\0é\ud800"


@pytest.mark.parametrize(
    "name",
    [
        *(
            "tank",
            "tank/a",
            "Tank/0",
            "t/_x",
            "t/.hidden",
            "t/...",
            "t/:x",
            "t/a b",
            "t/a-",
            "t/a.b",
        ),
        *("tank/" + "x" * 250, "/".join(["t"] * 50), "a b/c d"),
    ],
)
def test_names_of_datasets(name: str) -> None:
    assert check_dataset(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", "/", "tank/", "/tank", "tank//a", "tank/.", "tank/..", "tank/../x", "..", "."),
        *(
            "-tank",
            "tank/-r",
            "0tank",
            "_tank",
            "tank@a",
            "tank#a",
            "tank%a",
            "tank,b",
            "tank/%recv",
        ),
        *("tank/a ", " tank", "tank/ a", "tank\n", "tank/a\tb", "tank\0", "tánk", "tank/\ud800"),
        *("tank/" + "x" * 251, "/".join(["t"] * 51), "tank/$(x)", "tank/a*", "tank/a\\b"),
    ],
)
def test_names_of_nothing(name: str) -> None:
    with pytest.raises(BadName) as caught:
        check_dataset(name)
    message = str(caught.value)
    assert len(message) < 250
    assert message.isprintable()
    message.encode()


@pytest.mark.parametrize("check", [check_snapshot_name, check_bookmark])
def test_names_after_the_mark(check: Callable[[str], str]) -> None:
    for name in ("a", "0", "auto_2026-11-21T16:00:00Z", "with blank", ".a", "x" * 255):
        assert check(name) == name
    for name in ("", "-a", "a@b", "a#b", "a/b", "a,b", "a%b", " a", "a ", ".", "..", "x" * 256):
        with pytest.raises(BadName):
            check(name)


def test_tags() -> None:
    for tag in ("lochkit:job", "lochkit:a-b.c:last", "x"):
        assert check_tag(tag) == tag
    for tag in ("", "-r", "a b", "a/b", "a\n", "x" * 256, "é"):
        with pytest.raises(BadName):
            check_tag(tag)


def test_full_names_of_snapshots() -> None:
    assert split_snapshot("tank/a@b c") == ("tank/a", "b c")
    for name in (
        "tank/a",
        "tank/a@",
        "@b",
        "tank@a@b",
        "tank#a",
        "tank/" + "x" * 200 + "@" + "y" * 60,
    ):
        with pytest.raises(BadName):
            split_snapshot(name)


def test_places() -> None:
    assert pool_of("tank/a/b") == pool_of("tank") == "tank"
    assert parents("tank/a/b") == ("tank", "tank/a")
    assert parents("tank") == ()
    assert is_within("tank/a", "tank/a")
    assert is_within("tank/a/b", "tank/a")
    assert not is_within("tank/ab", "tank/a")
    assert not is_within("tank", "tank/a")


def test_moving() -> None:
    assert moved("tank/a/b/c", "tank/a", "bulk/x") == "bulk/x/b/c"
    assert moved("tank/a", "tank/a", "bulk/x") == "bulk/x"
    for dataset, source, target in (
        ("tank/ab", "tank/a", "bulk"),
        ("tank/a", "tank/a", "bulk/.."),
        ("tank/" + "x" * 200, "tank", "bulk/" + "y" * 100),
        ("/".join(["t"] * 30), "t", "/".join(["b"] * 30)),
    ):
        with pytest.raises(BadName):
            moved(dataset, source, target)


@settings(max_examples=200)
@given(name=st.text(CHARACTERS, max_size=12))
def test_what_is_allowed_is_safe_on_a_command_line(name: str) -> None:
    for check in (check_dataset, check_snapshot_name, check_tag):
        try:
            check(name)
        except BadName:
            continue
        assert not name.startswith("-")
        assert not set(name) & set("@#%,\\$`'\"*?!|&;<>(){}[]~^=+\t\n\0")
        assert check is check_tag or not {"", ".", ".."} & set(name.split("/"))
