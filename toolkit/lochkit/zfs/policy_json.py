"""Jobs and replications as JSON, with the names that a policy file has: values in etcd, orders.

A job is the value of ``<namespace>/policy/<job>``: one object, the table ``[[job]]`` of a file.
"""

import json
from collections.abc import Mapping

from .errors import BadPolicy
from .policy_read_fields import Table
from .policy_read_job import read_job
from .policy_read_replication import read_replication as read_replication_table
from .policy_types import Job, Replication
from .policy_write import job_document, replication_document

__all__ = ["job_text", "parse_json", "read_job_text", "read_replication", "replication_document"]

_LONGEST = 1024 * 1024  # bytes


def job_text(job: Job) -> str:
    """The JSON of a job."""
    return json.dumps(job_document(job), ensure_ascii=False, separators=(",", ":"))


def read_job_text(text: str | bytes, *, name: str | None = None) -> Job:
    """Return the job that JSON says.

    Args:
        text: at most a mebibyte.
        name: what the key calls it; the job must say the same, or nothing.

    Raises:
        BadPolicy: it is not JSON, or has faults; one line each.
    """
    document = parse_json(text, "job")
    if name is not None and isinstance(document, dict):
        document = {"name": name} | document
    faults: list[str] = []
    job = read_job(Table(document, "job", faults))
    if job is not None and name is not None and job.name != name:
        faults.append(f"job.name: {job.name!r} stands under the name {name!r}: make both the same")
    if faults or job is None:
        raise BadPolicy("\n".join(faults))
    return job


def read_replication(document: Mapping[str, object], where: str = "replication") -> Replication:
    """Return the replication that an object says, as `replication_document` makes it.

    Raises:
        BadPolicy: it has faults; one line each.
    """
    faults: list[str] = []
    found = read_replication_table(Table(document, where, faults), name=None, zone=None)
    if faults or found is None:
        raise BadPolicy("\n".join(faults))
    return found


def parse_json(text: str | bytes, what: str, *, longest: int = _LONGEST) -> object:
    """Return what JSON says; no key twice, not too long (bytes), not too deep.

    Raises:
        BadPolicy: it is not such JSON.
    """
    if len(text) > longest:
        raise BadPolicy(f"{what}: {len(text)} bytes: the limit is {longest}")
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as exc:
        raise BadPolicy(f"{what}: not valid JSON: {exc}") from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"{twice[:80]!r} is there twice")
    return found


def _no_constant(word: str) -> object:
    raise ValueError(f"{word} is not a number")
