"""Telling others, in etcd, that this host's agent is alive and what the host has.

Everything hangs on one lease: when the agent ends it is gone at once, and within the lease's time
when the host dies. A lease that was lost, in an outage, is granted anew, and everything is written
again; what has not changed under the present lease is not.
"""

import json
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Final, Protocol

import trio

from ..errors import TransientError
from ..etcd.errors import AuthFailed, EtcdError, PermissionDenied
from ..etcd.keepalive import KeptLease
from ..etcd.messages import Compare, KeyValue, LeaseGrantResponse, RequestOp, TxnResponse
from ..etcd.operations import delete, put
from ..etcd.prefix import KeyRange
from ..runtime.backoff import Backoff
from .agent_board import Board
from .errors import ZfsError
from .layout import Layout
from .model import Inventory
from .publish_plan import Changes, batches, changes, digest, keys_of
from .publish_record import AgentRecord, BadRecord, read_record, record_document

__all__ = ["PublishStore", "Publisher"]

log = logging.getLogger(__name__)

_AGAIN: Final = Backoff(base=0.5, maximum=15.0)
_SOON: Final = 1.0
"""Seconds that further changes are waited for after one."""
_FAREWELL: Final = 2.0  # seconds


class _Keys(Protocol):
    async def get(self, key: bytes) -> KeyValue | None: ...

    async def txn(
        self,
        compare: Sequence[Compare],
        success: Sequence[RequestOp],
        failure: Sequence[RequestOp] = (),
        *,
        timeout: float | None = None,
    ) -> TxnResponse: ...


class _Leases(Protocol):
    async def grant(
        self, ttl: int, *, lease_id: int = 0, timeout: float | None = None
    ) -> LeaseGrantResponse: ...

    async def revoke(self, lease_id: int, *, timeout: float | None = None) -> None: ...

    def keep_alive(
        self, lease_id: int, ttl: float, *, on_lost: Callable[[], None] | None = None
    ) -> AbstractAsyncContextManager[KeptLease]: ...


class PublishStore(Protocol):
    """What the publisher asks of etcd; `lochkit.etcd.client.Client` is one."""

    @property
    def kv(self) -> _Keys:
        """Keys."""
        ...

    @property
    def leases(self) -> _Leases:
        """Leases."""
        ...


class Publisher:
    """The actor that tells; see `lochkit.zfs.agent_site.Publishing`.

    Args:
        etcd: where; borrowed.
        record: what is said of the agent.
        read: reads what the host has.
        layout: the keys.
        board: where to say how it stands.
        ttl: seconds that everything outlives a host that dies.
        every: seconds after which everything is read anew without any reason.
        patience: seconds that one request may take.
        jitter: numbers in [0, 1).
    """

    def __init__(
        self,
        etcd: PublishStore,
        record: AgentRecord,
        read: Callable[[], Awaitable[Inventory]],
        *,
        layout: Layout,
        board: Board,
        ttl: int = 30,
        every: float = 60.0,
        patience: float = 20.0,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._etcd = etcd
        self._record = record
        self._read = read
        self._layout = layout
        self._board = board
        self._ttl = ttl
        self._every = every
        self._patience = patience
        self._jitter = jitter
        self._there: dict[bytes, bytes] = {}
        self._wanted, self._urgent = trio.Event(), trio.Event()
        self._rounds = 0
        self._told: Inventory | None = None
        self._told_rounds = 0
        self._news = trio.Event()
        self._away = False

    @property
    def name(self) -> str:
        """See `Actor`."""
        return "publisher"

    def listening(self, *, orders: int, streams: int) -> None:
        """These are the ports at which the agent is reached. Call it before `run`."""
        self._record = replace(self._record, orders_port=orders, streams_port=streams)

    def changed(self) -> None:
        """See `Publishing`."""
        self._wanted.set()

    async def publish(self, *, timeout: float = 600.0) -> Inventory | None:
        """See `Publishing`; `timeout` in seconds."""
        begun_after = self._rounds
        self._wanted.set()
        self._urgent.set()
        with trio.move_on_after(timeout):
            while self._told_rounds <= begun_after:
                await self._news.wait()
            return self._told
        raise _NotTold("etcd could not be told what this host has: it is away")

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Tell until cancelled, and then take everything back. An etcd that is away is waited for.

        Raises:
            EtcdError: an operator must heal it: a permission, a login.
        """
        task_status.started()
        failures = 0
        while True:
            began = trio.current_time()
            try:
                await self._hold()
            except EtcdError as exc:
                if isinstance(exc, PermissionDenied | AuthFailed) and not self._told_rounds:
                    raise
                if trio.current_time() - began > 10 * self._ttl:
                    failures = 0
                self._lost(str(exc))
            failures += 1
            await trio.sleep(_AGAIN.jittered(failures, self._jitter()))

    async def _hold(self) -> None:
        """Get a lease, and tell under it for as long as it lives.

        Raises:
            EtcdError: etcd is away, or has refused something.
        """
        self._there = {}
        leases = self._etcd.leases
        granted = await leases.grant(self._ttl, timeout=self._patience)
        try:
            lost = trio.CancelScope()
            async with leases.keep_alive(granted.ID, granted.TTL, on_lost=lost.cancel):
                with lost:
                    await self._warn_of_other()
                    await self._tell_for_ever(granted.ID)
            self._lost("the lease was lost")
        finally:
            with trio.move_on_after(_FAREWELL, shield=True):
                try:
                    await leases.revoke(granted.ID, timeout=_FAREWELL)
                except EtcdError as exc:
                    log.debug("the lease ends by itself: %s", exc)

    async def _tell_for_ever(self, lease: int) -> None:
        record = json.dumps(record_document(self._record), separators=(",", ":")).encode()
        await self._write(Changes(put={self._layout.agent(self._record.host): record}), lease)
        self._back()
        failures = 0
        while True:
            self._wanted, self._urgent = trio.Event(), trio.Event()
            self._rounds += 1
            this_round, wait = self._rounds, self._every
            try:
                inventory = await self._read()
            except ZfsError as exc:
                failures += 1
                wait = min(wait, _AGAIN.jittered(failures, self._jitter()))
                (log.warning if failures == 1 else log.debug)(
                    "what there is can not be read, trying again: %s", exc
                )
            else:
                failures = 0
                await self._tell(inventory, lease)
                self._told, self._told_rounds = inventory, this_round
                self._news.set()
                self._news = trio.Event()
            with trio.move_on_after(wait):
                await self._wanted.wait()
                with trio.move_on_after(_SOON):
                    await self._urgent.wait()

    async def _tell(self, inventory: Inventory, lease: int) -> None:
        wanted = await trio.to_thread.run_sync(keys_of, inventory, self._layout, self._record.host)
        for part in batches(changes(self._there, wanted)):
            await self._write(part, lease)
            self._there.update({key: digest(value) for key, value in part.put.items()})
            for key in part.delete:
                del self._there[key]

    async def _write(self, part: Changes, lease: int) -> None:
        operations = [put(key, value, lease=lease) for key, value in part.put.items()]
        operations += (delete(KeyRange.exact(key)) for key in part.delete)
        await self._etcd.kv.txn((), operations, timeout=self._patience)

    async def _warn_of_other(self) -> None:
        """Say so if another process tells of the same host."""
        kv = await self._etcd.kv.get(self._layout.agent(self._record.host))
        if kv is None or not kv.lease:
            return
        try:
            other = read_record(json.loads(kv.value))
        except (ValueError, RecursionError, BadRecord):
            return
        if other.instance != self._record.instance:
            log.warning(
                "another agent at %s tells of host %s as well, or did so until it died: each host"
                " needs a name of its own (--host)",
                other.address,
                other.host,
            )

    def _lost(self, why: str) -> None:
        self._board.say(etcd=f"away: {why}")
        if not self._away:
            log.warning("etcd can not be told of this host, trying again: %s", why)
        self._away = True

    def _back(self) -> None:
        self._board.say(etcd="connected")
        if self._away:
            log.info("etcd is told of this host again")
        self._away = False


class _NotTold(TransientError):
    """Nobody could be told in time."""
