"""What the tests against real servers share: a client of a test server, a follower and what it
saw."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import trio

from lochkit.etcd.client import Client, open_client
from lochkit.etcd.config import Credentials, EtcdConfig, TlsConfig, parse_endpoints
from lochkit.etcd.follow import Follower
from lochkit.etcd.model import Keyspace, Step
from lochkit.etcd.prefix import KeyRange
from lochkit.runtime.backoff import Backoff

__all__ = ["Seen", "client_of", "config_of", "following", "until"]

ROOT_RANGE = (KeyRange.prefix(b"/"),)


def config_of(
    *endpoints: str,
    tls: TlsConfig | None = None,
    credentials: Credentials | None = None,
    request_timeout: float = 10.0,
    ping_interval: float = 6.0,
) -> EtcdConfig:
    """A configuration with limits fit for tests."""
    return EtcdConfig(
        endpoints=parse_endpoints(endpoints),
        tls=tls or TlsConfig(),
        credentials=credentials,
        dial_timeout=2.0,
        request_timeout=request_timeout,
        ping_interval=ping_interval,
        ping_timeout=2.0,
    )


@asynccontextmanager
async def client_of(*endpoints: str) -> AsyncIterator[Client]:
    """A client of servers without TLS and login."""
    async with open_client(config_of(*endpoints)) as client:
        yield client


async def until(seconds: float, condition: Callable[[], bool]) -> None:
    """Wait until `condition()` holds, or the time is up: then the caller's assertion says what is
    wrong."""
    with trio.move_on_after(seconds):
        while not condition():  # noqa: ASYNC110 (real servers tell no trio.Event)
            await trio.sleep(0.02)


class Seen:
    """A consumer of steps: keeps the state they add up to, and that they fit together."""

    def __init__(self) -> None:
        self.keyspace = Keyspace()
        self.steps: list[Step] = []

    @property
    def state(self) -> dict[bytes, bytes]:
        """Keys and values as followed."""
        return {key: kv.value for key, kv in self.keyspace.entries.items()}

    def take(self, step: Step) -> None:
        """The next step, which must begin where the state is."""
        before = self.keyspace.entries
        for key, change in step.changes.items():
            assert before.get(key) == change.old, key
        assert step.changes or not self.steps, "a step that changes nothing"
        self.keyspace.apply(step)
        self.steps.append(step)

    async def reaches(self, state: dict[bytes, bytes], seconds: float = 30.0) -> None:
        """Wait until the state followed is `state`."""
        await until(seconds, lambda: self.state == state)
        assert self.state == state


@asynccontextmanager
async def following(
    config: EtcdConfig,
    ranges: Sequence[KeyRange] = ROOT_RANGE,
    *,
    per_revision: bool = False,
) -> AsyncIterator[tuple[Follower, Seen]]:
    """A follower at work and what it has seen."""
    send, receive = trio.open_memory_channel[Step](0)
    seen = Seen()

    async def consume() -> None:
        async for step in receive:
            seen.take(step)

    async with open_client(config) as client, trio.open_nursery() as nursery:
        follower = Follower(
            client,
            ranges,
            send,
            per_revision=per_revision,
            backoff=Backoff(base=0.05, factor=2.0, maximum=0.5),
        )
        nursery.start_soon(consume)
        await nursery.start(follower.run)
        try:
            yield follower, seen
        finally:
            nursery.cancel_scope.cancel()
