"""What is to be configured: from the steps of etcd to what a backend has rendered. Pure."""

from collections.abc import Mapping, Sequence

from ..etcd.messages import KeyValue
from ..etcd.model import Step
from .documents import Backend
from .inventory import Inventory
from .layout import Layout
from .ledger import Entry, Ledger
from .model import Group, Problem

__all__ = ["Wanted"]


class Wanted:
    """The wanted state, and what of etcd is left out of it.

    Args:
        layout: where the objects are.
        backend: of the server; owned by this.
        remembered: objects that an earlier process knew to be left out.

    Attributes:
        backend: as given.
        ledger: what is left out.
        revision: of etcd, that it is the state of; 0 before the first step.
    """

    def __init__(
        self, layout: Layout, backend: Backend, remembered: Mapping[str, Entry] | None = None
    ) -> None:
        self._layout = layout
        self._inventory = Inventory(layout)
        self._refused: dict[tuple[Group, str], Problem] = {}
        self.backend = backend
        self.ledger = Ledger(remembered)
        self.revision = 0

    def hosts(self, group: Group) -> int:
        """How many hosts of one group are served."""
        refused = sum(1 for key in self._refused if key[0] is group)
        return self._inventory.hosts(group) - refused

    def judge_ahead(self, kvs: Sequence[KeyValue]) -> None:
        """Use the time while a list is read; see `Inventory.judge_ahead`."""
        self._inventory.judge_ahead(kvs)

    def take(self, step: Step, now: float) -> list[tuple[str, Problem]]:
        """Go on to the state after `step`.

        Args:
            step: begins where this state is.
            now: seconds since the epoch.

        Returns:
            What an operator should be told: keys that are left out, and why.
        """
        update = self._inventory.apply(step.changes)
        self.backend.update(update)
        self.revision = step.revision
        return self.ledger.note({**update.problems, **self._refusals()}, now)

    def _refusals(self) -> dict[str, Problem | None]:
        """What this kind of server refuses now and did not, or no longer does."""
        before, now = self._refused, self.backend.refused
        if not before and not now:
            return {}
        served = self._inventory.problems
        changes: dict[str, Problem | None] = {}
        for host in before.keys() - now.keys():
            key = self._layout.key(*host)
            changes[key] = served.get(key)
        for host, problem in now.items():
            if before.get(host) != problem:
                changes[self._layout.key(*host)] = problem
        self._refused = dict(now)
        return changes
