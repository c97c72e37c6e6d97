"""Configuration for Kea: the operator's own, with subnets, hosts and classes put in. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Set
from itertools import chain
from typing import Any

from .documents import Document
from .kea_base import KeaBase, default_base
from .kea_family import KeaFamily, Placed, ReservationChange
from .model import Group, Host, Problem, Reason, Update
from .networks import Networks
from .settings import RenderSettings

__all__ = ["KeaBackend", "ReservationChange"]

_NO_V6 = Problem(
    Reason.UNSUPPORTED,
    "the address is an IPv6 one, and no configuration for Kea's DHCPv6 server is written",
)
_NO_NETWORK = Problem(
    Reason.UNSUPPORTED,
    "it tells no netmask, and its address lies in no known network, without which Kea serves "
    "nobody; set its netmask, or declare the network as a subnet",
)


class KeaBackend:
    """Writes ``kea-dhcp4.conf`` and, when it is wanted, ``kea-dhcp6.conf``: whole configurations.

    Kea looks a host up in the subnet from which it asks. Of networks that lie in each other it
    chooses one by itself, so that hosts in the other may not be found; nothing here can help that.
    """

    def __init__(
        self,
        settings: RenderSettings,
        *,
        base4: Mapping[str, Any] | None = None,
        base6: Mapping[str, Any] | None = None,
        known_ids: Mapping[str, int] | None = None,
    ) -> None:
        """Begin with no hosts.

        Args:
            settings: domains and boot options.
            base4: the operator's ``{"Dhcp4": ...}``; `default_base` when None.
            base6: the operator's ``{"Dhcp6": ...}``; None when DHCPv6 is not served.
            known_ids: numbers that subnets had before, by network (see `subnet_ids`).

        Raises:
            ValueError: a base can not take ours in, with a sentence.
        """
        bases = [KeaBase(default_base(4) if base4 is None else base4, 4)]
        if base6 is not None:
            bases.append(KeaBase(base6, 6))
        self._families = {
            base.version: KeaFamily(base, settings, known_ids or {}) for base in bases
        }
        self._networks = Networks()
        self._hosts: dict[Group, dict[str, Host]] = {group: {} for group in Group}
        # Hosts that tell no network: the one in which they are served, or None.
        self._homeless: dict[tuple[Group, str], str | None] = {}
        self._refused: dict[tuple[Group, str], Problem] = {}

    @property
    def hosts(self) -> int:
        """How many hosts are written."""
        return sum(family.hosts for family in self._families.values())

    @property
    def refused(self) -> Mapping[tuple[Group, str], Problem]:
        """Hosts with an IPv6 address when there is no such server, and hosts without a network."""
        return self._refused

    @property
    def subnet_ids(self) -> dict[str, int]:
        """The numbers of our subnets by network, to be handed in as `known_ids` after a restart."""
        return {
            network: number
            for family in self._families.values()
            for network, number in family.subnet_ids.items()
        }

    def update(self, update: Update) -> None:
        """Take in what is different."""
        changed = self._networks.update(update)
        gone: list[Placed] = []
        come: list[Placed] = []
        groups = ((Group.HYPERVISORS, update.hypervisors), (Group.GUESTS, update.guests))
        for group, hosts in groups:
            gone += self._take_out(group, hosts)
        for group, hosts in groups:
            come += self._put_in(group, hosts)
        if changed:
            self._rehouse(gone, come)
        for family in self._families.values():
            family.change(
                self._of(family, gone),
                self._of(family, come),
                self._networks,
                changed,
                self._residents,
            )

    def documents(self) -> tuple[Document, ...]:
        """Return one configuration for each server."""
        return tuple(family.document() for family in self._families.values())

    def take_files(self) -> dict[str, bytes | None]:
        """Return nothing: Kea has no directory of hosts."""
        return {}

    def files(self) -> Mapping[str, bytes]:
        """Return nothing: Kea has no directory of hosts."""
        return {}

    def take_reservations(self) -> list[ReservationChange] | None:
        """Return which reservations are different since this was last called, deletions first.

        None when more is different than can be told so: subnets, classes, or very many hosts.
        """
        changes = [family.take_reservations() for family in self._families.values()]
        known = [change for change in changes if change is not None]
        return list(chain.from_iterable(known)) if len(known) == len(changes) else None

    def _take_out(self, group: Group, hosts: Iterable[str]) -> Iterator[Placed]:
        """Forget hosts, and yield those that were written."""
        known = self._hosts[group]
        for key in hosts:
            if self._refused:
                self._refused.pop((group, key), None)
            host = known.pop(key, None)
            if host is None:
                continue
            network = host.subnet.network or self._homeless.pop((group, key))
            if network is not None:
                yield Placed(group, host, network)

    def _put_in(self, group: Group, hosts: Mapping[str, Host | None]) -> Iterator[Placed]:
        """Remember hosts, and yield those that are to be written."""
        known = self._hosts[group]
        for key, host in hosts.items():
            if host is None:
                continue
            if host.subnet.version not in self._families:
                self._refused[group, key] = _NO_V6
                continue
            known[key] = host
            network = host.subnet.network or self._house(group, host)
            if network is not None:
                yield Placed(group, host, network)

    def _house(self, group: Group, host: Host) -> str | None:
        """Find a network for a host that tells none."""
        base = self._families[host.subnet.version].base
        network = self._networks.around(host.address, base.subnets.values())
        self._homeless[group, host.id] = network
        if network is None:
            self._refused[group, host.id] = _NO_NETWORK
        else:
            self._refused.pop((group, host.id), None)
        return network

    def _rehouse(self, gone: list[Placed], come: list[Placed]) -> None:
        """Look again where hosts that tell no network belong: the networks are others now."""
        for (group, key), before in tuple(self._homeless.items()):
            host = self._hosts[group][key]
            network = self._house(group, host)
            if network == before:
                continue
            if before is not None:
                gone.append(Placed(group, host, before))
            if network is not None:
                come.append(Placed(group, host, network))

    def _of(self, family: KeaFamily, hosts: list[Placed]) -> list[Placed]:
        if len(self._families) == 1:
            return hosts
        version = family.base.version
        return [placed for placed in hosts if placed.host.subnet.version == version]

    def _residents(self, networks: Set[str]) -> Iterator[Placed]:
        """Yield all hosts that are written in some networks."""
        for group, hosts in self._hosts.items():
            for key, host in hosts.items():
                network = host.subnet.network or self._homeless[group, key]
                if network is not None and network in networks:
                    yield Placed(group, host, network)
