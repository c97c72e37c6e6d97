"""Where a director's policy comes from: a file that is read anew when asked, or etcd."""

import logging
from typing import Protocol

import trio

from ..etcd.model import Step
from ..etcd.prefix import KeyRange
from .agent_policy import AgentPolicy, load_agent_policy
from .directing_policy import KeptPolicy, insist_on_hosts
from .errors import BadPolicy
from .layout import Layout
from .policy_types import Policy

__all__ = ["EtcdFeed", "FileFeed", "PolicyFeed"]

log = logging.getLogger(__name__)


class PolicyFeed(Protocol):
    """What a director asks of a policy."""

    @property
    def source(self) -> str:
        """Where it is, for people."""
        ...

    @property
    def policy(self) -> Policy:
        """The last good one."""
        ...

    @property
    def error(self) -> str:
        """What is wrong with the newest one; empty: nothing."""
        ...

    @property
    def ranges(self) -> tuple[KeyRange, ...]:
        """What is to be followed in etcd."""
        ...

    async def load(self) -> None:
        """Read it, also anew.

        Raises:
            BadPolicy: it can not be followed; the last good one stays.
        """
        ...

    def apply(self, step: Step) -> bool:
        """Take in a step of etcd; whether the policy has changed."""
        ...


class FileFeed:
    """A policy in a file: TOML, or the server.json of the program before this one.

    Args:
        path: of the file.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._policy = Policy(jobs=())
        self._error = ""

    @property
    def source(self) -> str:
        """See `PolicyFeed`."""
        return self._path

    @property
    def policy(self) -> Policy:
        """See `PolicyFeed`."""
        return self._policy

    @property
    def error(self) -> str:
        """See `PolicyFeed`."""
        return self._error

    @property
    def ranges(self) -> tuple[KeyRange, ...]:
        """See `PolicyFeed`."""
        return ()

    async def load(self) -> None:
        """See `PolicyFeed`."""
        try:
            read = await trio.to_thread.run_sync(_load, self._path)
        except BadPolicy as exc:
            self._error = str(exc)
            raise
        for warning in read.warnings:
            log.warning("%s", warning)
        self._policy, self._error = read.policy, ""

    def apply(self, step: Step) -> bool:
        """See `PolicyFeed`."""
        del step
        return False


class EtcdFeed:
    """A policy in etcd, followed live.

    Args:
        layout: where it is.
    """

    def __init__(self, layout: Layout) -> None:
        self._kept = KeptPolicy(layout)
        self._source = layout.policies().key.decode("utf-8", "replace")
        self._told = ""

    @property
    def source(self) -> str:
        """See `PolicyFeed`."""
        return f"etcd: {self._source}"

    @property
    def policy(self) -> Policy:
        """See `PolicyFeed`."""
        return self._kept.policy

    @property
    def error(self) -> str:
        """See `PolicyFeed`."""
        return self._kept.error

    @property
    def ranges(self) -> tuple[KeyRange, ...]:
        """See `PolicyFeed`."""
        return self._kept.ranges

    async def load(self) -> None:
        """See `PolicyFeed`; it comes by itself."""
        await trio.lowlevel.checkpoint()

    def apply(self, step: Step) -> bool:
        """See `PolicyFeed`."""
        changed = self._kept.apply(step)
        if changed and self.error != self._told:
            self._told = self.error
            if self.error:
                log.error("the policy in etcd is left as it was: %s", self.error)
        return changed


def _load(path: str) -> AgentPolicy:
    read = load_agent_policy(path, None)
    try:
        insist_on_hosts(read.policy)
        if not read.policy.jobs:
            raise BadPolicy("there is no job")
    except BadPolicy as exc:
        raise BadPolicy("\n".join(f"{path}: {line}" for line in str(exc).split("\n"))) from None
    return read
