"""Hearing of a service's instances: a subscription of one's own, in a line.

    async with subscribe(etcd, "web") as events:
        async for event in events:
            ...

    async with subscribe_new(etcd, "web") as hosts:
        async for host in hosts:
            ...

Every change from the moment of entering on is told, once, and in order, however often etcd goes
away meanwhile; see `Subscription`. Give a `Directory` in place of the client to share one among
many subscribers.
"""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Self

import trio

from .directory import Directory
from .events import Event, Kind
from .feed import Registry
from .host import Host
from .layout import DEFAULT_LAYOUT, Layout
from .mailbox import ALL_KINDS, ROOM
from .watching import Subscription

__all__ = [
    "Hosts",
    "Subscription",
    "follow",
    "subscribe",
    "subscribe_changed",
    "subscribe_down",
    "subscribe_new",
]


class Hosts:
    """The hosts of a subscription's events; an async iterator for one task."""

    def __init__(self, events: AsyncIterator[Event]) -> None:
        self._events = events

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Host:
        """The next host; see `Subscription`."""
        while True:
            host = (await anext(self._events)).host
            if host is not None:
                return host


@asynccontextmanager
async def follow(
    etcd: Registry, services: Collection[str] | None = None, *, layout: Layout = DEFAULT_LAYOUT
) -> AsyncIterator[Directory]:
    """A directory at work for as long as the block runs; entered when it knows what there is.

    Args:
        etcd: where to read and watch; it is waited for while it is away.
        services: see `Directory`.
        layout: where the keys are.

    Raises:
        ExceptionGroup: what the block raises, or the directory, since both run in a nursery.
    """
    async with trio.open_nursery() as nursery:
        directory = Directory(etcd, services=services, layout=layout)
        await nursery.start(directory.run)
        await directory.ready()
        try:
            yield directory
        finally:
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def subscribe(
    etcd: Registry | Directory,
    service: str = "",
    *,
    kinds: Collection[Kind] = ALL_KINDS,
    present: bool = False,
    room: int = ROOM,
    layout: Layout = DEFAULT_LAYOUT,
) -> AsyncIterator[Subscription]:
    """All that happens to a service, for as long as the block runs.

    Args:
        etcd: where to read and watch, or who does so already.
        service: the service, which need not exist; empty for all.
        kinds: what to tell of.
        present: tell first what is there already, as if it came now.
        room: events that may wait in order, see `Mailbox`.
        layout: where the keys are; that of the directory goes before it.

    Raises:
        ExceptionGroup: what the block raises, or the directory, since both run in a nursery; with
            a directory given, the block's errors are not grouped.
    """
    if isinstance(etcd, Directory):
        async with etcd.subscribe(service, kinds=kinds, present=present, room=room) as shared:
            yield shared
        return
    async with (
        follow(etcd, (service,) if service else None, layout=layout) as directory,
        directory.subscribe(service, kinds=kinds, present=present, room=room) as own,
    ):
        yield own


@asynccontextmanager
async def subscribe_new(
    etcd: Registry | Directory,
    service: str,
    *,
    present: bool = False,
    layout: Layout = DEFAULT_LAYOUT,
) -> AsyncIterator[Hosts]:
    """The instances that come; the arguments are those of `subscribe`."""
    kinds = (Kind.NEW,)
    async with subscribe(etcd, service, kinds=kinds, present=present, layout=layout) as events:
        yield Hosts(events)


@asynccontextmanager
async def subscribe_down(
    etcd: Registry | Directory, service: str, *, layout: Layout = DEFAULT_LAYOUT
) -> AsyncIterator[Subscription]:
    """The instances that are gone: each event has the last record, and the cause."""
    async with subscribe(etcd, service, kinds=(Kind.DOWN,), layout=layout) as events:
        yield events


@asynccontextmanager
async def subscribe_changed(
    etcd: Registry | Directory, service: str, *, layout: Layout = DEFAULT_LAYOUT
) -> AsyncIterator[Subscription]:
    """The instances that have written their record anew: each event has both records."""
    async with subscribe(etcd, service, kinds=(Kind.CHANGED,), layout=layout) as events:
        yield events
