"""What a director remembers of what it has tried: what waits, and what is done. Pure.

Ticks are remembered in etcd as well (`directing_record`), the rest with the process: who leads next
tries anew, and learns the same.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

from ..runtime.backoff import Backoff
from .directing_work import Part, Pursuit
from .names import parents

__all__ = ["Notes", "Standing", "Tick"]

_AGAIN: Final = Backoff(base=5.0, maximum=600.0)
_SETTLE: Final = 60.0
"""Seconds in which an agent tells etcd of what it has done; then the same is ordered again."""

_LOST_AFTER: Final = 3600.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How it went with something that is pursued.

    Attributes:
        failures: in a row.
        retry_at: not before that; seconds since 1970.
        blocked: the state in which it can not be done; None: it is not known that it can not.
        error: the last one; empty if the last attempt went well.
        failed_at: when that was.
        done: the aim that was reached last.
        done_until: how long the same aim needs no attempt.
    """

    failures: int = 0
    retry_at: float = 0.0
    blocked: int | None = None
    error: str = ""
    failed_at: float = 0.0
    done: int | None = None
    done_until: float = 0.0

    @property
    def remembers(self) -> bool:
        """Whether something has gone wrong that has not been made good."""
        return bool(self.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A tick of a job that is done.

    Attributes:
        tick: seconds since 1970.
        recursive: also for all datasets below.
    """

    tick: int
    recursive: bool = False


class Notes:
    """What is remembered. Times are in seconds since 1970."""

    __slots__ = ("_standings", "_ticks")

    def __init__(self) -> None:
        self._standings: dict[Pursuit, Standing] = {}
        self._ticks: dict[tuple[str, str], Tick] = {}

    def copy(self) -> Self:
        """The same, for a plan that is made elsewhere."""
        other = type(self)()
        other._standings = dict(self._standings)
        other._ticks = dict(self._ticks)
        return other

    # -- ticks

    @property
    def ticks(self) -> Mapping[tuple[str, str], Tick]:
        """By job and dataset."""
        return self._ticks

    def handle(self, job: str, dataset: str, tick: Tick) -> None:
        """A tick is done; an older one than is known changes nothing."""
        known = self._ticks.get((job, dataset))
        if known is None or known.tick <= tick.tick:
            self._ticks[job, dataset] = tick

    def handled(self, job: str, dataset: str) -> int | None:
        """The newest tick that is done for a dataset."""
        found = [self._ticks.get((job, dataset))]
        above = (self._ticks.get((job, name)) for name in parents(dataset))
        found += (one for one in above if one is not None and one.recursive)
        return max((one.tick for one in found if one is not None), default=None)

    # -- attempts

    def may(self, part: Part, now: float) -> bool:
        """Whether it makes sense to try now."""
        standing = self._standings.get(part.pursuit)
        if standing is None:
            return True
        if standing.blocked is not None and standing.blocked == part.state:
            return False
        if standing.done == part.aim and now < standing.done_until:
            return False
        return now >= standing.retry_at

    def succeeded(self, part: Part, now: float) -> None:
        """It went well."""
        self._standings[part.pursuit] = Standing(done=part.aim, done_until=now + _SETTLE)

    def failed(self, part: Part, error: str, now: float, jitter: float) -> None:
        """It failed, and may go better later; `jitter` is in [0, 1)."""
        before = self._standings.get(part.pursuit, Standing())
        failures = before.failures + 1
        self._standings[part.pursuit] = replace(
            before,
            failures=failures,
            retry_at=now + _AGAIN.jittered(failures, jitter),
            error=error,
            failed_at=now,
            done=None,
        )

    def conflicted(self, part: Part, error: str, now: float) -> None:
        """It can not be done until something has changed."""
        before = self._standings.get(part.pursuit, Standing())
        self._standings[part.pursuit] = replace(
            before,
            failures=before.failures + 1,
            retry_at=0.0,
            blocked=part.state,
            error=error,
            failed_at=now,
            done=None,
        )

    def troubles(self) -> Iterator[tuple[Pursuit, Standing]]:
        """What has failed and was not made good."""
        return ((one, how) for one, how in self._standings.items() if how.remembers)

    def forgive(self) -> None:
        """Nothing waits any longer."""
        self._standings.clear()

    def keep_only(self, jobs: Collection[str]) -> None:
        """Forget all other jobs."""
        for pursuit in [one for one in self._standings if one.job not in jobs]:
            del self._standings[pursuit]
        for key in [one for one in self._ticks if one[0] not in jobs]:
            del self._ticks[key]

    def tidy(self, now: float, there: Collection[str]) -> None:
        """Forget what counts for nothing any more: success of long ago, and troubles of long ago
        with datasets that are nowhere."""
        for pursuit, how in list(self._standings.items()):
            settled = not how.remembers and how.done_until < now
            lost = pursuit.dataset not in there and how.failed_at < now - _LOST_AFTER
            if settled or (how.remembers and lost):
                del self._standings[pursuit]
