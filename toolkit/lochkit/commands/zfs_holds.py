"""``lochkit zfs holds``: who holds which snapshots, and what is left of old replications."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from ..options import Subcommand, argument, flag, option
from ..zfs.errors import BadName, Failure, ZfsError
from ..zfs.host import open_host
from ..zfs.host_types import ZfsHost
from ..zfs.model import Inventory
from ..zfs.names import check_dataset
from ..zfs.tags import last_tag, parse_cursor, parse_tag, step_tag
from .output import Refused, counted, print_lines, table
from .zfs_options import PolicyOptions
from .zfs_running import answered, policy_of

__all__ = ["SUBCOMMAND", "Held", "ZfsHoldsOptions", "run"]

_AT_ONCE: Final = 500  # snapshots in one command

Judge = Callable[[str, bool], bool | None]
"""Of a replication's name, and whether it is a hold on what was received: see `Held.known`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZfsHoldsOptions(PolicyOptions):
    """The options of ``lochkit zfs holds``, as given: see their help."""

    gc: bool = flag(
        "--gc",
        help="Release lochkit's holds, and destroy its bookmarks, of replications that the policy"
        " does not know (any more).",
    )
    replication: tuple[str, ...] = option(
        "--replication",
        default=(),
        metavar="NAME",
        help="With --gc: let go what belongs to this one, whether the policy knows it or not; on a"
        " destination, too.",
    )
    dry_run: bool = flag("--dry-run", help="With --gc: release none, print what would be.")
    datasets: tuple[str, ...] = argument(
        "[DATASET]...", interspersed=True, help="Only these datasets, and those below them."
    )

    def __post_init__(self) -> None:
        """Refuse words that name no dataset.

        Raises:
            ValueError: says which.
        """
        try:
            for name in self.datasets:
                check_dataset(name)
        except BadName as exc:
            raise ValueError(str(exc)) from exc
        if (self.dry_run or self.replication) and not self.gc:
            raise ValueError("--dry-run and --replication belong to --gc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One hold, or one bookmark of ours.

    Attributes:
        what: ``dataset@snapshot``, or ``dataset#bookmark``.
        tag: of the hold; empty: a bookmark.
        replication: whose it is, if it is lochkit's.
        known: whether that replication is one to be kept; None: we can not know. Of a hold that a
            sender has put on its newest snapshot here, only the sender's policy knows.
    """

    what: str
    tag: str
    replication: str = ""
    known: bool | None = None


async def run(options: ZfsHoldsOptions) -> int:
    """Print holds, or release what nobody needs."""

    async def work() -> int:
        judge = _judge(options)
        if options.gc and judge is None:
            raise Refused("--gc needs a policy that knows the replications: --policy FILE")
        host = await open_host(zfs=options.zfs)
        inventory = await host.inventory(options.datasets)
        if options.gc and options.replication and not host.capabilities.list_holds:
            await _print(options, await _release_untold(options, host, inventory))
            return 0
        held = [*await _holds(host, inventory, judge), *_cursors(inventory, judge)]
        if options.gc:
            held = [one for one in held if one.known is False]
            if not options.dry_run:
                await _release(host, held)
        await _print(options, held)
        return 0

    return await answered(work)


def _judge(options: ZfsHoldsOptions) -> Judge | None:
    """Say whether something of a replication is to be kept; None: there is nobody to ask."""
    if options.replication:
        return lambda name, _: name not in options.replication
    if not options.has_policy:
        return None
    jobs = policy_of(options).jobs
    known = frozenset(one.name for job in jobs for one in job.replications)
    return lambda name, received: None if received else name in known


async def _holds(host: ZfsHost, inventory: Inventory, judge: Judge | None) -> list[Held]:
    names = [
        f"{dataset.name}@{one.name}"
        for dataset in inventory.datasets.values()
        for one in dataset.snapshots
        if one.holds
    ]
    found = []
    for start in range(0, len(names), _AT_ONCE):
        try:
            tags = await host.holds(names[start : start + _AT_ONCE])
        except ZfsError as exc:
            if exc.failure is not Failure.UNSUPPORTED:
                raise
            # zfs-fuse counts holds, and can not name them.
            return [Held(what=name, tag="(this ZFS does not tell)") for name in names]
        found += [_held(name, tag, judge) for name, own in tags.items() for tag in own]
    return found


def _held(name: str, tag: str, judge: Judge | None) -> Held:
    if (ours := parse_tag(tag)) is None:
        return Held(what=name, tag=tag)
    known = judge(ours.replication, ours.last) if judge else None
    return Held(what=name, tag=tag, replication=ours.replication, known=known)


def _cursors(inventory: Inventory, judge: Judge | None) -> Iterator[Held]:
    for dataset in inventory.datasets.values():
        for one in dataset.bookmarks:
            if (ours := parse_cursor(one.name)) is not None:
                yield Held(
                    what=f"{dataset.name}#{one.name}",
                    tag="",
                    replication=ours.replication,
                    known=judge(ours.replication, False) if judge else None,
                )


async def _release(host: ZfsHost, held: Iterable[Held]) -> None:
    by_tag: dict[str, list[str]] = {}
    for one in held:
        if one.tag:
            by_tag.setdefault(one.tag, []).append(one.what)
        else:
            await host.destroy_bookmark(one.what)
    for tag, names in by_tag.items():
        await host.release(tag, names)


async def _release_untold(options: ZfsHoldsOptions, host: ZfsHost, before: Inventory) -> list[Held]:
    """Release what replications hold that were named, where ZFS does not say who holds what.

    Returns:
        What was held by them: that is seen by what is held less often than before.
    """
    if options.dry_run:
        raise Refused(
            "this ZFS does not tell who holds a snapshot: what would be released can not be said"
        )
    counts = _counts(before)
    found = []
    for name in options.replication:
        for tag in (step_tag(name), last_tag(name)):
            await host.release(tag, list(counts))  # those that it does not hold are no error
            after = _counts(await host.inventory(options.datasets))
            found += [
                Held(what=what, tag=tag, replication=name, known=False)
                for what, count in counts.items()
                if after.get(what, 0) < count
            ]
            counts = after
    return found


def _counts(inventory: Inventory) -> dict[str, int]:
    """How often each snapshot is held that is."""
    return {
        f"{dataset.name}@{one.name}": one.holds
        for dataset in inventory.datasets.values()
        for one in dataset.snapshots
        if one.holds
    }


async def _print(options: ZfsHoldsOptions, held: list[Held]) -> None:
    if options.json:
        fields = [
            {"Name": one.what, "Tag": one.tag, "Replication": one.replication, "Known": one.known}
            for one in held
        ]
        await print_lines(
            [json.dumps({"Holds": fields, "Released": options.gc and not options.dry_run})]
        )
        return
    rows = [("NAME", "TAG", "REPLICATION")]
    rows += [
        (
            one.what,
            one.tag or "(bookmark)",
            one.replication + (" (not in the policy)" if one.known is False else ""),
        )
        for one in held
    ]
    await print_lines(table(rows))
    if options.gc:
        verb = "would be released" if options.dry_run else "released"
        bookmarks = sum(not one.tag for one in held)
        holds = counted(len(held) - bookmarks, "hold")
        await print_lines([f"{holds} and {counted(bookmarks, 'bookmark')} {verb}"])


HELP: Final = """\
Print which snapshots are held, and by whom; and the bookmarks by which lochkit remembers what a
destination has.

With --gc, let go what belongs to replications that the policy does not know: their holds keep
snapshots from being destroyed for ever. Holds of others are never touched.

zfs-fuse can not name holds: there, only their snapshots are printed, and --gc lets go of what
belongs to a --replication that is named.
"""

SUBCOMMAND = Subcommand(options=ZfsHoldsOptions, run=run, help=HELP)
