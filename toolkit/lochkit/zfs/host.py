"""The ZFS of this host, by its ``zfs`` program."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial

from . import argv
from .argv import Words, batches
from .capabilities import Capabilities
from .errors import BadName, Failure, ZfsError
from .host_core import ZfsCore, open_core
from .host_destroy import destroy_snapshots, held_or
from .host_inventory import read_datasets, read_inventory
from .host_program import Outcome, ZfsProgram
from .host_streams import ProgramReceiving, ProgramSending, open_receive, open_send
from .host_types import ReceiveSpec, SendSpec
from .model import Inventory
from .names import pool_of, split_snapshot
from .parse import parse_holds, parse_pairs, parse_size
from .parse_drafts import PLACEHOLDER
from .plan_types import ResumeToken
from .probe import has_version, probe
from .token import parse_token

__all__ = ["ProgramHost", "open_host"]

# Snapshots at one instant must be in one command, however long: Linux allows 2 MiB.
_MOST_AT_ONCE = {"most": 100_000, "most_bytes": 1_000_000}


async def open_host(
    *,
    zfs: str = "zfs",
    timeout: float = 60.0,
    inventory_timeout: float = 300.0,
    stream_end_timeout: float = 300.0,
) -> "ProgramHost":
    """Find out what the ZFS of this host can do, with one or two commands that touch no pool.

    Args:
        zfs: the program.
        timeout: seconds for a command that is neither an inventory nor a stream.
        inventory_timeout: seconds for an inventory.
        stream_end_timeout: seconds that ``zfs send`` and ``zfs receive`` may take when their stream
            has ended; the streams themselves are their readers' and writers' concern.

    Raises:
        ZfsUnavailable: no program, no module, no daemon.
        ZfsError: it does not say what it can do.
    """
    program = ZfsProgram(
        zfs,
        timeout=timeout,
        inventory_timeout=inventory_timeout,
        stream_end_timeout=stream_end_timeout,
    )
    outcome = await program.attempt(())
    usage = outcome.ended.stderr + outcome.output
    if "usage: " not in usage or outcome.ended.status is None:
        raise outcome.error(None)
    version = ""
    if has_version(usage):
        # Without its module it fails, and says of itself all the same.
        version = (await program.attempt(("version",))).output
    can = probe(usage, version)
    # Of another program than the one that belongs to the library, for tests, only that is asked.
    core = open_core(timeout=timeout) if zfs == "zfs" and can.bookmarks else None
    return ProgramHost(program, can, core)


class ProgramHost:
    """A `ZfsHost`; made by `open_host`.

    Every method raises `BadName` for names that nothing can have, before anything is run.

    Attributes:
        capabilities: what this ZFS can do.
    """

    def __init__(
        self, program: ZfsProgram, capabilities: Capabilities, core: ZfsCore | None = None
    ) -> None:
        self.capabilities = capabilities
        self._program, self._core = program, core

    async def inventory(
        self, roots: Sequence[str] = (), *, properties: Sequence[str] = ()
    ) -> Inventory:
        """See ZfsHost. One command for all pools, and one more where ZFS can not tell clones."""
        return await read_inventory(self._program, self.capabilities, roots, properties)

    async def dataset(self, *names: str, properties: Sequence[str] = ()) -> Inventory:
        """See ZfsHost."""
        return await read_datasets(self._program, self.capabilities, names, properties)

    async def take(
        self, snapshots: Sequence[str], *, properties: Mapping[str, str] | None = None
    ) -> None:
        """See ZfsHost."""
        limits = _MOST_AT_ONCE if self.capabilities.many_snapshots else {"most": 1}
        for group in batches(snapshots, **limits):
            words = argv.snapshot_words(group, properties or {})
            await self._program.run(words, dataset=_of(group))

    async def destroy(self, dataset: str, names: Sequence[str], *, defer: bool = False) -> None:
        """See ZfsHost. What can be destroyed is, though others can not, as the error tells."""
        await destroy_snapshots(self, self._program, dataset, names, defer=defer)

    async def bookmark(self, snapshot: str, name: str) -> None:
        """See ZfsHost.

        Raises:
            ZfsError: EXISTS: there is one of that name, of another snapshot.
        """
        self.capabilities.need("bookmarks", snapshot)
        words = argv.bookmark_words(snapshot, name)
        if self._core and await self._core.bookmark({words[2]: words[1]}):
            return
        outcome = await self._program.attempt(words)
        if outcome.ok:
            return
        if outcome.failure is Failure.EXISTS:
            guids = parse_pairs(await self._program.run(argv.guids_words(words[1:])))
            if len(set(guids.values())) == 1:
                return
        raise outcome.error(_of([snapshot]))

    async def destroy_bookmark(self, bookmark: str) -> None:
        """See ZfsHost."""
        self.capabilities.need("bookmarks", bookmark)
        words = argv.destroy_bookmark_words(bookmark)
        if not (self._core and await self._core.destroy_bookmarks([words[-1]])):
            await self._tolerant(words, bookmark, Failure.MISSING)

    async def hold(self, tag: str, snapshots: Sequence[str]) -> None:
        """See ZfsHost."""
        words = partial(argv.hold_words, tag)
        call = partial(self._core.hold, tag) if self._core else None
        await self._each(await _left(snapshots, words, call), words, Failure.EXISTS)

    async def release(self, tag: str, snapshots: Sequence[str]) -> None:
        """See ZfsHost."""
        words = partial(argv.release_words, tag)
        call = partial(self._core.release, tag) if self._core else None
        await self._each(await _left(snapshots, words, call), words, Failure.MISSING)

    async def holds(self, snapshots: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """See ZfsHost. Snapshots that are not there have no tags."""
        self.capabilities.need("list_holds", _of(snapshots))
        found: dict[str, tuple[str, ...]] = {}
        for group in batches(snapshots):
            outcome = await self._tolerant(argv.holds_words(group), _of(group), Failure.MISSING)
            found |= parse_holds(outcome.output, group)
        return found

    async def rollback(self, snapshot: str, *, destroy_newer: bool = False) -> None:
        """See ZfsHost."""
        dataset, name = split_snapshot(snapshot)
        outcome = await self._program.attempt(
            argv.rollback_words(snapshot, destroy_newer=destroy_newer)
        )
        if not outcome.ok:
            failure = await held_or(self, outcome.failure, dataset, after=name)
            raise outcome.error(snapshot, failure=failure)

    async def create(self, dataset: str, properties: Mapping[str, str]) -> None:
        """See ZfsHost. The value of ``lochkit:placeholder``, if given, becomes the dataset's name.

        Those below inherit it, and are no placeholders for that.
        """
        given = {"canmount": "noauto", **properties}
        if PLACEHOLDER in given:
            given[PLACEHOLDER] = dataset
        await self._program.run(argv.create_words(dataset, given), dataset=dataset)

    async def rename(self, snapshot: str, name: str) -> None:
        """See ZfsHost."""
        await self._program.run(argv.rename_words(snapshot, name), dataset=snapshot)

    async def rename_dataset(self, dataset: str, name: str) -> None:
        """See ZfsHost."""
        await self._program.run(argv.rename_dataset_words(dataset, name), dataset=dataset)

    async def abort_receive(self, dataset: str) -> None:
        """See ZfsHost. Nothing to forget is no error."""
        self.capabilities.need("resume", dataset)
        outcome = await self._program.attempt(argv.abort_words(dataset))
        if not outcome.ok and outcome.failure is not Failure.MISSING:
            raise outcome.error(dataset)

    async def read_token(self, token: str) -> ResumeToken:
        """See ZfsHost."""
        self.capabilities.need("resume")
        try:
            words = argv.token_words(token)
        except BadName as bad:
            raise ZfsError(str(bad), failure=Failure.BAD_REQUEST) from None
        outcome = await self._program.attempt(words)
        if not outcome.ok:
            raise outcome.error(None)
        return parse_token(token, outcome.output)

    async def estimate(self, spec: SendSpec) -> int | None:
        """See ZfsHost. None as well when it takes too long: the stream need not wait for that."""
        if not self.capabilities.estimate:
            return None
        words = argv.send_words(self.capabilities.checked(spec), estimate=True)
        outcome = await self._program.attempt(words)
        if not outcome.ok:
            if outcome.failure is Failure.TIMEOUT:
                return None
            raise outcome.error(spec.dataset)
        return parse_size(outcome.output)

    def send(self, spec: SendSpec) -> AbstractAsyncContextManager[ProgramSending]:
        """See ZfsHost."""
        return open_send(self._program, self.capabilities.checked(spec))

    def receive(self, spec: ReceiveSpec) -> AbstractAsyncContextManager[ProgramReceiving]:
        """See ZfsHost."""
        return open_receive(self._program, self.capabilities.checked_receive(spec))

    async def _each(
        self, snapshots: Sequence[str], words: Callable[[Sequence[str]], Words], fine: Failure
    ) -> None:
        for group in batches(snapshots):
            await self._tolerant(words(group), _of(group), fine)

    async def _tolerant(self, words: Words, dataset: str | None, fine: Failure) -> Outcome:
        """Run a command that may complain of this, and of nothing else."""
        outcome = await self._program.attempt(words)
        if not outcome.ok and not outcome.only(fine):
            raise outcome.error(dataset, tolerated=fine)
        return outcome


async def _left(
    names: Sequence[str],
    words: Callable[[Sequence[str]], Words],
    call: Callable[[Sequence[str]], Awaitable[bool]] | None,
) -> Sequence[str]:
    """The names that are left for a command, after a call that takes those of one pool at a time.

    Args:
        names: of snapshots.
        words: of the command; they check the names.
        call: says whether it has done all; None: there is none.
    """
    words(names)
    if call is None:
        return names
    by_pool: dict[str, list[str]] = {}
    for name in names:
        by_pool.setdefault(pool_of(name), []).append(name)
    left: list[str] = []
    for some in by_pool.values():
        if not await call(some):
            left += some
    return left


def _of(snapshots: Sequence[str]) -> str | None:
    return snapshots[0].partition("@")[0] if snapshots else None
