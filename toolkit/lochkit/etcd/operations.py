"""The parts of a transaction: conditions on keys, and what to do.

await client.kv.txn([absent(key)], [put(key, b"mine", lease=lease)])
"""

from .messages import (
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRangeRequest,
    PutRequest,
    RangeRequest,
    RequestOp,
    TxnRequest,
)
from .prefix import KeyRange

__all__ = [
    "absent",
    "created_at",
    "delete",
    "get",
    "has_lease",
    "modified_at",
    "nested",
    "put",
    "value_is",
]


def absent(key: bytes) -> Compare:
    """The key does not exist."""
    return created_at(key, 0)


def created_at(key: bytes, revision: int) -> Compare:
    """The key was last created by `revision`: it is the same one, perhaps rewritten since."""
    return Compare(target=CompareTarget.CREATE, key=key, create_revision=revision)


def modified_at(key: bytes, revision: int) -> Compare:
    """The key was last written by `revision`: nobody has touched it since."""
    return Compare(target=CompareTarget.MOD, key=key, mod_revision=revision)


def value_is(key: bytes, value: bytes, *, result: CompareResult = CompareResult.EQUAL) -> Compare:
    """The key's value is (or with `result`: is not, is above, is below) `value`, as bytes."""
    return Compare(result=result, target=CompareTarget.VALUE, key=key, value=value)


def has_lease(key: bytes, lease: int) -> Compare:
    """The key is attached to `lease` (0: to none)."""
    return Compare(target=CompareTarget.LEASE, key=key, lease=lease)


def get(wanted: KeyRange, *, limit: int = 0, count_only: bool = False) -> RequestOp:
    """Read a range."""
    request = RangeRequest(
        key=wanted.key, range_end=wanted.range_end, limit=limit, count_only=count_only
    )
    return RequestOp(request_range=request)


def put(key: bytes, value: bytes, *, lease: int = 0, prev_kv: bool = False) -> RequestOp:
    """Write a key."""
    return RequestOp(request_put=PutRequest(key=key, value=value, lease=lease, prev_kv=prev_kv))


def delete(wanted: KeyRange, *, prev_kv: bool = False) -> RequestOp:
    """Delete a range; `KeyRange.exact` for one key."""
    request = DeleteRangeRequest(key=wanted.key, range_end=wanted.range_end, prev_kv=prev_kv)
    return RequestOp(request_delete_range=request)


def nested(request: TxnRequest) -> RequestOp:
    """A transaction inside the transaction."""
    return RequestOp(request_txn=request)
