"""What is read of an object's JSON, and what is said of one that is wrong."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.dhcp.records import (
    GuestRecord,
    HypervisorRecord,
    RecordError,
    Resources,
    SubnetRecord,
    read_guest,
    read_hypervisor,
    read_subnet,
)

GUEST = {
    "id": "04b1d7aa-93c5-4f6e-9d21-7c5be1f0a101",
    "metadata": {"name": "web-1"},
    "type": "kvm",
    "flavor": "f",
    "hypervisor": "h",
    "network": "n",
    "subnet": "s",
    "fwgroup": "w",
    "mac": "02:1a:4f:c3:77:01",
    "ip": "10.20.0.37",
    "bridge": "br0",
}
UNSET = GuestRecord("", {}, "", "", "", "", "", "", "", "", "")


def value(**fields: Any) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


def test_a_guest_is_read() -> None:
    assert read_guest(value(**GUEST))._asdict() == GUEST


def test_a_hypervisor_is_read() -> None:
    fields = {"id": "h", "metadata": None, "ip": "i", "netmask": "n", "gateway": "g", "mac": "m"}
    resources = {"memory": 2**64 - 1, "disk": 2, "cpu": 3}
    found = read_hypervisor(
        value(**fields, total_resources=resources, available_resources=resources)
    )
    told = Resources(2**64 - 1, 2, 3)
    assert found == HypervisorRecord("h", {}, "i", "n", "g", "m", told, told)


def test_a_subnet_is_read() -> None:
    names = SubnetRecord._fields
    fields = {name: name if name != "metadata" else {} for name in names}
    assert read_subnet(value(**fields))._asdict() == fields


@pytest.mark.parametrize("name", GUEST)
def test_absent_and_null_are_unset(name: str) -> None:
    wanted = {**GUEST, name: {} if name == "metadata" else ""}
    assert read_guest(value(**{**GUEST, name: None}))._asdict() == wanted
    absent = {key: found for key, found in GUEST.items() if key != name}
    assert read_guest(value(**absent))._asdict() == wanted
    assert read_guest(b"{}") == UNSET


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"ID": "x"}, {"id": "x"}),
        ({"id": "x", "ID": "y"}, {"id": "y"}),
        ({"ID": "y", "id": "x"}, {"id": "x"}),
        ({"id": "x", "ID": None}, {"id": "x"}),
        ({"Metadata": {"Name": "x"}}, {"metadata": {"Name": "x"}}),
        ({"\u017fubnet": "x"}, {"subnet": "x"}),
        ({"fwgroup\u212a": "x", "\ufb02avor": "x", "\u0131d": "x"}, {}),
        ({"vlangroup": "x", "unknown": [1, {"id": 5}]}, {}),
        ({"metadata": {"name": None, "a": "b"}}, {"metadata": {"a": "b"}}),
    ],
)
def test_names_are_taken_in_any_case_and_unknown_ones_ignored(
    fields: dict[str, Any], wanted: dict[str, Any]
) -> None:
    assert read_guest(value(**fields)) == UNSET._replace(**wanted)


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({"ID": "y"}, {"id": "y"}),
        ({"ID": None, "Ip": ""}, {"ip": ""}),
        ({"\u017fubnet": "y"}, {"subnet": "y"}),
        ({"vlangroup": "y", "\ufb02avor": "y"}, {}),
    ],
)
def test_of_two_names_for_one_field_the_last_counts(
    more: dict[str, Any], wanted: dict[str, Any]
) -> None:
    assert read_guest(value(**{**GUEST, **more}))._asdict() == {**GUEST, **wanted}


@pytest.mark.parametrize("space", ["", " ", "\n\t\r "])
def test_white_space_does_not_matter(space: str) -> None:
    text = space + json.dumps(GUEST, indent=3) + space
    assert read_guest(text.encode())._asdict() == GUEST


@pytest.mark.parametrize("name", GUEST)
@pytest.mark.parametrize("wrong", [5, 1.5, True, [], {"a": 1}, "x"])
def test_a_wrong_type_is_named_with_its_field(name: str, wrong: Any) -> None:
    if isinstance(wrong, str) != (name == "metadata"):
        return
    with pytest.raises(RecordError, match=f'"{name}" is .*, not a'):
        read_guest(value(**{**GUEST, name: wrong}))
    with pytest.raises(RecordError, match=f'"{name}" is .*, not a'):
        read_guest(value(**{name.upper(): wrong}))


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        (5, '"total_resources" is 5, not an object'),
        ({"memory": "5"}, r'"total_resources.memory" is \\?"5\\?", not a whole number'),
        ({"memory": 1, "disk": 2, "CPU": 1.0}, '"total_resources.cpu" is 1.0, not a whole number'),
        ({"memory": True}, '"total_resources.memory" is true'),
    ],
)
def test_what_is_wrong_inside_is_named(resources: Any, said: str) -> None:
    with pytest.raises(RecordError, match=said):
        read_hypervisor(value(total_resources=resources))


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b" ", b"{", b"nil", b"[]", b"null", b'"{}"', b"5", b"{}{}", b"{} x", b'{"id":}'),
        *(
            b'{"id":NaN}',
            b'{"id":"\xff"}',
            b'\xef\xbb\xbf{"id":""}',
            b'{"id":"a\nb"}',
            b"{'id':''}",
        ),
        *(b"[" * 100_000, b'{"a":' * 100_000, b'{"cpu":' + b"9" * 5000 + b"}", b"{\x00}"),
        '{"id":""}'.encode("utf-16"),
    ],
)
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(RecordError, match="the value is"):
        read_guest(data)


@given(
    st.one_of(
        st.binary(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*GUEST]), inner),
        ).map(lambda found: json.dumps(found).encode()),
    )
)
def test_nothing_but_a_record_or_its_error_comes_of_anything(data: bytes) -> None:
    for read in (read_guest, read_hypervisor, read_subnet):
        said = "fine"
        try:
            assert isinstance(read(data), tuple)
        except RecordError as exc:
            said = str(exc)
        assert said.isascii()
        assert len(said) < 300
