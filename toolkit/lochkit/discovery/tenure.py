"""What a registration knows of the store, and what it is to do next. No I/O.

Theory of operation
-------------------
There is what the store should hold (`Tenure.host`, its publications, what all instances of the
service have in common) and what it is known to hold: *sightings* of two keys, from answers and from
watches. `next` compares the two, so that no event has to be waited for, and none that is lost or
comes twice does harm. Whoever acts on it reports with one of the verbs in the past tense.

Every write names the revisions it builds upon (`writing`), and one that was refused tells what is
there instead; so a write whose answer was lost may be sent again, and one that arrives late harms
nothing. What is attached to the lease dies with it, whatever else goes wrong.
"""

from collections.abc import Mapping, Set
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from ..etcd.messages import KeyValue
from .host import Credentials, Host, Infos, State
from .infos_policy import Duty, adoptable, plan_infos, read_infos, shared_part
from .layout import Layout
from .own_record import Foreign, own_view
from .writing import Action, Losses, Owed, Refusal, Sighting, Writing

__all__ = ["Tenure"]

_UNSEEN = Sighting(0, None)
_NO_KEYS: Final[Mapping[bytes, bytes]] = MappingProxyType({})
_NOTHING = Owed(Duty.KEEP)


class Tenure:
    """The state of one registration.

    Args:
        host: the complete record of the instance.
        layout: where records are kept.
        takeover: see `RegisterOptions`.
        brings: see its `brings_credentials`.
        instance_passwords: see `RegisterOptions`.

    Attributes:
        host: the record as wanted now, with the credentials that are in force.
        published: the keys to publish while in rotation, with their values.
        shared: the keys to publish then for all instances, without a lease.
        lease: the lease, 0 without one.
        strays: leases given up that may yet live.
        losses: published keys that are gone from the store.
    """

    __slots__ = (
        *("_adopted_at", "_committed", "_foreign", "_infos", "_keep_passwords", "_last_infos"),
        *("_maybe", "_owed", "_own", "_unsure", "host", "infos_key", "lease", "losses"),
        *("own_key", "published", "shared", "strays"),
    )

    def __init__(
        self,
        host: Host,
        layout: Layout,
        *,
        takeover: bool = False,
        brings: bool = True,
        instance_passwords: bool = True,
    ) -> None:
        self.host = host
        self.own_key = layout.instance_key(host.service, host.uuid)
        self.infos_key = layout.infos_key(host.service)
        self.published = self.shared = _NO_KEYS
        self.lease = 0
        self.strays: set[int] = set()
        self.losses = Losses()
        self._keep_passwords = instance_passwords
        self._foreign = Foreign()
        self._foreign.claim(host)
        brings = takeover or (brings and bool(host.credentials))
        self._owed = Owed(Duty.TAKEOVER if takeover else Duty.ASSERT, brings)
        self._own = _UNSEEN
        self._infos = _UNSEEN
        self._last_infos: Infos | None = None
        self._adopted_at = 0
        self._committed: Writing | None = None  # under the present lease
        self._unsure: Writing | None = None  # sent, and the answer was lost
        self._maybe: frozenset[bytes] = frozenset()  # published keys that may be in the store

    # -- what is to be done

    def next(self) -> Action:
        """What is to be done now."""
        if not self.lease:
            return Action.GRANT
        infos = self._infos_wanted()
        if self._committed is None or self._publishes_other():
            return Action.WRITE
        if infos is not None:
            return Action.MEND if self._owed.duty is Duty.KEEP else Action.WRITE
        target = self._target()
        if self._is_intact(self._foreign.encode(target)) and not self.losses.keys:
            return Action.REST
        return Action.WRITE if target != self._committed.host else Action.MEND

    def writing(self) -> Writing:
        """The transaction that makes the store hold what it should."""
        infos = self._infos_wanted()
        target, published = self._target(), self._published_now()
        own = self._foreign.encode(target)
        infos_at: int | None = self._infos.kv.mod_revision if self._infos.kv is not None else 0
        return Writing(
            lease=self.lease,
            host=target,
            own=own,
            rewrites=self._publishes_other() or bool(self.losses.keys) or not self._is_intact(own),
            own_at=self._own.kv.mod_revision if self._own.kv is not None else 0,
            published=published,
            shared=self.shared if published else _NO_KEYS,
            withdrawn=(self._maybe | self.published_there) - published.keys(),
            infos=infos,
            infos_at=None if self._owed.duty is Duty.TAKEOVER else infos_at,
            owed=self._owed,
        )

    @property
    def said_leaving(self) -> bool:
        """Whether the record in the store says that the instance leaves."""
        done = self._committed
        return done is not None and done.host.state is State.LEAVING and self._unsure is None

    @property
    def standing(self) -> bool:
        """Whether the record was written under the present lease."""
        return self._committed is not None

    @property
    def own_revision(self) -> int:
        """The revision at which the instance's key was last seen."""
        return self._own.revision

    @property
    def published_there(self) -> Set[bytes]:
        """The keys that were published under the present lease."""
        return self._committed.published.keys() if self._committed is not None else _NO_KEYS.keys()

    @property
    def own_gone(self) -> bool:
        """Whether the instance's key was last seen not to be there."""
        return self._own.kv is None

    @property
    def maybe_there(self) -> bool:
        """Whether a record under the present lease may be in the store."""
        return self._committed is not None or self._unsure is not None

    # -- what the owner wants

    def want(self, host: Host, *, brings: bool) -> None:
        """Another record is wanted: complete, of the same instance; `brings` new credentials."""
        if brings or shared_part(host) != shared_part(self.host):
            owed = self._owed
            duty = Duty.ASSERT if owed.duty is Duty.KEEP else owed.duty
            self._owed = Owed(duty, owed.brings or brings)
        self._foreign.claim(host)
        self.host = host

    def leave(self) -> None:
        """The instance is about to go: it says so, publishes nothing, and owes nothing any more."""
        self.host = replace(self.host, state=State.LEAVING)
        self.published = _NO_KEYS
        self._owed = _NOTHING

    # -- what has happened

    def granted(self, lease: int) -> None:
        """There is a new lease."""
        self.lease = lease

    def lease_lost(self) -> None:
        """The lease is gone, or nobody knows: everything is to be written again, under another."""
        if self.lease:
            self.strays.add(self.lease)
        self.lease = 0
        self._forget(self._committed)
        self._forget(self._unsure)
        self._committed = self._unsure = None

    def sent(self, writing: Writing) -> None:
        """A transaction is on its way; until something else is heard it may have been done."""
        self._forget(self._unsure)
        self._unsure = writing

    def committed(self, writing: Writing, revision: int, now: float) -> None:
        """It was done, as `revision`, and that was heard `now`."""
        self._unsure = None
        if writing.rewrites and revision >= self._own.revision:
            kv = KeyValue(
                key=self.own_key, mod_revision=revision, value=writing.own, lease=writing.lease
            )
            self._own = Sighting(revision, kv, heard=now)
        self._settle(writing, revision, now)

    def refused(self, refusal: Refusal) -> None:
        """The store held something else than was expected."""
        self._take_own(refusal.own)
        self._take_infos(refusal.infos)
        if self._unsure is not None:  # it has been answered, though not as hoped
            self._forget(self._unsure)
            self._unsure = None

    def saw_own(self, seen: Sighting) -> None:
        """The instance's key was seen."""
        if seen.outdates(self._own):
            self._take_own(seen)

    def saw_infos(self, seen: Sighting) -> None:
        """The record of the service was seen."""
        if seen.outdates(self._infos):
            self._take_infos(seen)

    # -- within

    def _publishes_other(self) -> bool:
        done = self._committed
        if done is None or done.published != self._published_now():
            return True
        return bool(self._maybe - done.published.keys())

    def _is_intact(self, own: bytes) -> bool:
        there = self._own.kv
        return there is not None and there.lease == self.lease and there.value == own

    def _target(self) -> Host:
        return own_view(self.host, self._adopted_at, passwords=self._keep_passwords)

    def _published_now(self) -> Mapping[bytes, bytes]:
        return self.published if self.host.in_rotation else _NO_KEYS

    def _infos_wanted(self) -> bytes | None:
        """What to write for all instances; when that is nothing, what was owed is done."""
        if self.host.state is State.LEAVING:
            return None
        owed = self._owed
        value = plan_infos(
            self.host, self._infos.kv, owed.duty, brings=owed.brings, last=self._last_infos
        )
        if value is None:
            self._fulfil(owed)
        return value

    def _take_own(self, seen: Sighting) -> None:
        self._own = seen
        if seen.kv is None:
            return
        self._foreign.learn(seen.kv.value)
        sent = self._unsure
        if sent is not None and (seen.kv.lease, seen.kv.value) == (self.lease, sent.own):
            self._unsure = None  # its answer was lost, and it had been done
            self._settle(sent, seen.kv.mod_revision, seen.heard)

    def _take_infos(self, seen: Sighting) -> None:
        self._infos = seen
        if seen.kv is None:
            return
        service = self.host.service
        if (found := read_infos(service, seen.kv.value)) is not None:
            self._last_infos = found[0]
        if not self.host.public or self._owed.brings:
            return
        credentials = adoptable(service, seen.kv.value)
        if credentials is not None:
            self._adopt(credentials, seen.kv.mod_revision)

    def _adopt(self, credentials: Credentials, revision: int) -> None:
        self._adopted_at = revision
        if credentials != self.host.credentials:
            self.host = replace(self.host, user=credentials.user, password=credentials.password)

    def _settle(self, done: Writing, revision: int, now: float) -> None:
        self._committed = done
        if done.rewrites:
            self.losses.written(revision)
        self._maybe = frozenset()
        if done.infos is not None and revision >= self._infos.revision:
            kv = KeyValue(key=self.infos_key, mod_revision=revision, value=done.infos)
            self._take_infos(Sighting(revision, kv, heard=now))
        self._fulfil(done.owed)

    def _fulfil(self, owed: Owed) -> None:
        """What was owed is done, unless more is owed since."""
        if owed is self._owed and owed is not _NOTHING:
            self._owed = _NOTHING
            if owed.brings and self._infos.kv is not None:
                self._take_infos(self._infos)  # from now on others may bring credentials

    def _forget(self, writing: Writing | None) -> None:
        """What it has published may be in the store, or may yet come to be."""
        if writing is not None:
            self._maybe |= writing.published.keys()
