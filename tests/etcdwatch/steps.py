"""A store in miniature: says what the follower would say of puts and deletes."""

from collections.abc import Mapping
from typing import Any

from lochkit.etcd.messages import KeyValue
from lochkit.etcd.model import KeyChange, Origin, Step

__all__ = ["MiniStore"]


class MiniStore:
    """Keys and values with revisions; every call returns the step it makes."""

    def __init__(self, **entries: str) -> None:
        self.revision = 1
        self.entries: dict[bytes, KeyValue] = {}
        for name, value in entries.items():
            self.put(f"/{name}", value)

    def listed(self) -> Step:
        """Return the first step: everything there is."""
        changes = {key: KeyChange(key, None, kv) for key, kv in self.entries.items()}
        return Step(revision=self.revision, changes=changes, origin=Origin.LISTED)

    def put(self, key: str | bytes, value: str | bytes) -> Step:
        """Set one key."""
        return self.transact({key: value})

    def delete(self, *keys: str | bytes) -> Step:
        """Delete keys, at one revision."""
        return self.transact(dict.fromkeys(keys))

    def transact(self, wanted: Mapping[Any, str | bytes | None]) -> Step:
        """Set and delete several keys at one revision."""
        self.revision += 1
        changes = {}
        for word, value in wanted.items():
            key = word.encode() if isinstance(word, str) else word
            old = self.entries.pop(key, None)
            new = None
            if value is not None:
                data = value.encode() if isinstance(value, str) else value
                created = old.create_revision if old else self.revision
                version = old.version + 1 if old else 1
                new = self.entries[key] = KeyValue(key, created, self.revision, version, data, 0)
            changes[key] = KeyChange(key, old, new)
        return Step(revision=self.revision, changes=changes, origin=Origin.WATCHED)
