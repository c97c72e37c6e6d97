"""A cluster made up for measurements: hypervisors, subnets and guests as they stand in etcd."""

import hashlib
import json
import uuid
from collections.abc import Iterator

import trio

from lochkit.etcd import operations as op
from lochkit.etcd.client import open_client
from lochkit.etcd.config import EtcdConfig, parse_endpoints
from lochkit.etcd.messages import RequestOp

__all__ = ["PREFIX", "Cluster", "fill"]

PREFIX = "/lochness"
GUESTS_PER_SUBNET = 200
GUESTS_PER_HYPERVISOR = 60


class Cluster:
    """Its objects; the same for the same number of guests.

    Args:
        guests: how many.
    """

    def __init__(self, guests: int) -> None:
        self.guests = guests
        self.subnets = -(-guests // GUESTS_PER_SUBNET)
        self.hypervisors = -(-guests // GUESTS_PER_HYPERVISOR)

    @classmethod
    def of(cls, objects: int) -> "Cluster":
        """The one with about so many objects in all."""
        return cls(round(objects / (1 + 1 / GUESTS_PER_SUBNET + 1 / GUESTS_PER_HYPERVISOR)))

    @property
    def objects(self) -> int:
        """How many there are of all kinds."""
        return self.guests + self.subnets + self.hypervisors

    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        """All keys and values."""
        for number in range(self.hypervisors):
            yield self._pair("hypervisors", number, self._hypervisor(number))
        for number in range(self.subnets):
            yield self._pair("subnets", number, self._subnet(number))
        for number in range(self.guests):
            yield self.guest(number)

    def guest(self, number: int, *, moved: int = 0) -> tuple[bytes, bytes]:
        """One guest; `moved` gives it another MAC, so that its reservation changes."""
        subnet, host = divmod(number, GUESTS_PER_SUBNET)
        fields: dict[str, object] = {
            "id": _id("guests", number),
            "metadata": {"name": f"guest-{number}"},
            "type": "kvm",
            "flavor": _id("flavors", number % 20),
            "hypervisor": _id("hypervisors", number // GUESTS_PER_HYPERVISOR),
            "network": _id("networks", 0),
            "subnet": _id("subnets", subnet),
            "fwgroup": _id("fwgroups", number % 10),
            "mac": _mac(0x02, moved << 24 | number),
            "ip": f"10.{subnet >> 8}.{subnet & 255}.{host + 10}",
            "bridge": "br0",
        }
        return self._pair("guests", number, fields)

    def _hypervisor(self, number: int) -> dict[str, object]:
        resources = {"memory": 51539, "disk": 819200, "cpu": 31}
        return {
            "id": _id("hypervisors", number),
            "metadata": {"name": f"node-{number}"},
            "ip": f"172.16.{number >> 7}.{(number & 127) + 10}",
            "netmask": "255.255.0.0",
            "gateway": "172.16.255.254",
            "mac": _mac(0x52, number),
            "total_resources": resources,
            "available_resources": resources,
        }

    def _subnet(self, number: int) -> dict[str, object]:
        stem = f"10.{number >> 8}.{number & 255}"
        return {
            "id": _id("subnets", number),
            "metadata": {},
            "network": _id("networks", 0),
            "gateway": f"{stem}.1",
            "cidr": f"{stem}.0/24",
            "start": f"{stem}.10",
            "end": f"{stem}.250",
        }

    @staticmethod
    def _pair(kind: str, number: int, fields: dict[str, object]) -> tuple[bytes, bytes]:
        key = f"{PREFIX}/{kind}/{_id(kind, number)}/metadata"
        return key.encode(), json.dumps(fields, separators=(",", ":")).encode()


def fill(address: str, cluster: Cluster) -> None:
    """Write the whole cluster, 100 objects in a transaction."""

    async def main() -> None:
        async with open_client(EtcdConfig(endpoints=parse_endpoints([address]))) as etcd:
            batch: list[RequestOp] = []
            for key, value in cluster.pairs():
                batch.append(op.put(key, value))
                if len(batch) == 100:
                    await etcd.kv.txn([], batch)
                    batch = []
            if batch:
                await etcd.kv.txn([], batch)

    trio.run(main)


def _id(kind: str, number: int) -> str:
    return str(uuid.UUID(bytes=hashlib.md5(f"{kind}{number}".encode()).digest()))


def _mac(first: int, number: int) -> str:
    return ":".join(f"{byte:02x}" for byte in (first, *number.to_bytes(5, "big")))
