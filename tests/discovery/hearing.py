"""A directory at work beside a store in memory, and what a subscriber to everything hears of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from lochkit.discovery.directory import Directory
from lochkit.discovery.events import Event
from lochkit.runtime.backoff import Backoff
from tests.discovery.fake_registry import FakeRegistry
from tests.discovery.registry_words import words

__all__ = ["Heard", "directory_of", "hearing", "is_stale", "settled"]


def directory_of(store: FakeRegistry, *services: str) -> Directory:
    return Directory(
        store,
        services=services or None,
        backoff=Backoff(base=1, factor=2, maximum=8, reset_after=100),
        jitter=lambda: 1.0,
    )


class Heard:
    """What a subscriber to everything was told; it takes it at once."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def new(self) -> list[str]:
        """What came since this was asked last."""
        events, self.events = self.events, []
        return words(events)

    async def run(
        self, directory: Directory, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        async with directory.subscribe() as events:
            task_status.started()
            async for event in events:
                self.events.append(event)


@asynccontextmanager
async def hearing(store: FakeRegistry, *services: str) -> AsyncIterator[tuple[Directory, Heard]]:
    """A directory at work, and what a subscriber hears of it."""
    heard = Heard()
    async with trio.open_nursery() as nursery:
        directory = directory_of(store, *services)
        await nursery.start(directory.run)
        await nursery.start(heard.run, directory)
        yield directory, heard
        nursery.cancel_scope.cancel()


def is_stale(directory: Directory) -> bool:
    """A call, since mypy takes an attribute for what it was before an await."""
    return directory.stale


async def settled() -> None:
    """Let everything happen that happens at once."""
    await trio.sleep(0.001)
