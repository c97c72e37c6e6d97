"""One transaction of a registration, as data. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from math import inf
from typing import NamedTuple

from ..etcd import operations as op
from ..etcd.messages import Compare, KeyValue, RequestOp, TxnRequest, TxnResponse
from ..etcd.prefix import KeyRange
from .host import Host
from .infos_policy import Duty

__all__ = [
    "Action",
    "Losses",
    "Owed",
    "Refusal",
    "Sighting",
    "Writing",
    "found_instead",
    "transaction",
]


class Action(Enum):
    """What is to be done next."""

    GRANT = "grant"
    """Get a lease."""
    WRITE = "write"
    """Commit what `Tenure.writing` gives."""
    MEND = "mend"
    """The same, where somebody else has undone it: not at once, for many may be doing so."""
    REST = "rest"
    """Nothing: the store holds what it should."""


class Sighting(NamedTuple):
    """A key as it stood at some revision.

    Attributes:
        revision: of the store.
        kv: the key, None when it did not exist.
        asked: when it was asked for; of what came unasked, before all time.
        heard: when it was heard of.
        seen_to_go: its deletion was watched, not found out later.
    """

    revision: int
    kv: KeyValue | None
    asked: float = -inf
    heard: float = -inf
    seen_to_go: bool = False

    def outdates(self, known: "Sighting") -> bool:
        """Whether it is newer than what is known.

        Revisions tell, but for a store that was restored from a backup or replaced: there a read
        that was begun after the other was known is newer, whatever its revision.
        """
        return self.revision >= known.revision or self.asked > known.heard


@dataclass(frozen=True, slots=True, eq=False)
class Owed:
    """What an instance owes the record of its service; each is one of its own.

    Attributes:
        duty: what is to be done.
        brings: the credentials are the owner's word, and go before those that are there.
    """

    duty: Duty
    brings: bool = False


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Writing:
    """What is to be written, and what must hold for it.

    Attributes:
        lease: what everything but the infos hangs on.
        host: the instance.
        own: its new record.
        rewrites: whether anything but the infos is to be written at all.
        own_at: the revision of its present one, 0 when there must be none.
        published: the keys it publishes, with their values.
        shared: those that it publishes for all instances, without a lease; put where they differ.
        withdrawn: the keys it may have published and now takes back.
        infos: the new record of the service, None to leave it as it is.
        infos_at: the revision of the present one, 0 when there must be none, None when that does
            not matter.
        owed: what was owed when this was made.
    """

    lease: int
    host: Host
    own: bytes = field(repr=False)
    rewrites: bool
    own_at: int
    published: Mapping[bytes, bytes] = field(repr=False)
    shared: Mapping[bytes, bytes] = field(repr=False)
    withdrawn: frozenset[bytes]
    infos: bytes | None = field(repr=False)
    infos_at: int | None
    owed: Owed


@dataclass(slots=True)
class Losses:
    """The published keys that somebody has deleted since they were last written.

    Only a deletion counts. Another value is another's word: two services of one host publish the
    same key for its address, and would overwrite each other for ever.

    Attributes:
        keys: those that are gone.
    """

    keys: set[bytes] = field(default_factory=set)
    _since: int = 0

    def written(self, revision: int) -> None:
        """All of them were written, at this revision."""
        self.keys.clear()
        self._since = revision

    def saw(self, key: bytes, kv: KeyValue | None, revision: int, *, was_read: bool) -> None:
        """A key was seen; what was watched may be older than the last writing."""
        if kv is not None:
            self.keys.discard(key)
        elif was_read or revision > self._since:
            self.keys.add(key)


class Refusal(NamedTuple):
    """What was found where a transaction expected something else."""

    own: Sighting
    infos: Sighting


class Transaction(NamedTuple):
    """The arguments of etcd's own."""

    compare: list[Compare]
    success: list[RequestOp]
    failure: list[RequestOp]


def transaction(writing: Writing, own_key: bytes, infos_key: bytes) -> Transaction:
    """The transaction; where it is refused it answers with what is there."""
    compare = [op.modified_at(own_key, writing.own_at)]
    success = _attached(writing, own_key) if writing.rewrites else []
    if writing.infos is not None:
        success.append(op.put(infos_key, writing.infos))
        if writing.infos_at is not None:
            compare.append(op.modified_at(infos_key, writing.infos_at))
    failure = [op.get(KeyRange.exact(own_key)), op.get(KeyRange.exact(infos_key))]
    return Transaction(compare, success, failure)


def _attached(writing: Writing, own_key: bytes) -> list[RequestOp]:
    """What hangs on the lease, and what is published beside it."""
    lease = writing.lease
    parts = [op.put(own_key, writing.own, lease=lease)]
    parts += [op.put(key, value, lease=lease) for key, value in writing.published.items()]
    parts += [
        op.nested(TxnRequest(compare=(op.value_is(key, value),), failure=(op.put(key, value),)))
        for key, value in writing.shared.items()
    ]
    return parts + [op.delete(KeyRange.exact(key)) for key in sorted(writing.withdrawn)]


def found_instead(answer: TxnResponse, now: float) -> Refusal:
    """What a refused transaction has found, and when that was heard."""
    own, infos = (
        Sighting(answer.header.revision, kvs[0] if kvs else None, heard=now)
        for kvs in (
            response.response_range.kvs if response.response_range is not None else ()
            for response in answer.responses
        )
    )
    return Refusal(own, infos)
