"""What an answer, or what a watch tells, means for a registration. Pure."""

from ..etcd.errors import (
    AuthFailed,
    EtcdError,
    MessageTooLarge,
    PermissionDenied,
    RpcError,
    StatusCode,
)
from .host import State
from .own_record import says_leaving
from .tenure import Tenure
from .writing import Sighting

__all__ = ["is_hopeless", "is_told_to_go", "rights_needed"]


def is_hopeless(error: EtcdError) -> bool:
    """Whether time heals it in no case: an operator must."""
    if isinstance(error, PermissionDenied | AuthFailed | MessageTooLarge):
        return True
    return isinstance(error, RpcError) and error.code in (
        StatusCode.INVALID_ARGUMENT,
        StatusCode.UNIMPLEMENTED,
    )


def is_told_to_go(tenure: Tenure, seen: Sighting) -> bool:
    """Whether somebody has just deleted the instance's key, or marked it as leaving."""
    if not tenure.standing or seen.revision < tenure.own_revision:
        return False
    if seen.kv is None:
        return seen.seen_to_go
    return tenure.host.state is not State.LEAVING and says_leaving(seen.kv.value)


def rights_needed(tenure: Tenure) -> str:
    """The keys that a registration reads and writes, for people."""
    keys = (tenure.own_key, tenure.infos_key, *tenure.published, *tenure.shared)
    return ", ".join(key.decode("utf-8", "backslashreplace") for key in keys)
