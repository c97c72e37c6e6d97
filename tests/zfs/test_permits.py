"""What clients may do, and which properties they may set."""

import pytest

from lochkit.zfs.errors import BadName
from lochkit.zfs.offers_properties import check_property, refused_property
from lochkit.zfs.permits import Permit, Permits


@pytest.mark.parametrize(
    ("dataset", "may"),
    [
        ("bulk/web1", True),
        ("bulk/web1/data", True),
        ("bulk/web10", False),
        ("bulk/web1x/data", False),
        ("bulk", False),
        ("bulk/other", False),
        ("ssd/web1", False),
        ("cold/web1/data", True),
    ],
)
def test_a_client_may_write_below_its_roots_only(dataset: str, may: bool) -> None:
    permit = Permit(client="web1", write=("bulk/web1", "cold/web1"))
    assert permit.may_write(dataset) is may
    assert permit.may_see(dataset) is may


def test_nothing_is_allowed_unless_it_is_said() -> None:
    permit = Permit(client="web1")
    assert not permit.may_write("bulk")
    assert not permit.may_order("take_snapshot", "bulk")
    assert not permit.rollback
    assert not permit.properties


def test_orders_are_allowed_by_action_and_by_dataset() -> None:
    permit = Permit(client="d", orders=frozenset(("take_snapshot",)), orders_on=("ssd/a",))
    assert permit.may_order("take_snapshot", "ssd/a/b")
    assert not permit.may_order("take_snapshot", "ssd/ab")
    assert not permit.may_order("destroy_snapshot", "ssd/a")


def test_strangers_have_no_permit() -> None:
    web1 = Permit(client="web1", write=("bulk/web1",))
    permits = Permits(clients={"web1": web1})
    assert permits.of("web1") is web1
    assert permits.of("web2") is None
    assert permits.of("") is None
    assert permits.of(None) is None
    assert Permits(anonymous=web1).of(None) is web1
    assert Permits(anonymous=web1).of("web1") is None


@pytest.mark.parametrize(
    "name", ["readonly", "org.zfsbootmenu:x", "lochkit:source", ":uuid", "com.sun:a-b_c+d.e"]
)
def test_names_of_properties(name: str) -> None:
    assert check_property(name) == name


@pytest.mark.parametrize("name", ["", "-o", "a=b", "Readonly", "a b", "a:b\n", "x" * 300, "a@b"])
def test_names_that_no_property_has(name: str) -> None:
    with pytest.raises(BadName):
        check_property(name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("readonly", "on"),
        ("compression", "zstd"),
        ("canmount", "noauto"),
        ("mountpoint", "none"),
        ("setuid", "off"),
        ("sharenfs", "off"),
        ("volmode", "none"),
        ("backup:by", "us"),
        ("lochkit:source", "17"),
    ],
)
def test_harmless_properties_may_be_set(name: str, value: str) -> None:
    assert refused_property(name, value) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mountpoint", "/etc"),
        ("canmount", "on"),
        ("sharenfs", "rw"),
        ("sharesmb", "on"),
        ("setuid", "on"),
        ("exec", "on"),
        ("devices", "on"),
        ("zoned", "on"),
        ("volmode", "full"),
        ("keylocation", "file:///etc/shadow"),
        ("encryption", "on"),
        ("origin", "bulk/other@x"),
        ("volsize", "1T"),
        ("lochkit:placeholder", "bulk/web1"),
        ("some_new_property", "on"),
    ],
)
def test_properties_that_mount_share_or_are_unknown_may_not(name: str, value: str) -> None:
    assert refused_property(name, value)
