"""Connections against a scripted server on memory streams: life, death, cancellation, flow
control."""

import pytest
import trio
import trio.testing

from lochkit.etcd.connection import Pulse
from lochkit.etcd.errors import (
    Compacted,
    ConnectionLost,
    MessageTooLarge,
    NoLeader,
    PermissionDenied,
    ProtocolError,
    RpcError,
    Unauthenticated,
    Unavailable,
)
from tests.etcd.grpc_server import Call, connect


async def echo(call: Call) -> None:
    await call.answer(bytes(call.body[5:]))


async def never(call: Call) -> None:
    await trio.sleep_forever()


async def test_a_call_is_answered(nursery: trio.Nursery) -> None:
    connection, server = connect(nursery, echo)
    assert await connection.unary("/x/Y", b"hello", (("token", "t"),)) == b"hello"
    call = server.calls[1]
    assert (call.path, call.headers["token"], call.headers["te"]) == ("/x/Y", "t", "trailers")
    assert connection.open_calls == 0


async def test_many_calls_at_once_get_their_own_answers(nursery: trio.Nursery) -> None:
    connection, _ = connect(nursery, echo)
    answers: dict[int, bytes] = {}

    async def ask(number: int) -> None:
        answers[number] = await connection.unary("/x/Y", b"%d" % number, ())

    async with trio.open_nursery() as asking:
        for number in range(200):
            asking.start_soon(ask, number)
    assert answers == {number: b"%d" % number for number in range(200)}


async def test_a_message_far_over_every_window_arrives_whole(nursery: trio.Nursery) -> None:
    big = bytes(range(256)) * (12 << 12)  # 12 MiB both ways, three windows

    connection, _ = connect(nursery, echo, limit=1 << 27)
    assert await connection.unary("/x/Y", big, ()) == big


async def test_an_answer_over_the_limit_is_refused_and_the_rest_goes_on(
    nursery: trio.Nursery,
) -> None:
    async def serve(call: Call) -> None:
        await call.answer(b"x" * (200_000 if call.path == "/big" else 3))

    connection, server = connect(nursery, serve, limit=100_000)
    with pytest.raises(MessageTooLarge, match="200000"):
        await connection.unary("/big", b"", ())
    assert await connection.unary("/small", b"", ()) == b"xxx"
    await trio.testing.wait_all_tasks_blocked()
    assert server.resets == [1]
    with pytest.raises(MessageTooLarge, match="limit"):
        await connection.unary("/x", b"y" * 100_001, ())
    assert connection.usable


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (16, "etcdserver: invalid auth token", Unauthenticated),
        (3, "etcdserver: user name is empty", Unauthenticated),
        (7, "etcdserver: permission denied", PermissionDenied),
        (14, "etcdserver: no leader", NoLeader),
        (14, "etcdserver: request timed out", Unavailable),
        (11, "etcdserver: mvcc: required revision has been compacted", Compacted),
        (13, "grpc: %C3%A9", RpcError),
    ],
)
async def test_statuses_become_errors(
    nursery: trio.Nursery, status: int, text: str, kind: type[Exception]
) -> None:
    async def serve(call: Call) -> None:
        await call.answer(status=status, message=text)

    connection, _ = connect(nursery, serve)
    with pytest.raises(kind) as caught:
        await connection.unary("/x/Y", b"", ())
    assert text.replace("%C3%A9", "é") in str(caught.value)
    assert connection.usable


async def test_an_endpoint_that_is_not_grpc_is_called_that(nursery: trio.Nursery) -> None:
    async def serve(call: Call) -> None:
        call.server.h2.send_headers(
            call.stream_id, ((":status", "404"), ("content-type", "text/html")), end_stream=True
        )
        await call.server.flush()

    connection, _ = connect(nursery, serve)
    with pytest.raises(ProtocolError, match="does not speak gRPC"):
        await connection.unary("/x/Y", b"", ())


async def test_a_cancelled_call_is_reset_and_the_connection_stays(nursery: trio.Nursery) -> None:
    async def serve(call: Call) -> None:
        if call.path == "/slow":
            await trio.sleep_forever()
        await echo(call)

    connection, server = connect(nursery, serve)
    async with trio.open_nursery() as asking:
        asking.start_soon(connection.unary, "/slow", b"", ())
        await trio.testing.wait_all_tasks_blocked()
        asking.cancel_scope.cancel()
    await trio.testing.wait_all_tasks_blocked()
    assert server.resets == [1]
    assert connection.open_calls == 0
    assert await connection.unary("/quick", b"on", ()) == b"on"


async def test_cancellation_at_every_step_leaves_it_usable(nursery: trio.Nursery) -> None:
    """Cancel after 0, 1, 2... scheduler steps: whatever was half done, the next call works."""
    connection, _ = connect(nursery, echo)
    body = b"z" * 300_000
    for steps in range(40):
        async with trio.open_nursery() as asking:
            asking.start_soon(connection.unary, "/x", body, ())
            for _ in range(steps):
                await trio.lowlevel.checkpoint()
            asking.cancel_scope.cancel()
        with trio.fail_after(5):
            assert await connection.unary("/y", body, ()) == body
    assert connection.open_calls == 0


async def test_a_dead_peer_is_found_by_pings_only_while_a_call_is_open(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    connection, server = connect(nursery, never, pulse=Pulse(interval=6, timeout=4))
    await connection.settled.wait()
    await trio.sleep(100)
    assert server.pings == 0  # etcd takes a ping without a call for an attack

    async def black_hole() -> None:
        await trio.sleep_forever()

    began = trio.current_time()
    server.stream.send_stream.send_all_hook = black_hole  # type: ignore[attr-defined]
    with pytest.raises(ConnectionLost, match="answers no ping"):
        await connection.unary("/x", b"", ())
    assert trio.current_time() - began <= 10
    await connection.closed.wait()
    assert not connection.usable


async def test_a_slow_answer_on_a_live_connection_is_waited_for(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    async def slow(call: Call) -> None:
        await trio.sleep(300)
        await echo(call)

    connection, server = connect(nursery, slow)
    assert await connection.unary("/x", b"late", ()) == b"late"
    assert 40 <= server.pings <= 50


async def test_goaway_lets_old_calls_finish_and_refuses_new_ones(nursery: trio.Nursery) -> None:
    gone = trio.Event()

    async def serve(call: Call) -> None:
        await gone.wait()
        await echo(call)

    connection, server = connect(nursery, serve)
    async with trio.open_nursery() as asking:
        answer: list[bytes] = []

        async def ask() -> None:
            answer.append(await connection.unary("/x", b"old", ()))

        asking.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        # h2's server side would close the connection at once, so the frame is written by hand.
        frame = b"\0\0\x08\x07\0\0\0\0\0" + (2**31 - 1).to_bytes(4, "big") + b"\0\0\0\0"
        await server.stream.send_all(frame)
        await trio.testing.wait_all_tasks_blocked()
        assert not connection.usable
        with pytest.raises(ConnectionLost) as caught:
            await connection.unary("/x", b"new", ())
        assert caught.value.unprocessed
        gone.set()
    assert answer == [b"old"]
    await connection.closed.wait()


async def test_goaway_tells_which_calls_were_never_processed(nursery: trio.Nursery) -> None:
    connection, server = connect(nursery, never)
    faults: dict[str, ConnectionLost] = {}

    async def ask(path: str) -> None:
        try:
            await connection.unary(path, b"", ())
        except ConnectionLost as error:
            faults[path] = error

    async with trio.open_nursery() as asking:
        for path in ("/first", "/second"):
            asking.start_soon(ask, path)
            await trio.testing.wait_all_tasks_blocked()
        await server.stream.send_all(b"\0\0\x08\x07\0\0\0\0\0\0\0\0\x01\0\0\0\0")
        await trio.testing.wait_all_tasks_blocked()
        assert list(faults) == ["/second"]
        await server.stream.aclose()
    assert faults["/second"].unprocessed
    assert not faults["/first"].unprocessed


async def test_a_refused_stream_was_not_processed(nursery: trio.Nursery) -> None:
    async def refuse(call: Call) -> None:
        call.server.h2.reset_stream(call.stream_id, 7 if call.path == "/refused" else 8)
        await call.server.flush()

    connection, _ = connect(nursery, refuse)
    for path, unprocessed in (("/refused", True), ("/cancelled", False)):
        with pytest.raises(ConnectionLost) as caught:
            await connection.unary(path, b"", ())
        assert caught.value.unprocessed is unprocessed
    assert connection.usable


async def test_the_server_may_limit_concurrent_calls(nursery: trio.Nursery) -> None:
    running = peak = 0

    async def serve(call: Call) -> None:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await trio.testing.wait_all_tasks_blocked()
        running -= 1
        await echo(call)

    connection, server = connect(nursery, serve)
    await connection.settled.wait()
    server.h2.update_settings({3: 2})  # MAX_CONCURRENT_STREAMS
    await server.flush()
    await trio.testing.wait_all_tasks_blocked()
    async with trio.open_nursery() as asking:
        for _ in range(9):
            asking.start_soon(connection.unary, "/x", b"", ())
    assert peak == 2


async def test_a_consumer_that_stands_still_stops_the_server(nursery: trio.Nursery) -> None:
    sent = 0

    async def flood(call: Call) -> None:
        nonlocal sent
        await call.begin()
        for _ in range(1000):
            await call.send(b"m" * 50_000)
            sent += 1
        await call.end()

    connection, _ = connect(nursery, flood, whole=False)
    stream = await connection.open_stream("/x", ())
    await trio.testing.wait_all_tasks_blocked()
    assert 60 <= sent <= 90  # one window of 4 MiB, not 50 MB
    for _ in range(1000):
        assert len(await stream.receive()) == 50_000
    with pytest.raises(Unavailable):
        await stream.receive()
    assert sent == 1000


async def test_a_stalled_stream_does_not_stall_its_neighbours(nursery: trio.Nursery) -> None:
    async def serve(call: Call) -> None:
        if call.path == "/flood":
            await call.begin()
            for _ in range(1000):
                await call.send(b"m" * 50_000)
        elif call.path == "/call":
            await call.answer(b"n" * 30_000_000)

    connection, _ = connect(nursery, serve, whole=False)
    for _ in range(3):
        await connection.open_stream("/flood", ())
    await trio.testing.wait_all_tasks_blocked()
    with trio.fail_after(20):
        assert len(await connection.unary("/call", b"", ())) == 30_000_000


async def test_the_end_of_the_connection_ends_every_call(nursery: trio.Nursery) -> None:
    connection, server = connect(nursery, never, whole=False)
    ends: list[Exception] = []
    await connection.open_stream("/watch", (), on_end=ends.append)
    pulled = await connection.open_stream("/pull", ())
    await trio.testing.wait_all_tasks_blocked()
    await server.stream.aclose()
    with pytest.raises(ConnectionLost, match=r"etcd\.test"):
        await pulled.receive()
    assert [type(end) for end in ends] == [ConnectionLost]
    with pytest.raises(ConnectionLost):
        await connection.unary("/x", b"", ())


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n" * 3,
        b"\xff" * 64,
        b"\0\0\0\x04\0\0\0\0\0" + b"\0\0\0\x00\0\0\0\0\x63",  # data on a stream never opened
        b"\0\0\0\x04\0\0\0\0\0" + b"\0\0\x01\x07\0\0\0\0\0x",  # GOAWAY too short
    ],
)
async def test_garbage_ends_the_connection_with_a_typed_error(
    nursery: trio.Nursery, garbage: bytes
) -> None:
    connection, server = connect(nursery, never)
    faults: list[Exception] = []

    async def ask() -> None:
        try:
            await connection.unary("/x", b"", ())
        except ProtocolError as error:
            faults.append(error)

    async with trio.open_nursery() as asking:
        asking.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        await server.stream.send_all(garbage)
    assert len(faults) == 1
    await connection.closed.wait()
