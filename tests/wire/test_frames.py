"""Frames: read in any portions, and refused where they are none."""

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lochkit.wire.faults import WireFault
from lochkit.wire.frames import CHUNK_LIMIT, TRAILER_LIMIT, FrameReader, Kind, encode_header

from .feeding import feed, frame, portions

CONVERSATION = b"".join(
    (
        frame(Kind.MESSAGE, b'{"Type":"offer"}'),
        frame(Kind.HEARTBEAT),
        frame(Kind.CHUNK, b"J" * 300),
        frame(Kind.HEARTBEAT),
        frame(Kind.TRAILER, b"{}"),
    )
)
TOLD = [
    (Kind.MESSAGE, 16, b'{"Type":"offer"}'),
    (Kind.HEARTBEAT, 0, b""),
    (Kind.CHUNK, 300, b""),
    (Kind.HEARTBEAT, 0, b""),
    (Kind.TRAILER, 2, b"{}"),
]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64, 1000])
def test_frames_come_whole_whatever_the_portions(size: int) -> None:
    reader = FrameReader()
    found = list(feed(reader, portions(CONVERSATION, size)))
    assert [(one.kind, one.length, one.payload) for one in found] == TOLD
    assert not reader.begun


def test_a_large_message_comes_whole() -> None:
    payload = bytes(range(256)) * 1024
    [found] = feed(FrameReader(), portions(frame(Kind.MESSAGE, payload), 10_007))
    assert found.payload == payload


def test_a_reader_knows_that_a_frame_has_begun() -> None:
    reader = FrameReader()
    data = frame(Kind.MESSAGE, b"{}")
    for end in range(1, len(data)):
        list(feed(reader, [data[end - 1 : end]]))
        assert reader.begun
    list(feed(reader, [data[-1:]]))
    assert not reader.begun


@pytest.mark.parametrize(
    ("kind", "length", "said"),
    [
        (Kind.MESSAGE, (1 << 20) + 1, "a message of 1048577 bytes"),
        (Kind.CHUNK, CHUNK_LIMIT + 1, "a chunk of"),
        (Kind.TRAILER, TRAILER_LIMIT + 1, "a trailer of"),
        (Kind.HEARTBEAT, 1, "a heartbeat of 1 bytes"),
        (Kind.MESSAGE, 0xFFFF_FFFF, "a message of 4294967295 bytes"),
        (Kind.MESSAGE, 0, "an empty message"),
        (Kind.CHUNK, 0, "an empty chunk"),
        (Kind.TRAILER, 0, "an empty trailer"),
    ],
)
def test_a_length_over_the_limit_is_refused_with_the_header(
    kind: Kind, length: int, said: str
) -> None:
    with pytest.raises(WireFault, match=said):
        list(feed(FrameReader(), [encode_header(kind, length)]))


@pytest.mark.parametrize("first", [b"X", b"\0", b"\x16", b"G", b"j"])
def test_another_kind_is_refused(first: bytes) -> None:
    with pytest.raises(WireFault, match="a frame began with"):
        list(feed(FrameReader(), [first + bytes(4)]))


def test_the_limit_of_messages_can_be_raised() -> None:
    reader = FrameReader()
    reader.message_limit = 1 << 24
    payload = bytes((1 << 20) + 1)
    [found] = feed(reader, portions(frame(Kind.MESSAGE, payload), 1 << 16))
    assert found.length == len(payload)


def test_a_length_alone_takes_no_memory() -> None:
    reader = FrameReader()
    reader.message_limit = 1 << 24
    tracemalloc.start()
    try:
        list(feed(reader, [encode_header(Kind.MESSAGE, 1 << 24), b"x" * 1000]))
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


@settings(max_examples=200)
@given(
    frames=st.lists(
        st.tuples(st.sampled_from([Kind.MESSAGE, Kind.TRAILER]), st.binary(min_size=1))
    ),
    size=st.integers(1, 50),
)
def test_what_is_written_is_read(frames: list[tuple[Kind, bytes]], size: int) -> None:
    data = b"".join(frame(kind, payload) for kind, payload in frames)
    found = feed(FrameReader(), portions(data, size))
    assert [(one.kind, one.payload) for one in found] == frames
