"""``lochkit zfs plan``: what the policy would have done now."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ..options import Subcommand, argument, flag, shared
from ..peer_options import PeerOptions
from ..zfs.host import open_host
from ..zfs.pruning import Pruning
from ..zfs.reports import report_json
from .output import counted, print_lines, shown
from .zfs_jobs import JobPlan, Jobs
from .zfs_options import PolicyOptions
from .zfs_running import answered, chosen_jobs, policy_of
from .zfs_showing import pruning_lines, report_lines

__all__ = ["SUBCOMMAND", "ZfsPlanOptions", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ZfsPlanOptions(PolicyOptions):
    """The options of ``lochkit zfs plan``, as given: see their help."""

    peers: PeerOptions = shared(PeerOptions, "tls")
    verbose: bool = flag(
        "--verbose", "-v", help="Tell also of what needs nothing, and why what is kept is kept."
    )
    jobs: tuple[str, ...] = argument(
        "[JOB]...", interspersed=True, help="Only these jobs of the policy."
    )


async def run(options: ZfsPlanOptions) -> int:
    """Print what would be done; 1 if something stands in the way."""

    async def work() -> int:
        policy = policy_of(options)
        host = await open_host(zfs=options.zfs)
        jobs = Jobs(host, policy.hosts, options.peers, now=int(time.time()))
        plans = [await jobs.look(job) for job in chosen_jobs(options, policy, options.jobs)]
        if options.json:
            await print_lines([json.dumps({"Jobs": [_document(plan) for plan in plans]})])
        else:
            await print_lines(line for plan in plans for line in _lines(plan, options.verbose))
        return int(not all(_is_well(plan) for plan in plans))

    return await answered(work)


def _is_well(plan: JobPlan) -> bool:
    reports = plan.reports.values()
    return not plan.missing and not plan.unreachable and all(one.ok for one in reports)


def _lines(plan: JobPlan, verbose: bool) -> Iterator[str]:
    yield f"{plan.job.name}:"
    body = [
        *(f"{root}: there is no such dataset here" for root in plan.missing),
        *_takes(plan),
        *_sends(plan, verbose),
        *_destroys(plan.prunings, "", verbose),
    ]
    for name, prunings in plan.target_prunings.items():
        body += _destroys(prunings, f"{name}: ", verbose)
    yield from (f"    {line}" for line in body or ["nothing to do"])


def _takes(plan: JobPlan) -> Iterator[str]:
    takes = plan.takes
    if takes is not None:
        yield from (f"take {shown(name)}@{takes.name}" for name in takes.datasets)
        yield from (
            f"take none of {shown(name)}: nothing was written to it" for name in takes.unwritten
        )


def _sends(plan: JobPlan, verbose: bool) -> Iterator[str]:
    due = plan.takes is not None and bool(plan.takes.datasets)
    for name, report in plan.reports.items():
        if due and plan.sends_at_once(name):
            yield f"{name}: what is taken is sent as well"
        yield from (f"{name}: {line}" for line in report_lines(report, verbose=verbose))
    for name, why in plan.unreachable.items():
        yield f"{name}: can not be looked at: {why}"


def _destroys(prunings: list[Pruning], where: str, verbose: bool) -> Iterator[str]:
    for pruning in prunings:
        yield from (
            f"{where}{line}" for line in pruning_lines(pruning, done=False, verbose=verbose)
        )
    kept = sum(len(one.keep) for one in prunings)
    gone = sum(len(one.destroy) for one in prunings)
    if gone:
        yield f"{where}{counted(gone, 'snapshot')} destroyed, {kept} kept"


def _document(plan: JobPlan) -> dict[str, object]:
    takes = plan.takes
    return {
        "Job": plan.job.name,
        "Missing": list(plan.missing),
        "Take": [f"{name}@{takes.name}" for name in takes.datasets] if takes else [],
        "Unwritten": list(takes.unwritten) if takes else [],
        "Send": {name: report_json(report) for name, report in plan.reports.items()},
        "Unreachable": plan.unreachable,
        "Destroy": pruning_names(plan.prunings),
        "DestroyAt": {name: pruning_names(found) for name, found in plan.target_prunings.items()},
    }


def pruning_names(prunings: list[Pruning]) -> list[str]:
    """What would be destroyed, by full name."""
    return [f"{one.dataset}@{gone.name}" for one in prunings for gone in one.destroy]


HELP: Final = """\
Say exactly what the policy would have this host do now: which snapshots it would take, what it
would send where, and what it would destroy, here and at the destinations. Nothing is changed.

The exit code is 1 if there is a conflict, or a destination can not be looked at.
"""

SUBCOMMAND = Subcommand(options=ZfsPlanOptions, run=run, help=HELP)
