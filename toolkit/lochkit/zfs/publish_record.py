"""What an agent says of itself in etcd, for as long as it lives."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import LochkitError
from .capabilities import Capabilities
from .message_fields import Fields
from .policy_types import HostAddress

__all__ = ["AgentRecord", "BadRecord", "read_record", "record_document"]


class BadRecord(LochkitError):
    """The record of an agent that can not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRecord:
    """An agent.

    Attributes:
        host: the name of its host.
        address: where others reach it.
        orders_port: for orders; 0: it takes none.
        streams_port: for streams; 0: it takes none.
        certificate: the name in its certificate, for people; None: it speaks plaintext.
        zfs: what the ZFS of the host can do.
        instance: another one for every process.
        started: seconds since 1970.
    """

    host: str
    address: str
    orders_port: int = 7711
    streams_port: int = 7722
    certificate: str | None = None
    zfs: Capabilities = field(default_factory=Capabilities)
    instance: str = ""
    started: float = 0.0

    @property
    def where(self) -> HostAddress:
        """How to reach it; not the name to expect in its certificate.

        That is the host's, or what a policy says: who may write into etcd where a host is must not
        say who it is, too. With any certificate of the authority he could take its place.
        """
        return HostAddress(address=self.address, orders=self.orders_port, streams=self.streams_port)


def record_document(record: AgentRecord) -> dict[str, object]:
    """The record as a JSON object."""
    return {
        "Host": record.host,
        "Address": record.address,
        "OrdersPort": record.orders_port,
        "StreamsPort": record.streams_port,
        "Certificate": record.certificate,
        "Zfs": dataclasses.asdict(record.zfs),
        "Instance": record.instance,
        "Started": record.started,
    }


def read_record(document: Mapping[str, object]) -> AgentRecord:
    """The record in a JSON object; what a newer program says besides is left alone.

    Raises:
        BadRecord: it can not be read.
    """
    fields = Fields(document, BadRecord, "agent")
    host, address = fields.text("Host", longest=255), fields.text("Address", longest=255)
    if not host or not address:
        raise BadRecord("agent: Host and Address must be there")
    zfs = Fields(fields.table("Zfs") or {}, BadRecord, "agent: Zfs")
    known = [field.name for field in dataclasses.fields(Capabilities) if field.name != "version"]
    return AgentRecord(
        host=host,
        address=address,
        orders_port=fields.number("OrdersPort", most=65535),
        streams_port=fields.number("StreamsPort", most=65535),
        certificate=fields.text("Certificate", longest=255) or None,
        zfs=Capabilities(
            version=zfs.text("version", "zfs", longest=255),
            **{name: zfs.flag(name) for name in known},
        ),
        instance=fields.text("Instance", longest=255),
        started=fields.real("Started"),
    )
