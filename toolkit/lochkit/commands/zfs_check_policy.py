"""``lochkit zfs check-policy``: what is wrong with a policy, and what it says."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from ..options import Subcommand, argument, flag
from ..zfs.agent_policy import AgentPolicy, load_agent_policy
from ..zfs.errors import BadPolicy
from ..zfs.permits import Permit
from ..zfs.policy_read_checks import check_for_director
from ..zfs.policy_types import Job, Replication
from ..zfs.policy_write import policy_document
from ..zfs.schedule import Schedule
from .output import counted, print_lines
from .zfs_options import DEFAULT_POLICY
from .zfs_running import answered
from .zfs_targets import LOCAL

__all__ = ["SUBCOMMAND", "ZfsCheckPolicyOptions", "run"]

_FAULTY: Final = 78  # EX_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class ZfsCheckPolicyOptions:
    """The options of ``lochkit zfs check-policy``, as given: see their help."""

    json: bool = flag("--json", help="Print JSON instead.")
    director: bool = flag("--director", help="Judge it as a director does.")
    convert: bool = flag(
        "--convert", help="Print the policy as TOML: what an old server.json becomes."
    )
    files: tuple[str, ...] = argument(
        "[FILE]", interspersed=True, help=f"The policy, {DEFAULT_POLICY} if none is named."
    )

    def __post_init__(self) -> None:
        """Refuse more than one file.

        Raises:
            ValueError: says so.
        """
        if len(self.files) > 1:
            raise ValueError("one policy at a time")


async def run(options: ZfsCheckPolicyOptions) -> int:
    """Print faults, warnings and what the policy says; 78 if it can not be followed."""
    path = options.files[0] if options.files else DEFAULT_POLICY

    async def work() -> int:
        faults: list[str] = []
        read: AgentPolicy | None = None
        try:
            read = load_agent_policy(path, None, plaintext=True)
        except BadPolicy as exc:
            faults = str(exc).split("\n")
        if read is not None and options.director:
            faults = [f"{path}: {fault}" for fault in check_for_director(read.policy)]
        warnings = read.warnings if read else ()
        if options.json:
            document: dict[str, object] = {"Faults": faults, "Warnings": list(warnings)}
            if read is not None:
                document["Policy"] = policy_document(read.policy)
            await print_lines([json.dumps(document)])
        elif read is not None and options.convert and not faults:
            await print_lines(_toml(read))
        else:
            await print_lines(_lines(path, read, faults, warnings))
        return _FAULTY if faults else 0

    return await answered(work)


def _toml(read: AgentPolicy) -> list[str]:
    import tomli_w  # needed here alone

    comments = [f"# {warning}" for warning in read.warnings]
    return [*comments, *tomli_w.dumps(policy_document(read.policy)).splitlines()]


def _lines(
    path: str, read: AgentPolicy | None, faults: list[str], warnings: tuple[str, ...]
) -> Iterator[str]:
    yield from faults
    yield from (f"{path}: warning: {warning}" for warning in warnings)
    if faults or read is None:
        yield f"{path}: {counted(len(faults), 'fault')}; nothing is done by it, or destroyed"
        return
    for job in read.policy.jobs:
        yield from _job(job)
    places = {one.to for job in read.policy.jobs for one in job.replications}
    for name in sorted(places - {LOCAL, *read.policy.hosts}):
        yield f"{name} is not in [hosts]: where it is must be told in etcd by its agent"
    for name, permit in read.permits.clients.items():
        yield from _client(name, permit)
    if read.permits.anonymous is not None:
        yield from _client("whoever comes in plain text", read.permits.anonymous)
    yield f"{path}: {counted(len(read.policy.jobs), 'job')}, no fault"


def _client(name: str, permit: Permit) -> Iterator[str]:
    yield f"{name} may write to {', '.join(permit.write) or 'nothing'}"
    if permit.rollback:
        yield "    and have rolled back what is there"
    if permit.orders:
        yield f"    and order {', '.join(sorted(permit.orders))} of {', '.join(permit.orders_on)}"


def _job(job: Job) -> Iterator[str]:
    below = " and all below" if job.datasets.recursive else ""
    but = f" but {', '.join(job.datasets.exclude)}" if job.datasets.exclude else ""
    at = f" of {job.host}" if job.host else ""
    yield f"{job.name}: {', '.join(job.datasets.roots)}{below}{but}{at}"
    if job.snapshot is None:
        yield "    takes no snapshots"
    else:
        example = job.snapshot.template.name(0)
        if job.snapshot.schedule is None:
            yield f"    takes none by itself; those named like {example} are its own"
        else:
            when = _when(job.snapshot.schedule)
            yield f"    takes snapshots named like {example}, {when}"
    if job.keep is None:
        yield "    keeps everything"
    else:
        yield f"    keeps {'; '.join(job.keep.texts)} ({job.keep.zone})"
    for one in job.replications:
        yield from _replication(one)


def _replication(one: Replication) -> Iterator[str]:
    when = "as soon as there is something" if one.when is None else _when(one.when)
    yield f"    {one.name}: to {one.to}:{one.target}, {when}"
    if one.keep is not None:
        yield f"        keeps there {'; '.join(one.keep.texts)} ({one.keep.zone})"
    if one.rollback:
        yield "        destroys there what stands in the way (rollback)"


def _when(schedule: Schedule) -> str:
    first = schedule.next(int(datetime.now(UTC).timestamp()))
    at = datetime.fromtimestamp(first, UTC).strftime("%Y-%m-%d %H:%MZ")
    return f"{schedule.cron} ({schedule.zone}), next at {at}"


HELP: Final = """\
Report all faults of a policy at once, each with its place in the file and what to do; and say what
the policy means, and when its schedules are due next.

A server.json of the program that this one replaces is read as well; --convert prints it as TOML.
The exit code is 78 if there are faults.
"""

SUBCOMMAND = Subcommand(options=ZfsCheckPolicyOptions, run=run, help=HELP)
