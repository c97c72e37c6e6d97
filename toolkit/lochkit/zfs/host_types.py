"""What the parts of lochkit ask of a host's ZFS: requests as data, and the interface itself."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from .capabilities import Capabilities
from .model import Bookmark, Inventory, Snapshot
from .plan_types import ResumeToken

__all__ = ["ReceiveSpec", "Receiving", "SendSpec", "Sending", "ZfsHost"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SendSpec:
    """One ``zfs send``.

    Attributes:
        dataset: of the source.
        to: the snapshot to send; None with a `token`.
        base: snapshot or bookmark of the same dataset to begin from; None: a full stream.
        intermediates: ``-I`` instead of ``-i``.
        token: go on with an interrupted receive (``-t``) instead of all the above.
        raw: ``-w``; properties: ``-p``; the others: ``-L -c -e``. What the host can not do is
            refused by `Capabilities.checked`, not left out in silence.
    """

    dataset: str
    to: Snapshot | None = None
    base: Snapshot | Bookmark | None = None
    intermediates: bool = False
    token: str | None = None
    raw: bool = False
    properties: bool = False
    large_blocks: bool = False
    compressed: bool = False
    embedded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveSpec:
    """One ``zfs receive -u``.

    Attributes:
        dataset: the target.
        resumable: ``-s``: what was received of a stream that is cut is kept.
        rollback: ``-F``.
        set_properties: ``-o name=value``.
        exclude_properties: ``-x name``.
    """

    dataset: str
    resumable: bool = False
    rollback: bool = False
    set_properties: Mapping[str, str] = field(default_factory=dict)
    exclude_properties: tuple[str, ...] = ()


class Sending(Protocol):
    """A ``zfs send`` that runs.

    Attributes:
        fileno: descriptor of the pipe its stream comes out of; blocking; belongs to the block.
    """

    fileno: int

    async def finish(self) -> None:
        """Wait for its end; the stream must have been read to its end.

        Raises:
            ZfsError: it failed: the words of ``zfs``, classified.
        """
        ...


class Receiving(Protocol):
    """A ``zfs receive`` that runs.

    Attributes:
        fileno: descriptor of the pipe its stream goes into; blocking; belongs to the block.
    """

    fileno: int

    async def finish(self) -> None:
        """Close the pipe, and wait for the end.

        Raises:
            ZfsError: it failed: the words of ``zfs``, classified.
        """
        ...

    def abort(self) -> None:
        """Kill it: the stream will not come to its end."""
        ...


class ZfsHost(Protocol):
    """The ZFS of this host. Every call owns its time limit, and may raise `ZfsError`.

    Attributes:
        capabilities: what this ZFS can do, probed at the start.
    """

    capabilities: Capabilities

    async def inventory(
        self, roots: Sequence[str] = (), *, properties: Sequence[str] = ()
    ) -> Inventory:
        """The datasets at and below `roots` (all pools: none given), with all they have.

        One command for each pool. A root that is not there is left out.

        Args:
            roots: names of datasets.
            properties: further properties to read, into `Dataset.properties`.
        """
        ...

    async def dataset(self, *names: str, properties: Sequence[str] = ()) -> Inventory:
        """One dataset alone, or several, without those below; what is not there is left out."""
        ...

    async def take(
        self, snapshots: Sequence[str], *, properties: Mapping[str, str] | None = None
    ) -> None:
        """Take ``dataset@name`` snapshots, of one pool: all at once where ZFS can, else in turn."""
        ...

    async def destroy(self, dataset: str, names: Sequence[str], *, defer: bool = False) -> None:
        """Destroy snapshots of a dataset; never their clones. Those that are gone are no error."""
        ...

    async def bookmark(self, snapshot: str, name: str) -> None:
        """Make the bookmark ``dataset#name`` of ``dataset@snapshot``; one that is there is fine."""
        ...

    async def destroy_bookmark(self, bookmark: str) -> None:
        """Destroy ``dataset#name``; one that is gone is no error."""
        ...

    async def hold(self, tag: str, snapshots: Sequence[str]) -> None:
        """Hold ``dataset@name`` snapshots; those that have the tag already are no error."""
        ...

    async def release(self, tag: str, snapshots: Sequence[str]) -> None:
        """Release holds; those that are gone are no error."""
        ...

    async def holds(self, snapshots: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """The tags on ``dataset@name`` snapshots.

        Raises:
            ZfsError: UNSUPPORTED where ZFS can not list them (zfs-fuse).
        """
        ...

    async def rollback(self, snapshot: str, *, destroy_newer: bool = False) -> None:
        """Roll a dataset back to ``dataset@name``."""
        ...

    async def create(self, dataset: str, properties: Mapping[str, str]) -> None:
        """Make a filesystem that is not mounted."""
        ...

    async def rename(self, snapshot: str, name: str) -> None:
        """Give ``dataset@old`` a new name."""
        ...

    async def rename_dataset(self, dataset: str, name: str) -> None:
        """Give a dataset, with all below it, a new name in its pool; never forced."""
        ...

    async def abort_receive(self, dataset: str) -> None:
        """Forget an interrupted receive (``receive -A``)."""
        ...

    async def read_token(self, token: str) -> ResumeToken:
        """What a resume token says.

        Raises:
            ZfsError: STALE_TOKEN if the source it wants is gone; BAD_REQUEST if it is not one.
        """
        ...

    async def estimate(self, spec: SendSpec) -> int | None:
        """Bytes the stream will have (``send -nP``); None where ZFS does not tell."""
        ...

    def send(self, spec: SendSpec) -> AbstractAsyncContextManager[Sending]:
        """Run ``zfs send``; it is killed when the block is left before its end."""
        ...

    def receive(self, spec: ReceiveSpec) -> AbstractAsyncContextManager[Receiving]:
        """Run ``zfs receive -u``; it is killed when the block is left before its end."""
        ...
