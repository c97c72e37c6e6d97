"""What a fake host makes of a stream: the rules of ``zfs receive``, of OpenZFS and of zfs-fuse."""

import trio

from lochkit.zfs.errors import Failure, ZfsError
from lochkit.zfs.host_types import ReceiveSpec
from lochkit.zfs.model import Kind
from lochkit.zfs.names import parents, pool_of

from .zfs_host_state import PLACEHOLDER, FakeDataset, FakeSnapshot, Partial, State, failed
from .zfs_host_stream import END, Header, Record, Short, body, read_exactly, read_header, token_of

__all__ = ["Receive"]


class Receive:
    """One ``zfs receive`` at work.

    Args:
        state: of the host.
        spec: the request.
        stream: where the stream comes from.
        most: bytes of snapshots after which it dies; None: it does not.
    """

    def __init__(
        self, state: State, spec: ReceiveSpec, stream: trio.abc.ReceiveStream, most: int | None
    ) -> None:
        self._state = state
        self._spec = spec
        self._stream = stream
        self._left = most
        self._openzfs = state.capabilities.parsable_list
        self._got = 0

    async def run(self) -> None:
        """Read the stream, and change the host as it says.

        Raises:
            ZfsError: what ``zfs receive`` complains of.
            Died: it was to die, and did.
        """
        try:
            header = await read_header(self._stream)
        except (Short, ValueError, TypeError) as exc:
            words = str(exc) or "failed to read from stream"
            failure = Failure.CUT if isinstance(exc, Short) else Failure.BAD_STREAM
            raise self._failed(failure, words) from None
        target = self._target(header)
        if target.receiving:
            raise self._failed(Failure.BUSY, "dataset is busy")
        base = header.base
        target.receiving = True
        try:
            for number, record in enumerate(header.records):
                offset = (header.resumed or 0) if number == 0 else 0
                await self._apply(header, target, record, base, offset)
                base = record.guid
            await self._exactly(END)
        finally:
            target.receiving = False

    def _target(self, header: Header) -> FakeDataset:
        name = self._spec.dataset
        target = self._state.datasets.get(name)
        if header.resumed is not None:
            return self._resumable(target, header)
        if target is not None:
            if header.base is None:
                self._check_overwrite(target)
            return target
        if header.base is not None:
            # zfs-fuse looks for whoever has the base, and goes on with that one. OpenZFS refuses
            # some such streams; nobody is to count on that.
            owner = self._state.owner(header.base, pool=pool_of(name))
            if owner is None:
                raise self._failed(Failure.MISSING, f"destination {name!r} does not exist")
            return owner
        if any(above not in self._state.datasets for above in parents(name)):
            raise self._failed(Failure.MISSING, "parent dataset does not exist")
        return self._made(header)

    def _resumable(self, target: FakeDataset | None, header: Header) -> FakeDataset:
        if target is None:
            raise self._failed(Failure.MISSING, "destination does not exist")
        partial = target.partial
        if (
            partial is None
            or partial.to_guid != header.records[0].guid
            or partial.received != header.resumed
        ):
            raise self._failed(Failure.STALE_TOKEN, "the stream does not go on from its state")
        return target

    def _check_overwrite(self, target: FakeDataset) -> None:
        if target.snapshots:
            raise self._failed(Failure.EXISTS, "destination has snapshots")
        if not self._spec.rollback:
            raise self._failed(Failure.EXISTS, "destination exists, must specify -F")
        if target.partial:
            raise self._failed(Failure.RESUMABLE, "contains partially-complete state")

    def _made(self, header: Header) -> FakeDataset:
        made = self._state.make(self._spec.dataset, kind=Kind(header.kind))
        made.properties = {
            key: value
            for key, value in header.properties.items()
            if key not in self._spec.exclude_properties
        }
        if header.raw and header.encrypted:
            made.encryption_root, made.key_loaded = made.name, False
        return made

    async def _apply(
        self,
        header: Header,
        target: FakeDataset,
        record: Record,
        base: int | None,
        offset: int,
    ) -> None:
        if target.with_guid(record.guid):  # already there
            if not self._openzfs:
                raise self._failed(Failure.DIVERGED, "does not match incremental source")
            await self._read(record, offset)
            return
        lost = self._would_lose(header, target, base)
        if target.at(record.name) and target.at(record.name) not in lost:
            raise self._failed(Failure.EXISTS, f"destination has a snapshot {record.name}")
        fresh = base is None and not target.snapshots and target.partial is None
        try:
            got = await self._read(record, offset)
        except _Broken as broken:
            self._left_over(header, target, record, base, fresh=fresh)
            raise self._broken(broken) from None
        except trio.Cancelled:  # killed
            self._left_over(header, target, record, base, fresh=fresh)
            raise
        self._commit(target, record, lost, size=got)

    def _left_over(
        self, header: Header, target: FakeDataset, record: Record, base: int | None, *, fresh: bool
    ) -> None:
        if self._spec.resumable:
            target.partial = Partial(
                to_guid=record.guid,
                to_name=f"{header.source}@{record.name}",
                from_guid=base,
                received=self._got,
                token=token_of(header, record, base, self._got),
            )
        elif fresh and PLACEHOLDER not in target.properties:
            self._state.datasets.pop(target.name, None)

    def _would_lose(
        self, header: Header, target: FakeDataset, base: int | None
    ) -> list[FakeSnapshot]:
        if base is None:
            return []
        found = target.with_guid(base)
        if found is None:
            raise self._failed(Failure.DIVERGED, "most recent snapshot does not match the source")
        if bool(target.encryption_root) != (header.raw and header.encrypted) and header.raw:
            raise self._failed(Failure.BAD_STREAM, "a raw stream onto what was not received raw")
        newer = [one for one in target.snapshots if one.txg > found.txg]
        changed = target.written > 0 or any(one.size for one in newer)
        if not changed:
            return []
        if not self._spec.rollback:
            # zfs-fuse says of a newer snapshot what OpenZFS says of none
            diverged = newer and not self._openzfs
            failure = Failure.DIVERGED if diverged else Failure.MODIFIED
            raise self._failed(failure, "destination has been modified since most recent snapshot")
        if newer and not self._openzfs:
            raise self._failed(Failure.DIVERGED, "most recent snapshot does not match the source")
        if any(one.tags for one in newer):
            raise self._failed(Failure.BUSY, "dataset is busy")
        if any(self._state.clones_of(one) for one in newer):
            raise self._failed(Failure.HAS_CLONES, "destination has dependent clones")
        return newer

    def _commit(
        self, target: FakeDataset, record: Record, lost: list[FakeSnapshot], *, size: int
    ) -> None:
        target.snapshots = [one for one in target.snapshots if one not in lost]
        self._state.txg += 1
        made = FakeSnapshot(
            name=record.name, guid=record.guid, txg=self._state.txg, creation=record.creation
        )
        made.size, made.properties = size, dict(record.properties)
        target.snapshots.append(made)
        target.written, target.partial = 0, None
        target.properties.update(self._spec.set_properties)

    async def _read(self, record: Record, offset: int) -> int:
        at = offset
        try:
            for chunk in body(record, offset):
                wanted = len(chunk) if self._left is None else min(len(chunk), self._left)
                try:
                    got = await read_exactly(self._stream, wanted)
                except Short as short:
                    if short.got == chunk[: len(short.got)]:
                        at += len(short.got)
                    raise _Broken(Failure.CUT) from None
                if got != chunk[:wanted]:
                    raise _Broken(Failure.BAD_STREAM)
                at += wanted
                if self._left is not None:
                    self._left -= wanted
                    if self._left == 0:
                        raise _Broken(None)
        finally:
            self._got = at
        return at

    def _broken(self, broken: "_Broken") -> Exception:
        if broken.failure is None:
            return Died()
        kept = self._spec.resumable and broken.failure is Failure.CUT
        words = "checksum mismatch" if broken.failure is Failure.BAD_STREAM else "incomplete stream"
        return self._failed(Failure.RESUMABLE if kept else broken.failure, words)

    async def _exactly(self, wanted: bytes) -> None:
        try:
            got = await read_exactly(self._stream, len(wanted))
        except Short:
            raise self._failed(Failure.CUT, "incomplete stream") from None
        if got != wanted:
            raise self._failed(Failure.BAD_STREAM, "invalid stream")

    def _failed(self, failure: Failure, words: str) -> ZfsError:
        return failed(failure, self._spec.dataset, f"cannot receive: {words}")


class Died(Exception):
    """The receive died where a test wanted it to."""


class _Broken(Exception):
    def __init__(self, failure: Failure | None) -> None:
        super().__init__()
        self.failure = failure
