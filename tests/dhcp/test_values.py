"""Which texts are addresses, networks, MACs and ids, and which are not."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.dhcp.values import (
    is_label,
    is_uuid,
    network_of,
    number_of,
    quote,
    read_address,
    read_host_address,
    read_mac,
    read_netmask,
    read_network,
)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("52:54:00:aa:bb:cc", "52:54:00:aa:bb:cc"),
        ("52:54:00:AA:bb:Cc", "52:54:00:aa:bb:cc"),
        ("52-54-00-aa-bb-cc", "52:54:00:aa:bb:cc"),
        ("5254.00aa.BBCC", "52:54:00:aa:bb:cc"),
        ("00:00:00:00:00:02", "00:00:00:00:00:02"),
    ],
)
def test_a_mac_address_is_read_in_every_spelling(text: str, canonical: str) -> None:
    assert read_mac(text) == canonical


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not six pairs"),
        ("525400aabbcc", "not six pairs"),
        ("5:54:00:aa:bb:cc", "not six pairs"),
        ("52:54-00:aa:bb:cc", "not six pairs"),
        ("52:54:00:aa:bb", "not six pairs"),
        ("52:54:00:aa:bb:cc:dd", "not six pairs"),
        ("52:54:00:aa:bb:cc\n", "not six pairs"),
        (" 52:54:00:aa:bb:cc", "not six pairs"),
        ("52:54:00:aa:bb:cg", "not six pairs"),
        ("52:54:00:aa:bb:c\u0661", "not six pairs"),
        ("5254.00aa.bb:cc", "not six pairs"),
        ("02:00:00:00:00:00:00:01", "not an Ethernet address: it has 8 bytes"),
        ("0200.0000.0000.0001", "not an Ethernet address: it has 8 bytes"),
        (":".join(["02"] * 20), "not an Ethernet address: it has 20 bytes"),
        ("00:00:00:00:00:00", "no interface"),
        ("0000.0000.0000", "no interface"),
        ("ff:ff:ff:ff:ff:ff", "group address"),
        ("01:00:5E:00:00:01", "group address"),
    ],
)
def test_what_no_interface_can_have_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_mac(text)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("10.20.0.37", "10.20.0.37"),
        ("0.0.0.0", "0.0.0.0"),
        ("255.255.255.255", "255.255.255.255"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::FFFF:0a00:0001", "10.0.0.1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("2001:db8::10.0.0.1", "2001:db8::a00:1"),
    ],
)
def test_an_address_is_read_in_every_spelling(text: str, canonical: str) -> None:
    assert read_address(text)[0] == canonical
    assert number_of(canonical) == read_address(text)[1]


@pytest.mark.parametrize(
    "text",
    [
        *("", "10.0.0", "10.0.0.1.1", "10.0.0.256", "010.0.0.1", "10.0.0.01", "10.0.0.1/24", "1"),
        *(
            " 10.0.0.1",
            "10.0.0.1\n",
            "10.0.0.-1",
            "10.0.0.1e1",
            "10.0.0.\u0661",
            "10..0.1",
            "0x7f.1",
        ),
        *("::1%eth0", "fe80::1%25eth0", ":::", "2001:db8::1::", "12345::", "::1/64", "<nil>"),
        *("::ffff:010.0.0.1", "2001:db8::1 ", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", ":" * 1000),
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not|has a zone"):
        read_address(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("255.255.255.255", "broadcast"),
        ("224.0.0.1", "multicast"),
        ("239.255.255.255", "multicast"),
        ("ff02::1", "multicast"),
        ("nobody", "is not"),
    ],
)
def test_what_no_single_host_can_have_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_host_address(text)


@pytest.mark.parametrize("text", ["0.0.0.1", "223.255.255.255", "240.0.0.1", "::1", "feff::1"])
def test_addresses_next_to_those_are_taken(text: str) -> None:
    assert read_host_address(text) == read_address(text)


@given(st.ip_addresses())
def test_numbers_tell_addresses_of_both_versions_apart(
    address: IPv4Address | IPv6Address,
) -> None:
    canonical, number = read_address(str(address))
    found = ip_address(canonical)
    assert number == int(found) + (found.version == 6) * 2**128
    if isinstance(address, IPv4Address) or address.ipv4_mapped is None:
        assert found == address


@given(st.text(alphabet="0123456789abcf.:%/ ", max_size=20))
def test_the_standard_library_agrees_on_what_is_an_address(text: str) -> None:
    try:
        wanted = ip_address(text) if "%" not in text else None
    except ValueError:
        wanted = None
    if isinstance(wanted, IPv6Address) and wanted.ipv4_mapped is not None:
        wanted = wanted.ipv4_mapped
    try:
        found = read_address(text)[0]
    except ValueError:
        assert wanted is None
    else:
        assert found == str(wanted)


@given(st.integers(0, 32))
def test_every_netmask_is_read(length: int) -> None:
    assert read_netmask(str(ip_network(f"0.0.0.0/{length}").netmask)) == length


@pytest.mark.parametrize(
    "text", ["255.0.255.0", "0.0.0.255", "255.255.255.1", "24", "/24", "", "ffff::", "255.255.255"]
)
def test_what_is_no_netmask_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not"):
        read_netmask(text)


@given(st.ip_addresses(), st.data())
def test_networks_are_those_of_the_standard_library(
    address: IPv4Address | IPv6Address, data: st.DataObject
) -> None:
    length = data.draw(st.integers(0, address.max_prefixlen))
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return
    found = read_network(f"{address}/{length}")
    wanted = ip_network(f"{address}/{length}", strict=False)
    assert (found.text, found.version) == (str(wanted), wanted.version)
    assert found.netmask == (str(wanted.netmask) if wanted.version == 4 else None)
    first, last = number_of(str(wanted[0])), number_of(str(wanted[-1]))
    assert (found.first, found.last) == (first, last)
    edge = int(wanted.version == 4 and length <= 30)
    assert (found.low, found.high) == (first + edge, last - edge)
    assert network_of(number_of(str(address)), length) == found


@pytest.mark.parametrize(
    "text",
    [
        *("", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/255.255.255.0"),
        *("10.0.0/8", "10.0.0.0/8/8", "10.0.0.0/ 8", "10.0.0.0/\u0668", "2001:db8::/129"),
        *("::ffff:10.0.0.0/120", "10.0.0.0/0000000008", "/24"),
    ],
)
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not|has no|is an IPv4"):
        read_network(text)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("04b1d7aa-93c5-4f6e-9d21-7c5be1f0a101", True),
        ("00000000-0000-0000-0000-000000000000", True),
        ("04B1d7aa-93c5-4f6e-9d21-7c5be1f0a101", False),
        ("04b1d7aa93c54f6e9d217c5be1f0a101", False),
        ("{04b1d7aa-93c5-4f6e-9d21-7c5be1f0a101}", False),
        ("04b1d7aa-93c5-4f6e-9d21-7c5be1f0a101\n", False),
        ("04b1d7aa-93c5-4f6e-9d21-7c5be1f0a10", False),
        ("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", False),
        ("04b1d7aa-93c5-4f6e-9d21-7c5be1f0a10\u0661", False),
        ("\ud800", False),
        ("", False),
    ],
)
def test_only_canonical_uuids_are_ids(text: str, is_one: bool) -> None:
    assert is_uuid(text) is is_one


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        *((name, True) for name in ("a", "web-1", "Web-1", "0", "a" * 63, "a--b")),
        *((name, False) for name in ("", "-a", "a-", "a.b", "a_b", "a b", "a\n", "é", "a" * 64)),
    ],
)
def test_only_labels_are_host_names(text: str, is_one: bool) -> None:
    assert is_label(text) is is_one


@given(st.text())
def test_a_quoted_text_can_be_printed_anywhere(text: str) -> None:
    quoted = quote(text)
    assert quoted.isascii()
    assert quoted.isprintable()
