"""The header that opens every answer of etcd."""

from dataclasses import dataclass
from typing import Annotated, Final

from .wire_schema import Message, Tag

__all__ = ["NO_HEADER", "ResponseHeader"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseHeader(Message):
    """Who answered, and at which point of the store's history.

    Attributes:
        cluster_id: the cluster; another one after a restore from backup into a new cluster.
        member_id: the member that answered.
        revision: the store's revision when it did; 0 in answers that have none (auth, members).
        raft_term: the member's raft term.
    """

    cluster_id: Annotated[int, Tag(1, unsigned=True)] = 0
    member_id: Annotated[int, Tag(2, unsigned=True)] = 0
    revision: Annotated[int, Tag(3)] = 0
    raft_term: Annotated[int, Tag(4, unsigned=True)] = 0


NO_HEADER: Final = ResponseHeader()
"""What a message without a header has for one."""
