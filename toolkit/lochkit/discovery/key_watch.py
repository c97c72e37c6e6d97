"""Watching one key: what it is now, and each time it changes. Light, for there may be thousands."""

import logging
import random
from collections.abc import Callable
from typing import Final

import trio

from ..etcd.errors import EtcdError, PermissionDenied
from ..etcd.messages import EventType, RangeRequest, WatchCreateRequest, WatchResponse
from ..runtime.backoff import Backoff
from .calls import Etcd
from .writing import Sighting

__all__ = ["KeyWatch"]

log = logging.getLogger(__name__)

_RETRY: Final = Backoff(base=0.1, maximum=5.0, reset_after=10.0)
_REFUSED: Final = 30.0
_READ_SECONDS: Final = 5.0


class KeyWatch:
    """Tells how a key stands, for ever: after each interruption it is read anew.

    It keeps no state of the key, so that a consumer is told again what it knows already; and of
    changes that were not watched only the last.

    Args:
        etcd: where; borrowed.
        key: what to watch.
        tell: told of each sighting; must neither block nor raise.
        since: the revision that is known already, 0 for none: then nothing is read at first.
        jitter: numbers in [0, 1).
    """

    __slots__ = (
        "_cluster",
        "_etcd",
        "_failures",
        "_jitter",
        "_key",
        "_newest",
        "_since",
        "_tell",
        "_term",
    )

    def __init__(
        self,
        etcd: Etcd,
        key: bytes,
        tell: Callable[[Sighting], None],
        *,
        since: int = 0,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._etcd = etcd
        self._key = key
        self._tell = tell
        self._since = since
        self._jitter = jitter
        self._failures = 0

    async def run(self) -> None:
        """Watch until cancelled. Never raises: what is refused may be allowed one day."""
        while True:
            try:
                await self._once()
            except PermissionDenied as error:
                log.warning("a key of the registry cannot be watched: %s", error)
                await trio.sleep(_REFUSED * (0.5 + self._jitter() / 2))
            except (EtcdError, trio.TooSlowError) as error:
                self._failures += 1
                log.debug("the watch of a key was interrupted: %s", error)
                await trio.sleep(_RETRY.jittered(self._failures, self._jitter()))

    async def _once(self) -> None:
        since, self._since = self._since, 0
        if not since:
            since = await self._read()
        request = WatchCreateRequest(key=self._key, start_revision=since + 1)
        async with self._etcd.watch(request) as watch:
            stood_since = trio.current_time()
            while True:
                response = await watch.receive()
                if trio.current_time() - stood_since >= _RETRY.reset_after:
                    self._failures = 0
                if response.events:
                    self._tell(_last(response))

    async def _read(self) -> int:
        asked = trio.current_time()
        with trio.fail_after(_READ_SECONDS):
            answer = await self._etcd.kv.range(RangeRequest(key=self._key), persist=False)
        kv = answer.kvs[0] if answer.kvs else None
        revision, heard = answer.header.revision, trio.current_time()
        self._tell(Sighting(revision, kv, asked=asked, heard=heard))
        return revision


def _last(response: WatchResponse) -> Sighting:
    kind, kv, _ = response.events[-1]
    heard = trio.current_time()
    if kind == EventType.DELETE:
        return Sighting(kv.mod_revision, None, heard=heard, seen_to_go=True)
    return Sighting(kv.mod_revision, kv, heard=heard)
