"""Messages between two hosts: in order, in time, and never out of step."""

import socket
from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing

from lochkit.io.peer_errors import PeerClosed, PeerError, PeerSilent, ProtocolFault
from lochkit.io.peer_line import PlainLine
from lochkit.io.peer_socket import Peer
from lochkit.wire.frames import Kind, encode_header
from lochkit.wire.trailer import Trailer

from ..fakes.peers import peer_pair
from ..wire.feeding import frame


@pytest.fixture
async def raw() -> AsyncIterator[tuple[Peer, trio.SocketStream]]:
    """One end, and the bare socket of the other."""
    one, two = trio.socket.socketpair()
    ours = socket.socket(fileno=one.detach())
    ours.setblocking(False)
    peer = Peer(PlainLine(ours), name=None, address="vault:1")
    async with peer, trio.SocketStream(two) as stream:
        with trio.fail_after(10):  # noqa: ASYNC100 (the test's)
            yield peer, stream


async def send_many(peer: Peer, *, timeout: float = 0.2) -> None:
    for _ in range(100):
        await peer.send({"a": "x" * 500_000}, timeout=timeout)


async def receive_many(peer: Peer) -> None:
    for _ in range(100):
        await peer.receive(timeout=2)


async def test_messages_go_both_ways_in_order() -> None:
    async with peer_pair(left="web1", right="vault") as (left, right):
        assert (left.name, right.name) == ("vault", "web1")
        for number in range(3):
            await left.send({"Type": "a", "Number": number})
        await right.send({"Type": "b", "Text": "\u20ac"})
        got = [await right.receive(timeout=2) for _ in range(3)]
        assert got == [{"Type": "a", "Number": number} for number in range(3)]
        assert await left.receive(timeout=2) == {"Type": "b", "Text": "\u20ac"}


async def test_a_large_message_passes_a_small_buffer() -> None:
    page = {"Names": ["x" * 1000] * 900}
    async with peer_pair() as (left, right), trio.open_nursery() as nursery:
        nursery.start_soon(left.send, page)
        assert await right.receive(timeout=5) == page


async def test_a_message_over_the_limit_of_who_receives_it_is_refused() -> None:
    async with peer_pair() as (left, right), trio.open_nursery() as nursery:
        nursery.start_soon(left.send, {"a": "x" * 2000})
        with pytest.raises(ProtocolFault, match="it may have 1000"):
            await right.receive(timeout=5, limit=1000)
        with pytest.raises(PeerError, match="is broken"):
            await right.send({})


async def test_several_tasks_may_send() -> None:
    async with peer_pair() as (left, right):
        async with trio.open_nursery() as nursery:
            for number in range(5):
                nursery.start_soon(left.send, {"Number": number, "Text": "x" * 100_000})
            got = [await right.receive(timeout=5) for _ in range(5)]
        assert sorted(str(one["Number"]) for one in got) == list("01234")


async def test_the_end_between_two_messages_is_told(raw: tuple[Peer, trio.SocketStream]) -> None:
    peer, stream = raw
    await stream.send_all(frame(Kind.MESSAGE, b"{}"))
    await stream.aclose()
    assert await peer.receive(timeout=2) == {}
    with pytest.raises(PeerClosed, match="vault:1 closed"):
        await peer.receive(timeout=2)


@pytest.mark.parametrize("end", [1, 4, 5, 7])
async def test_the_end_within_a_frame_is_another_matter(
    raw: tuple[Peer, trio.SocketStream], end: int
) -> None:
    peer, stream = raw
    await stream.send_all(frame(Kind.MESSAGE, b'{"a":1}')[:end])
    await stream.aclose()
    with pytest.raises(PeerError, match="in the middle of a frame") as caught:
        await peer.receive(timeout=2)
    assert not isinstance(caught.value, PeerClosed)


async def test_silence_has_a_limit(raw: tuple[Peer, trio.SocketStream]) -> None:
    with pytest.raises(PeerSilent, match=r"nothing was heard from vault:1 for 0\.05 s"):
        await raw[0].receive(timeout=0.05)


async def test_bytes_that_come_one_by_one_do_not_extend_it(
    raw: tuple[Peer, trio.SocketStream],
) -> None:
    peer, stream = raw

    async def drip() -> None:
        for byte in frame(Kind.MESSAGE, b'{"a":"%s"}' % (b"x" * 100)):
            await stream.send_all(bytes((byte,)))
            await trio.sleep(0.02)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(drip)
        with pytest.raises(PeerSilent):
            await peer.receive(timeout=0.2)
        nursery.cancel_scope.cancel()


async def test_heartbeats_extend_it() -> None:
    async with peer_pair() as (left, right), trio.open_nursery() as nursery:
        nursery.start_soon(left.heartbeats, 0.05)

        async def answer_late() -> None:
            await trio.sleep(0.6)
            await left.send({"late": True})

        nursery.start_soon(answer_late)
        assert await right.receive(timeout=0.3) == {"late": True}
        nursery.cancel_scope.cancel()


async def test_a_receive_that_is_cancelled_loses_nothing(
    raw: tuple[Peer, trio.SocketStream],
) -> None:
    peer, stream = raw
    data = frame(Kind.MESSAGE, b'{"a":1}')
    for byte in data[:-1]:
        await stream.send_all(bytes((byte,)))
        with trio.move_on_after(0.01):
            await peer.receive(timeout=2)
    await stream.send_all(data[-1:])
    assert await peer.receive(timeout=2) == {"a": 1}


async def test_a_send_that_is_cancelled_in_the_middle_cuts() -> None:
    async with peer_pair() as (left, right):
        with trio.move_on_after(0.1) as scope:
            await send_many(left, timeout=5)
        assert scope.cancelled_caught
        with pytest.raises(PeerError, match="is broken"):
            await left.send({})
        with pytest.raises(PeerError):
            await receive_many(right)


async def test_who_never_reads_is_given_up() -> None:
    async with peer_pair() as (left, _):
        with pytest.raises(PeerSilent, match=r"right:1 took nothing for 0\.2 s"):
            await send_many(left)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"GET / HTTP/1.1\r\n", "a frame began with"),
        (encode_header(Kind.MESSAGE, 1 << 25), "it may have"),
        (frame(Kind.MESSAGE, b"[]"), "not a JSON object"),
        (frame(Kind.MESSAGE, b'{"a":' + b"[" * 900 + b"]" * 900 + b"}"), "levels"),
        (frame(Kind.CHUNK, b"x"), "a chunk came, and a message was expected"),
        (frame(Kind.TRAILER, b"{}"), "a trailer came"),
    ],
)
async def test_garbage_ends_the_connection(
    raw: tuple[Peer, trio.SocketStream], data: bytes, said: str
) -> None:
    peer, stream = raw
    await stream.send_all(data)
    with pytest.raises(ProtocolFault, match=said):
        await peer.receive(timeout=2)
    assert await stream.receive_some(10) == b""
    with pytest.raises(PeerError, match="is broken"):
        await peer.receive(timeout=2)


async def test_two_can_not_receive_at_once() -> None:
    async with peer_pair() as (left, _), trio.open_nursery() as nursery:
        nursery.start_soon(lambda: left.receive(timeout=5))
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await left.receive(timeout=1)
        nursery.cancel_scope.cancel()


async def test_what_was_sent_last_arrives_although_nobody_read_the_rest() -> None:
    async with peer_pair() as (left, right):
        await left.send({"unread": "x" * 1000})
        await right.send({"last": True})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(right.aclose)
            assert await left.receive(timeout=2) == {"last": True}
            with pytest.raises(PeerClosed):
                await left.receive(timeout=2)
            nursery.start_soon(left.aclose)


async def test_closing_takes_a_second_at_most_and_may_be_done_twice() -> None:
    async with peer_pair() as (left, _):
        began = trio.current_time()
        await left.aclose()
        assert 0.9 < trio.current_time() - began < 4
        await left.aclose()
        with pytest.raises(PeerError):
            await left.send_trailer(Trailer(ok=True, bytes=0))
