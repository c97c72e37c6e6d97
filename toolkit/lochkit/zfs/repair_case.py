"""What a repair is decided from, and what keeps ZFS from destroying a snapshot."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from .explain_facts import Facts
from .model import Dataset, Snapshot
from .plan_types import Verdict
from .policy_types import Replication
from .repair_actions import ReleaseHold, Side
from .tags import parse_tag

__all__ = ["RepairCase", "in_the_way", "released"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairCase:
    """A replication of a dataset that may need a repair.

    Attributes:
        source: the original.
        target: the copy; None: it is not in its place.
        target_name: the place.
        verdict: what the planner says.
        replication: what is wanted.
        facts: what else is known.
        taken: the names of all datasets of the target's host, as far as they are known.
    """

    source: Dataset
    target: Dataset | None
    target_name: str
    verdict: Verdict
    replication: Replication
    facts: Facts
    taken: Collection[str]


def in_the_way(
    case: RepairCase, dataset: Dataset, snapshots: Sequence[Snapshot]
) -> tuple[str, ...]:
    """Why snapshots of the target can not be destroyed: clones, and holds that are not ours.

    Holds of this very replication are released (`released`); those of others are for their owners.
    """
    found = []
    known = case.facts.target_holds
    for one in snapshots:
        name = f"{dataset.name}@{one.name}"
        found += [f"{clone} is a clone of {name}: promote or destroy it" for clone in one.clones]
        if not one.holds:
            continue
        if known is None:
            found.append(f"{name} is held, and it is not known by whom: release the hold")
        for tag in (known or {}).get(one.guid, ()):
            if not _ours(case, tag):
                found.append(
                    f"{name} is held by {tag}: zfs release {tag} {name}, if nobody needs it"
                )
    return tuple(found)


def released(
    case: RepairCase, dataset: Dataset, snapshots: Sequence[Snapshot]
) -> tuple[ReleaseHold, ...]:
    """Release the holds of this replication on snapshots of the target."""
    names: dict[str, list[str]] = {}
    for one in snapshots:
        for tag in (case.facts.target_holds or {}).get(one.guid, ()):
            if _ours(case, tag):
                names.setdefault(tag, []).append(one.name)
    return tuple(
        ReleaseHold(dataset=dataset.name, tag=tag, names=tuple(held), side=Side.TARGET)
        for tag, held in names.items()
    )


def _ours(case: RepairCase, tag: str) -> bool:
    said = parse_tag(tag)
    return said is not None and said.replication == case.replication.name
