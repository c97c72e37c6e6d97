"""What one host asks another's agent to do, and what it answers.

An order is known by its OrderUUID: the agent carries it out once, however often it is sent, and
answers a repetition with the result there was. Names and numbers are those of the program before
this one; what is new is said at the fields. `order_json` says how they look on the wire.
"""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from .errors import Failure, Refused
from .names import split_snapshot
from .policy_types import HostAddress, Replication

__all__ = [
    "RESYNC_UUID",
    "Action",
    "BadOrder",
    "Order",
    "OrderProgress",
    "OrderResult",
    "OrderStatus",
    "SnapshotRef",
    "parse_snapshot_ref",
]

RESYNC_UUID: Final = "zRESYNC"
"""The OrderUUID that the program before this one gave to every resync; known to be no identity."""

_LAST_GUID: Final = 2**64 - 1
_REF: Final = re.compile(r"([0-9]{1,20})(?::([^#]+)((?:#[A-Za-z]+)*))?")


class BadOrder(Refused):
    """An order that can not be read, or that asks for what makes no sense; nothing was done."""

    def __init__(self, message: str) -> None:
        super().__init__(message, failure=Failure.BAD_REQUEST)


class Action(enum.Enum):
    """What is to be done."""

    TAKE = "take_snapshot"
    SEND = "send_snapshot"
    DESTROY = "destroy_snapshot"
    RESYNC = "resync"  # kv_resync is understood as well


class OrderStatus(enum.IntEnum):
    """How it went; but for 0 the numbers of the program before this one."""

    DONE = 0  # taken, destroyed, inventoried
    WAS_RENAMED = 1  # it is there under another name, and was left alone
    WAS_WRITTEN = 2  # the other host has received it
    NOTHING_TO_DO = 3  # it was so already
    FAILED = 4  # "Zerror": see the error
    MOST_ACTUAL = 7  # the other host has snapshots newer than that


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRef:
    """A snapshot as an order names it: by its guid, and by what the giver believes its name is.

    Attributes:
        guid: what counts.
        dataset: where the giver believes it is; None: not said.
        name: what follows the ``@``, as the giver believes; None: not said.
    """

    guid: int
    dataset: str | None = None
    name: str | None = None

    def __str__(self) -> str:
        return str(self.guid) if self.dataset is None else f"{self.guid}:{self.dataset}@{self.name}"


def parse_snapshot_ref(text: str) -> SnapshotRef:
    """Read ``guid`` or ``guid:dataset@name``; flags behind that (``#sent``) say nothing to us.

    Raises:
        BadOrder: it is neither.
        BadName: the name can not be one.
    """
    found = _REF.fullmatch(text)
    if found is None or int(found[1]) > _LAST_GUID:
        shown = text if len(text) <= 80 else text[:77] + "..."
        raise BadOrder(f"SnapshotUUID {shown!r}: neither a guid nor guid:dataset@name")
    if found[2] is None:
        return SnapshotRef(guid=int(found[1]))
    dataset, name = split_snapshot(found[2])
    return SnapshotRef(guid=int(found[1]), dataset=dataset, name=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order.

    ========  ==============================================================================
    action    needs
    ========  ==============================================================================
    TAKE      `dataset`, `snapshot_name`; may have `recursive`, `exclude`, `skip_if_not_written`
    SEND      `source_dataset` (or a ref with a dataset), `destination`, `dataset`; or a
              `replication` instead of the latter two
    DESTROY   `snapshots`, each with its dataset, or all of `dataset`
    RESYNC    nothing; `dataset` limits it to that one and those below
    ========  ==============================================================================

    Attributes:
        uuid: its identity (OrderUUID): up to 64 letters, digits, ``.``, ``_``, ``-``.
        action: what is to be done.
        destination: SEND: the host to send to, or ``local``.
        snapshots: SEND: the snapshot that must at least be there afterwards; empty: the newest.
            DESTROY: which.
        snapshot_name: TAKE: what follows the ``@``.
        dataset: DestDataset: TAKE, DESTROY, RESYNC: of this host; SEND: at the destination.
        rollback_if_needed: SEND without a `replication`: what the destination has beyond the
            newest common snapshot may be destroyed.
        skip_if_renamed: DESTROY: not those that have another name now.
        skip_if_not_written: TAKE: not of datasets that nothing was written to since the newest
            snapshot with the same prefix (up to the first ``_``).
        skip_if_cloned: DESTROY: clones are no failure; without it they are. Clones are never
            destroyed.
        source_dataset: new. SEND: what to send.
        job: new. The job it belongs to, for people.
        replication: new. SEND: how, in full.
        address: new. SEND: where the destination's agent is; None: the agent knows.
        recursive: new. With all datasets below.
        exclude: new. With `recursive`: see `Selection.exclude`.
        written_since: new. TAKE with `skip_if_not_written`: the prefix to compare with, where the
            first ``_`` does not end it.
    """

    uuid: str
    action: Action
    destination: str = ""
    snapshots: tuple[SnapshotRef, ...] = ()
    snapshot_name: str = ""
    dataset: str = ""
    rollback_if_needed: bool = False
    skip_if_renamed: bool = False
    skip_if_not_written: bool = False
    skip_if_cloned: bool = False
    source_dataset: str = ""
    job: str = ""
    replication: Replication | None = None
    address: HostAddress | None = None
    recursive: bool = False
    exclude: tuple[str, ...] = ()
    written_since: str = ""

    @property
    def is_unique(self) -> bool:
        """Whether its uuid tells it from others."""
        return self.uuid != RESYNC_UUID and self.action is not Action.RESYNC


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderResult:
    """What became of an order.

    Attributes:
        uuid: of the order.
        is_success: nothing is left to be done about it; also if it was so already.
        status: in a number.
        error: for a person; empty if all went well.
        failure: why, if it failed; the giver may try again if that is `retryable`.
        details: what else there is to say, JSON values by name; see `order_details`.
    """

    uuid: str
    is_success: bool
    status: OrderStatus
    error: str = ""
    failure: Failure | None = None
    details: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def failed(cls, uuid: str, error: BaseException, **details: object) -> "OrderResult":
        """The result of an order that an error has ended."""
        failure = getattr(error, "failure", Failure.OTHER)
        return cls(
            uuid=uuid,
            is_success=False,
            status=OrderStatus.FAILED,
            error=str(error),
            failure=failure if isinstance(failure, Failure) else Failure.OTHER,
            details=details,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderProgress:
    """How far an order is.

    Attributes:
        uuid: of the order.
        phase: a word: ``queued``, ``reading``, ``sending``, ``taking``, ``destroying``.
        dataset: which of those it is about.
        done: bytes of the stream that have gone.
        size: bytes the stream will have; None: not known.
        rate: bytes a second, of late.
    """

    uuid: str
    phase: str
    dataset: str = ""
    done: int = 0
    size: int | None = None
    rate: float = 0.0
