"""Watches: many on one gRPC stream.

etcd answers the create requests of a stream in their order, and from then on each response carries
the id of its watch. `WatchStream` is called from the connection's reader; it decodes and puts each
response in the inbox of its watch without a task of its own. A watch returns flow-control credit
when its consumer takes a response, so that a slow consumer slows the server down; where it shares
the stream with others it is cut off instead (`WatchOverflow`) before it can hold them up.
"""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import trio

from .answers import read_answer
from .calls import RpcStream
from .errors import (
    Compacted,
    EtcdError,
    PermissionDenied,
    ProtocolError,
    StatusCode,
    Unauthenticated,
    WatchCanceled,
    WatchOverflow,
)
from .fragments import FragmentJoiner
from .messages import (
    ResponseHeader,
    WatchCancelRequest,
    WatchCreateRequest,
    WatchProgressRequest,
    WatchRequest,
    WatchResponse,
)
from .wire import encode

__all__ = ["Watch", "WatchStream"]

log = logging.getLogger(__name__)

_ALL_WATCHES: Final = -1
_BACKLOG_BYTES: Final = 2 << 20
"""What one of several watches may leave unread: half of the window they share."""


class Watch:
    """One watch. `receive` until it raises; the context manager that made it cancels it.

    Attributes:
        header: of the server's answer to the creation: its revision is where the watch began,
            unless it was asked to begin earlier.
    """

    def __init__(self, stream: "WatchStream", request: WatchCreateRequest) -> None:
        self._stream = stream
        self._inbox: deque[tuple[WatchResponse, int]] = deque()
        self._joiner = FragmentJoiner()
        self._wake = trio.Event()
        self._error: EtcdError | None = None
        self.request = request
        self.watch_id: int | None = None
        self.backlog = 0
        self.header = ResponseHeader()

    async def created(self) -> None:
        """Wait for the server's answer to the creation.

        Raises:
            EtcdError: it refused, or the stream broke.
        """
        while self.watch_id is None and self._error is None:
            await self._changed()
        if self.watch_id is None and self._error is not None:
            raise self._error

    async def receive(self) -> WatchResponse:
        """The next response: all events of one revision or more, or none in a progress notice.

        Raises:
            Compacted: the history it asked for is gone (with `compact_revision`).
            Unavailable: the stream broke; a new watch from the last revision + 1 goes on.
            EtcdError: why else the watch is over.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        while (response := self.receive_nowait()) is None:
            if self._error is not None:
                raise self._error
            await self._changed()
        return response

    def receive_nowait(self) -> WatchResponse | None:
        """The next response if it is here already."""
        if not self._inbox:
            return None
        response, size = self._inbox.popleft()
        self.backlog -= size
        self._stream.consumed(size)
        return response

    def request_progress(self) -> None:
        """Ask for a notice of how far the stream has come. Never waits.

        Servers before 3.4.25 and 3.5.8 may send it out of step with events: let it move a resume
        point, never a claim about state.
        """
        self._stream.request_progress()

    async def _changed(self) -> None:
        self._wake = trio.Event()
        await self._wake.wait()

    # -- called by the stream
    # ------------------------------------------------------------------------------

    def deliver(self, response: WatchResponse, size: int) -> None:
        """A response for this watch; `size` bytes of credit are its to return."""
        if (whole := self._joiner.add(response)) is None:
            self._stream.consumed(size)
            return
        response = whole
        self._inbox.append((response, size))
        self.backlog += size
        self._wake.set()

    def begin(self, response: WatchResponse) -> None:
        """The server made the watch."""
        self.watch_id = response.watch_id
        self.header = response.header
        self._wake.set()

    def fail(self, error: EtcdError) -> None:
        """Nothing more comes; what is in the inbox can still be received."""
        self._error = self._error or error
        self._wake.set()

    def drop_backlog(self) -> int:
        """Forget what was not received, and say how many bytes of credit that frees."""
        freed, self.backlog = self.backlog, 0
        self._inbox.clear()
        return freed

    @property
    def overflows(self) -> bool:
        """Whether the consumer has left more than one response and too many bytes unread."""
        return self.backlog > _BACKLOG_BYTES and len(self._inbox) > 1


class WatchStream:
    """The watches of one ``Watch`` call.

    Args:
        token: the login it runs under, None for none.
        limit: the longest message accepted, in bytes.
        on_end: told when the stream is over, unless it was closed on our side.
    """

    def __init__(
        self, token: str | None, *, limit: int, on_end: Callable[[EtcdError], None]
    ) -> None:
        self.token = token
        self._limit = limit
        self._tell_end = on_end
        self._rpc: RpcStream | None = None
        self._pending: deque[Watch] = deque()  # asked for and not answered, in order
        self._abandoned: set[Watch] = set()  # of those, the ones nobody waits for any more
        self._watches: dict[int, Watch] = {}
        self._newest_id = 0
        self._error: EtcdError | None = None
        self.over = False

    def run_on(self, rpc: RpcStream) -> None:
        """Use this call from now on; its messages and its end come to `on_message` and `on_end`."""
        self._rpc = rpc

    def add(self, request: WatchCreateRequest) -> Watch:
        """Ask for a watch; await its `created` next, and `remove` it in the end."""
        # Numbered by us, from 1. Left to number it, etcd 3.5 answers a refused request as watch 0,
        # and from then on sends nothing to the watch that really has that number (seen with 3.5.1).
        self._newest_id += 1
        request = replace(request, watch_id=self._newest_id)
        watch = Watch(self, request)
        if self._error is not None:  # it ended while it was being opened
            watch.fail(self._error)
            return watch
        self._pending.append(watch)
        self._send(WatchRequest(create_request=request))
        return watch

    def remove(self, watch: Watch) -> None:
        """Cancel a watch; the last one takes the stream with it. Never waits."""
        self.consumed(watch.drop_backlog())
        if watch.watch_id is not None:
            if self._watches.pop(watch.watch_id, None) is watch:
                self._cancel(watch.watch_id)
        elif watch in self._pending:
            self._abandoned.add(watch)  # its place in the order must be kept
        if not self._watches and len(self._abandoned) == len(self._pending):
            self.over = True
            if self._rpc is not None:
                self._rpc.close()

    def consumed(self, size: int) -> None:
        """Return credit."""
        if size and self._rpc is not None:
            self._rpc.consumed(size)

    def request_progress(self) -> None:
        """See `Watch.request_progress`."""
        self._send(WatchRequest(progress_request=WatchProgressRequest()))

    def on_message(self, body: bytes) -> None:
        """One response, from the connection's reader."""
        size = len(body)
        try:
            response = read_answer(WatchResponse, body, limit=self._limit)
        except ProtocolError as error:
            self._break(error)
            return
        watch = self._watches.get(response.watch_id)
        if watch is not None and not response.created and not response.canceled:
            watch.deliver(response, size)
            if watch.overflows and len(self._watches) > 1:
                self._cut_off(watch)
            return
        self.consumed(size)
        if response.created:
            self._on_created(response)
        elif response.canceled:
            if self._watches.pop(response.watch_id, None) is not None and watch is not None:
                watch.fail(refusal(response))
        elif response.watch_id == _ALL_WATCHES:
            for each in self._watches.values():
                each.deliver(response, 0)

    def on_end(self, error: EtcdError) -> None:
        """The stream is over."""
        self.over = True
        self._error = error
        for watch in (*self._watches.values(), *self._pending):
            watch.fail(error)
        self._watches.clear()
        self._pending.clear()
        self._tell_end(error)

    def _on_created(self, response: WatchResponse) -> None:
        if not self._pending:
            self._break(ProtocolError("the server made a watch that nobody asked for"))
            return
        watch = self._pending.popleft()
        if response.canceled:  # refused: etcd says created and canceled in one breath
            watch.fail(refusal(response))
            self._abandoned.discard(watch)
        elif watch in self._abandoned:
            self._abandoned.remove(watch)
            self._cancel(response.watch_id)
        else:
            self._watches[response.watch_id] = watch
            watch.begin(response)

    def _cut_off(self, watch: Watch) -> None:
        log.warning("a watch is not read fast enough and is cut off from the stream it shares")
        watch.fail(
            WatchOverflow(
                "this watch was not read fast enough; watch again from the last revision + 1"
            )
        )
        self.remove(watch)

    def _break(self, error: EtcdError) -> None:
        if self._rpc is not None:
            self._rpc.close()
        self.on_end(error)

    def _cancel(self, watch_id: int) -> None:
        self._send(WatchRequest(cancel_request=WatchCancelRequest(watch_id=watch_id)))

    def _send(self, request: WatchRequest) -> None:
        if self._rpc is not None:
            self._rpc.send(encode(request))


def refusal(response: WatchResponse) -> EtcdError:
    """Why the server ended a watch, from a response that says `canceled`."""
    reason = response.cancel_reason
    lowered = reason.lower()
    if response.compact_revision or "compacted" in lowered:
        return Compacted(
            reason or "required revision has been compacted", response.compact_revision
        )
    if "unauthenticated" in lowered or "auth token" in lowered:
        return Unauthenticated(StatusCode.UNAUTHENTICATED, reason)
    if "permissiondenied" in lowered.replace(" ", ""):
        return PermissionDenied(StatusCode.PERMISSION_DENIED, reason)
    return WatchCanceled(reason)
