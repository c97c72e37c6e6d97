"""The ends of a fake host's pipes, and the fake process at the other end."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio

from lochkit.zfs.errors import Failure, ZfsError
from lochkit.zfs.host_types import SendSpec

from .zfs_host_state import State, failed
from .zfs_host_stream import END, Header, body, stream_of

__all__ = ["FakeReceiving", "FakeSending", "beside", "send_stream"]


class Streaming:
    """One end of a pipe, and what became of the fake process at the other end."""

    def __init__(self, fileno: int) -> None:
        self.fileno = fileno
        self.scope = trio.CancelScope()
        self.ended = trio.Event()
        self.error: ZfsError | None = None

    def close(self) -> None:
        """Close our end of the pipe, once."""
        if self.fileno >= 0:
            os.close(self.fileno)
            self.fileno = -1

    async def _finish(self) -> None:
        await self.ended.wait()
        if self.error:
            raise self.error


class FakeSending(Streaming):
    """See Sending."""

    async def finish(self) -> None:
        """See Sending."""
        await self._finish()


class FakeReceiving(Streaming):
    """See Receiving."""

    async def finish(self) -> None:
        """See Receiving."""
        self.close()
        await self._finish()

    def abort(self) -> None:
        """See Receiving."""
        self.error = ZfsError("killed", failure=Failure.STOPPED)
        self.scope.cancel()


@asynccontextmanager
async def beside(
    work: Callable[[], Awaitable[None]], streaming: Streaming, stream: trio.lowlevel.FdStream
) -> AsyncIterator[None]:
    # An error of the body must come out as it is, not in a group: it is carried round the nursery.
    async def run() -> None:
        try:
            with streaming.scope:
                await work()
        except ZfsError as exc:
            streaming.error = exc
        finally:
            with trio.CancelScope(shield=True):
                await stream.aclose()
            streaming.ended.set()

    carried: BaseException | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)  # noqa: ASYNC113 (it is cancelled below, begun or not)
        try:
            yield
        except BaseException as exc:  # noqa: ASYNC103, BLE001 (raised below, outside the nursery)
            carried = exc
        nursery.cancel_scope.cancel()
    if carried is not None:
        raise carried


async def send_stream(
    state: State, spec: SendSpec, stream: trio.lowlevel.FdStream, most: int | None
) -> None:
    try:
        header = stream_of(state, spec)
        if most == 0:
            return
        await stream.send_all(header.line())
        if await _send_bodies(header, stream, most):
            await stream.send_all(END)
    except trio.BrokenResourceError:
        raise failed(Failure.CUT, spec.dataset, "cannot send: Broken pipe") from None


async def _send_bodies(header: Header, stream: trio.lowlevel.FdStream, most: int | None) -> bool:
    left = most
    for number, record in enumerate(header.records):
        for chunk in body(record, (header.resumed or 0) if number == 0 else 0):
            await stream.send_all(chunk if left is None else chunk[:left])
            if left is not None:
                left -= len(chunk)
                if left <= 0:
                    return False
    return True
