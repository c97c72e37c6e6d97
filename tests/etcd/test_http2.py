"""`GrpcCore` beside a client that leaves everything to h2: the same bytes, the same messages.

A scripted server writes answers on several streams at once, padded or not, ended by trailers or by
data; both clients are fed its bytes, cut at random places.
"""

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lochkit.etcd.errors import EtcdError, ProtocolError
from lochkit.etcd.grpc_frames import MessageReader, frame_message
from lochkit.etcd.http2 import GrpcCore
from lochkit.etcd.http2_frames import FrameCutter, make_frame, window_update
from lochkit.etcd.http2_stream import STREAM_WINDOW

REQUEST = ((":method", "POST"), (":path", "/"), (":scheme", "http"), (":authority", "a"))
ANSWER = ((":status", "200"), ("content-type", "application/grpc"))


@dataclass
class Heard:
    """A handler that keeps what it hears, and consumes at once or never."""

    messages: list[bytes] = field(default_factory=list)
    ends: list[EtcdError | None] = field(default_factory=list)

    def message(self, body: bytes) -> None:
        assert not self.ends
        self.messages.append(body)

    def ended(self, error: EtcdError | None) -> None:
        self.ends.append(error)


def server() -> h2.connection.H2Connection:
    made = h2.connection.H2Connection(
        h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
    )
    made.initiate_connection()
    return made


def core_and_server(streams: int) -> tuple[GrpcCore, h2.connection.H2Connection, list[Heard]]:
    """A client with calls open, and the server that has heard of them."""
    core = GrpcCore("a:1", "http", max_message_bytes=1 << 24)
    heard = [Heard() for _ in range(streams)]
    for each in heard:
        core.send(core.open("/x/Y", (), each), b"", end=True)
    far = server()
    far.receive_data(core.data_to_send())
    return core, far, heard


class PureH2:
    """The reference: h2 for everything, credit returned at once."""

    def __init__(self, streams: int) -> None:
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(1 << 24)
        self.readers = {2 * number + 1: MessageReader(1 << 24) for number in range(streams)}
        self.messages: dict[int, list[bytes]] = {stream: [] for stream in self.readers}
        self.ended: set[int] = set()
        for stream in self.readers:
            self.h2.send_headers(
                stream,
                ((":method", "POST"), (":path", "/"), (":scheme", "http"), (":authority", "a")),
            )
            self.h2.send_data(stream, frame_message(b""), end_stream=True)

    def receive(self, data: bytes) -> None:
        for event in self.h2.receive_data(data):
            if isinstance(event, h2.events.DataReceived):
                found = self.readers[event.stream_id].feed(event.data)
                self.messages[event.stream_id] += found
            elif isinstance(event, h2.events.StreamEnded):
                self.ended.add(event.stream_id)


@dataclass(frozen=True)
class Frame:
    """One DATA frame of a script: whose, how much of its stream's bytes, how padded."""

    stream: int
    size: int
    padding: int | None


STREAMS = 3
frames = st.lists(
    st.builds(
        Frame,
        stream=st.integers(0, STREAMS - 1),
        size=st.integers(0, 3000),
        padding=st.none() | st.integers(0, 255),
    ),
    max_size=30,
)
bodies = st.lists(
    st.lists(st.binary(max_size=2000), max_size=6), min_size=STREAMS, max_size=STREAMS
)


def script_bytes(
    far: h2.connection.H2Connection, sent: list[list[bytes]], plan: list[Frame], by_data: set[int]
) -> Iterator[bytes]:
    """What the server writes: the messages of each stream cut as planned, then all endings."""
    left = [b"".join(map(frame_message, messages)) for messages in sent]
    for number in range(STREAMS):
        far.send_headers(2 * number + 1, ANSWER)
    for frame in plan:
        chunk, left[frame.stream] = (
            left[frame.stream][: frame.size],
            left[frame.stream][frame.size :],
        )
        far.send_data(2 * frame.stream + 1, chunk, pad_length=frame.padding)
        yield far.data_to_send()
    for number, rest in enumerate(left):
        stream = 2 * number + 1
        while len(rest) > 10_000:
            far.send_data(stream, rest[:10_000])
            rest = rest[10_000:]
        far.send_data(stream, rest, end_stream=number in by_data)
        if number not in by_data:
            far.send_headers(stream, (("grpc-status", "0"),), end_stream=True)
        yield far.data_to_send()


def cut(data: bytes, places: list[int]) -> Iterator[bytes]:
    bounds = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    for start, end in itertools.pairwise(bounds):
        yield data[start:end]


@settings(max_examples=150, deadline=None)
@given(
    sent=bodies,
    plan=frames,
    by_data=st.sets(st.integers(0, STREAMS - 1)),
    places=st.lists(st.integers(0, 1 << 20), max_size=40),
)
def test_the_short_way_and_h2_hear_the_same(
    sent: list[list[bytes]], plan: list[Frame], by_data: set[int], places: list[int]
) -> None:
    core, far, heard = core_and_server(STREAMS)
    data = far.data_to_send() + b"".join(script_bytes(far, sent, plan, by_data))
    pure = PureH2(STREAMS)
    for chunk in cut(data, places):
        core.receive(chunk)
        pure.receive(chunk)
    for number, each in enumerate(heard):
        assert each.messages == pure.messages[2 * number + 1] == sent[number]
        assert len(each.ends) == 1
        assert (each.ends[0] is None) == (number not in by_data)  # no status is no success
    assert pure.ended == {1, 3, 5}
    assert core.open_streams == 0
    far.receive_data(core.data_to_send())  # and whatever we say back is HTTP/2


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=300), start=st.booleans())
def test_any_bytes_are_digested_or_refused_with_a_typed_error(data: bytes, start: bool) -> None:
    core, far, _ = core_and_server(1)
    core.receive(far.data_to_send())
    if start:
        far.send_headers(1, ANSWER)
        core.receive(far.data_to_send())
    with contextlib.suppress(ProtocolError):
        core.receive(data)


@settings(max_examples=300, deadline=None)
@given(place=st.integers(0, 10_000), bit=st.integers(0, 7), seed=bodies)
def test_a_flipped_bit_is_digested_or_refused_with_a_typed_error(
    place: int, bit: int, seed: list[list[bytes]]
) -> None:
    core, far, heard = core_and_server(STREAMS)
    data = bytearray(far.data_to_send() + b"".join(script_bytes(far, seed, [], set())))
    data[place % len(data)] ^= 1 << bit
    try:
        core.receive(bytes(data))
    except ProtocolError:
        return
    core.fail_all(ProtocolError("over"))
    assert all(len(each.ends) == 1 for each in heard)


def test_credit_comes_back_only_for_what_was_consumed() -> None:
    core, far, heard = core_and_server(1)
    far.send_headers(1, ANSWER)
    stream = next(iter(core._streams.values()))
    room = far.local_flow_control_window(1)
    assert room == STREAM_WINDOW
    message = frame_message(bytes(100_000))
    sent = 0
    while far.local_flow_control_window(1) > 20_000 and far.outbound_flow_control_window > 20_000:
        chunk = message[sent % len(message) :][:16_000]
        far.send_data(1, chunk)
        sent += len(chunk)
        core.receive(far.data_to_send())
        far.receive_data(core.data_to_send())
    assert sent <= STREAM_WINDOW  # nothing consumed, nothing given back
    held = sum(map(len, heard[0].messages))
    core.consumed(stream, held)
    far.receive_data(core.data_to_send())
    assert far.local_flow_control_window(1) > STREAM_WINDOW - 200_000


def test_a_server_that_overruns_the_window_is_refused() -> None:
    core, far, _ = core_and_server(1)
    far.send_headers(1, ANSWER)
    core.receive(far.data_to_send())
    body = bytes(16_384)
    frame = len(body).to_bytes(3, "big") + b"\0\0\0\0\0\x01" + body
    first = bytearray(body)
    first[:5] = b"\0\0\0\x01\0"  # messages of 256 bytes that nobody consumes
    with pytest.raises(ProtocolError, match="window"):  # noqa: PT012
        for _ in range(2 * STREAM_WINDOW // 16_384):
            core.receive(frame[:9] + bytes(first))


def test_a_ping_is_answered_with_its_own_bytes_and_an_answer_is_counted() -> None:
    core, far, _ = core_and_server(1)
    core.receive(far.data_to_send())
    far.receive_data(core.data_to_send())
    far.ping(b"12345678")
    core.receive(far.data_to_send())
    [heard] = far.receive_data(core.data_to_send())
    assert isinstance(heard, h2.events.PingAckReceived)
    assert heard.ping_data == b"12345678"
    assert core.pings_answered == 0
    core.ping()
    [heard_too] = far.receive_data(core.data_to_send())
    assert isinstance(heard_too, h2.events.PingReceived)
    core.receive(far.data_to_send())
    assert core.pings_answered == 1
    assert core.data_to_send() == b""  # an answer is not answered


@pytest.mark.parametrize(
    "bad",
    [make_frame(0x6, 0, 1, bytes(8)), make_frame(0x6, 0, 0, bytes(7)), make_frame(0x6, 1, 0, b"")],
)
def test_a_ping_of_the_wrong_shape_is_refused(bad: bytes) -> None:
    core, far, _ = core_and_server(1)
    core.receive(far.data_to_send())
    with pytest.raises(ProtocolError, match="PING"):
        core.receive(bad)


def test_a_ping_within_a_header_block_is_refused() -> None:
    core, far, _ = core_and_server(1)
    core.receive(far.data_to_send())
    core.receive(make_frame(0x1, 0, 1, b""))  # HEADERS, to be continued
    with pytest.raises(ProtocolError):
        core.receive(make_frame(0x6, 0, 0, bytes(8)))


def test_windows_updates_are_what_h2_reads() -> None:
    far = server()
    client = h2.connection.H2Connection(h2.config.H2Configuration())
    client.initiate_connection()
    far.receive_data(client.data_to_send())
    [event] = far.receive_data(window_update(0, 12345))
    assert isinstance(event, h2.events.WindowUpdated)
    assert event.delta == 12345


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=10))
def test_frames_are_cut_the_same_wherever_the_bytes_are(data: bytes, places: list[int]) -> None:
    try:
        whole = FrameCutter().feed(data)
    except ProtocolError:
        return
    cutter = FrameCutter()
    assert [frame for chunk in cut(data, places) for frame in cutter.feed(chunk)] == whole
