"""``lochkit zfs repair``: put right what keeps a dataset from replicating."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from ..options import Subcommand, flag
from ..zfs.repair import REPAIR_OPTIONS, repairs
from ..zfs.repair_actions import AbortReceive, Repair, RepairAction, Side, zfs_command
from .output import Refused, print_lines, shown
from .zfs_look import Case, LookOptions, look_at_all
from .zfs_repairing import carry_out
from .zfs_running import answered

__all__ = ["SUBCOMMAND", "ZfsRepairOptions", "run"]


def _choice(option: str) -> Any:
    return flag(option, section="What to do", help=f"{REPAIR_OPTIONS[option].capitalize()}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ZfsRepairOptions(LookOptions):
    """The options of ``lochkit zfs repair``, as given: see their help."""

    make_cursor: bool = _choice("--make-cursor")
    release_holds: bool = _choice("--release-holds")
    abort_receive: bool = _choice("--abort-receive")
    rename_snapshots: bool = _choice("--rename-snapshots")
    follow_rename: bool = _choice("--follow-rename")
    aside: bool = _choice("--aside")
    destroy_newer: bool = _choice("--destroy-newer")
    rollback: bool = _choice("--rollback")
    dry_run: bool = flag("--dry-run", "-n", help="Change nothing: print what would be done.")

    def __post_init__(self) -> None:
        """Refuse anything but one dataset, and at most one repair.

        Raises:
            ValueError: says so.
        """
        # Not super(): a dataclass with slots is another class than the one that is written here.
        super(ZfsRepairOptions, self).__post_init__()
        if len(self.chosen) > 1:
            raise ValueError(f"one repair at a time: {' or '.join(self.chosen)}")

    @property
    def chosen(self) -> list[str]:
        """The options of the repairs that were asked for."""
        return [one for one in REPAIR_OPTIONS if getattr(self, one[2:].replace("-", "_"))]


async def run(options: ZfsRepairOptions) -> int:
    """Print the repairs there are, or do one."""

    async def work() -> int:
        cases = await look_at_all(options, options.datasets[0])
        for case in cases:
            if case.trouble is not None:
                raise case.trouble
        if not options.chosen:
            await _list(options, cases)
            return 0
        case, repair = _chosen(options, cases)
        if repair.obstacles:
            raise Refused("; ".join(repair.obstacles))
        elsewhere = [action for action in repair.actions if _is_elsewhere(case, action)]
        lines = [*_repair(case, repair)]
        does = not options.dry_run and not elsewhere
        if does:
            await carry_out(case, repair.actions)
            lines.append("done; the next run replicates it, or explains what else there is")
        elif elsewhere and not options.dry_run:
            lines += _by_hand(case, elsewhere)
        if options.json:
            lines = [json.dumps({**_document(case, repair), "Done": does})]
        await print_lines(lines)
        return 0 if does or options.dry_run else 1

    return await answered(work)


def _is_elsewhere(case: Case, action: RepairAction) -> bool:
    """Whether only a person at the target's host can do it: we have no right to there."""
    is_there = action.side is Side.TARGET and not case.is_local
    return is_there and not isinstance(action, AbortReceive)


def _by_hand(case: Case, actions: Iterable[RepairAction]) -> Iterator[str]:
    yield f"nothing was done: this host can not order it there. On {case.replication.to}, run:"
    for action in actions:
        yield from (f"    {line}" for line in zfs_command(action).split("\n"))


def _found(case: Case) -> tuple[Repair, ...]:
    if case.planned is None:
        return ()
    return repairs(
        case.planned.source,
        case.planned.target,
        case.planned.verdict,
        target_name=case.planned.target_name,
        replication=case.replication,
        facts=case.facts,
        taken=case.taken,
    )


def _chosen(options: ZfsRepairOptions, cases: list[Case]) -> tuple[Case, Repair]:
    wanted = options.chosen[0]
    fitting = [(case, one) for case in cases for one in _found(case) if one.option == wanted]
    if not fitting:
        there = sorted({one.option for case in cases for one in _found(case)})
        known = f"; there is {', '.join(there)}" if there else "; there is nothing to repair"
        raise Refused(f"{options.datasets[0]}: {wanted} does not apply here{known}")
    if len(fitting) > 1:
        names = ", ".join(case.replication.name for case, _ in fitting)
        raise Refused(f"say which of its destinations is meant: --replication {names}")
    return fitting[0]


async def _list(options: ZfsRepairOptions, cases: list[Case]) -> None:
    found = [(case, one) for case in cases for one in _found(case)]
    if options.json:
        await print_lines([json.dumps([_document(*pair) for pair in found])])
    elif found:
        await print_lines(line for pair in found for line in _repair(*pair))
    else:
        await print_lines([f"{options.datasets[0]}: there is nothing to repair"])


def _repair(case: Case, repair: Repair) -> Iterator[str]:
    yield f"{case.replication.name}: {repair.option}: {shown(repair.title)}"
    for action in repair.actions:
        is_there = action.side is Side.TARGET and not case.is_local
        where = f" (on {case.replication.to})" if is_there else ""
        yield from (f"    {shown(line)}{where}" for line in zfs_command(action).split("\n"))
    yield from (f"    LOSES {shown(one)}" for one in repair.loses)
    yield from (f"    costs {shown(one)}" for one in repair.costs)
    yield from (f"    can not be done as it is: {shown(one)}" for one in repair.obstacles)
    if not repair.loses:
        yield "    nothing is lost"


def _document(case: Case, repair: Repair) -> dict[str, object]:
    return {
        "Replication": case.replication.name,
        "Option": repair.option,
        "Title": repair.title,
        "Commands": [
            {"Side": action.side.value, "Command": line}
            for action in repair.actions
            for line in zfs_command(action).split("\n")
        ],
        "Loses": list(repair.loses),
        "Costs": list(repair.costs),
        "Obstacles": list(repair.obstacles),
        "Reversible": repair.reversible,
    }


HELP: Final = """\
Put right what keeps a dataset from replicating. Without an option of what to do, print the repairs
there are, what loses least first, each with exactly what it does and what is lost for good.

What is to be done at another host is printed, to be run there: this host has no right to it.
"""

SUBCOMMAND = Subcommand(options=ZfsRepairOptions, run=run, help=HELP)
