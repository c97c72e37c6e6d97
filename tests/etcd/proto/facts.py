"""What etcd's public ``.proto`` files say, noted down a second time.

The codec reads its facts from the annotations of :mod:`lochkit.etcd.messages`. These notes were
taken from ``rpc.proto``, ``kv.proto`` and ``auth.proto`` separately and know nothing of those
classes, so that a slip in either shows as a difference. One line is one field: number, type, name,
and ``@`` the oneof it belongs to. A line that is not indented opens a message, or is a whole enum.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["ENUMS", "MESSAGES", "FieldFact"]

_FACTS: Final = """
enum SortOrder NONE ASCEND DESCEND
enum SortTarget KEY VERSION CREATE MOD VALUE
enum CompareResult EQUAL GREATER LESS NOT_EQUAL
enum CompareTarget VERSION CREATE MOD VALUE LEASE
enum EventType PUT DELETE
enum FilterType NOPUT NODELETE
enum PermissionType READ WRITE READWRITE

ResponseHeader
  1 uint64 cluster_id
  2 uint64 member_id
  3 int64 revision
  4 uint64 raft_term

KeyValue
  1 bytes key
  2 int64 create_revision
  3 int64 mod_revision
  4 int64 version
  5 bytes value
  6 int64 lease

Event
  1 EventType type
  2 KeyValue kv
  3 KeyValue prev_kv

RangeRequest
  1 bytes key
  2 bytes range_end
  3 int64 limit
  4 int64 revision
  5 SortOrder sort_order
  6 SortTarget sort_target
  7 bool serializable
  8 bool keys_only
  9 bool count_only
  10 int64 min_mod_revision
  11 int64 max_mod_revision
  12 int64 min_create_revision
  13 int64 max_create_revision

RangeResponse
  1 ResponseHeader header
  2 repeated KeyValue kvs
  3 bool more
  4 int64 count

PutRequest
  1 bytes key
  2 bytes value
  3 int64 lease
  4 bool prev_kv
  5 bool ignore_value
  6 bool ignore_lease

PutResponse
  1 ResponseHeader header
  2 KeyValue prev_kv

DeleteRangeRequest
  1 bytes key
  2 bytes range_end
  3 bool prev_kv

DeleteRangeResponse
  1 ResponseHeader header
  2 int64 deleted
  3 repeated KeyValue prev_kvs

RequestOp
  1 RangeRequest request_range @request
  2 PutRequest request_put @request
  3 DeleteRangeRequest request_delete_range @request
  4 TxnRequest request_txn @request

ResponseOp
  1 RangeResponse response_range @response
  2 PutResponse response_put @response
  3 DeleteRangeResponse response_delete_range @response
  4 TxnResponse response_txn @response

Compare
  1 CompareResult result
  2 CompareTarget target
  3 bytes key
  4 int64 version @target_union
  5 int64 create_revision @target_union
  6 int64 mod_revision @target_union
  7 bytes value @target_union
  8 int64 lease @target_union
  64 bytes range_end

TxnRequest
  1 repeated Compare compare
  2 repeated RequestOp success
  3 repeated RequestOp failure

TxnResponse
  1 ResponseHeader header
  2 bool succeeded
  3 repeated ResponseOp responses

CompactionRequest
  1 int64 revision
  2 bool physical

CompactionResponse
  1 ResponseHeader header

WatchRequest
  1 WatchCreateRequest create_request @request_union
  2 WatchCancelRequest cancel_request @request_union
  3 WatchProgressRequest progress_request @request_union

WatchCreateRequest
  1 bytes key
  2 bytes range_end
  3 int64 start_revision
  4 bool progress_notify
  5 repeated FilterType filters
  6 bool prev_kv
  7 int64 watch_id
  8 bool fragment

WatchCancelRequest
  1 int64 watch_id

WatchProgressRequest

WatchResponse
  1 ResponseHeader header
  2 int64 watch_id
  3 bool created
  4 bool canceled
  5 int64 compact_revision
  6 string cancel_reason
  7 bool fragment
  11 repeated Event events

LeaseGrantRequest
  1 int64 TTL
  2 int64 ID

LeaseGrantResponse
  1 ResponseHeader header
  2 int64 ID
  3 int64 TTL
  4 string error

LeaseRevokeRequest
  1 int64 ID

LeaseRevokeResponse
  1 ResponseHeader header

LeaseKeepAliveRequest
  1 int64 ID

LeaseKeepAliveResponse
  1 ResponseHeader header
  2 int64 ID
  3 int64 TTL

LeaseTimeToLiveRequest
  1 int64 ID
  2 bool keys

LeaseTimeToLiveResponse
  1 ResponseHeader header
  2 int64 ID
  3 int64 TTL
  4 int64 grantedTTL
  5 repeated bytes keys

LeaseLeasesRequest

LeaseStatus
  1 int64 ID

LeaseLeasesResponse
  1 ResponseHeader header
  2 repeated LeaseStatus leases

Member
  1 uint64 ID
  2 string name
  3 repeated string peerURLs
  4 repeated string clientURLs
  5 bool isLearner

MemberListRequest
  1 bool linearizable

MemberListResponse
  1 ResponseHeader header
  2 repeated Member members

StatusRequest

DowngradeInfo
  1 bool enabled
  2 string targetVersion

StatusResponse
  1 ResponseHeader header
  2 string version
  3 int64 dbSize
  4 uint64 leader
  5 uint64 raftIndex
  6 uint64 raftTerm
  7 uint64 raftAppliedIndex
  8 repeated string errors
  9 int64 dbSizeInUse
  10 bool isLearner
  11 string storageVersion
  12 int64 dbSizeQuota
  13 DowngradeInfo downgradeInfo

AuthenticateRequest
  1 string name
  2 string password

AuthenticateResponse
  1 ResponseHeader header
  2 string token

AuthEnableRequest

AuthEnableResponse
  1 ResponseHeader header

AuthDisableRequest

AuthDisableResponse
  1 ResponseHeader header

UserAddOptions
  1 bool no_password

AuthUserAddRequest
  1 string name
  2 string password
  3 UserAddOptions options
  4 string hashedPassword

AuthUserAddResponse
  1 ResponseHeader header

AuthUserChangePasswordRequest
  1 string name
  2 string password
  3 string hashedPassword

AuthUserChangePasswordResponse
  1 ResponseHeader header

AuthUserGrantRoleRequest
  1 string user
  2 string role

AuthUserGrantRoleResponse
  1 ResponseHeader header

AuthRoleAddRequest
  1 string name

AuthRoleAddResponse
  1 ResponseHeader header

Permission
  1 PermissionType permType
  2 bytes key
  3 bytes range_end

AuthRoleGrantPermissionRequest
  1 string name
  2 Permission perm

AuthRoleGrantPermissionResponse
  1 ResponseHeader header
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldFact:
    """One field of the notes. ``oneof`` is empty for a field that is in none."""

    number: int
    type: str
    name: str
    repeated: bool
    oneof: str


def _field(line: str) -> FieldFact:
    words = line.split()
    oneof = words.pop().removeprefix("@") if words[-1].startswith("@") else ""
    repeated = words[1] == "repeated"
    if repeated:
        words.pop(1)
    number, kind, name = words
    return FieldFact(number=int(number), type=kind, name=name, repeated=repeated, oneof=oneof)


def _messages() -> dict[str, tuple[FieldFact, ...]]:
    found: dict[str, tuple[FieldFact, ...]] = {}
    name = ""
    for line in _FACTS.splitlines():
        if line.startswith(" "):
            found[name] += (_field(line),)
        elif line and not line.startswith("enum "):
            name = line
            found[name] = ()
    return found


ENUMS: Final[Mapping[str, tuple[str, ...]]] = {
    words[1]: tuple(words[2:])
    for words in (line.split() for line in _FACTS.splitlines() if line.startswith("enum "))
}
"""The members of every enum; their numbers count from 0."""

MESSAGES: Final[Mapping[str, tuple[FieldFact, ...]]] = _messages()
"""The fields of every message."""
