"""Which keys are those of objects, and how they are named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.dhcp.layout import Layout, ObjectKind
from lochkit.dhcp.model import Group
from lochkit.etcd.prefix import covers

ID = "04b1d7aa-93c5-4f6e-9d21-7c5be1f0a101"


@pytest.mark.parametrize(
    ("prefix", "root"),
    [
        ("/lochness", b"/lochness/"),
        ("/lochness/", b"/lochness/"),
        ("lochness", b"lochness/"),
        ("/a/b", b"/a/b/"),
        ("/", b"/"),
        ("", b""),
        ("/\udcff", b"/\xff/"),
    ],
)
@pytest.mark.parametrize("kind", ObjectKind)
def test_objects_are_found_below_the_prefix(prefix: str, root: bytes, kind: ObjectKind) -> None:
    layout = Layout(prefix)
    key = root + f"{kind.value}/{ID}/metadata".encode()
    assert layout.split(key) == (kind, ID)
    assert layout.wanted(key)
    assert covers(layout.ranges(), key)
    assert key.startswith(layout.folder(kind))
    assert not layout.wanted(b"x" + key)
    assert not layout.wanted(b"/" + key)


@pytest.mark.parametrize(
    "key",
    [
        f"/lochness/hypervisors/{ID}/heartbeat",
        f"/lochness/hypervisors/{ID}/guests/{ID}",
        f"/lochness/hypervisors/{ID}/config/metadata",
        f"/lochness/guests/{ID}",
        f"/lochness/guests/{ID}/metadata/",
        f"/lochness/guests/{ID}/metadata2",
        f"/lochness/guests/{ID}metadata",
        f"/lochness/guestsx/{ID}/metadata",
        f"/lochness/networks/{ID}/metadata",
        f"lochness/guests/{ID}/metadata",
        f"/Lochness/guests/{ID}/metadata",
        "/lochness/guests//metadata",
        "/lochness/guests/metadata",
        "/lochness/guests/",
        "",
    ],
)
def test_other_keys_are_not_wanted(key: str) -> None:
    assert Layout().split(key.encode()) is None
    assert not Layout().wanted(key.encode())


def test_a_key_has_a_text_by_kind_or_by_group() -> None:
    wanted = f"/lochness/guests/{ID}/metadata"
    assert Layout().key(ObjectKind.GUESTS, ID) == wanted
    assert Layout().key(Group.GUESTS, ID) == wanted
    assert Layout("lochness").key(Group.GUESTS, ID) == wanted[1:]


@given(
    st.lists(
        st.one_of(
            st.binary(min_size=1), st.text(alphabet="\\xf0\n\u20ac", min_size=1).map(str.encode)
        ),
        min_size=2,
        max_size=2,
        unique=True,
    ),
)
def test_different_keys_have_different_texts(names: list[bytes]) -> None:
    found = [Layout().split(b"/lochness/guests/%b/metadata" % name) for name in names]
    if None not in found:
        first, second = (split[1] for split in found if split)
        assert first != second
        (first + second).encode()
