"""Streams from pipe to pipe: whole, stopped, cut, silent, cancelled; in plain text and in TLS."""

import hashlib
import os
import random
import threading
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import trio

from lochkit.io.bulk_meter import Meter
from lochkit.io.peer_errors import PeerError, PeerSilent, ProtocolFault, SinkClosed
from lochkit.io.peer_socket import Peer
from lochkit.io.rate import RateLimit
from lochkit.wire.trailer import Trailer

from .peering import Hosts, joined, open_pipe, read_to_end, write_all

Ends = tuple[Peer, Peer]


@pytest.fixture(params=["plain", "tls"])
async def ends(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ends]:
    """Who sends, and who receives."""
    hosts = Hosts(tmp_path / "pki") if request.param == "tls" else None
    async with joined(hosts) as both:
        yield both


async def send(peer: Peer, data: bytes, *, at_once: int = 1 << 16) -> None:
    """Send a stream, and say that it is whole."""
    with open_pipe() as pipe:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(write_all, pipe, data, at_once=at_once))
            end = await peer.send_stream(pipe.out, meter=Meter())
            pipe.close_out()
        assert end.said is None
        await peer.send_trailer(Trailer(ok=True, bytes=end.bytes))


async def receive(peer: Peer, idle: float = 10.0) -> tuple[Trailer, bytes]:
    """Receive a stream."""
    got: list[bytes] = []
    trailer: list[Trailer] = []

    async def relay() -> None:
        trailer.append(await peer.receive_stream(pipe.into, meter=Meter(), idle=idle))
        pipe.close_into()

    async def read() -> None:
        got.append(await read_to_end(pipe))

    with open_pipe() as pipe:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(relay)
            nursery.start_soon(read)
    return trailer[0], got[0]


@pytest.mark.parametrize("size", [0, 1, 65_536, 262_139, 262_140, 20_000_003])
async def test_a_stream_arrives_whole(ends: Ends, size: int) -> None:
    left, right = ends
    data = random.Random(size).randbytes(size)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(send, left, data)
        trailer, got = await receive(right)
    assert trailer == Trailer(ok=True, bytes=size)
    assert hashlib.sha256(got).digest() == hashlib.sha256(data).digest()


async def test_streams_and_messages_follow_each_other(ends: Ends) -> None:
    left, right = ends
    for number in range(5):
        data = os.urandom(1000 * number)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(send, left, data, at_once=17))
            _, got = await receive(right)
        assert got == data
        await right.send({"Number": number})
        assert await left.receive(timeout=2) == {"Number": number}
        left, right = right, left


async def test_meters_count(ends: Ends) -> None:
    left, right = ends
    meters = Meter(), Meter()
    with open_pipe() as source, open_pipe() as sink:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write_all, source, bytes(3_000_000))
            nursery.start_soon(read_to_end, sink)

            async def receiver() -> None:
                await right.receive_stream(sink.into, meter=meters[1])
                sink.close_into()

            nursery.start_soon(receiver)
            end = await left.send_stream(source.out, meter=meters[0])
            await left.send_trailer(Trailer(ok=True, bytes=end.bytes))
    assert [meter.bytes for meter in meters] == [3_000_000] * 2
    assert all(meter.rate() > 0 for meter in meters)


async def test_a_pipe_is_as_before_afterwards(ends: Ends) -> None:
    left, _ = ends
    with open_pipe() as pipe:
        pipe.close_into()
        await left.send_stream(pipe.out, meter=Meter())
        assert os.get_blocking(pipe.out)


async def test_a_verdict_that_is_not_good_is_passed_on(ends: Ends) -> None:
    left, right = ends
    async with trio.open_nursery() as nursery:
        nursery.start_soon(left.send_trailer, Trailer(ok=False, bytes=7, error="cannot send"))
        trailer, got = await receive(right)
    assert (trailer.ok, trailer.error, got) == (False, "cannot send", b"")


async def test_a_good_verdict_with_another_length_is_refused(ends: Ends) -> None:
    left, right = ends
    await left.send_trailer(Trailer(ok=True, bytes=7))
    with open_pipe() as pipe, pytest.raises(ProtocolFault, match="7 bytes was to come"):
        await right.receive_stream(pipe.into, meter=Meter())


async def test_a_message_in_the_middle_of_a_stream_is_refused(ends: Ends) -> None:
    left, right = ends
    await left.send({})
    with open_pipe() as pipe, pytest.raises(ProtocolFault, match="in the middle of a stream"):
        await right.receive_stream(pipe.into, meter=Meter())


# -- who receives has enough


async def test_a_receiver_can_stop_the_sender_and_go_on(ends: Ends) -> None:
    left, right = ends

    async def sender() -> None:
        with open_pipe() as pipe:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(write_all, pipe, bytes(50_000_000))
                end = await left.send_stream(pipe.out, meter=Meter())
                pipe.close_out()
            assert end.said == {"Type": "failed", "Message": "no space"}
            assert end.bytes < 50_000_000
            await left.send_trailer(Trailer(ok=False, bytes=end.bytes, error="stopped"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(sender)
        with open_pipe() as pipe:
            pipe.close_out()
            with pytest.raises(SinkClosed):
                await right.receive_stream(pipe.into, meter=Meter())
        await right.send({"Type": "failed", "Message": "no space"})
        assert (await right.discard_stream()).error == "stopped"
    async with trio.open_nursery() as nursery:  # and the connection is in step
        nursery.start_soon(send, left, b"again")
        assert (await receive(right))[1] == b"again"


async def test_a_sink_that_ends_in_the_middle_is_noticed(ends: Ends) -> None:
    left, right = ends

    async def reader() -> None:
        await trio.to_thread.run_sync(os.read, sink.out, 100_000)
        sink.close_out()

    with open_pipe() as sink:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(endless, left))
            nursery.start_soon(reader)
            with pytest.raises(SinkClosed):
                await right.receive_stream(sink.into, meter=Meter())
            nursery.cancel_scope.cancel()


async def test_a_sink_that_has_read_all_may_end_before_the_verdict(ends: Ends) -> None:
    left, right = ends
    with open_pipe() as source, open_pipe() as sink:
        async with trio.open_nursery() as nursery:

            async def sender() -> None:
                end = await left.send_stream(source.out, meter=Meter())
                await left.send_trailer(Trailer(ok=True, bytes=end.bytes))

            nursery.start_soon(sender)

            async def programs() -> None:
                os.write(source.into, b"x" * 1000)
                await trio.to_thread.run_sync(os.read, sink.out, 1000)
                sink.close_out()
                await trio.sleep(0.3)  # until `zfs send` ends as well
                source.close_into()

            nursery.start_soon(programs)
            trailer = await right.receive_stream(sink.into, meter=Meter())
    assert trailer == Trailer(ok=True, bytes=1000)


# -- connections that break


async def endless(peer: Peer) -> None:
    """Send a stream that does not end by itself."""
    with open_pipe() as pipe:
        stop = threading.Event()

        def write() -> None:
            os.set_blocking(pipe.into, False)
            while not stop.wait(0.001):
                try:
                    os.write(pipe.into, bytes(65_536))
                except BlockingIOError:
                    continue

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, write)
            try:
                await peer.send_stream(pipe.out, meter=Meter())
            finally:
                stop.set()


async def test_a_sender_that_is_cut_off_is_told_so(ends: Ends) -> None:
    left, right = ends

    async def cut_soon() -> None:
        await trio.sleep(0.1)
        right.cut()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(cut_soon)
        with pytest.RaisesGroup(PeerError):
            await endless(left)


async def test_a_receiver_that_is_cut_off_in_a_chunk_is_told_so(ends: Ends) -> None:
    left, right = ends
    meter = Meter()

    async def cut_soon() -> None:
        while meter.bytes < 200_000:  # noqa: ASYNC110 (a thread counts)
            await trio.sleep(0.01)
        left.cut()

    with open_pipe() as sink:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read_to_end, sink)
            nursery.start_soon(ignoring, endless, left)
            nursery.start_soon(cut_soon)
            with pytest.raises(PeerError):
                await right.receive_stream(sink.into, meter=meter)
            sink.close_into()


async def ignoring(function: object, *args: object) -> None:
    """Run something that will fail when the other end does."""
    try:
        await function(*args)  # type: ignore[operator]
    except* PeerError:
        pass


async def test_a_silent_sender_is_given_up(ends: Ends) -> None:
    _, right = ends
    with open_pipe() as sink, pytest.raises(PeerSilent, match="nothing was heard"):
        await right.receive_stream(sink.into, meter=Meter(), idle=0.2)


async def test_a_silent_receiver_is_given_up(ends: Ends) -> None:
    left, _ = ends
    with open_pipe() as source, pytest.raises(PeerSilent, match="nothing was heard"):
        await left.send_stream(source.out, meter=Meter(), idle=0.2)


async def test_a_receiver_that_never_reads_is_given_up_in_the_middle_of_a_chunk(
    ends: Ends,
) -> None:
    left, _ = ends
    with open_pipe() as source:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write_all, source, bytes(30_000_000))
            with pytest.raises(PeerSilent, match="nothing was heard"):
                await left.send_stream(source.out, meter=Meter(), idle=0.3)
            source.close_out()


async def test_a_source_that_stalls_is_no_silence_but_has_a_limit(ends: Ends) -> None:
    left, right = ends
    with open_pipe() as source, open_pipe() as sink:
        async with trio.open_nursery() as nursery:
            receiving = partial(right.receive_stream, sink.into, meter=Meter(), idle=0.4, stall=30)
            nursery.start_soon(ignoring, receiving)
            began = time.monotonic()
            with pytest.raises(PeerSilent, match="not a byte of the stream has moved"):
                await left.send_stream(source.out, meter=Meter(), idle=0.4, stall=0.9)
            assert 0.8 < time.monotonic() - began < 5
            left.cut()


async def test_a_sink_that_stalls_is_no_silence_but_has_a_limit(ends: Ends) -> None:
    left, right = ends
    with open_pipe() as sink:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ignoring, endless, left)
            with pytest.raises(PeerSilent, match="not a byte of the stream has moved"):
                await right.receive_stream(sink.into, meter=Meter(), idle=0.3, stall=0.6)


# -- cancellation


def streams_at_work() -> int:
    return sum(thread.name == "lochkit-stream" for thread in threading.enumerate())


@pytest.mark.parametrize("flowing", [True, False])
async def test_a_cancelled_stream_leaves_no_thread(ends: Ends, flowing: bool) -> None:
    left, right = ends
    with open_pipe() as source, open_pipe() as sink:
        began = trio.current_time()
        with trio.move_on_after(0.3):
            async with trio.open_nursery() as nursery:
                if flowing:
                    nursery.start_soon(endless, left)
                else:
                    nursery.start_soon(partial(left.send_stream, source.out, meter=Meter()))
                nursery.start_soon(partial(right.receive_stream, sink.into, meter=Meter()))
                await trio.sleep(0.1)
                assert streams_at_work() == 2
        assert trio.current_time() - began < 3
        with trio.fail_after(3):
            while streams_at_work():  # noqa: ASYNC110 (a name goes a moment after the work)
                await trio.sleep(0.01)
    for peer in ends:
        with pytest.raises(PeerError, match="is broken"):
            await peer.send({})


async def test_nothing_else_has_the_connection_while_a_stream_runs(ends: Ends) -> None:
    left, _ = ends
    with open_pipe() as source:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(left.send_stream, source.out, meter=Meter()))
            nursery.start_soon(left.heartbeats, 0.01)
            await trio.sleep(0.1)
            for use in (left.send({}), left.receive(timeout=1), left.discard_stream()):
                with pytest.raises(trio.BusyResourceError):
                    await use
            nursery.cancel_scope.cancel()


async def test_what_is_no_pipe_is_a_bug(ends: Ends, tmp_path: Path) -> None:
    with (tmp_path / "x").open("wb") as file, pytest.raises(ValueError, match="pipe"):
        await ends[0].send_stream(file.fileno(), meter=Meter())


# -- rate


@pytest.mark.parametrize("who", ["sender", "receiver"])
async def test_a_rate_is_kept(ends: Ends, who: str) -> None:
    left, right = ends
    limit = RateLimit(2_000_000)
    rates = {"sender": (limit, None), "receiver": (None, limit)}[who]
    with open_pipe() as source, open_pipe() as sink:
        began = time.monotonic()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write_all, source, bytes(1_500_000))
            nursery.start_soon(read_to_end, sink)

            async def receiver() -> None:
                await right.receive_stream(sink.into, meter=Meter(), rate=rates[1])
                sink.close_into()

            nursery.start_soon(receiver)
            end = await left.send_stream(source.out, meter=Meter(), rate=rates[0])
            await left.send_trailer(Trailer(ok=True, bytes=end.bytes))
        # 0.75 s at this rate; a quarter of a second may be ahead of it, the last portion at once.
        assert 0.3 < time.monotonic() - began < 6
