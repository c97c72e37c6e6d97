"""How an agent is doing, as the file ``agent.json`` in its state directory says."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ..errors import LochkitError
from .message_fields import Fields

__all__ = [
    "STATUS_FILE",
    "AgentStatus",
    "BadStatus",
    "ChoreStatus",
    "TransferStatus",
    "encode_status",
    "read_status",
]

STATUS_FILE: Final = "agent.json"
_VERSION: Final = 1


class BadStatus(LochkitError):
    """The file of an agent's status that can not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoreStatus:
    """One thing that is done again and again. Times are seconds since 1970; None: never.

    Attributes:
        job: whose it is.
        work: take, send or destroy.
        replication: which, of a send; of a destroy, the one whose destination is pruned.
        to: the host it sends to, or prunes.
        state: idle, queued, running or failed.
        last_tick: the tick of its schedule that was done last.
        next_tick: the one that is next.
        last_start: when it began last.
        last_end: when it ended last, well or not.
        last_success: when it last went well.
        failures: in a row.
        retry_at: when it is tried again, after a failure.
        last_error: what was wrong; empty once it has gone well.
        message: what was done last, in a few words.
    """

    job: str
    work: str
    replication: str = ""
    to: str = ""
    state: str = "idle"
    last_tick: float | None = None
    next_tick: float | None = None
    last_start: float | None = None
    last_end: float | None = None
    last_success: float | None = None
    failures: int = 0
    retry_at: float | None = None
    last_error: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferStatus:
    """A stream that is being sent.

    Attributes:
        replication: whose it is.
        dataset: what is sent.
        target: where to: ``host:dataset``.
        snapshot: the one that will be there afterwards.
        done: bytes that have gone.
        size: bytes it will have; None: not known.
        rate: bytes a second, of late.
        started: seconds since 1970.
        order: the OrderUUID it was ordered by; empty: our own job.
    """

    replication: str
    dataset: str
    target: str = ""
    snapshot: str = ""
    done: int = 0
    size: int | None = None
    rate: float = 0.0
    started: float = 0.0
    order: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStatus:
    """All of it.

    Attributes:
        host: its name.
        pid: of the process.
        started: when it began, in seconds since 1970.
        at: when this was said.
        state: starting, ready, stopping or stopped.
        policy: the file it follows; empty: none.
        policy_error: why the file was not taken when it was last read.
        listening: address and port by service.
        etcd: off, connected, or away and why.
        chores: by job and kind.
        transfers: under way.
        orders_running, orders_done, orders_failed: how many, since it began.
    """

    host: str
    pid: int = 0
    started: float = 0.0
    at: float = 0.0
    state: str = "starting"
    policy: str = ""
    policy_error: str = ""
    listening: Mapping[str, str] = field(default_factory=dict)
    etcd: str = "off"
    chores: tuple[ChoreStatus, ...] = ()
    transfers: tuple[TransferStatus, ...] = ()
    orders_running: int = 0
    orders_done: int = 0
    orders_failed: int = 0


_CHORE: Final = {
    "Job": "job",
    "Work": "work",
    "Replication": "replication",
    "To": "to",
    "State": "state",
    "LastTick": "last_tick",
    "NextTick": "next_tick",
    "LastStart": "last_start",
    "LastEnd": "last_end",
    "LastSuccess": "last_success",
    "Failures": "failures",
    "RetryAt": "retry_at",
    "LastError": "last_error",
    "Message": "message",
}
_TRANSFER: Final = {
    "Replication": "replication",
    "Dataset": "dataset",
    "Target": "target",
    "Snapshot": "snapshot",
    "Bytes": "done",
    "Size": "size",
    "Rate": "rate",
    "Started": "started",
    "Order": "order",
}


def encode_status(status: AgentStatus) -> bytes:
    """The content of the file."""
    document = {
        "Version": _VERSION,
        "Host": status.host,
        "Pid": status.pid,
        "Started": status.started,
        "At": status.at,
        "State": status.state,
        "Policy": status.policy,
        "PolicyError": status.policy_error,
        "Listening": dict(status.listening),
        "Etcd": status.etcd,
        "Jobs": [_document(one, _CHORE) for one in status.chores],
        "Transfers": [_document(one, _TRANSFER) for one in status.transfers],
        "Orders": {
            "Running": status.orders_running,
            "Done": status.orders_done,
            "Failed": status.orders_failed,
        },
    }
    return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"


def read_status(content: bytes) -> AgentStatus:
    """What the file says.

    Raises:
        BadStatus: it is not such a file, or of a version that is not known.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as exc:
        raise BadStatus(f"no JSON: {exc}") from exc
    fields = Fields(document, BadStatus, STATUS_FILE)
    if fields.number("Version") != _VERSION:
        raise fields.wrong("Version", f"not {_VERSION}: another version of lochkit has written it")
    orders = Fields(fields.table("Orders") or {}, BadStatus, "Orders")
    listening = fields.table("Listening") or {}
    return AgentStatus(
        host=fields.text("Host"),
        pid=fields.number("Pid"),
        started=fields.real("Started"),
        at=fields.real("At"),
        state=fields.text("State"),
        policy=fields.text("Policy"),
        policy_error=fields.text("PolicyError", longest=100_000),
        listening={one: Fields(listening, BadStatus, "Listening").text(one) for one in listening},
        etcd=fields.text("Etcd", longest=100_000),
        chores=tuple(_chore(one) for one in fields.items("Jobs")),
        transfers=tuple(_transfer(one) for one in fields.items("Transfers")),
        orders_running=orders.number("Running"),
        orders_done=orders.number("Done"),
        orders_failed=orders.number("Failed"),
    )


def _document(one: ChoreStatus | TransferStatus, names: Mapping[str, str]) -> dict[str, object]:
    return {name: getattr(one, attribute) for name, attribute in names.items()}


def _chore(document: object) -> ChoreStatus:
    fields = Fields(document, BadStatus, "Jobs")
    times = ("LastTick", "NextTick", "LastStart", "LastEnd", "LastSuccess", "RetryAt")
    return ChoreStatus(
        job=fields.text("Job"),
        work=fields.text("Work"),
        replication=fields.text("Replication"),
        to=fields.text("To"),
        state=fields.text("State"),
        failures=fields.number("Failures"),
        last_error=fields.text("LastError", longest=100_000),
        message=fields.text("Message", longest=100_000),
        **{_CHORE[name]: fields.real(name) for name in times if name in fields},
    )


def _transfer(document: object) -> TransferStatus:
    fields = Fields(document, BadStatus, "Transfers")
    return TransferStatus(
        replication=fields.text("Replication"),
        dataset=fields.text("Dataset"),
        target=fields.text("Target"),
        snapshot=fields.text("Snapshot"),
        done=fields.number("Bytes"),
        size=fields.maybe_number("Size"),
        rate=fields.real("Rate"),
        started=fields.real("Started"),
        order=fields.text("Order"),
    )
