"""One job, read from its table: of a file, or of a value in etcd."""

from .errors import BadName, BadPolicy
from .keep_rules import KeepPolicy, NotReplicated
from .names import check_dataset, parents
from .naming import DEFAULT, NameTemplate
from .policy_read_fields import Table
from .policy_read_parts import check_host, check_pattern, check_zone, read_keep
from .policy_read_replication import read_replication
from .policy_types import Job, Replication, Selection, SnapshotPolicy
from .schedule import parse_schedule
from .tags import check_replication
from .zones import LOCAL

__all__ = ["read_job"]

_DEFAULT_PREFIX = "lochkit"


def read_job(table: Table, *, zone: str | None = None) -> Job | None:
    """The job a table says; None: it has faults, which are noted.

    Args:
        table: is closed.
        zone: what the document as a whole says; None: nothing.
    """
    before = table.faults
    name = table.made("name", table.needed("name", "what this job is called"), _job_name)
    zone = table.made("zone", table.text("zone", zone), check_zone)
    found = Job(
        name=name or "",
        host=table.made("host", table.text("host"), check_host),
        datasets=_selection(table),
        snapshot=_snapshot(table, zone),
        keep=read_keep(table, "keep", zone),
        replications=_replications(table, name, zone),
        skip_renamed=table.flag("skip_renamed", default=True),
    )
    table.close()
    if table.faults > before:
        return None
    _check(table, found)
    return found if table.faults == before else None


def _job_name(name: str) -> str:
    try:
        return check_replication(name)
    except BadName:
        raise BadPolicy(
            f"{name[:80]!r} can not be the name of a job: 1 to 64 of A-Z a-z 0-9 _ . -, beginning "
            "with a letter or a digit"
        ) from None


def _selection(table: Table) -> Selection:
    recursive = table.flag("recursive", default=False)
    if "datasets" not in table:
        table.fault("datasets", "missing: which datasets, as ['pool/data']")
    roots = table.texts("datasets", check_dataset)
    if not roots and table.raw("datasets") == []:
        table.fault("datasets", "empty: name at least one")
    for root in sorted({root for root in roots if roots.count(root) > 1}):
        table.fault("datasets", f"{root!r} is there twice")
    for root in roots if recursive else ():
        if above := next((one for one in parents(root) if one in roots), None):
            table.fault("datasets", f"{root!r} is below {above!r} already")
    exclude = table.texts("exclude", check_pattern)
    if exclude and not recursive:
        table.fault("exclude", "has no effect unless recursive = true")
    return Selection(roots=roots, recursive=recursive, exclude=exclude)


def _snapshot(table: Table, zone: str | None) -> SnapshotPolicy | None:
    below = table.table("snapshot")
    if below is None:
        return None
    before = below.faults
    where = below.made("zone", below.text("zone", zone or LOCAL), check_zone) or LOCAL
    cron = below.text("cron")
    schedule = below.made("cron", cron, lambda text: parse_schedule(text, where))
    prefix = below.text("prefix", _DEFAULT_PREFIX) or ""
    template = below.text("template", DEFAULT) or ""
    also = below.texts("also")
    named = below.made("name_zone", below.text("name_zone", where), check_zone) or LOCAL
    skip = below.flag("skip_unwritten", default=False)
    below.close()
    if below.faults > before:
        return None
    try:
        names = NameTemplate(prefix=prefix, template=template, zone=named, also=also)
    except BadPolicy as exc:
        table.fault("snapshot", str(exc))
        return None
    return SnapshotPolicy(schedule=schedule, template=names, skip_unwritten=skip)


def _replications(table: Table, job: str | None, zone: str | None) -> tuple[Replication, ...]:
    tables = table.tables("replicate")
    found = []
    for one in tables:
        name = job or "job"
        if len(tables) > 1:
            to = one.raw("to")
            name = f"{name}_{to}" if isinstance(to, str) else name
        found.append(read_replication(one, name=name, zone=zone))
    return tuple(one for one in found if one)


def _check(table: Table, job: Job) -> None:
    """See that the parts of a job go together."""
    keeps: list[tuple[str, KeepPolicy | None]] = [("keep", job.keep)]
    for number, replication in enumerate(job.replications):
        keeps.append((f"replicate[{number}].keep", replication.keep))
    for path, keep in keeps:
        if keep is None:
            continue
        if job.snapshot is None:
            table.fault(
                path,
                "only a job's own snapshots are destroyed, and nothing says which those are: add "
                "snapshot = { prefix = '…' }",
            )
        if not any(isinstance(rule, NotReplicated) for rule in keep.rules):
            continue
        if path != "keep":
            table.fault(path, "'not replicated' is for the source; a destination replicates not")
        elif not job.replications:
            table.fault(path, "'not replicated' keeps everything: this job has no replicate")
