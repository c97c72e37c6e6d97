"""``lochkit zfs monitor``: is everything replicated recently enough? For Nagios and its kin."""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from ..errors import LochkitError
from ..options import Subcommand, argument, flag, option, shared
from ..peer_options import PeerOptions
from ..zfs.agent_prune import newest_cursors
from ..zfs.ages import (
    Age,
    AgeLimits,
    Level,
    expected_limits,
    judge_age,
    summary,
    worst,
)
from ..zfs.durations import in_words, parse_duration
from ..zfs.errors import BadPolicy
from ..zfs.host import open_host
from ..zfs.host_types import ZfsHost
from ..zfs.model import Dataset
from ..zfs.policy_types import Job, Replication
from ..zfs.selecting import missing_roots, select
from .output import print_lines, shown
from .zfs_jobs import Jobs
from .zfs_options import PolicyOptions
from .zfs_running import answered, chosen_jobs, policy_of

__all__ = ["SUBCOMMAND", "ZfsMonitorOptions", "run"]

_FALLBACK: Final = AgeLimits(warning=26 * 3600, critical=50 * 3600)
"""Where no schedule says what to expect: a day, and two, with some leeway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZfsMonitorOptions(PolicyOptions):
    """The options of ``lochkit zfs monitor``, as given: see their help."""

    peers: PeerOptions = shared(PeerOptions, "tls")
    warning: str | None = option(
        "--warning",
        "-w",
        default=None,
        metavar="AGE",
        default_text="more than two rounds of the schedule missed",
        help="From which age of the newest replicated snapshot on to warn: 90s, 26h, 1d 12h.",
    )
    critical: str | None = option(
        "--critical",
        "-c",
        default=None,
        metavar="AGE",
        default_text="more than five",
        help="From which age on it is critical.",
    )
    ask: bool = flag(
        "--ask",
        help="Ask the destinations what they have, instead of believing the bookmarks by which this"
        " host remembers what they have confirmed. Always so where ZFS has no bookmarks.",
    )
    jobs: tuple[str, ...] = argument(
        "[JOB]...", interspersed=True, help="Only these jobs of the policy."
    )

    def __post_init__(self) -> None:
        """Refuse ages that can not be understood.

        Raises:
            ValueError: says which.
        """
        if (self.warning is None) != (self.critical is None):
            raise ValueError("--warning and --critical go together")
        try:
            self.limits()
        except BadPolicy as exc:
            raise ValueError(str(exc)) from exc

    def limits(self) -> AgeLimits | None:
        """What was asked for."""
        if self.warning is None or self.critical is None:
            return None
        return AgeLimits(
            warning=parse_duration(self.warning), critical=parse_duration(self.critical)
        )


async def run(options: ZfsMonitorOptions) -> int:
    """Print one line for the monitor, and more for people; 0, 1, 2 or 3."""

    async def work() -> int:
        try:
            ages, troubles = await _judge(options)
        except LochkitError as exc:
            why = shown(str(exc).replace("\n", "; "))  # one line is all that a monitor shows
            document = {"Level": Level.UNKNOWN.name, "Troubles": [why], "Datasets": []}
            text = f"{Level.UNKNOWN.name}: {why}"
            await print_lines([json.dumps(document) if options.json else text])
            return Level.UNKNOWN
        level = max(worst(ages), Level.CRITICAL if troubles else Level.OK)
        if options.json:
            await print_lines([json.dumps(_document(level, ages, troubles))])
        else:
            first = f"{level.name}: {troubles[0]}" if troubles else summary(ages)
            wrong = [one.text for one in ages if one.level]
            await print_lines([f"{shown(first)}{_performance(ages)}", *troubles[1:], *wrong])
        return level

    return await answered(work)


async def _judge(options: ZfsMonitorOptions) -> tuple[list[Age], list[str]]:
    policy = policy_of(options)
    jobs = chosen_jobs(options, policy, options.jobs)
    host = await open_host(zfs=options.zfs)
    now = int(time.time())
    looker = Jobs(host, policy.hosts, options.peers, now=now)
    ages: list[Age] = []
    troubles: list[str] = []
    asks = options.ask or not host.capabilities.bookmarks
    for job in jobs:
        if not job.replications:
            continue
        if asks:
            newest, missed = await _asked(looker, job)
        else:
            newest, missed = await _remembered(host, job)
        troubles += missed
        for one in job.replications:
            limits = options.limits() or _expected(job, one, now)
            ages += [
                judge_age(one.name, dataset, at, now=now, limits=limits)
                for dataset, at in newest.get(one.name, {}).items()
            ]
    return ages, troubles


def _expected(job: Job, one: Replication, now: int) -> AgeLimits:
    snapshots = job.snapshot.schedule if job.snapshot else None
    return expected_limits(snapshots=snapshots, replication=one.when, now=now) or _FALLBACK


Newest = Mapping[str, Mapping[str, int | None]]
"""When the newest replicated snapshot was made: by replication and dataset."""


async def _asked(looker: Jobs, job: Job) -> tuple[Newest, list[str]]:
    plan = await looker.look(job)
    found = {
        name: {one.source: one.newest.creation if one.newest else None for one in report.datasets}
        for name, report in plan.reports.items()
    }
    troubles = [f"{name}: {why}" for name, why in plan.unreachable.items()]
    return found, [*troubles, *_missing(plan.missing)]


async def _remembered(host: ZfsHost, job: Job) -> tuple[Newest, list[str]]:
    inventory = await host.inventory(job.datasets.roots)
    datasets = select(job.datasets, inventory)
    found = {one.name: _confirmed(datasets, one.name) for one in job.replications}
    return found, _missing(missing_roots(job.datasets, inventory))


def _confirmed(datasets: Iterable[Dataset], replication: str) -> dict[str, int | None]:
    marks = {one.name: newest_cursors(one).get(replication) for one in datasets}
    return {name: mark.creation if mark else None for name, mark in marks.items()}


def _missing(roots: Iterable[str]) -> list[str]:
    return [f"{root}: there is no such dataset here" for root in roots]


def _performance(ages: Iterable[Age]) -> str:
    """The oldest copy of each replication, for graphs."""
    oldest: dict[str, int] = {}
    for one in ages:
        if one.age is not None:
            oldest[one.replication] = max(one.age, oldest.get(one.replication, 0))
    found = "".join(f" '{name}'={age}s" for name, age in oldest.items())
    return f" |{found}" if found else ""


def _document(level: Level, ages: Iterable[Age], troubles: list[str]) -> dict[str, object]:
    return {
        "Level": level.name,
        "Troubles": troubles,
        "Datasets": [
            {
                "Replication": one.replication,
                "Dataset": one.dataset,
                "Level": one.level.name,
                "Age": one.age,
                "Text": one.text,
            }
            for one in ages
        ],
    }


HELP: Final = f"""\
Judge, for every dataset that the policy replicates, how old the newest snapshot is that its
destination has. The first line is for the monitor; what is wrong follows.

Without --warning and --critical, what is too old follows from the schedules; without these,
{in_words(_FALLBACK.warning)} and {in_words(_FALLBACK.critical)}.
"""

EPILOG: Final = """\
\b
Exit codes, as monitoring plugins have them:
  0    OK
  1    WARNING
  2    CRITICAL
  3    UNKNOWN
"""

SUBCOMMAND = Subcommand(options=ZfsMonitorOptions, run=run, help=HELP, epilog=EPILOG)
