"""What a follower tells of the keyspace: steps from one state of the store to a later one.

Steps are edges, not states: a state of 100,000 keys copied for each revision would cost more than
everything else together. Whoever needs the state keeps a `Keyspace` of its own and applies the
steps to it; nothing mutable is ever shared. A step is a *net* change, so that several can be merged
into one without loss (`Step.merge`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

from .messages import KeyValue

__all__ = ["Appeared", "KeyChange", "Keyspace", "Origin", "Step"]


class KeyChange(NamedTuple):
    """What became of one key between two states.

    Attributes:
        old: the key before, None when it did not exist.
        new: the key after, None when it was deleted or its lease ended.
    """

    key: bytes
    old: KeyValue | None
    new: KeyValue | None


class Origin(Enum):
    """How a step came to be known."""

    LISTED = "listed"
    """The first look at the store: everything in it appears."""
    WATCHED = "watched"
    """Events, in the order of their revisions."""
    RESYNCED = "resynced"
    """A new list, compared with what was known: after a compaction or restore, or to be sure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From one state of the store to a later one. It belongs to whoever received it.

    Attributes:
        revision: the store's revision that the state after this step is the state of.
        changes: the net change of every key that is not as it was.
        origin: how it came to be known; of a merged step, of its first part.
    """

    revision: int
    changes: Mapping[bytes, KeyChange]
    origin: Origin = Origin.WATCHED

    def merge(self, later: "Step") -> "Step":
        """This step and the one after it as one. Consumes this step, whose mapping it may reuse.

        A key that is in the end as it was before vanishes; the price is that of `later` alone.
        """
        changes = self.changes if isinstance(self.changes, dict) else dict(self.changes)
        for key, change in later.changes.items():
            before = changes.get(key)
            if before is None:
                changes[key] = change
            elif before.old == change.new:
                del changes[key]  # it came and went, or a restore took it back to where it was
            else:
                changes[key] = KeyChange(key, before.old, change.new)
        return Step(revision=later.revision, changes=changes, origin=self.origin)


class Appeared(Mapping[bytes, KeyChange]):
    """The changes of a first list: every key is new. A view, because there may be very many.

    Args:
        entries: the keys; not changed any more.
    """

    __slots__ = ("_entries",)

    def __init__(self, entries: Mapping[bytes, KeyValue]) -> None:
        self._entries = entries

    def __getitem__(self, key: bytes) -> KeyChange:
        return KeyChange(key, None, self._entries[key])

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


class Keyspace:
    """One consumer's copy of the state; owned by it alone.

    Attributes:
        revision: the store's revision this is the state of, 0 before the first step.
    """

    __slots__ = ("_entries", "revision")

    def __init__(self) -> None:
        self._entries: dict[bytes, KeyValue] = {}
        self.revision = 0

    @property
    def entries(self) -> Mapping[bytes, KeyValue]:
        """The keys by name, in no particular order; a live, read-only view."""
        return MappingProxyType(self._entries)

    def apply(self, step: Step) -> None:
        """Go on to the state after `step`, which must begin where this state is."""
        entries = self._entries
        for key, change in step.changes.items():
            if change.new is None:
                entries.pop(key, None)
            else:
                entries[key] = change.new
        self.revision = step.revision
