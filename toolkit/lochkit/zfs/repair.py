"""What can be done about a replication that does not go on, what loses least first.

Nothing of it is done by itself: a person chooses one repair by its option, after having seen what
it does and what it loses; then the replication is planned anew.
"""

import shlex
from collections.abc import Callable, Collection, Mapping
from typing import Final, TypeAlias

from .explain_facts import Facts
from .model import Dataset
from .plan_encryption import sends_raw
from .plan_types import Conflict, ConflictReason, Incremental, Verdict
from .policy_types import Replication
from .repair_actions import Repair
from .repair_case import RepairCase
from .repair_making_room import follow_rename, put_aside, rename_snapshots
from .repair_taking_back import destroy_newer, roll_back
from .repair_tidying import abort_receive, make_cursor, release_holds

__all__ = ["REPAIR_OPTIONS", "Repair", "repair_command", "repairs"]

_Offer: TypeAlias = Callable[[RepairCase], Repair | None]

# What loses least is first, in all of these.
_ALWAYS: Final[tuple[_Offer, ...]] = (make_cursor, release_holds, abort_receive)
_CONFLICTS: Final[Mapping[ConflictReason, tuple[_Offer, ...]]] = {
    ConflictReason.NO_COMMON: (put_aside, destroy_newer),
    ConflictReason.RECREATED: (put_aside,),
    ConflictReason.RENAMED: (follow_rename, put_aside),
    ConflictReason.KIND: (put_aside,),
    ConflictReason.TARGET_NOT_EMPTY: (put_aside,),
    ConflictReason.ENCRYPTION: (put_aside,),
    ConflictReason.NAME_TAKEN: (rename_snapshots,),
    ConflictReason.DIVERGED: (put_aside, destroy_newer, roll_back),
    ConflictReason.RECEIVER_NEWER: (put_aside, destroy_newer, roll_back),
    ConflictReason.MODIFIED: (put_aside, roll_back),
}

REPAIR_OPTIONS: Final[Mapping[str, str]] = {
    "--make-cursor": "bookmark the newest common snapshot",
    "--release-holds": "release holds that interrupted steps have left",
    "--abort-receive": "forget an interrupted receive",
    "--rename-snapshots": "rename snapshots of the target whose names others are to have",
    "--follow-rename": "rename the copy after its source",
    "--aside": "rename the copy out of the way, and begin anew with a full stream",
    "--destroy-newer": "destroy the snapshots that only the target has",
    "--rollback": "roll the target back to the newest common snapshot",
}
"""All options of repairs, and what each does; what loses least is first."""


def repairs(
    source: Dataset,
    target: Dataset | None,
    verdict: Verdict,
    *,
    target_name: str,
    replication: Replication,
    facts: Facts | None = None,
    taken: Collection[str] = (),
) -> tuple[Repair, ...]:
    """What can be done, what loses least first; empty if nothing is to be done, or can be here.

    Args:
        source: the original.
        target: the copy; None: it is not in its place.
        verdict: what the planner says of both.
        target_name: the place of the copy.
        replication: what is wanted.
        facts: what else is known.
        taken: the names of all datasets of the target's host, as far as they are known.
    """
    case = RepairCase(
        source=source,
        target=target,
        target_name=target_name,
        verdict=verdict,
        replication=replication,
        facts=facts or Facts(),
        taken=taken,
    )
    offers = _ALWAYS
    if isinstance(verdict, Conflict) and not _is_a_key(case, verdict):
        offers += _CONFLICTS.get(verdict.reason, ())
    elif isinstance(verdict, Incremental):
        offers += (roll_back,)
    return tuple(found for found in (offer(case) for offer in offers) if found is not None)


def repair_command(dataset: str, replication: str, option: str) -> str:
    """The command that does a repair, after it has been seen with ``--dry-run``."""
    words = ("lochkit", "zfs", "repair", dataset, "--replication", replication, option)
    return shlex.join(words)


def _is_a_key(case: RepairCase, verdict: Conflict) -> bool:
    """Whether a conflict is about a key that is to be loaded, which no renaming would do."""
    if verdict.reason is not ConflictReason.ENCRYPTION or sends_raw(case.source, case.replication):
        return False
    if not case.source.key_loaded:
        return True
    copy = case.target
    if copy is None or not copy.snapshots:
        return False
    return not copy.key_loaded and copy.encryption_root != copy.name
