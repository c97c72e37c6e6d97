"""What a repair is, as data: each action is one call of `ZfsHost`, on one of the two hosts."""

import enum
import shlex
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from .parse_drafts import PLACEHOLDER

__all__ = [
    "AbortReceive",
    "DestroySnapshots",
    "MakeBookmark",
    "MakePlaceholder",
    "ReleaseHold",
    "RenameDataset",
    "RenameSnapshot",
    "Repair",
    "RepairAction",
    "RollBack",
    "Side",
    "zfs_command",
]


class Side(enum.Enum):
    """On which host something is done."""

    SOURCE = "source"
    TARGET = "target"


@dataclass(frozen=True, slots=True, kw_only=True)
class AbortReceive:
    """``abort_receive(dataset)``: forget what was received of an interrupted stream."""

    dataset: str
    side: Side = Side.TARGET


@dataclass(frozen=True, slots=True, kw_only=True)
class DestroySnapshots:
    """``destroy(dataset, names)``.

    Attributes:
        dataset: whose.
        names: what follows the ``@``, oldest first.
        guids: of the same snapshots: whoever destroys makes sure that these still have the names.
        side: where.
    """

    dataset: str
    names: tuple[str, ...]
    guids: tuple[int, ...]
    side: Side = Side.TARGET


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeBookmark:
    """``bookmark(dataset@snapshot, name)``."""

    dataset: str
    snapshot: str
    name: str
    side: Side = Side.SOURCE


@dataclass(frozen=True, slots=True, kw_only=True)
class MakePlaceholder:
    """``create(dataset, properties)``, with those of a placeholder."""

    dataset: str
    side: Side = Side.TARGET


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseHold:
    """``release(tag, snapshots)`` of a dataset; `names` are what follows the ``@``."""

    dataset: str
    tag: str
    names: tuple[str, ...]
    side: Side = Side.TARGET


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameDataset:
    """``rename_dataset(dataset, name)``: all that is below moves along."""

    dataset: str
    name: str
    side: Side = Side.TARGET


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameSnapshot:
    """``rename(dataset@snapshot, name)``."""

    dataset: str
    snapshot: str
    name: str
    side: Side = Side.TARGET


@dataclass(frozen=True, slots=True, kw_only=True)
class RollBack:
    """``rollback(dataset@snapshot, destroy_newer=…)``.

    Attributes:
        dataset: which.
        snapshot: where to.
        lost: guids of the newer snapshots this destroys, oldest first: whoever rolls back makes
            sure that there are these and no others.
        side: where.
    """

    dataset: str
    snapshot: str
    lost: tuple[int, ...] = ()
    side: Side = Side.TARGET


RepairAction: TypeAlias = (
    AbortReceive
    | DestroySnapshots
    | MakeBookmark
    | MakePlaceholder
    | ReleaseHold
    | RenameDataset
    | RenameSnapshot
    | RollBack
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """One thing that a person can choose to have done.

    Attributes:
        option: how it is asked for: ``--rollback``.
        title: what it does, in a line.
        actions: exactly that, in order.
        loses: what is gone for good afterwards, one thing each; empty: nothing.
        costs: what else it brings about.
        reversible: it can be undone.
        obstacles: why ZFS would refuse it as things are; it is not to be tried with any.
    """

    option: str
    title: str
    actions: tuple[RepairAction, ...]
    loses: tuple[str, ...] = ()
    costs: tuple[str, ...] = ()
    reversible: bool = False
    obstacles: tuple[str, ...] = ()


def zfs_command(action: RepairAction) -> str:
    """The same as a command for a person; several, one a line, where ZFS takes one name at a time.

    What is done is the call, which knows what the ZFS of the host can do; this is what it means.
    """
    return "\n".join(shlex.join(("zfs", *words)) for words in _words(action))


def _words(action: RepairAction) -> list[tuple[str, ...]]:
    match action:
        case AbortReceive(dataset=dataset):
            return [("receive", "-A", dataset)]
        case DestroySnapshots(dataset=dataset, names=names):
            return [("destroy", f"{dataset}@{name}") for name in names]
        case MakeBookmark(dataset=dataset, snapshot=snapshot, name=name):
            return [("bookmark", f"{dataset}@{snapshot}", f"{dataset}#{name}")]
        case MakePlaceholder(dataset=dataset):
            mark = f"{PLACEHOLDER}={dataset}"
            return [("create", "-u", "-o", "canmount=noauto", "-o", mark, dataset)]
        case ReleaseHold(dataset=dataset, tag=tag, names=names):
            return [("release", tag, *(f"{dataset}@{name}" for name in names))]
        case RenameDataset(dataset=dataset, name=name):
            return [("rename", dataset, name)]
        case RenameSnapshot(dataset=dataset, snapshot=snapshot, name=name):
            return [("rename", f"{dataset}@{snapshot}", f"{dataset}@{name}")]
        case RollBack(dataset=dataset, snapshot=snapshot, lost=lost):
            return [("rollback", *(("-r",) if lost else ()), f"{dataset}@{snapshot}")]
        case _:
            assert_never(action)
