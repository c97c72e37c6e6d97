"""What the modes of ``lochkit zfs`` have in common: a host's ZFS, its policy, an answer, an end."""

from collections.abc import Awaitable, Callable, Iterable

from .. import logs
from ..errors import ConfigError
from ..runtime.signals import run_until_stopped
from ..zfs.policy_types import Job, Policy
from .output import Refused
from .zfs_options import PolicyOptions

__all__ = ["answered", "chosen_jobs", "jobs_here", "policy_of"]


async def answered(
    work: Callable[[], Awaitable[int]], *, stop_within: float = 20.0, log_level: str = "warning"
) -> int:
    """Do something, unless a signal asks for the end; the exit code.

    Args:
        work: what to do; its cleanup (children, holds, connections) must be bounded.
        stop_within: seconds that its cleanup may take.
        log_level: from which on it logs, if the operator says nothing.
    """
    logs.default_level(log_level)
    codes: list[int] = []

    async def body() -> None:
        codes.append(await work())

    stopped_by = await run_until_stopped(body, stop_within=stop_within)
    # Not a clean end as that of a daemon: what was asked for is not done.
    return codes[0] if stopped_by is None else 128 + stopped_by


def policy_of(options: PolicyOptions) -> Policy:
    """The policy that was named, which may be an agent's, with what its clients may do.

    Raises:
        BadPolicy: it can not be read, or has faults: a line each.
    """
    from ..zfs.agent_policy import load_agent_policy  # many commands need no policy

    return load_agent_policy(options.policy, None).policy


def jobs_here(policy: Policy, host: str) -> tuple[Job, ...]:
    """The jobs of a policy that are about datasets of this host."""
    return tuple(job for job in policy.jobs if job.host in (None, host))


def chosen_jobs(options: PolicyOptions, policy: Policy, names: Iterable[str]) -> tuple[Job, ...]:
    """The jobs of this host, or those of them that are named.

    Raises:
        ConfigError: the policy has nothing for this host.
        Refused: there is no job of that name here.
    """
    here = jobs_here(policy, options.host_name)
    if not here:
        others = sorted({job.host for job in policy.jobs if job.host})
        raise ConfigError(
            f"{options.policy} has no job for the host {options.host_name!r};"
            f" give its name with --host{': ' + ', '.join(others) if others else ''}"
        )
    wanted = tuple(dict.fromkeys(names))
    by_name = {job.name: job for job in here}
    for name in wanted:
        if name not in by_name:
            raise Refused(f"there is no job {name!r} for this host: {', '.join(by_name)}")
    return tuple(by_name[name] for name in wanted) if wanted else here
