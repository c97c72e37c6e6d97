"""Judging objects while the list that they are in is still being read. Pure.

To read a hundred thousand objects is, for half of the time, to wait for the server. What is judged
then is no more than a guess: the list may be begun anew, and the objects may have changed before
they are taken in. So a verdict is of one value, and what it says of a subnet is looked at again.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from ..etcd.messages import KeyValue
from ..etcd.model import KeyChange
from .judge import Candidate, Place, judge_guest, judge_subnet, seat, unseat
from .layout import Layout, ObjectKind
from .model import Host, Problem

__all__ = ["Fresh", "Verdicts"]

_GUEST: Final = ObjectKind.GUESTS
_SUBNET: Final = ObjectKind.SUBNETS


class Fresh(NamedTuple):
    """Guests of a first load that have found their places.

    Attributes:
        hosts: the guests.
        created: the revisions that created them.
        rest: the keys of a first load that are not those of `hosts` as it was made.
    """

    hosts: list[Host]
    created: list[int]
    rest: Collection[bytes]


class Verdicts:
    """What is thought of guests and subnets, each for as long as its value is that which was seen.

    Args:
        layout: where they are; keys of anything else are ignored.
    """

    __slots__ = ("_guests", "_layout", "_places", "_subnets")

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._guests: dict[bytes, tuple[KeyValue, Host | Candidate | Problem]] = {}
        self._subnets: dict[bytes, tuple[KeyValue, Place | Problem]] = {}
        self._places: dict[str, Place] = {}

    def judge(self, kvs: Sequence[KeyValue]) -> None:
        """Judge objects. Best subnets before guests, which otherwise are judged to have none."""
        split, places, guests = self._layout.split, self._places, self._guests
        for kv in kvs:
            key = kv.key
            found = split(key)
            if found is None:
                continue
            kind, path_id = found
            if kind is _GUEST:
                guests[key] = kv, judge_guest(path_id, kv.value, places)
            elif kind is _SUBNET:
                place = judge_subnet(path_id, kv.value)
                self._subnets[key] = kv, place
                if isinstance(place, Place):
                    places[path_id] = place

    def subnet(self, path_id: str, new: KeyValue) -> Place | Problem:
        """Return what `judge_subnet` does."""
        seen = self._subnets.get(new.key)
        if seen is not None and seen[0] is new:
            return seen[1]
        return judge_subnet(path_id, new.value)

    def guest(
        self, path_id: str, new: KeyValue, places: Mapping[str, Place]
    ) -> Host | Candidate | Problem:
        """Return what `judge_guest` does."""
        seen = self._guests.get(new.key)
        if seen is None or seen[0] is not new:
            return judge_guest(path_id, new.value, places)
        verdict = seen[1]
        if isinstance(verdict, Host):
            verdict = unseat(verdict)
        if isinstance(verdict, Candidate):
            return seat(verdict, places.get(verdict.subnet))
        return verdict

    def hosts(self, changes: Mapping[bytes, KeyChange], places: Mapping[str, Place]) -> Fresh:
        """Return the guests of a first load that were judged, and are in their places: by far the
        most, and at the least cost."""
        if not self._guests:
            return Fresh([], [], changes)
        hosts: list[Host] = []
        created: list[int] = []
        rest: list[bytes] = []
        guests, subnets = self._guests, {place.subnet.id: place.subnet for place in places.values()}
        for key in changes:
            seen = guests.get(key)
            if seen is not None:
                kv, host = seen
                if (
                    isinstance(host, Host)
                    and changes[key].new is kv
                    and subnets.get(host.subnet.id) is host.subnet
                ):
                    hosts.append(host)
                    created.append(kv.create_revision)
                    continue
            rest.append(key)
        return Fresh(hosts, created, rest)

    def forget(self) -> None:
        """Let go of everything that was seen."""
        if self._guests or self._subnets:
            self._guests, self._subnets, self._places = {}, {}, {}
