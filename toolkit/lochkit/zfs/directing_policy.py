"""A policy that is kept in etcd, a job to a key, and followed as it changes. Pure."""

from typing import Final

from ..errors import LochkitError
from ..etcd.model import Step
from ..etcd.prefix import KeyRange
from .errors import BadPolicy
from .layout import Layout
from .policy_json import read_job_text
from .policy_read_checks import check_for_director, check_policy
from .policy_types import Job, Policy

__all__ = ["KeptPolicy", "insist_on_hosts"]

_MOST_JOBS: Final = 10_000


def insist_on_hosts(policy: Policy) -> None:
    """Make sure that a director can follow a policy.

    Raises:
        BadPolicy: it can not; a line for each fault.
    """
    faults = check_for_director(policy)
    if faults:
        raise BadPolicy("\n".join(faults))


class KeptPolicy:
    """The jobs of etcd; fed with steps of a follower of `ranges`.

    A job that can not be read stays as it was; and all of them do while they do not fit together.
    """

    __slots__ = ("_faults", "_jobs", "_layout", "_together", "policy", "warnings")

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._jobs: dict[str, Job] = {}
        self._faults: dict[bytes, str] = {}
        self._together = ""
        self.policy = Policy(jobs=())
        self.warnings: tuple[str, ...] = ()

    @property
    def ranges(self) -> tuple[KeyRange, ...]:
        """What is to be followed."""
        return (self._layout.policies(),)

    @property
    def error(self) -> str:
        """What is wrong; empty: nothing."""
        return "\n".join(filter(None, (*self._faults.values(), self._together)))

    def apply(self, step: Step) -> bool:
        """Take in a step; whether something about the policy has changed."""
        changed = False
        for key, change in step.changes.items():
            if not self._layout.policies().contains(key):
                continue
            changed = True
            self._faults.pop(key, None)
            name = self._layout.policy_of(key)
            try:
                if change.new is None:
                    self._jobs.pop(name or "", None)
                elif name is None:
                    raise BadPolicy("not the key of a job")
                elif len(self._jobs) >= _MOST_JOBS and name not in self._jobs:
                    raise BadPolicy(f"more than {_MOST_JOBS} jobs")
                else:
                    self._jobs[name] = read_job_text(change.new.value, name=name)
            except (LochkitError, ValueError, RecursionError) as exc:
                self._faults[key] = f"{key.decode('utf-8', 'replace')}: {exc}"
        if changed:
            self._put_together()
        return changed

    def _put_together(self) -> None:
        names = sorted(self._jobs)
        policy = Policy(jobs=tuple(self._jobs[name] for name in names))
        try:
            found = check_policy(policy, [f"policy/{name}" for name in names])
            if found.faults:
                raise BadPolicy("\n".join(found.faults))
            insist_on_hosts(policy)
        except BadPolicy as exc:
            self._together = str(exc)
            return
        self._together, self.policy, self.warnings = "", policy, found.warnings
