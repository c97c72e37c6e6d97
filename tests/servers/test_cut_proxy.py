"""The bad network: each way to be bad, over a server that echoes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import trio

from .cut_proxy import CutProxy


async def echo(stream: trio.SocketStream) -> None:
    try:
        async for chunk in stream:
            await stream.send_all(chunk)
    except trio.BrokenResourceError:
        pass


@asynccontextmanager
async def proxied() -> AsyncIterator[tuple[CutProxy, trio.SocketStream]]:
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            serve = partial(trio.serve_tcp, echo, 0, host="127.0.0.1")
            [listener] = await nursery.start(serve)
            port = listener.socket.getsockname()[1]
            async with CutProxy.run("127.0.0.1", port) as proxy:
                stream = await trio.open_tcp_stream("127.0.0.1", proxy.port)
                async with stream:
                    await stream.send_all(b"hello")
                    assert await stream.receive_some() == b"hello"
                    yield proxy, stream
            nursery.cancel_scope.cancel()


async def is_reset(stream: trio.SocketStream) -> bool:
    try:
        return await stream.receive_some() == b""
    except trio.BrokenResourceError:
        return True


async def test_counts() -> None:  # noqa: ASYNC124
    async with proxied() as (proxy, _stream):
        assert (proxy.accepted, proxy.open, proxy.bytes_in, proxy.bytes_out) == (1, 1, 5, 5)


async def test_cut_then_welcome() -> None:
    async with proxied() as (proxy, stream):
        proxy.cut()
        assert await is_reset(stream)
        assert proxy.open == 0
        async with await trio.open_tcp_stream("127.0.0.1", proxy.port) as again:
            await again.send_all(b"x")
            assert await again.receive_some() == b"x"
        assert proxy.accepted == 2


async def test_refuse_then_heal() -> None:
    async with proxied() as (proxy, stream):
        proxy.refuse()
        assert await is_reset(stream)
        async with await trio.open_tcp_stream("127.0.0.1", proxy.port) as again:
            assert await is_reset(again)
        proxy.heal()
        async with await trio.open_tcp_stream("127.0.0.1", proxy.port) as again:
            await again.send_all(b"x")
            assert await again.receive_some() == b"x"


async def test_black_hole_holds_back_until_healed() -> None:
    async with proxied() as (proxy, stream):
        proxy.black_hole()
        await stream.send_all(b"late")
        async with await trio.open_tcp_stream("127.0.0.1", proxy.port) as later:
            await later.send_all(b"later")
            with trio.move_on_after(0.1) as waiting:
                await stream.receive_some()
            assert waiting.cancelled_caught
            proxy.heal()
            assert await stream.receive_some() == b"late"
            assert await later.receive_some() == b"later"


async def test_only_some_are_blocked() -> None:
    async with proxied() as (proxy, stream):
        own = stream.socket.getsockname()[1]
        proxy.blocks = lambda port: port == own
        async with await trio.open_tcp_stream("127.0.0.1", proxy.port) as other:
            await stream.send_all(b"held")
            await other.send_all(b"free")
            assert await other.receive_some() == b"free"
            with trio.move_on_after(0.1) as waiting:
                await stream.receive_some()
            assert waiting.cancelled_caught


async def test_delay() -> None:
    async with proxied() as (proxy, stream):
        proxy.delay(0.1)
        began = trio.current_time()
        await stream.send_all(b"slow")
        assert await stream.receive_some() == b"slow"
        assert trio.current_time() - began >= 0.2


async def test_cut_after_so_many_bytes() -> None:
    async with proxied() as (proxy, stream):
        proxy.cut_after(3)
        await stream.send_all(b"abcdef")
        assert await stream.receive_some() == b"abc"
        assert await is_reset(stream)


async def test_a_server_that_is_gone_looks_gone() -> None:
    async with CutProxy.run("127.0.0.1", 1) as proxy:  # nobody listens on port 1
        stream = await trio.open_tcp_stream("127.0.0.1", proxy.port)
        assert await is_reset(stream)
        await stream.aclose()
