"""Where in etcd the things are that agents and directors tell each other. Pure.

===============================================  =============================  ==============
key, below the namespace                         value                          lease
===============================================  =============================  ==============
``agent/HOST``                                   how to reach it, what it can   the agent's
``inventory/HOST/DATASET``                       first page of a dataset        the agent's
``inventory/HOST/DATASET/N``                     its page N, from 1             the agent's
``policy/JOB``                                   a job                          none
``order/HOST/UUID``                              an order that was given        its giver's
``result/UUID``                                  what became of it              some days
``cursor/REPLICATION/FROM/TO/DATASET``           newest confirmed snapshot      none
``director/leader``                              who leads                      the leader's
===============================================  =============================  ==============

Every word is %-quoted, slashes included, so that each is one part of the key.
"""

from typing import Final, NamedTuple
from urllib.parse import quote, unquote_to_bytes

from ..etcd.prefix import KeyRange

__all__ = ["DEFAULT_NAMESPACE", "CursorKey", "InventoryKey", "Layout", "OrderKey"]

DEFAULT_NAMESPACE: Final = "/lochkit/zfs"


class InventoryKey(NamedTuple):
    """A page of a dataset of a host."""

    host: str
    dataset: str
    page: int = 0


class OrderKey(NamedTuple):
    """An order to a host."""

    host: str
    uuid: str


class CursorKey(NamedTuple):
    """A dataset of a replication, from one host to another."""

    replication: str
    source: str
    target: str
    dataset: str


class Layout:
    """The keys.

    Args:
        namespace: what all of them begin with; a slash at its end does not count.
    """

    __slots__ = ("_root",)

    def __init__(self, namespace: str = DEFAULT_NAMESPACE) -> None:
        self._root = namespace.rstrip("/").encode("utf-8", "surrogateescape") + b"/"

    def agent(self, host: str) -> bytes:
        """Liveness of a host's agent."""
        return self._key("agent", host)

    def agents(self) -> KeyRange:
        """All agents."""
        return self._range("agent")

    def agent_of(self, key: bytes) -> str | None:
        """The host, if it is the key of an agent."""
        parts = self._parts(key, "agent", 1)
        return parts[0] if parts else None

    def inventory(self, host: str, dataset: str, page: int = 0) -> bytes:
        """A page of a dataset."""
        words = ("inventory", host, dataset)
        return self._key(*words, str(page)) if page else self._key(*words)

    def inventories(self, host: str | None = None) -> KeyRange:
        """All datasets of a host, or of all hosts."""
        return self._range("inventory", host) if host else self._range("inventory")

    def inventory_of(self, key: bytes) -> InventoryKey | None:
        """The page, if it is the key of one."""
        if parts := self._parts(key, "inventory", 2):
            return InventoryKey(parts[0], parts[1])
        parts = self._parts(key, "inventory", 3)
        if parts and parts[2].isascii() and parts[2].isdigit() and len(parts[2]) < 9:
            return InventoryKey(parts[0], parts[1], int(parts[2]))
        return None

    def policy(self, job: str) -> bytes:
        """A job of the policy."""
        return self._key("policy", job)

    def policies(self) -> KeyRange:
        """All jobs."""
        return self._range("policy")

    def policy_of(self, key: bytes) -> str | None:
        """The job, if it is the key of one."""
        parts = self._parts(key, "policy", 1)
        return parts[0] if parts else None

    def order(self, host: str, uuid: str) -> bytes:
        """An order that was given to a host."""
        return self._key("order", host, uuid)

    def orders(self, host: str | None = None) -> KeyRange:
        """All orders to a host, or to all hosts."""
        return self._range("order", host) if host else self._range("order")

    def order_of(self, key: bytes) -> OrderKey | None:
        """The order, if it is the key of one."""
        parts = self._parts(key, "order", 2)
        return OrderKey(*parts) if parts else None

    def result(self, uuid: str) -> bytes:
        """What became of an order."""
        return self._key("result", uuid)

    def results(self) -> KeyRange:
        """All results."""
        return self._range("result")

    def result_of(self, key: bytes) -> str | None:
        """The uuid, if it is the key of a result."""
        parts = self._parts(key, "result", 1)
        return parts[0] if parts else None

    def cursor(self, cursor: CursorKey) -> bytes:
        """How far a replication of a dataset is."""
        return self._key("cursor", *cursor)

    def cursors(self, replication: str | None = None) -> KeyRange:
        """All cursors of a replication, or of all."""
        return self._range("cursor", replication) if replication else self._range("cursor")

    def cursor_of(self, key: bytes) -> CursorKey | None:
        """What it is the cursor of, if it is one."""
        parts = self._parts(key, "cursor", 4)
        return CursorKey(*parts) if parts else None

    def leader(self) -> bytes:
        """The director that leads."""
        return self._key("director", "leader")

    def _key(self, *words: str) -> bytes:
        return self._root + "/".join(map(_quoted, words)).encode()

    def _range(self, *words: str) -> KeyRange:
        return KeyRange.prefix(self._key(*words) + b"/")

    def _parts(self, key: bytes, kind: str, count: int) -> tuple[str, ...] | None:
        """The words behind the kind; None if it is no key of that kind that we would write."""
        stem = self._root + kind.encode() + b"/"
        if not key.startswith(stem):
            return None
        quoted = key[len(stem) :].split(b"/")
        if len(quoted) != count or not all(quoted):
            return None
        words = tuple(unquote_to_bytes(part).decode("utf-8", "surrogateescape") for part in quoted)
        return words if [_quoted(word).encode() for word in words] == quoted else None


def _quoted(word: str) -> str:
    return quote(word, safe="", errors="surrogateescape")
