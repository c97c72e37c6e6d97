"""The files an agent follows: a policy, and what clients may do, in one file or in two."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .agent_clients import read_clients
from .errors import BadPolicy
from .permits import Permits
from .policy_files import load_policy
from .policy_read import read_policy
from .policy_read_fields import Table
from .policy_types import Job, Policy

__all__ = ["AgentPolicy", "load_agent_policy"]

_LARGEST: Final = 4 * 1024 * 1024  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPolicy:
    """What an agent is to do, and to let others do.

    Attributes:
        policy: jobs and hosts.
        permits: of clients.
        warnings: for a person.
    """

    policy: Policy = field(default_factory=lambda: Policy(jobs=()))
    permits: Permits = field(default_factory=Permits)
    warnings: tuple[str, ...] = ()

    def jobs_of(self, host: str) -> tuple[Job, ...]:
        """The jobs that are about this host's datasets."""
        return self.policy.of_host(host)


def load_agent_policy(
    policy: str | None, clients: str | None, *, plaintext: bool = False
) -> AgentPolicy:
    """Read the files. Blocks on the file system.

    Args:
        policy: TOML with jobs, hosts and clients, each of which may be missing; or a
            ``server.json``.
        clients: TOML with clients, besides those of the policy.
        plaintext: see `read_clients`.

    Raises:
        BadPolicy: a file can not be read, or has faults: all of them, a line each.
    """
    found = AgentPolicy()
    if policy is not None and Path(policy).suffix.lower() == ".json":
        read = load_policy(policy)
        found = AgentPolicy(policy=read.policy, warnings=read.warnings)
    elif policy is not None:
        found = _read_toml(policy, plaintext=plaintext)
    if clients is None:
        return found
    faults: list[str] = []
    table = Table(_document(clients), "", faults)
    permits = read_clients(table, plaintext=plaintext)
    table.close()
    both = sorted(set(permits.clients) & set(found.permits.clients))
    faults += (f"clients.{name}: is in {policy} as well" for name in both)
    _raise(clients, faults)
    return AgentPolicy(
        policy=found.policy,
        permits=Permits(
            clients={**found.permits.clients, **permits.clients},
            anonymous=permits.anonymous or found.permits.anonymous,
        ),
        warnings=found.warnings,
    )


def _read_toml(path: str, *, plaintext: bool) -> AgentPolicy:
    document = _document(path)
    faults: list[str] = []
    permits = read_clients(Table(document, "", faults), plaintext=plaintext)
    rest = {key: value for key, value in document.items() if key != "clients"}
    try:  # a host that only serves others has no jobs
        read = read_policy(rest, needs_jobs="clients" not in document)
    except BadPolicy as exc:
        _raise(path, [*str(exc).split("\n"), *faults])
        raise
    _raise(path, faults)
    return AgentPolicy(policy=read.policy, permits=permits, warnings=read.warnings)


def _document(path: str) -> dict[str, object]:
    try:
        with open(path, "rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as exc:
        raise BadPolicy(f"{path}: {exc.strerror or exc}") from exc
    if len(content) > _LARGEST:
        raise BadPolicy(f"{path}: larger than {_LARGEST} bytes")
    try:
        return tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise BadPolicy(f"{path}: not valid TOML: {exc}") from exc


def _raise(path: str, faults: list[str]) -> None:
    if faults:
        raise BadPolicy("\n".join(f"{path}: {fault}" for fault in faults))
