"""The ``server.json`` of the program before this one, read as a policy.

Every entry has two blocks, ``backup`` and ``sync``; each becomes a job of its own, called
``HOST.DATASET.backup`` with ``.`` for ``/``. What the old program did silently, this one says:

* a retention that is empty or not understood is a fault; it used to mean "keep one";
* keys that were never read, and those of other spellings, are warnings;
* ``consul_resync`` is not needed, and neither are Consul's data centres;
* clones' origins are never destroyed, whatever ``skip_if_cloned`` says;
* cron lines are read as cron reads them: in the old program a range of minutes or a list of
  weekdays meant something else, and day of month and day of week had both to match.

Keys are matched whatever their case, as the old program did. Names of snapshots stay those of the
old program, in the host's local time, so that its snapshots are taken for the job's own.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from .errors import BadPolicy
from .keep_rules import KeepPolicy, parse_keep
from .names import check_dataset
from .naming import NameTemplate
from .policy_read import PolicyRead
from .policy_read_checks import check_policy
from .policy_read_fields import Table
from .policy_read_parts import ASAP, check_host
from .policy_types import HostAddress, Job, Policy, Replication, Selection, SnapshotPolicy
from .schedule import Schedule, parse_schedule
from .zones import LOCAL

__all__ = ["job_name", "read_server_json"]

_BLOCKS: Final = ("backup", "sync")
_SKIPS: Final = ("rollback_if_needed", "skip_if_renamed", "skip_if_not_written", "skip_if_cloned")
# Spellings of its documentation that the old program never read.
_MISSPELT: Final = {
    "rollback_needed": "rollback_if_needed",
    "skip_renamed": "skip_if_renamed",
    "skip_not_written": "skip_if_not_written",
    "skip_cloned": "skip_if_cloned",
}
_PLAIN_HOST: Final = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN_DATASET: Final = re.compile(r"[A-Za-z0-9_/-]+")
_OTHERS: Final = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST_NAME: Final = 64
_HASH: Final = 8  # hex digits


class _Entry(NamedTuple):
    """What an entry says for both its blocks."""

    host: str
    dataset: str
    rollback: bool
    skip_renamed: bool
    skip_unwritten: bool


def read_server_json(document: object) -> PolicyRead:
    """Return the policy that a parsed ``server.json`` says.

    Raises:
        BadPolicy: it has faults: one line each, with the path in the document and what to do.
    """
    faults: list[str] = []
    warnings: list[str] = []
    lowered = _lowered(document)
    if isinstance(lowered, Mapping) and "local_datasets" in lowered:
        raise BadPolicy(
            "local_datasets: this is a local.json: what a host may receive is in the file of "
            "clients here, and what it snapshots in a policy; write a policy, or give server.json"
        )
    table = Table(lowered, "", faults)
    warnings.extend(
        f"{key}: not needed: inventories are read from ZFS each time"
        for key in ("consul_resync", "datacenter")
        if table.raw(key)
    )
    found = [pair for entry in table.tables("datasets") for pair in _entry(entry, warnings)]
    _leave(table, warnings)
    if not found and not faults:
        faults.append("datasets: nothing to do: no entry takes, sends or keeps any snapshot")
    if faults:
        raise BadPolicy("\n".join(faults))
    jobs = [job for _, job in found]
    policy = Policy(jobs=tuple(jobs), hosts=_hosts(jobs))
    findings = check_policy(policy, [path for path, _ in found])
    if findings.faults:
        raise BadPolicy("\n".join(findings.faults))
    return PolicyRead(policy=policy, warnings=(*warnings, *findings.warnings))


def job_name(host: str, dataset: str, block: str) -> str:
    """The name of the job that a block of an entry becomes: valid, and unlike any other.

    It depends on nothing else in the file, since holds and bookmarks carry it.
    """
    plain = _PLAIN_HOST.fullmatch(host) and _PLAIN_DATASET.fullmatch(dataset)
    name = ".".join((host, *dataset.split("/"), block))
    if plain and len(name) <= _LONGEST_NAME and host[0].isalnum():
        return name
    exact = hashlib.sha256("\0".join((host, dataset, block)).encode()).hexdigest()[:_HASH]
    start = ".".join(_OTHERS.sub("-", part) for part in (host, *dataset.split("/")))
    start = start.lstrip("-_.") or "job"
    room = _LONGEST_NAME - len(block) - _HASH - 2
    return f"{start[:room]}.{block}-{exact}"


def _entry(table: Table, warnings: list[str]) -> list[tuple[str, Job]]:
    """The jobs of an entry, each with the path of its block."""
    host = table.made("hostname", table.needed("hostname", "whose dataset it is"), check_host)
    dataset = table.made("dataset", table.needed("dataset", "which dataset"), check_dataset)
    rollback, renamed, unwritten, cloned = (table.flag(key, default=False) for key in _SKIPS)
    if not cloned and "skip_if_cloned" in table:
        warnings.append(
            f"{table.path('skip_if_cloned')}: snapshots with clones are never destroyed here"
        )
    for wrong, right in _MISSPELT.items():
        if wrong in table:
            warnings.append(f"{table.path(wrong)}: not read, nor was it ever; write {right!r}")
    # Where host or dataset are missing, the blocks are read all the same, for their faults.
    entry = _Entry(host or "host", dataset or "dataset", rollback, renamed, unwritten)
    jobs = []
    for block in _BLOCKS:
        if (below := table.table(block)) is not None:
            job = _job(below, job_name(entry.host, entry.dataset, block), entry, warnings)
            jobs.extend([(below.where, job)] if job else [])
            _leave(below, warnings)
    _leave(table, warnings)
    return jobs


def _job(table: Table, name: str, entry: _Entry, warnings: list[str]) -> Job | None:
    """The job of a block; None: the block is empty, or has faults."""
    before = table.faults
    prefix = table.text("prefix", "") or ""
    creation = table.text("creation", "") or ""
    retention = table.texts("retention")
    replication = _replication(table, name, entry, warnings)
    if table.faults > before or not (creation or retention or replication):
        return None
    schedule = _cron(table, "creation", creation, warnings)
    keep = _keep(table, retention)
    template = table.made("prefix", prefix, _template)
    if table.faults > before or template is None:
        return None
    return Job(
        name=name,
        host=entry.host,
        datasets=Selection(roots=(entry.dataset,)),
        snapshot=SnapshotPolicy(
            schedule=schedule, template=template, skip_unwritten=entry.skip_unwritten
        ),
        keep=keep,
        replications=(replication,) if replication else (),
        skip_renamed=entry.skip_renamed,
    )


def _replication(table: Table, name: str, entry: _Entry, warnings: list[str]) -> Replication | None:
    to, target, when = (
        (table.text(key, "") or "").strip() for key in ("sync_on", "sync_dataset", "sync_policy")
    )
    if not when:
        if to or target:
            warnings.append(f"{table.path('sync_policy')}: empty: nothing is sent to {to!r}")
        return None
    for key, value in (("sync_on", to), ("sync_dataset", target)):
        if not value:
            table.fault(key, "missing: sync_policy says when to send, and this where to")
    host = table.made("sync_on", to or None, check_host)
    dataset = table.made("sync_dataset", target or None, check_dataset)
    schedule = None if when == ASAP else _cron(table, "sync_policy", when, warnings)
    if host is None or dataset is None:
        return None
    return Replication(
        name=name,
        to="local" if host == entry.host else host,
        target=dataset,
        when=schedule,
        rollback=entry.rollback,
    )


def _cron(table: Table, key: str, text: str, warnings: list[str]) -> Schedule | None:
    schedule = table.made(key, text or None, parse_schedule)
    fields = schedule.cron.split() if schedule else []
    if len(fields) == 5 and not fields[2].startswith("*") and not fields[4].startswith("*"):
        warnings.append(
            f"{table.path(key)}: {text!r} comes on those days of the month, and on those weekdays: "
            "in the old program both had to match"
        )
    return schedule


def _keep(table: Table, retention: tuple[str, ...]) -> KeepPolicy | None:
    if not retention:
        table.fault(
            "retention", "empty: say what is kept, as ['24 in last day', '1/day in last week']"
        )
        return None
    for number, text in enumerate(retention):
        table.made(f"retention[{number}]", text, lambda one: parse_keep([one], LOCAL))
    try:
        return parse_keep(retention, LOCAL)
    except BadPolicy:
        return None  # noted above


def _template(prefix: str) -> NameTemplate:
    if not prefix:
        raise BadPolicy("empty: it says which snapshots this policy may destroy; give one")
    return NameTemplate(prefix=prefix, template="legacy", zone=LOCAL)


def _leave(table: Table, warnings: list[str]) -> None:
    for key, hint in table.unknown():
        warnings.append(f"{table.path(key)}: not known, and left aside; {hint}")


def _lowered(value: object) -> object:
    """The same with all its keys in lower case."""
    if isinstance(value, Mapping):
        return {str(key).lower(): _lowered(below) for key, below in value.items()}
    return [_lowered(one) for one in value] if isinstance(value, list) else value


def _hosts(jobs: list[Job]) -> dict[str, HostAddress]:
    """The old program knows hosts by the names it dials."""
    names = [job.host for job in jobs if job.host]
    names += [one.to for job in jobs for one in job.replications if one.to != "local"]
    return {name: HostAddress(address=name) for name in names}
