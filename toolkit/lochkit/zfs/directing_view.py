"""What a director sees: the hosts that tell of themselves, and how far replications are. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .layout import CursorKey
from .model import Dataset, Inventory
from .publish_record import AgentRecord

__all__ = ["HostView", "View", "state_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostView:
    """A host whose agent lives.

    Attributes:
        record: what the agent says of itself.
        inventory: what it says the host has.
        complete: what is not in the inventory is not there. False while an agent that has just
            begun may not have told everything.
        unreadable: datasets of which something is told that can not be read: nothing is known of
            them.
    """

    record: AgentRecord
    inventory: Inventory
    complete: bool = True
    unreadable: frozenset[str] = frozenset()

    def get(self, dataset: str) -> Dataset | None:
        """A dataset, as far as it is known."""
        return self.inventory.get(dataset)

    def lacks(self, dataset: str) -> bool:
        """Whether it is certain that there is no such dataset."""
        known = dataset in self.inventory.datasets or dataset in self.unreadable
        return self.complete and not known


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything a plan is made from, but for the policy.

    Attributes:
        hosts: those whose agents live, by name.
        cursors: the guid of the newest snapshot that a destination has confirmed.
    """

    hosts: Mapping[str, HostView]
    cursors: Mapping[CursorKey, int] = field(default_factory=dict)


def state_of(*datasets: Dataset | None) -> int:
    """A number that is another one when something about the datasets has changed."""
    return hash(
        tuple(
            one
            and (one.guid, one.snapshots, one.bookmarks, one.resume_token, one.key_loaded, one.name)
            for one in datasets
        )
    )
