"""A policy as a document: what `policy_read` reads gives the same policy again.

What is at its default is left out.
"""

from dataclasses import fields

from .keep_rules import KeepPolicy
from .naming import DEFAULT
from .policy_types import (
    Guarantee,
    HostAddress,
    Job,
    Policy,
    Replication,
    SnapshotPolicy,
    StaleToken,
)
from .schedule import Schedule
from .zones import LOCAL

__all__ = ["job_document", "policy_document", "replication_document"]

# Fields of a replication whose value in the document is the value itself.
_PLAIN = (
    *("snapshots", "intermediates", "initial_all", "raw", "send_properties", "large_blocks"),
    *("compressed", "embedded", "resume", "rollback", "compression", "rate"),
)
_DEFAULTS = Replication(name="", to="", target="")


def policy_document(policy: Policy) -> dict[str, object]:
    """The document of a policy."""
    document: dict[str, object] = {}
    if policy.hosts:
        document["hosts"] = {name: _host(host) for name, host in policy.hosts.items()}
    return document | {"job": [job_document(job) for job in policy.jobs]}


def job_document(job: Job) -> dict[str, object]:
    """The table of a job."""
    document: dict[str, object] = {"name": job.name}
    if job.host is not None:
        document["host"] = job.host
    document["datasets"] = list(job.datasets.roots)
    if job.datasets.recursive:
        document["recursive"] = True
    if job.datasets.exclude:
        document["exclude"] = list(job.datasets.exclude)
    if job.snapshot is not None:
        document["snapshot"] = _snapshot(job.snapshot)
    if job.keep is not None:
        document["keep"] = _keep(job.keep)
    if not job.skip_renamed:
        document["skip_renamed"] = False
    if job.replications:
        document["replicate"] = [replication_document(one) for one in job.replications]
    return document


def replication_document(replication: Replication) -> dict[str, object]:
    """The table of a replication."""
    document: dict[str, object] = {
        "name": replication.name,
        "to": replication.to,
        "target": replication.target,
    }
    if replication.when is not None:
        document["when"] = _when(replication.when)
    if replication.keep is not None:
        document["keep"] = _keep(replication.keep)
    for key in _PLAIN:
        value = getattr(replication, key)
        if value != getattr(_DEFAULTS, key):
            document[key] = value
    if replication.set_properties:
        document["set_properties"] = dict(replication.set_properties)
    if replication.exclude_properties:
        document["exclude_properties"] = list(replication.exclude_properties)
    if replication.stale_token is not StaleToken.ABORT:
        document["stale_token"] = replication.stale_token.value
    if replication.guarantee is not Guarantee.RESUMABLE:
        document["guarantee"] = replication.guarantee.value
    return document


def _snapshot(snapshot: SnapshotPolicy) -> dict[str, object]:
    template, schedule = snapshot.template, snapshot.schedule
    zone = template.zone if schedule is None else schedule.zone
    document: dict[str, object] = {"prefix": template.prefix}
    if schedule is not None:
        document["cron"] = schedule.cron
    if zone != LOCAL:
        document["zone"] = zone
    if template.zone != zone:
        document["name_zone"] = template.zone
    if template.template != DEFAULT:
        document["template"] = template.template
    if template.also:
        document["also"] = list(template.also)
    if snapshot.skip_unwritten:
        document["skip_unwritten"] = True
    return document


def _when(schedule: Schedule) -> object:
    if schedule.zone == LOCAL:
        return schedule.cron
    return {"cron": schedule.cron, "zone": schedule.zone}


def _keep(keep: KeepPolicy) -> object:
    return keep.texts if keep.zone == "UTC" else {"rules": keep.texts, "zone": keep.zone}


def _host(host: HostAddress) -> dict[str, object]:
    default = HostAddress(address=host.address)
    return {
        field.name: getattr(host, field.name)
        for field in fields(host)
        if field.name == "address" or getattr(host, field.name) != getattr(default, field.name)
    }
