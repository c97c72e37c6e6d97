"""Names that go into configuration files."""

import pytest

from lochkit.dhcp.model import Group
from lochkit.dhcp.naming import check_domain, check_name, group_domains

LONG = ".".join(["a" * 63] * 3 + ["a" * 61])  # 253 characters


@pytest.mark.parametrize("name", ["ex", "example.com", "a-b.c", "9.example", "X--y.Z", LONG])
def test_a_name_is_taken_as_it_is(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "a.", ".a", "a..b", "-a", "a-", "a_b", "a b", "ä", "a\n", 'a"', "a;", "a/b"),
        *("a" * 64, LONG + "a", "10.0.0.1", "a.1"),
    ],
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="DNS name"):
        check_name(name)


def test_a_domain_leaves_room_for_the_names_in_it() -> None:
    assert check_domain(LONG[14:]) == LONG[14:]
    with pytest.raises(ValueError, match="leave room for names"):
        check_domain(LONG[13:])


def test_each_group_has_its_domain() -> None:
    assert group_domains("ex") == {Group.HYPERVISORS: "nodes.ex", Group.GUESTS: "guests.ex"}
