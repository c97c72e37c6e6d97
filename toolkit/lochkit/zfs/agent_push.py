"""What an agent asks for when datasets are to be sent somewhere. Pure."""

from dataclasses import dataclass
from typing import Protocol

from .policy_types import HostAddress, Replication, Selection
from .progress import Reporter
from .reports import Report

__all__ = ["Push", "Pusher"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """Something to be sent.

    Attributes:
        replication: how, and where to.
        selection: which datasets.
        address: where the destination's agent is; None: the policy, or etcd, knows.
        order: the OrderUUID that asks for it; empty: a job of our own.
    """

    replication: Replication
    selection: Selection
    address: HostAddress | None = None
    order: str = ""


class Pusher(Protocol):
    """Sends datasets."""

    async def push(self, push: Push, reporter: Reporter) -> Report:
        """Send what the destination lacks.

        Args:
            push: what, and where to.
            reporter: is told how it goes on.

        Raises:
            ZfsError: it could not be begun, or the destination not be reached.
            ConfigError: nobody knows where the destination is, or our certificate is unusable.
        """
        ...
