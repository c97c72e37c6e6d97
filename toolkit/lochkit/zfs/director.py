"""A director: it stands for election, and directs while it leads."""

import logging
import random
import time
from collections.abc import Awaitable, Callable

import trio

from ..io.notify import Notifier
from .directing_work import Plan
from .director_desk import Giver
from .director_rule import DirectorStore, Rule, RuleSettings, think_in_thread
from .election import Election, Reign
from .election_record import Candidate
from .errors import BadPolicy
from .policy_feed import PolicyFeed

__all__ = ["Director"]

log = logging.getLogger(__name__)


class Director:
    """One director, from its settings to its end.

    Args:
        settings: see there.
        candidate: who we are.
        etcd: where everything is; borrowed.
        feed: the policy.
        giver: gives orders.
        ttl: seconds after which another director takes over from one that has died.
        clock: seconds since 1970.
        jitter: numbers in [0, 1).
        think: runs what takes long.
    """

    def __init__(
        self,
        settings: RuleSettings,
        candidate: Candidate,
        etcd: DirectorStore,
        feed: PolicyFeed,
        giver: Giver,
        *,
        ttl: int = 15,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
        think: Callable[[Callable[[], Plan]], Awaitable[Plan]] = think_in_thread,
    ) -> None:
        self._settings, self._etcd, self._feed, self._giver = settings, etcd, feed, giver
        self._clock, self._jitter, self._think = clock, jitter, think
        leader = settings.layout.leader()
        self._election = Election(etcd, leader, candidate, clock=clock, ttl=ttl, jitter=jitter)
        self._rule: Rule | None = None
        self._reload = trio.Event()

    def hang_up(self) -> None:
        """Read the policy anew, and try everything again."""
        self._reload.set()

    async def run(self, notifier: Notifier | None = None) -> None:
        """Direct, whenever it is our turn, until cancelled.

        Args:
            notifier: the service manager.

        Raises:
            BadPolicy: the policy can not be followed.
            EtcdError: an operator must heal it: a permission, a login.
            ExceptionGroup: of those.
        """
        await self._feed.load()
        notifier = notifier or Notifier()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._reload_when_asked, notifier)
            nursery.start_soon(_feed_watchdog, notifier)
            notifier.ready()
            await self._election.run(self._reign)

    async def once(self) -> bool:
        """Have done what is due, once; whether all of it went well. What did not has been logged.

        Raises:
            BadPolicy: the policy can not be followed.
            Deposed: somebody else directs.
            EtcdError: etcd is away, or refuses.
        """
        await self._feed.load()
        went_well: list[bool] = []

        async def reign(mine: Reign) -> None:
            rule = self._rule_of(mine)
            await rule.run(once=True)
            went_well.append(rule.went_well)

        await self._election.run(reign, wait=False)
        return all(went_well)

    async def _reign(self, mine: Reign) -> None:
        self._rule = self._rule_of(mine)
        try:
            await self._rule.run()
        finally:
            self._rule = None

    def _rule_of(self, mine: Reign) -> Rule:
        return Rule(
            self._settings,
            self._etcd,
            self._feed,
            self._giver,
            mine,
            clock=self._clock,
            jitter=self._jitter,
            think=self._think,
        )

    async def _reload_when_asked(self, notifier: Notifier) -> None:
        while True:
            await self._reload.wait()
            self._reload = trio.Event()
            notifier.reloading()
            try:
                await self._feed.load()
            except BadPolicy as exc:
                log.error("the policy is left as it was: %s", exc)
            else:
                log.info("the policy was read anew")
            if self._rule is not None:
                self._rule.look_anew()
            notifier.ready()


async def _feed_watchdog(notifier: Notifier) -> None:
    seconds = notifier.watchdog_seconds
    while seconds is not None:
        notifier.watchdog()
        await trio.sleep(max(seconds / 2, 0.02))
