"""Whether a stream is the one that was agreed upon, by the guids in its records."""

import struct
from typing import Any

import pytest

from lochkit.zfs.offers import Base, Offer, SnapshotId
from lochkit.zfs.stream_begin import RECORD, BadStream, RecordType, payload_length, read_begin
from lochkit.zfs.stream_watch import ZfsWatch

MAGIC = 0x2F5BACBAC


def begin(
    to: int,
    base: int = 0,
    *,
    package: bool = False,
    payload: int = 0,
    name: str = "ssd/data@s",
    order: str = "<",
    magic: int = MAGIC,
) -> bytes:
    head = struct.pack(f"{order}IIQQ", 0, payload, magic, (2 if package else 1) | 0x1000)
    body = struct.pack(f"{order}QIIQQ", 0, 2, 0, to, base)
    return (head + body + name.encode()).ljust(RECORD, b"\0")


def write(size: int, *, stored: int = 0, order: str = "<") -> bytes:
    record = bytearray(RECORD)
    struct.pack_into(f"{order}I", record, 0, RecordType.WRITE)
    struct.pack_into(f"{order}Q", record, 32, size)
    record[50] = bool(stored)
    struct.pack_into(f"{order}Q", record, 96, stored)
    # What looks like the beginning of a stream is data here.
    return bytes(record) + (begin(666, 777) * (size // RECORD + 1))[: stored or size]


def end(order: str = "<") -> bytes:
    return struct.pack(f"{order}I", RecordType.END).ljust(RECORD, b"\0")


def single(to: int, base: int = 0, **more: Any) -> bytes:
    return begin(to, base, **more) + write(1000) + end()


def package(*streams: bytes, properties: bytes = b"", name: str = "ssd/data@s") -> bytes:
    head = begin(0, package=True, payload=len(properties), name=name)
    return head + properties + end() + b"".join(streams) + end()


def offer(to: int, base: int | None = None, **more: Any) -> Offer:
    return Offer(
        replication="job",
        dataset="bulk/data",
        to=SnapshotId(guid=to, name="s"),
        base=None if base is None else Base(guid=base, name="b"),
        **more,
    )


def watch(offer: Offer, stream: bytes, piece: int = 97) -> ZfsWatch:
    watching = ZfsWatch(offer)
    for at in range(0, len(stream), piece):
        if not watching.settled:
            watching.see(memoryview(stream)[at : at + piece])
    return watching


@pytest.mark.parametrize("piece", [1, 97, 312, 313, 1 << 20])
def test_streams_that_were_agreed_upon(piece: int) -> None:
    assert watch(offer(5), single(5), piece).settled
    assert watch(offer(5, 4), single(5, 4), piece).settled
    assert watch(offer(5, 4), single(5, 4, order=">"), piece).settled
    chain = package(single(3, 2), single(4, 3), single(5, 4))
    assert not watch(offer(5, 2), chain, piece).settled
    watch(offer(5, 2, properties=True), package(single(5, 2), properties=b"p" * 500), piece)
    watch(offer(5), package(single(4), single(5, 4)), piece)


@pytest.mark.parametrize(
    ("asked", "stream"),
    [
        pytest.param(offer(5), b"x" * 400, id="no stream"),
        pytest.param(offer(5), b"\0" * 400, id="nothing"),
        pytest.param(offer(5), begin(5, magic=MAGIC + 1), id="other magic"),
        pytest.param(offer(5), single(5, 4), id="incremental instead of full"),
        pytest.param(offer(5, 4), single(5), id="full instead of incremental"),
        pytest.param(offer(5, 4), single(5, 3), id="other base"),
        pytest.param(offer(5, 4), single(6, 4), id="other snapshot"),
        pytest.param(offer(5), package(single(5, 4)), id="package with another base"),
        pytest.param(offer(5, 2), package(single(3, 2), single(5, 4)), id="broken chain"),
        pytest.param(
            offer(5, 2),
            package(single(5, 2), single(9, 8, name="ssd/data/child@s")),
            id="package with a child",
        ),
        pytest.param(
            offer(5, 2), package(single(5, 2, name="ssd/other@s")), id="package of another"
        ),
        pytest.param(offer(5, 2), package(single(5, 2), properties=b"p"), id="properties"),
        pytest.param(offer(5, 2, token="t"), package(single(5, 2)), id="package that goes on"),
        pytest.param(
            offer(5, 2), package(begin(3, 2) + begin(5, 3) + end()), id="stream within a stream"
        ),
        pytest.param(offer(5, 2), package(write(10)), id="data outside of a stream"),
        pytest.param(
            offer(5, 2), package(begin(5, 2) + struct.pack("<I", 99).ljust(RECORD)), id="unknown"
        ),
        pytest.param(
            offer(5, 2), package(begin(5, 2) + write(10, stored=1 << 40)[:RECORD]), id="huge"
        ),
        pytest.param(
            offer(5, properties=True),
            begin(0, package=True, payload=5 << 20),
            id="more properties than there can be",
        ),
        pytest.param(offer(5, 2), package(package(single(5, 2))), id="package within a package"),
    ],
)
@pytest.mark.parametrize("piece", [100, 1 << 20])
def test_streams_that_were_not(asked: Offer, stream: bytes, piece: int) -> None:
    with pytest.raises(BadStream):
        watch(asked, stream, piece)


def test_a_beginning_is_read() -> None:
    found = read_begin(begin(5, 4, name="tank/a b@x", order=">"))
    assert (found.to_guid, found.from_guid, found.to_name) == (5, 4, "tank/a b@x")
    assert (found.order, found.package, found.payload) == (">", False, 0)


@pytest.mark.parametrize(
    ("kind", "fields", "length"),
    [
        (RecordType.OBJECT, {28: ("I", 13)}, 16),
        (RecordType.OBJECT, {28: ("I", 13), 36: ("I", 320)}, 320),
        (RecordType.FREEOBJECTS, {}, 0),
        (RecordType.WRITE, {32: ("Q", 131072)}, 131072),
        (RecordType.WRITE, {32: ("Q", 131072), 50: ("B", 15), 96: ("Q", 5000)}, 5000),
        (RecordType.WRITE, {32: ("Q", 131072), 96: ("Q", 5000)}, 131072),
        (RecordType.FREE, {24: ("Q", 7)}, 0),
        (RecordType.SPILL, {16: ("Q", 512)}, 512),
        (RecordType.SPILL, {16: ("Q", 512), 33: ("B", 2), 40: ("Q", 64)}, 64),
        (RecordType.WRITE_EMBEDDED, {52: ("I", 61)}, 64),
        (RecordType.END, {8: ("Q", 99)}, 0),
        (RecordType.BEGIN, {4: ("I", 40)}, 40),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_what_follows_a_record(
    kind: RecordType, fields: dict[int, tuple[str, int]], length: int, order: str
) -> None:
    record = bytearray(RECORD)
    struct.pack_into(f"{order}I", record, 0, kind)
    for at, (form, value) in fields.items():
        struct.pack_into(f"{order}{form}", record, at, value)
    assert payload_length(bytes(record), order) == (kind, length)
