"""``lochkit zfs send``: bring datasets to another pool or host, once."""

import json
from dataclasses import dataclass, field
from typing import Final

from ..errors import ConfigError
from ..io.rate import RateLimit
from ..options import Subcommand
from ..runtime.backoff import Backoff
from ..zfs.host import open_host
from ..zfs.policy_types import HostAddress, Replication, Selection
from ..zfs.replicator import replicate
from ..zfs.reports import Report, report_json
from ..zfs.stream_limits import Retries
from .output import print_lines
from .zfs_progress import open_reporter
from .zfs_running import answered, chosen_jobs, policy_of
from .zfs_send_options import ZfsSendOptions, asked_replication
from .zfs_showing import report_lines
from .zfs_targets import target_of

__all__ = ["SUBCOMMAND", "ZfsSendOptions", "run"]


@dataclass(slots=True)
class Done:
    """What became of everything that was to be sent."""

    reports: list[Report] = field(default_factory=list)

    @property
    def code(self) -> int:
        """The exit code: 75 if all that failed may succeed later."""
        troubled = [one for one in self.reports if not one.ok]
        if not troubled:
            return 0
        return 75 if all(one.retryable for one in troubled) else 1


async def run(options: ZfsSendOptions) -> int:
    """Send, and print what became of it."""

    quiet = options.json or options.dry_run

    async def work() -> int:
        done = Done()
        host = await open_host(zfs=options.zfs)
        rate = RateLimit(options.rate) if options.rate else None
        hosts = policy_of(options).hosts if options.has_policy else {}
        for replication, selection in _pushes(options):
            address = _address(options, replication.to, hosts.get(replication.to))
            target = target_of(host, replication.to, address, options.peers)
            with open_reporter(quiet=quiet) as reporter:
                report = await replicate(
                    host,
                    target,
                    replication,
                    selection,
                    reporter=reporter,
                    concurrency=options.concurrency,
                    dry_run=options.dry_run,
                    retries=Retries(most=options.retries, backoff=Backoff()),
                    rate=rate,
                )
            done.reports.append(report)
            if not options.json:
                await print_lines(report_lines(report, verbose=options.verbose))
        if options.json:
            await print_lines([json.dumps([report_json(one) for one in done.reports])])
        return done.code

    return await answered(work, log_level="warning" if quiet else "info")


def _pushes(options: ZfsSendOptions) -> list[tuple[Replication, Selection]]:
    if options.words:
        selection = Selection(
            roots=options.words[:-1], recursive=options.recursive, exclude=options.exclude
        )
        return [(asked_replication(options), selection)]
    jobs = chosen_jobs(options, policy_of(options), options.job)
    found = [(one, job.datasets) for job in jobs for one in job.replications]
    if not found:
        raise ConfigError(f"{', '.join(options.job)}: nothing is sent anywhere")
    return found


def _address(options: ZfsSendOptions, host: str, known: HostAddress | None) -> HostAddress:
    found = known or HostAddress(address=host)
    return HostAddress(
        address=found.address,
        orders=found.orders,
        streams=options.port or found.streams,
        certificate=options.certificate or found.certificate,
    )


HELP: Final = """\
Send datasets to another pool of this host, or to another host where lochkit zfs-agent, or lochkit
zfs receive, runs: whatever the target lacks, in full the first time and then incrementally.

Nothing at the destination is ever destroyed, but with --rollback. What stands in the way is a
conflict: it is explained, and nothing is sent.

The target takes the place of the dataset; several datasets have their whole names below it.
"""

EPILOG: Final = """\
\b
Exit codes:
  0    all is there
  1    there is a conflict, or something failed: it is printed
  75   something failed that may succeed later
"""

SUBCOMMAND = Subcommand(options=ZfsSendOptions, run=run, help=HELP, epilog=EPILOG)
