"""Who leads, as etcd has it. Pure."""

import json
from dataclasses import dataclass

from ..errors import LochkitError
from .message_fields import Fields

__all__ = ["BadLeader", "Candidate", "Leader", "leader_value", "read_leader"]


class BadLeader(LochkitError):
    """What the leader's key says can not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Who wants to lead.

    Attributes:
        name: for people: the host's name, as a rule.
        instance: another one for every process.
        pid: of the process.
    """

    name: str
    instance: str
    pid: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Leader:
    """Who leads, as etcd has it.

    Attributes:
        name: see `Candidate`.
        instance: see `Candidate`.
        since: seconds since 1970.
    """

    name: str
    instance: str
    since: float


def read_leader(value: bytes) -> Leader:
    """The leader in a value of etcd.

    Raises:
        BadLeader: it can not be read.
    """
    try:
        document = json.loads(value[:10_000])
    except (ValueError, RecursionError) as exc:
        raise BadLeader(f"leader: not JSON: {exc}") from None
    fields = Fields(document, BadLeader, "leader")
    return Leader(
        name=fields.text("Host", longest=255),
        instance=fields.text("Instance", longest=255),
        since=fields.real("Since"),
    )


def leader_value(candidate: Candidate, since: float) -> bytes:
    """The value of the leader's key."""
    document = {
        "Host": candidate.name,
        "Pid": candidate.pid,
        "Instance": candidate.instance,
        "Since": since,
    }
    return json.dumps(document, separators=(",", ":")).encode()
