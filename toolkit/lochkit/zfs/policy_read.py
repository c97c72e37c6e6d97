"""A policy, read from a document: TOML of a file, strict, with all its faults at once.

::

    zone = "Europe/Paris"           # of what says none itself; default: the host's own ("local")
    [hosts.vault]
    address = "10.0.0.2"            # orders = 7711, streams = 7722, certificate = "vault"
    [[job]]
    name = "pgdata"
    host = "web1"                   # for a director; an agent on its own needs none
    datasets = ["ssd/pgdata"]
    recursive = true
    exclude = ["ssd/pgdata/tmp*"]
    snapshot = { cron = "*/15 * * * *", prefix = "hot", skip_unwritten = true }
    keep = ["24 in last day", "1/day in last week"]
    [[job.replicate]]
    to = "vault"
    target = "bulk/from-web1/pgdata"
    when = "asap"                   # or a line of cron
    keep = ["1/day in last week", "1/week in last month"]

``zone`` may stand at the top, in a job and in ``snapshot``; the inner one counts. Calendar days of
``keep`` are those of the job's zone, and of UTC if none is said. Where one value needs a zone of
its own: ``when = { cron = …, zone = … }``, ``keep = { rules = […], zone = … }``, and ``name_zone``
in ``snapshot`` for ``{time:…}`` in names.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from .errors import BadPolicy
from .policy_read_checks import check_policy
from .policy_read_fields import Table
from .policy_read_job import read_job
from .policy_read_parts import check_host, check_zone
from .policy_types import HostAddress, Policy

__all__ = ["PolicyRead", "read_policy"]

_MOST_PORTS = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRead:
    """A policy, and what somebody should know about it.

    Attributes:
        policy: without faults.
        warnings: for a person, one line each, with the path where there is one.
    """

    policy: Policy
    warnings: tuple[str, ...] = ()


def read_policy(document: Mapping[str, object], *, needs_jobs: bool = True) -> PolicyRead:
    """Return the policy that a parsed document says.

    Args:
        document: what was parsed.
        needs_jobs: a policy without jobs is a mistake; it is none of a host that only serves.

    Raises:
        BadPolicy: it has faults: one line each, with the path in the document and what to do.
    """
    faults: list[str] = []
    table = Table(document, "", faults)
    zone = table.made("zone", table.text("zone"), check_zone)
    named = table.named("hosts")
    hosts = {name: _host(table, name, one) for name, one in named.items()}
    jobs = [read_job(one, zone=zone) for one in table.tables("job")]
    table.close()
    if needs_jobs and not jobs and not faults:
        faults.append("job: missing: a policy has at least one [[job]]")
    if faults:
        raise BadPolicy("\n".join(faults))
    policy = Policy(jobs=tuple(job for job in jobs if job), hosts=hosts)
    findings = check_policy(policy)
    if findings.faults:
        raise BadPolicy("\n".join(findings.faults))
    return PolicyRead(policy=policy, warnings=findings.warnings)


def _host(above: Table, name: str, table: Table) -> HostAddress:
    above.made(f"hosts.{name[:80]}", name, check_host)
    if name == "local":
        above.fault("hosts.local", "'local' means the same host, and needs no address")
    address = table.needed("address", "name or address of the host, as '10.0.0.2'") or ""
    if address and (address != address.strip() or " " in address or len(address) > 253):
        table.fault("address", f"{address[:80]!r} is not a name or address of a host")
    orders = table.number("orders", least=1, most=_MOST_PORTS) or HostAddress(address="").orders
    streams = table.number("streams", least=1, most=_MOST_PORTS) or HostAddress(address="").streams
    certificate = table.text("certificate")
    table.close()
    return HostAddress(address=address, orders=orders, streams=streams, certificate=certificate)
