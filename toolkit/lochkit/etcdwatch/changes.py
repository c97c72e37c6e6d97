"""What changed since the last state the command saw, and how it is told. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from json.encoder import encode_basestring_ascii as quoted
from operator import itemgetter
from typing import Final, NamedTuple

from ..etcd.messages import KeyValue
from ..etcd.model import KeyChange
from .formats import json_leaf
from .text import Binary, Leaf, key_text, leaf_of

__all__ = ["Ledger", "ShownChange", "Summary", "change_line", "shown_changes"]

MAX_KEYS_BYTES: Final = 16 << 10
"""Room for the keys in the environment: the kernel takes 128 KiB for one variable, and for all
variables and arguments together a quarter of the stack's limit, as little as 128 KiB where it is
low."""


class Ledger:
    """Remembers, for every key touched since the command last saw a state, what it was then.

    A key that comes and goes leaves no trace: the ledger is never larger than the two states.
    """

    def __init__(self) -> None:
        self._before: dict[bytes, KeyValue | None] = {}

    def note(self, change: KeyChange) -> None:
        """Take in a change later than all others."""
        before = self._before.setdefault(change.key, change.old)
        if before is None and change.new is None:
            del self._before[change.key]

    def net(self, now: Mapping[bytes, KeyValue]) -> tuple[KeyChange, ...]:
        """Return the changes up to the state ``now``, sorted by key.

        A value that was written again, or changed and changed back, is no change.
        """
        found = []
        for key, old in self._before.items():
            new = now.get(key)
            if old is None or new is None:
                if old is new:
                    continue
            elif old.value == new.value:
                continue
            found.append(KeyChange(key, old, new))
        found.sort(key=itemgetter(0))
        return tuple(found)

    def clear(self) -> None:
        """The command is seeing the present state."""
        self._before = {}

    def reopen(self, handed_over: Iterable[KeyChange]) -> None:
        """The command did not see it after all: what it was given goes before what came since."""
        reopened = {change.key: change.old for change in handed_over}
        # What the command saw of a key is what it was before the first of both.
        self._before = self._before | reopened


class ShownChange(NamedTuple):
    """A change as text. At least one of ``old`` and ``new`` is there.

    Attributes:
        key: the full key.
        old: the value the command saw, None if it saw none.
        new: the value now, None if there is none.
        kv: the value now with its revisions, None like ``new``.
    """

    key: str
    old: Leaf | None
    new: Leaf | None
    kv: KeyValue | None


def shown_changes(changes: Iterable[KeyChange], binary: Binary) -> Iterator[ShownChange]:
    """Yield ``changes`` as the command sees them: what has no text is not there for it."""
    for name, before, kv in changes:
        key = key_text(name, binary)
        old = leaf_of(before.value, binary) if before else None
        new = leaf_of(kv.value, binary) if kv else None
        if key is not None and not (old is None and new is None):
            yield ShownChange(key, old, new, kv if new is not None else None)


def change_line(change: ShownChange, revision: int) -> str:
    """Return the JSON object of a change, and a line end.

    Args:
        change: the change.
        revision: of the state; etcd does not say of a net deletion at which revision it happened,
            so this is given as its latest possible one.
    """
    key, before, leaf, kv = change
    old = "null" if before is None else json_leaf(before)
    if leaf is None or kv is None:
        return (
            f'{{"type": "delete", "key": {quoted(key)}, "value": null,'
            f' "prev_value": {old}, "revision": {revision}}}\n'
        )
    return (
        f'{{"type": "put", "key": {quoted(key)}, "value": {json_leaf(leaf)},'
        f' "prev_value": {old}, "revision": {kv.mod_revision},'
        f' "create_revision": {kv.create_revision}, "version": {kv.version},'
        f' "lease": {kv.lease}}}\n'
    )


class Summary:
    """Counts changes that pass by, and notes their keys as long as there is room.

    Attributes:
        count: how many there were.
    """

    def __init__(self) -> None:
        self.count = 0
        self._keys: list[str] = []
        self._room = MAX_KEYS_BYTES

    def watch(self, changes: Iterable[ShownChange]) -> Iterator[ShownChange]:
        """Yield ``changes`` and take note of them."""
        for change in changes:
            self.count += 1
            if self._room >= 0:
                key = change.key
                self._room -= len(key.encode()) + 1
                if "\n" in key or "\0" in key:
                    self._room = -1
                self._keys.append(key)
            yield change

    @property
    def keys(self) -> str | None:
        """The keys, one a line; None if they are too long, or one holds a line end or a NUL."""
        return "\n".join(self._keys) if self._room >= 0 else None
