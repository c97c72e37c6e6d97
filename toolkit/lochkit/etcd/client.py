"""The etcd client: everything behind one context manager.

    async with open_client(config) as etcd:
        await etcd.kv.put(b"/greeting", b"hello")
        async with etcd.watch(WatchCreateRequest(key=b"/greeting")) as watch:
            print(await watch.receive())

Inside run one task per connection and the lease keeper, in a nursery of the context manager's. They
end with the block, not before: when it is cancelled, its cleanup can still talk to etcd, in a
shielded scope with a deadline.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import trio

from ..runtime.lasting import lasting_nursery
from .auth import Login, token_metadata
from .caller import Caller
from .cluster import Access, Cluster
from .config import EtcdConfig
from .dial import check_files, dial
from .errors import (
    DeadlineExceeded,
    EtcdError,
    NoLeader,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from .keepalive import LeaseKeeper
from .kv import KeyValues, Listing
from .leases import Leases
from .link import Link
from .messages import RangeRequest, ResponseHeader, WatchCreateRequest
from .prefix import KeyRange
from .showing import Ahead
from .watch import Watch, WatchStream

__all__ = ["Client", "open_client"]

_WATCH: Final = "/etcdserverpb.Watch/Watch"
# The member then ends a watch when it has lost its leader, instead of staying silent in its
# partition.
_REQUIRE_LEADER: Final = (("hasleader", "true"),)


class Client:
    """A connected etcd client, made by `open_client`.

    Attributes:
        kv: keys and values.
        leases: leases.
        cluster: members and status.
        access: users and roles.
    """

    def __init__(self, config: EtcdConfig, nursery: trio.Nursery) -> None:
        self._config = config
        open_connection = partial(dial, config=config, nursery=nursery)
        self._watch_link = Link(config.endpoints, open_connection, "watches")
        self._login = Login(config.credentials)
        self._caller = Caller(
            Link(config.endpoints, open_connection, "calls"),
            self._login,
            timeout=config.request_timeout,
            max_message_bytes=config.max_message_bytes,
        )
        self._watches: WatchStream | None = None
        self._opening_stream = trio.Lock()
        self.kv = KeyValues(self._caller)
        self.cluster = Cluster(self._caller)
        self.access = Access(self._caller)
        self.keeper = LeaseKeeper(self._caller, limit=config.max_message_bytes)
        self.leases = Leases(self._caller, self.keeper)

    def turn_away(self, error: Unavailable) -> None:
        """Leave the endpoint that calls go to, for one that may answer; `error` is why.

        For who knows more than the connection does: that it stands, and nothing comes. Where there
        is no other endpoint nothing is done.
        """
        self._caller.turn_away(error)

    async def list_range(
        self, wanted: KeyRange, *, revision: int = 0, ahead: Ahead | None = None
    ) -> Listing:
        """All keys of a range at one revision; see `KeyValues.list`. The caller tries again."""
        return await self.kv.list(wanted, revision=revision, persist=False, ahead=ahead)

    async def verify(self) -> ResponseHeader:
        """The header of a linearizable read: what is true of the whole cluster, not of one member.

        It asks for a key that nobody has reason to write, and counts only; with authentication on,
        a user who may not read that key gets the header all the same, from the member's status.
        """
        try:
            request = RangeRequest(key=b"\0", count_only=True)
            answer = await self.kv.range(request, persist=False)
        except PermissionDenied:
            return (await self.cluster.status()).header
        return answer.header

    @asynccontextmanager
    async def watch(self, request: WatchCreateRequest) -> AsyncIterator[Watch]:
        """Watch a range; entered once the server has confirmed it.

        Args:
            request: what to watch; its `watch_id` must be 0.

        Raises:
            Compacted: history from `start_revision` on is gone.
            PermissionDenied: the user may not read the whole range.
            Unavailable: no endpoint could be asked in time.
        """
        watch, stream = await self._create(request)
        try:
            yield watch
        finally:
            stream.remove(watch)

    async def _create(self, request: WatchCreateRequest) -> tuple[Watch, WatchStream]:
        seconds = self._config.request_timeout
        with trio.move_on_after(seconds):
            try:
                return await self._create_once(request)
            except (Unauthenticated, PermissionDenied):
                # 3.5 says "permission denied" of an expired token too (etcd issue 12385). The token
                # is the stream's, so that a new one needs a new stream.
                if not self._login.can_renew:
                    raise
                if self._watches is not None:
                    self._login.forget(self._watches.token)
                    self._watches = None
                return await self._create_once(request)
        raise DeadlineExceeded(f"etcd: no answer to a new watch within {seconds:g} s")

    async def _create_once(self, request: WatchCreateRequest) -> tuple[Watch, WatchStream]:
        stream = await self._stream()
        watch = stream.add(request)
        try:
            await watch.created()
        finally:
            if watch.watch_id is None:
                stream.remove(watch)
        return watch, stream

    async def _stream(self) -> WatchStream:
        async with self._opening_stream:
            if self._watches is not None and not self._watches.over:
                return self._watches
            connection = await self._watch_link.connection()

            def ended(error: EtcdError) -> None:
                if isinstance(error, NoLeader):
                    self._watch_link.leave(connection, error)

            token = await self._login.token(connection)
            stream = WatchStream(token, limit=self._config.max_message_bytes, on_end=ended)
            metadata = (*token_metadata(token), *_REQUIRE_LEADER)
            rpc = await connection.open_stream(
                _WATCH, metadata, on_message=stream.on_message, on_end=stream.on_end
            )
            stream.run_on(rpc)
            self._watches = stream
            return stream


@asynccontextmanager
async def open_client(config: EtcdConfig) -> AsyncIterator[Client]:
    """A client for as long as the block runs. Connections are made when first needed.

    Args:
        config: where etcd is and who we are.

    Raises:
        ConfigError: a file the configuration names cannot be used.
        ExceptionGroup: what the block raises, since it runs inside a nursery.
    """
    check_files(config)
    async with lasting_nursery() as nursery:
        client = Client(config, nursery)
        await nursery.start(client.keeper.run)
        # Connections hold nothing that outlives them: watches and calls end with the stream.
        yield client
