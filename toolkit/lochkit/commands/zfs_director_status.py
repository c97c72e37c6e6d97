"""``lochkit zfs-director status``: how the director is doing."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .. import logs
from ..errors import LochkitError
from ..etcd_options import EtcdOptions
from ..options import Subcommand, flag, option, shared
from ..zfs.directing_record import DirectorKeys
from ..zfs.director_status import DirectorStatus, decode_status, status_document
from ..zfs.election_record import Leader, read_leader
from ..zfs.layout import DEFAULT_NAMESPACE, Layout
from .output import counted, instant, print_lines, shown, table
from .store import open_store

__all__ = ["SUBCOMMAND", "ZfsDirectorStatusOptions", "run"]

_SILENT: Final = 300.0
"""Seconds without a word after which a director may hang."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZfsDirectorStatusOptions:
    """The options of ``lochkit zfs-director status``, as given: see their help."""

    namespace: str = option(
        "--namespace",
        default=DEFAULT_NAMESPACE,
        metavar="PREFIX",
        help="What all keys in etcd begin with.",
    )
    json: bool = flag("--json", help="Print one JSON object instead.")
    etcd: EtcdOptions = shared(EtcdOptions, "etcd")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    leader: Leader | None
    status: DirectorStatus | None

    @property
    def well(self) -> bool:
        return self.leader is not None and self.status is not None and self.status.well


async def run(options: ZfsDirectorStatusOptions) -> int:
    """Print the status; 0 when all is well."""
    logs.default_level("warning")
    seen = await _look(options)
    if options.json:
        await print_lines([_object(seen)])
    else:
        await print_lines(_readable(seen, time.time()))
    return 0 if seen.well else 1


async def _look(options: ZfsDirectorStatusOptions) -> _Seen:
    keys = DirectorKeys(Layout(options.namespace))
    async with open_store(options.etcd) as etcd:
        leader = await etcd.kv.get(keys.layout.leader())
        status = await etcd.kv.get(keys.status)
    try:
        return _Seen(
            leader=read_leader(leader.value) if leader is not None else None,
            status=decode_status(status.value) if status is not None else None,
        )
    except LochkitError as exc:
        raise LochkitError(f"what etcd says of the director can not be read: {exc}") from exc


def _object(seen: _Seen) -> str:
    document: dict[str, object] = {"Well": seen.well, "Leader": None, "Status": None}
    if seen.leader is not None:
        document["Leader"] = {"Host": seen.leader.name, "Since": seen.leader.since}
    if seen.status is not None:
        document["Status"] = status_document(seen.status)
    return json.dumps(document)


def _readable(seen: _Seen, now: float) -> Iterator[str]:
    leader, status = seen.leader, seen.status
    if leader is None:
        yield "nobody directs"
        return
    yield f"{shown(leader.name)} directs since {instant(leader.since)}"
    if status is None:
        yield "and has said nothing yet"
        return
    age = max(0, round(now - status.at))
    yield f"said {age} s ago" + (": does it hang?" if age > _SILENT else "")
    yield f"policy {shown(status.policy)}: {counted(status.jobs, 'job')}"
    if status.policy_error:
        yield f"which can not be followed as it is now: {shown(status.policy_error)}"
    yield (
        f"orders: {len(status.running)} under way, {status.waiting} waiting,"
        f" {status.done} done, {status.failed} failed"
    )
    yield from _tables(status, now)
    if status.left_out:
        yield f"... and {status.left_out} more lines"


def _tables(status: DirectorStatus, now: float) -> Iterator[str]:
    hosts = (
        (one.host, one.address or "silent", one.zfs, str(one.datasets) if one.address else "")
        for one in status.hosts
    )
    yield from _titled(("HOST", "AGENT", "ZFS", "DATASETS"), hosts)
    running = (
        (one.work, f"{one.host}:{one.dataset}", one.to, one.phase, f"{now - one.given:.0f} s")
        for one in status.running
    )
    yield from _titled(("UNDER WAY", "DATASET", "TO", "PHASE", "SINCE"), running)
    troubles = (
        (
            one.work,
            one.dataset,
            one.replication,
            f"in {max(0.0, one.retry_at - now):.0f} s" if one.retry_at else "after a change",
            one.error,
        )
        for one in status.troubles
    )
    yield from _titled(("FAILED", "DATASET", "REPLICATION", "AGAIN", "WHY"), troubles)
    conflicts = (
        (one.reason, f"{one.host}:{one.dataset}", one.target, one.message)
        for one in status.conflicts
    )
    yield from _titled(("CONFLICT", "DATASET", "TO", "WHY"), conflicts)
    junk = ((one.key, one.reason) for one in status.junk)
    yield from _titled(("LEFT ASIDE", "WHY"), junk)
    if status.notices:
        yield ""
        yield from map(shown, status.notices)


def _titled(heads: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    found = list(rows)
    if found:
        yield ""
        yield from table([heads, *found])


HELP: Final = """\
Tell who directs, what is under way, and what does not go well: failures, conflicts, silent hosts.
"""

EPILOG: Final = """\
\b
Exit codes: 0 somebody directs and all is well; 1 anything else.
"""

SUBCOMMAND = Subcommand(options=ZfsDirectorStatusOptions, run=run, help=HELP, epilog=EPILOG)
