"""What an agent tells etcd, and asks of it."""

import json
import uuid

from ..errors import LochkitError
from ..etcd.client import Client
from ..etcd.errors import EtcdError
from ..io.peer_tls import check_credentials
from .agent_board import Board
from .agent_settings import AgentSettings
from .agent_targets import Lookup
from .errors import Failure, ZfsBusy
from .host_types import ZfsHost
from .layout import Layout
from .policy_types import HostAddress
from .publish_record import AgentRecord, read_record
from .publisher import Publisher

__all__ = ["lookup_of", "publisher_of"]


def publisher_of(
    settings: AgentSettings, host: ZfsHost, etcd: Client | None, board: Board, started: float
) -> Publisher | None:
    """The actor that tells; None: nobody is told.

    Raises:
        ConfigError: our certificate can not be used.
    """
    if etcd is None or settings.etcd is None:
        return None
    credentials = settings.credentials
    record = AgentRecord(
        host=settings.host,
        address=settings.etcd.address,
        orders_port=0,
        streams_port=0,
        certificate=check_credentials(credentials) if credentials is not None else None,
        zfs=host.capabilities,
        instance=str(uuid.uuid4()),
        started=started,
    )
    return Publisher(
        etcd,
        record,
        host.inventory,
        layout=Layout(settings.etcd.namespace),
        board=board,
        ttl=settings.etcd.ttl,
        every=settings.etcd.every,
    )


def lookup_of(settings: AgentSettings, etcd: Client | None) -> Lookup | None:
    """What looks for the agents that have told etcd of themselves; None: nothing does."""
    if etcd is None or settings.etcd is None:
        return None
    layout = Layout(settings.etcd.namespace)

    async def lookup(host: str) -> HostAddress | None:
        try:
            kv = await etcd.kv.get(layout.agent(host))
        except EtcdError as exc:
            message = f"etcd can not be asked where {host} is: {exc}"
            raise ZfsBusy(message, failure=Failure.UNAVAILABLE) from exc
        if kv is None:
            return None
        try:
            return read_record(json.loads(kv.value)).where
        except (ValueError, RecursionError, LochkitError) as exc:
            message = f"what etcd says of {host} can not be read: {exc}"
            raise ZfsBusy(message, failure=Failure.UNAVAILABLE) from exc

    return lookup
