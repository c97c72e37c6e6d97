"""The configuration of one of Kea's two servers, for IPv4 or IPv6. Pure."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from ipaddress import ip_network
from itertools import chain, repeat
from typing import Any, NamedTuple

from .documents import Document
from .kea_base import Hole, KeaBase
from .kea_classes import make_classes, reservation_classes
from .kea_ids import assign
from .kea_subnet import KeaSubnet, list_pieces, parse_row, reservation_text
from .model import Group, Host
from .networks import Networks
from .own_boots import OwnBoots
from .settings import RenderSettings

__all__ = ["KeaFamily", "Placed", "ReservationChange"]

_MANY = 1000  # reservations, from which on one `config-set` is cheaper than commands for each


class Placed(NamedTuple):
    """A host, and the network in which it is served."""

    group: Group
    host: Host
    network: str


class ReservationChange(NamedTuple):
    """What to tell a running server.

    Attributes:
        version: 4 or 6, of the server.
        subnet_id: where the reservation is.
        mac: the Ethernet address that identifies it.
        reservation: what to add; None to take away the one there is.
    """

    version: int
    subnet_id: int
    mac: str
    reservation: Mapping[str, Any] | None


class KeaFamily:
    """Subnets, reservations and classes of one version of IP, around the operator's base."""

    def __init__(
        self, base: KeaBase, settings: RenderSettings, known_ids: Mapping[str, int]
    ) -> None:
        """Begin without hosts; `known_ids` are the numbers that subnets had before."""
        self.base = base
        self._settings = settings
        self._ids = dict(known_ids)
        self._subnets: dict[str, KeaSubnet] = {}
        for network, subnet in base.subnets.items():
            self._subnets[network] = KeaSubnet(network, base.version)
            self._subnets[network].given = subnet.gateway
        self._order: list[KeaSubnet] = []  # those that are not the base's
        self._owns = OwnBoots(settings)
        self._classes = b""
        self._lists = {group: json.dumps(reservation_classes(group, None)) for group in Group}
        self._stamp = 0
        self._pieces: tuple[int, tuple[bytes, ...]] | None = None
        self._before: dict[tuple[str, str], bytes | None] = {}  # rows, as they were last taken
        self._whole = True  # more than reservations is different from what was last taken
        self._make_classes()

    @property
    def hosts(self) -> int:
        """How many hosts are written."""
        return sum(len(subnet.rows) for subnet in self._subnets.values())

    @property
    def subnet_ids(self) -> dict[str, int]:
        """The numbers of our subnets, by network."""
        return {subnet.network: self._ids[subnet.network] for subnet in self._order}

    def change(
        self,
        gone: Sequence[Placed],
        come: Sequence[Placed],
        networks: Networks,
        changed: Set[str],
        residents: Callable[[Set[str]], Iterable[Placed]],
    ) -> None:
        """Take in what is different.

        Args:
            gone: hosts as they were, and where.
            come: hosts as they are.
            networks: all that are known now.
            changed: those of them, of both versions of IP, that came, went or changed.
            residents: gives all hosts of some networks, as they are now.
        """
        mine = {network for network in changed if (":" in network) == (self.base.version == 6)}
        mine.update([placed.network for placed in gone], [placed.network for placed in come])
        created = mine - self._subnets.keys()
        for network in created:
            self._subnets[network] = KeaSubnet(network, self.base.version)
        for placed, step in chain(zip(gone, repeat(-1)), zip(come, repeat(1))):
            host = placed[1]
            if host.boot is not None or host.subnet.gateway is None:
                self._count(placed, step)
        regiven = {network for network in mine if self._give(network, networks)}
        self._write_rows(gone, [*come, *residents(regiven)] if regiven else come)
        self._arrange(mine, created, networks)
        if self._owns.stamp != self._made:
            self._make_classes()

    def document(self) -> Document:
        """Return the whole configuration as it is now."""
        if self._pieces is None or self._pieces[0] != self._stamp:
            self._pieces = (self._stamp, tuple(self._whole_text()))
        name = f"kea-dhcp{self.base.version}.conf"
        return Document(name, self._pieces[1], self._stamp, b'"lochkit-id"')

    def take_reservations(self) -> list[ReservationChange] | None:
        """Return what is different since this was last called, in an order in which it can be told.

        None when that can not be told in reservations alone, or would be too many.
        """
        before, whole = self._before, self._whole
        self._before, self._whole = {}, False
        if whole:
            return None
        out: list[ReservationChange] = []
        put: list[ReservationChange] = []
        for (network, key), old in before.items():
            subnet = self._subnets[network]
            new = subnet.rows.get(key)
            number = self._number(network)
            if new == old:
                continue
            if number is None:
                return None
            if old is not None:
                mac = parse_row(old)["hw-address"]
                out.append(ReservationChange(self.base.version, number, mac, None))
            if new is not None:
                row = parse_row(new)
                put.append(ReservationChange(self.base.version, number, row["hw-address"], row))
        return out + put

    def _number(self, network: str) -> int | None:
        numbers = self.base.numbers if network in self.base.subnets else self._ids
        return numbers.get(network)

    def _count(self, placed: Placed, step: int) -> None:
        group, host, network = placed
        if host.subnet.gateway is None:
            self._subnets[network].silent += step
        if host.boot is not None:
            self._owns.count(group, host, step)

    def _give(self, network: str, networks: Networks) -> bool:
        """Decide which router a subnet announces; return whether it is another one now."""
        if network in self.base.subnets:
            return False
        subnet = self._subnets[network]
        known = networks.get(network)
        given = known.gateway if known is not None and not subnet.silent else None
        if given == subnet.given:
            return False
        subnet.given = given
        return bool(subnet.rows)

    def _write_rows(self, gone: Sequence[Placed], come: Sequence[Placed]) -> None:
        rows: dict[str, dict[str, bytes | None]] = {}
        for placed in gone:
            rows.setdefault(placed.network, {})[placed.host.id] = None
        for group, host, network in come:
            classes = self._lists[group]
            if host.boot is not None and (own := self._owns.of(group, host)) is not None:
                classes = json.dumps(reservation_classes(group, own))
            text = reservation_text(host, classes, self._subnets[network].given)
            changes = rows.get(network)
            if changes is None:
                changes = rows[network] = {}
            changes[host.id] = f",\n        {text}".encode()
        self._remember(rows)
        for network, changes in rows.items():
            subnet = self._subnets[network].rows
            stamp = subnet.stamp
            subnet.update(changes)
            if subnet.stamp != stamp:
                self._stamp += 1

    def _remember(self, rows: Mapping[str, Mapping[str, bytes | None]]) -> None:
        """Keep the rows that are about to change, for `take_reservations`."""
        if self._whole or len(self._before) + sum(map(len, rows.values())) > _MANY:
            self._whole = True
            self._before = {}
            return
        for network, changes in rows.items():
            old = self._subnets[network].rows
            for key in changes:
                self._before.setdefault((network, key), old.get(key))

    def _arrange(self, touched: Set[str], created: Set[str], networks: Networks) -> None:
        """Let subnets go that nobody needs, number the others, and write their heads."""
        unneeded = {
            network
            for network in touched
            if network not in networks
            and network not in self.base.subnets
            and not self._subnets[network].rows
        }
        for network in unneeded:
            del self._subnets[network]
        if created - self.base.subnets.keys() != unneeded:
            own = self._subnets.keys() - self.base.subnets.keys()
            self._ids |= assign(self._ids, own, self.base.numbers.values())
            self._order = sorted((self._subnets[network] for network in own), key=_order)
            self._different()
        for network in touched - unneeded - self.base.subnets.keys():
            subnet = self._subnets[network]
            if subnet.set_head(self._ids[network], subnet.given):
                self._different()

    def _different(self) -> None:
        """More than reservations has changed."""
        self._stamp += 1
        self._whole = True
        self._before = {}

    def _make_classes(self) -> None:
        self._made = self._owns.stamp
        settings, owns = self._settings, self._owns.sets.values()
        made = make_classes(self.base.version, settings.domains, settings.boot, owns)
        self._classes = "".join(f",\n      {json.dumps(item)}" for item in made).encode()
        self._different()

    def _whole_text(self) -> Iterator[bytes]:
        for part in self.base.parts:
            if isinstance(part, bytes):
                yield part
            else:
                yield from self._fill(part)

    def _fill(self, hole: Hole) -> tuple[bytes, ...]:
        if hole.what == "classes":
            pieces: tuple[bytes, ...] = (self._classes,)
        elif hole.what == "subnets":
            pieces = tuple(chain.from_iterable([subnet.pieces() for subnet in self._order]))
        else:
            pieces = self._subnets[hole.what].rows.pieces()
        return list_pieces(pieces, hole.first)


def _order(subnet: KeaSubnet) -> tuple[int, int]:
    net = ip_network(subnet.network)
    return int(net.network_address), net.prefixlen
