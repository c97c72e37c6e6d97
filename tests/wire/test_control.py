"""Messages: what JSON may hold here, and what it may cost."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lochkit.wire.control import DEPTH_LIMIT, VALUE_LIMIT, decode_message, encode_message
from lochkit.wire.faults import WireFault

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text('a"\\\n\x00\u20ac\U0001f600', max_size=5),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from("abc\u00e9"), inner, max_size=4)
    ),
    max_leaves=8,
)


@settings(max_examples=60)
@given(message=st.dictionaries(st.sampled_from("abc"), VALUES))
def test_what_is_sent_is_received(message: dict[str, Any]) -> None:
    assert decode_message(encode_message(message)) == message


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"{}{}", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"1", "not a JSON object"),
        (b'"x"', "not a JSON object"),
        (b'{"a":1,"a":2}', "a key occurs twice"),
        (b'{"x":{"a":1,"\\u0061":2}}', "a key occurs twice"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":-Infinity}', "Infinity"),
        (b'{"a":1e999}', "too large"),
        (b'{"a":' + b"1" * 41 + b"}", "a number of 41 digits"),
        (b'{"a":0.' + b"1" * 5000 + b"}", "too long"),
        (b'{"a":' + b"1" * 5000 + b"}", "a number of 5000 digits"),
        (b'{"a":"\xff"}', "not UTF-8"),
        (b'{"a":"\\ud800"}', "not UTF-8"),
        (b'{"\\udfff":1}', "not UTF-8"),
        (b'{"a":"\x00"}', "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
    ],
)
def test_what_is_not_wanted_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(WireFault, match=said):
        decode_message(data)


@pytest.mark.parametrize("inner", ["[", '{"a":'])
@pytest.mark.parametrize("depth", [DEPTH_LIMIT, 1000, 100_000])
def test_depth_has_a_limit(inner: str, depth: int) -> None:
    end = "]" if inner == "[" else "}"
    data = '{"a":' + inner * depth + "1" + end * depth + "}"
    with pytest.raises(WireFault, match="more than 32 levels"):
        decode_message(data.encode())


def test_depth_to_the_limit_is_fine() -> None:
    inner: object = 1
    for _ in range(DEPTH_LIMIT - 1):
        inner = [inner]
    assert decode_message(json.dumps({"a": inner}).encode()) == {"a": inner}


@pytest.mark.parametrize("bomb", [b"[],", b'{"a":[]},', b'"",'])
def test_many_small_values_take_no_more_than_bounded_memory(bomb: bytes) -> None:
    within = bomb * (VALUE_LIMIT // bomb.count(b",") // (1 + bomb.count(b"[") + bomb.count(b"{")))
    tracemalloc.start()
    try:
        with pytest.raises(WireFault, match="values"):
            decode_message(b'{"a":[' + bomb * (1 << 19) + b"0]}")
        decode_message(b'{"a":[' + within[: -2 * len(bomb)] + b"0]}")
        assert tracemalloc.get_traced_memory()[1] < 48_000_000
    finally:
        tracemalloc.stop()


def test_a_page_of_an_inventory_is_within_the_limits() -> None:
    one = {"Guid": str(2**64 - 1), "Name": "hot_2026-11-21T16:45:04Z", "TXG": 2**40, "Holds": 0}
    page = {"Type": "dataset", "Snapshots": [one] * 4000}
    assert decode_message(encode_message(page, limit=1 << 20)) == page


def test_what_can_not_be_sent_is_a_bug() -> None:
    with pytest.raises(ValueError, match="it may have 10"):
        encode_message({"a": "x" * 10}, limit=10)
    with pytest.raises(ValueError, match="JSON"):
        encode_message({"a": float("nan")})
