"""What a follower asks of etcd."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from .kv import Listing
from .messages import ResponseHeader, WatchCreateRequest, WatchResponse
from .prefix import KeyRange
from .showing import Ahead

__all__ = ["OpenWatch", "Store"]


class OpenWatch(Protocol):
    """A watch that the server has confirmed.

    Attributes:
        header: of the confirmation.
    """

    header: ResponseHeader

    async def receive(self) -> WatchResponse:
        """The next response; cancelling it loses none.

        Raises:
            EtcdError: why there is none.
        """
        ...

    def receive_nowait(self) -> WatchResponse | None:
        """The next response if it is here already."""
        ...


class Store(Protocol):
    """What a follower asks of etcd. Its methods own their time limits; `Client` is one."""

    async def list_range(
        self, wanted: KeyRange, *, revision: int = 0, ahead: Ahead | None = None
    ) -> Listing:
        """All keys of a range at one revision, 0 for the newest.

        Keys may be shown to `ahead` as they arrive, the very objects that are returned in the end.
        """
        ...

    async def verify(self) -> ResponseHeader:
        """The header of a linearizable read."""
        ...

    def watch(self, request: WatchCreateRequest) -> AbstractAsyncContextManager[OpenWatch]:
        """A watch, entered when the server has confirmed it."""
        ...
