"""The streams of fake hosts: what they look like, and what is in them.

A stream is one line, ``FAKEZFS 1 {json}``, then the bytes of its snapshots one after the other,
then ``END`` and a newline. The bytes of a snapshot follow from its guid: so a relay that loses,
doubles or swaps any is found out, as ZFS finds it by its checksums. The JSON is a `Header`.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import lru_cache

import trio

from lochkit.zfs.errors import Failure, ZfsError
from lochkit.zfs.host_types import SendSpec
from lochkit.zfs.plan_types import ResumeToken

from .zfs_host_state import FakeDataset, FakeSnapshot, State, failed

__all__ = ["Header", "Record", "body", "read_exactly", "read_header", "stream_of", "token_of"]

MAGIC = b"FAKEZFS 1 "
END = b"END\n"
CHUNK = 64 * 1024
LONGEST_HEADER = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One snapshot of a stream."""

    guid: int
    name: str
    creation: int
    size: int
    properties: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The first line of a stream.

    Attributes:
        source: the dataset it is from.
        base: the guid that the target must have; None: full.
        records: the snapshots it carries.
        resumed: bytes of the first record that the target has already; None: not a resumed stream.
        raw: encrypted blocks as they are.
        kind: filesystem or volume.
        encrypted: the source is.
        properties: of the dataset (``-p``).
    """

    source: str
    base: int | None
    records: tuple[Record, ...]
    resumed: int | None = None
    raw: bool = False
    kind: str = "filesystem"
    encrypted: bool = False
    properties: dict[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all snapshots that follow."""
        return sum(one.size for one in self.records) - (self.resumed or 0)

    def line(self) -> bytes:
        """The line itself."""
        return MAGIC + json.dumps(asdict(self)).encode() + b"\n"


@lru_cache(maxsize=64)
def _pattern(guid: int) -> bytes:
    # A prime number of bytes: no chunk of a power of two looks like another.
    digest = hashlib.shake_256(str(guid).encode()).digest(8191)
    return digest * (CHUNK // len(digest) + 2)


def body(record: Record, offset: int = 0) -> Iterator[bytes]:
    """The bytes of a snapshot, in chunks."""
    pattern = _pattern(record.guid)
    while offset < record.size:
        start = offset % 8191
        length = min(CHUNK, record.size - offset)
        yield pattern[start : start + length]
        offset += length


def stream_of(state: State, spec: SendSpec) -> Header:
    """What ``zfs send`` sends.

    Raises:
        ZfsError: what it complains of.
    """
    state.capabilities.checked(spec)
    if spec.token is not None:
        return _resumed(state, spec)
    assert spec.to is not None
    dataset = state.find(spec.dataset)
    to = dataset.at(spec.to.name)
    if to is None or to.guid != spec.to.guid:
        what = f"{spec.dataset}@{spec.to.name}"
        raise failed(Failure.MISSING, what, "dataset does not exist")
    base = spec.base
    if base is not None:
        known = {(one.name, one.guid) for one in dataset.snapshots}
        known |= {(one.name, one.guid) for one in dataset.bookmarks}
        if (base.name, base.guid) not in known:
            raise failed(Failure.MISSING, spec.dataset, f"base {base.name} does not exist")
        if base.createtxg >= to.txg:
            raise failed(Failure.BAD_REQUEST, spec.dataset, "not an earlier snapshot")
    _check_key(dataset, raw=spec.raw)
    after = base.createtxg if base else 0
    newer = [one for one in dataset.snapshots if after < one.txg <= to.txg]
    if spec.intermediates:
        records = [_record(one, one.size, properties=spec.properties) for one in newer]
    else:
        # A stream from a base carries all that was written since, whatever was taken in between.
        records = [_record(to, sum(one.size for one in newer), properties=spec.properties)]
    return Header(
        source=spec.dataset,
        base=base.guid if base else None,
        records=tuple(records),
        raw=spec.raw,
        kind=dataset.kind.value,
        encrypted=dataset.encryption_root is not None,
        properties=dict(dataset.properties) if spec.properties else {},
    )


def _record(one: FakeSnapshot, size: int, *, properties: bool) -> Record:
    carried = dict(one.properties) if properties else {}
    return Record(
        guid=one.guid, name=one.name, creation=one.creation, size=size, properties=carried
    )


def _check_key(dataset: FakeDataset, *, raw: bool) -> None:
    if dataset.encryption_root and not dataset.key_loaded and not raw:
        raise failed(Failure.KEY_NOT_LOADED, dataset.name, "dataset key must be loaded")


def _resumed(state: State, spec: SendSpec) -> Header:
    assert spec.token is not None
    told = read_token(state, spec.token)
    owner = state.owner(told.to_guid)
    assert owner is not None
    to = owner.with_guid(told.to_guid)
    assert to is not None
    _check_key(owner, raw=told.raw)
    base = next(
        (
            txg
            for guid, txg in (
                *((one.guid, one.txg) for one in owner.snapshots),
                *((one.guid, one.createtxg) for one in owner.bookmarks),
            )
            if guid == told.from_guid
        ),
        0,
    )
    size = sum(one.size for one in owner.snapshots if base < one.txg <= to.txg)
    return Header(
        source=owner.name,
        base=told.from_guid,
        records=(_record(to, size, properties=False),),
        resumed=told.received or 0,
        raw=told.raw,
        kind=owner.kind.value,
        encrypted=owner.encryption_root is not None,
    )


def token_of(header: Header, record: Record, base: int | None, received: int) -> str:
    """The resume token of a record that was cut."""
    told = {
        "to": record.guid,
        "name": f"{header.source}@{record.name}",
        "from": base,
        "received": received,
        "raw": header.raw,
    }
    return "1-fake-" + json.dumps(told).encode().hex()


def read_token(state: State, token: str) -> ResumeToken:
    """What a token says, to a host that has the source.

    Raises:
        ZfsError: it is none, or the source is gone.
    """
    state.capabilities.need("resume")
    try:
        told = json.loads(bytes.fromhex(token.removeprefix("1-fake-")))
        read = ResumeToken(
            token=token,
            to_guid=told["to"],
            to_name=told["name"],
            from_guid=told["from"],
            received=told["received"],
            raw=told["raw"],
        )
    except (ValueError, KeyError, TypeError):
        raise ZfsError("resume token is corrupt", failure=Failure.BAD_REQUEST) from None
    owner = state.owner(read.to_guid)
    bases: set[int | None] = {None}
    if owner:
        bases |= {one.guid for one in owner.snapshots} | {one.guid for one in owner.bookmarks}
    if owner is None or read.from_guid not in bases:
        name = read.to_name.partition("@")[0]
        raise failed(Failure.STALE_TOKEN, name, "used in the initial send no longer exists")
    return read


class Short(Exception):
    """The stream ended before its end; `got` are the bytes that were left."""

    def __init__(self, got: bytes) -> None:
        super().__init__()
        self.got = got


async def read_exactly(stream: trio.abc.ReceiveStream, count: int) -> bytes:
    """Read so many bytes.

    Raises:
        Short: the stream ended.
    """
    got = bytearray()
    while len(got) < count:
        chunk = await stream.receive_some(count - len(got))
        if not chunk:
            raise Short(bytes(got))
        got += chunk
    return bytes(got)


async def read_header(stream: trio.abc.ReceiveStream) -> Header:
    """Read the first line, byte by byte: what follows is not ours yet.

    Raises:
        Short: the stream ended.
        ValueError: it is no stream of a fake host.
    """
    line = bytearray(await read_exactly(stream, len(MAGIC)))
    if line != MAGIC:
        raise ValueError("invalid stream (bad magic number)")
    while not line.endswith(b"\n") and len(line) < LONGEST_HEADER:
        line += await read_exactly(stream, 1)
    told = json.loads(line[len(MAGIC) :])
    records = tuple(Record(**one) for one in told.pop("records"))
    return Header(**told, records=records)
