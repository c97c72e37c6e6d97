"""What is in etcd, made into what is to be served. Pure.

The inventory takes in changes of keys and tells what is different in the end: each change costs
what it touches, that of a subnet as much as there are guests in it. It keeps no values: only the
checked hosts, and why the others are none. What comes out depends on the present objects alone.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeVar

from ..etcd.messages import KeyValue
from ..etcd.model import KeyChange
from .ahead import Fresh, Verdicts
from .claims import GROUPS, Claims
from .judge import (
    Candidate,
    Place,
    judge_hypervisor,
    misfit,
    seat,
    unseat,
)
from .layout import Layout, ObjectKind
from .model import Group, Host, Problem, Reason, Subnet, Update
from .values import quote

__all__ = ["Inventory"]

# Kinds of objects, looked up once: a first load asks for them a hundred thousand times.
_HYPERVISOR: Final = ObjectKind.HYPERVISORS
_GUEST: Final = ObjectKind.GUESTS
_HYPERVISORS: Final = GROUPS.index(Group.HYPERVISORS)
_GUESTS: Final = GROUPS.index(Group.GUESTS)


class Inventory:
    """All objects of a cluster that DHCP is about.

    Args:
        layout: where they are; keys of anything else are ignored.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._claims = Claims()
        self._places: dict[str, Place] = {}
        self._subnets: dict[str, Subnet] = {}
        # Guests by the subnet they name, whether it is there or not; dicts are smaller than sets.
        self._members: dict[str | None, dict[str, None]] = {}
        # Guests that their subnet does not take, and the revision that created each.
        self._waiting: dict[str, tuple[Candidate, int]] = {}
        # Objects that are wrong in themselves.
        self._faulty: dict[ObjectKind, set[str]] = {kind: set() for kind in ObjectKind}
        self._problems: dict[str, Problem] = {}
        self._problems_before: dict[str, Problem | None] = {}
        self._subnets_before: dict[str, Subnet | None] = {}
        # Subnets that are not what they were: their guests are judged anew.
        self._stirred: dict[str, None] = {}
        # Until the first changes nothing can have been anywhere before: no need to look.
        self._known = False
        self._verdicts = Verdicts(layout)

    @property
    def problems(self) -> Mapping[str, Problem]:
        """Why objects are not served, by etcd key, unplaced guests included; a live view."""
        return MappingProxyType(self._problems)

    @property
    def subnets(self) -> Mapping[str, Subnet]:
        """The subnet objects that are right, by id; a live view."""
        return MappingProxyType(self._subnets)

    def served(self, group: Group) -> Mapping[str, Host]:
        """Return the hosts of a group that are served, by id; a live view."""
        return MappingProxyType(self._claims.served[GROUPS.index(group)])

    def hosts(self, group: Group) -> int:
        """How many hosts of a group are served."""
        return len(self._claims.served[GROUPS.index(group)])

    def objects(self) -> dict[ObjectKind, int]:
        """How many objects of each kind there are, right or wrong."""
        claims = self._claims
        right = {
            ObjectKind.HYPERVISORS: len(claims.served[_HYPERVISORS]) + claims.losing(_HYPERVISORS),
            ObjectKind.GUESTS: (
                len(claims.served[_GUESTS]) + claims.losing(_GUESTS) + len(self._waiting)
            ),
            ObjectKind.SUBNETS: len(self._places),
        }
        return {kind: right[kind] + len(self._faulty[kind]) for kind in ObjectKind}

    def judge_ahead(self, kvs: Sequence[KeyValue]) -> None:
        """Judge objects of a first list that is still being read; changes nothing by itself.

        Args:
            kvs: what `apply` may be given later, the same objects, or never: subnets best first.
        """
        if not self._known:
            self._verdicts.judge(kvs)

    def apply(self, changes: Mapping[bytes, KeyChange]) -> Update:
        """Take in changes.

        Args:
            changes: net changes of keys, from the state that this is of. Only what is new in them
                is looked at: to apply some twice does nothing.

        Returns:
            What is different, without anything that is as it was.
        """
        split, subnets = self._layout.split, self._layout.folder(ObjectKind.SUBNETS)
        for key in changes:  # first of all, so that each guest is judged once
            if key.startswith(subnets) and (found := split(key)):
                self._subnet(found[1], changes[key].new)
        fresh = None if self._known else self._verdicts.hosts(changes, self._places)
        # Not the items() of the changes, which cost twice as much for a first list.
        for key in changes if fresh is None else fresh.rest:
            found = split(key)
            if found is None:
                continue
            kind, path_id = found
            if kind is _GUEST:
                self._guest(path_id, changes[key].new, fresh)
            elif kind is _HYPERVISOR:
                self._hypervisor(path_id, changes[key].new)
        self._verdicts.forget()
        if fresh is not None:
            self._add(fresh)
            self._known = bool(changes)
        else:
            self._judge_members()
        self._stirred = {}
        for (place, host_id), problem in self._claims.settle().items():
            self._blame(self._layout.key(GROUPS[place], host_id), problem)
        return self._update()

    def _hypervisor(self, path_id: str, new: KeyValue | None) -> None:
        verdict = None if new is None else judge_hypervisor(path_id, new.value)
        if new is None or not isinstance(verdict, Host):
            self._claims.withdraw(_HYPERVISORS, path_id)
            self._fault(ObjectKind.HYPERVISORS, path_id, _problem(verdict))
            return
        self._faulty[ObjectKind.HYPERVISORS].discard(path_id)
        self._offer(_HYPERVISORS, verdict, new.create_revision)

    def _subnet(self, path_id: str, new: KeyValue | None) -> None:
        verdict = None if new is None else self._verdicts.subnet(path_id, new)
        place = verdict if isinstance(verdict, Place) else None
        before = self._places.get(path_id)
        problem = _problem(verdict)
        key = self._layout.key(ObjectKind.SUBNETS, path_id)
        if place != before or problem != self._problems.get(key):
            self._stirred[path_id] = None
        if place != before:
            self._subnets_before.setdefault(path_id, before.subnet if before else None)
            if place is None:
                del self._places[path_id], self._subnets[path_id]
            else:
                self._places[path_id] = place
                self._subnets[path_id] = place.subnet
        self._fault(ObjectKind.SUBNETS, path_id, problem)

    def _guest(self, path_id: str, new: KeyValue | None, fresh: Fresh | None) -> None:
        verdict = None if new is None else self._verdicts.guest(path_id, new, self._places)
        if new is not None and fresh is not None and isinstance(verdict, Host):
            fresh.hosts.append(verdict)
            fresh.created.append(new.create_revision)
            return
        self._leave(path_id)
        if new is None or verdict is None or isinstance(verdict, Problem):
            self._claims.withdraw(_GUESTS, path_id)
            self._waiting.pop(path_id, None)
            self._fault(_GUEST, path_id, _problem(verdict))
            return
        self._faulty[_GUEST].discard(path_id)
        self._place(verdict, new.create_revision)

    def _fault(self, kind: ObjectKind, path_id: str, problem: Problem | None) -> None:
        """Note that an object is wrong in itself, or that it is right or gone."""
        if problem is None:
            self._faulty[kind].discard(path_id)
        else:
            self._faulty[kind].add(path_id)
        self._blame(self._layout.key(kind, path_id), problem)

    def _add(self, fresh: Fresh) -> None:
        """Put the guests of a first load, in loops that touch one thing: that is kind to caches."""
        self._claims.add(_GUESTS, fresh.hosts, fresh.created)
        members = self._members
        for host in fresh.hosts:
            subnet_id = host.subnet.id
            if subnet_id not in members:
                members[subnet_id] = {}
            members[subnet_id][host.id] = None

    def _place(self, guest: Host | Candidate, created: int) -> None:
        """Put a guest where it is now: among those that are served, or those that wait."""
        if isinstance(guest, Host):
            self._enter(guest.id, guest.subnet.id)
            self._waiting.pop(guest.id, None)
            self._offer(_GUESTS, guest, created)
        else:
            self._enter(guest.id, guest.subnet)
            self._claims.withdraw(_GUESTS, guest.id)
            self._waiting[guest.id] = guest, created
            self._blame(self._layout.key(_GUEST, guest.id), self._obstacle(guest))

    def _enter(self, guest_id: str, subnet_id: str | None) -> None:
        members = self._members.get(subnet_id)
        if members is None:
            members = self._members[subnet_id] = {}
        members[guest_id] = None

    def _leave(self, guest_id: str) -> None:
        """Take a guest, if it is there, out of the subnet it was in."""
        host = self._claims.get(_GUESTS, guest_id)
        if host is not None:
            subnet_id = host.subnet.id
        elif guest_id in self._waiting:
            subnet_id = self._waiting[guest_id][0].subnet
        else:
            return
        members = self._members[subnet_id]
        del members[guest_id]
        if not members:
            del self._members[subnet_id]

    def _obstacle(self, guest: Candidate) -> Problem:
        """Return why a guest has no place."""
        place = self._places.get(guest.subnet)
        if place is not None:
            return misfit(guest, place)
        fault = self._problems.get(self._layout.key(ObjectKind.SUBNETS, guest.subnet))
        if fault is None:
            text = f"there is no subnet {quote(guest.subnet)}"
        else:
            text = f"its subnet {guest.subnet} is left out itself: {fault.reason.value}"
        return Problem(Reason.UNKNOWN_SUBNET, text)

    def _offer(self, place: int, host: Host, created: int) -> None:
        self._claims.offer(place, host, created)
        if self._problems and host.id in self._claims.served[place]:
            self._blame(self._layout.key(GROUPS[place], host.id), None)

    def _judge_members(self) -> None:
        """Judge anew the guests of the subnets that have changed."""
        claims = self._claims
        for subnet_id in self._stirred:
            place = self._places.get(subnet_id)
            for guest_id in tuple(self._members.get(subnet_id, ())):
                host = claims.get(_GUESTS, guest_id)
                if host is None:
                    guest, created = self._waiting[guest_id]
                elif place is not None and host.subnet == place.subnet:
                    continue  # it came with this very change
                else:
                    guest, created = unseat(host), claims.rank(_GUESTS, guest_id)[0]
                self._place(seat(guest, place), created)

    def _blame(self, key: str, problem: Problem | None) -> None:
        """Set why an object is not served; None for one that is, or that is gone."""
        before = self._problems.get(key)
        if before == problem:
            return
        self._problems_before.setdefault(key, before)
        if problem is None:
            del self._problems[key]
        else:
            self._problems[key] = problem

    def _update(self) -> Update:
        hypervisors, guests = self._claims.take_changes()
        problems, self._problems_before = self._problems_before, {}
        subnets, self._subnets_before = self._subnets_before, {}
        return Update(
            hypervisors=hypervisors,
            guests=guests,
            subnets=_different(subnets, self._subnets),
            problems=_different(problems, self._problems),
        )


_VALUE = TypeVar("_VALUE")


def _problem(verdict: object) -> Problem | None:
    return verdict if isinstance(verdict, Problem) else None


def _different(
    before: Mapping[str, _VALUE | None], now: Mapping[str, _VALUE]
) -> dict[str, _VALUE | None]:
    """Return what each of some things is now, leaving out those that are as before."""
    return {key: now.get(key) for key, old in before.items() if now.get(key) != old}
