import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.etcdwatch.text import Base64, Binary, key_text, leaf_of


@pytest.mark.parametrize("policy", list(Binary))
@given(text=st.text())
def test_text_is_text_under_every_policy(policy: Binary, text: str) -> None:
    assert leaf_of(text.encode(), policy) == text


@pytest.mark.parametrize("policy", [Binary.ERROR, Binary.SKIP])
def test_what_is_not_text_has_none(policy: Binary) -> None:
    assert leaf_of(b"\xff", policy) is None
    assert key_text(b"/a/\xff", policy) is None


@given(st.binary())
def test_base64_loses_nothing(value: bytes) -> None:
    leaf = leaf_of(value, Binary.BASE64)
    assert (
        base64.b64decode(leaf.text) if isinstance(leaf, Base64) else str(leaf).encode()
    ) == value


def test_binary_segment_of_a_key_is_encoded_alone() -> None:
    assert key_text(b"/app/\xfb\xff/x", Binary.BASE64) == "/app/base64:-_8=/x"
    assert key_text(b"/app/base64:/x", Binary.BASE64) == "/app/base64:YmFzZTY0Og==/x"
    assert key_text(b"/app/base64:/x", Binary.ERROR) == "/app/base64:/x"


segments = st.one_of(st.binary(max_size=4), st.just(b"base64:"), st.just(b"base64:_w=="))
keys = st.lists(segments, max_size=3).map(b"/".join)


@given(keys, keys)
def test_no_two_keys_have_the_same_text(first: bytes, second: bytes) -> None:
    if first != second:
        assert key_text(first, Binary.BASE64) != key_text(second, Binary.BASE64)
