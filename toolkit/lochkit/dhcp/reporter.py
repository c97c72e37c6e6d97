"""Tells how a keeper is doing: to the status file, and to systemd."""

import logging
import os
import time
from collections.abc import Callable
from itertools import islice
from math import inf
from pathlib import Path
from typing import Final

import trio

from ..errors import LochkitError
from ..io.durable import replace_file
from ..io.notify import Notifier
from .ledger import Entry
from .model import Group
from .outcome import Ending, Outcome
from .status import MOST_LISTED, Quarantined, Status, remembered
from .wanted import Wanted

__all__ = ["Reporter", "read_status", "remembered_in"]

log = logging.getLogger(__name__)

_MOST_BYTES: Final = 16_000_000
_LOOK_SECONDS: Final = 1.0


class Reporter:
    """Writes the status after every attempt, and when the connection to etcd changes.

    Args:
        path: of the status file.
        backend: its name.
        wanted: the wanted state.
        notifier: tells systemd.
        away: says why etcd is not followed; None while it is.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        path: Path,
        backend: str,
        wanted: Wanted,
        notifier: Notifier,
        away: Callable[[], str | None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._backend = backend
        self._wanted = wanted
        self._notifier = notifier
        self._away = away
        self._clock = clock
        self._outcome: Outcome | None = None
        self._last_apply: float | None = None
        self._last_error: tuple[str, float] | None = None
        self._told: str | None = None
        self._failed = False
        self._written: Status | None = None

    async def report(self, outcome: Outcome) -> None:
        """Note how an attempt has ended, and tell of it."""
        now, before = self._clock(), self._outcome
        self._outcome = outcome
        if outcome.ending is Ending.UNCHANGED and before is not None and before.in_step:
            if self.status().told == self._written:
                return  # nothing that is worth a write: a heartbeat, for one
        elif outcome.in_step:
            self._last_apply = now
        else:
            self._last_error = (outcome.text, now)
        self._notifier.ready()
        await self._tell()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Tell when etcd is lost and when it is back; and tell systemd that we live."""
        task_status.started()
        while True:
            await trio.sleep(min((self._notifier.watchdog_seconds or inf) / 2, _LOOK_SECONDS))
            self._notifier.watchdog()
            if self._outcome is not None and self._away() != self._told:
                await self._tell()

    @property
    def name(self) -> str:
        """See `Actor`."""
        return "reporter"

    async def _tell(self) -> None:
        self._told = self._away()
        status = self.status()
        self._notifier.status(_sentence(status))
        try:
            await trio.to_thread.run_sync(replace_file, self._path, (status.to_json(),))
        except LochkitError as exc:
            if not self._failed:
                log.warning("the status file can not be written: %s", exc)
            self._failed = True
            self._written = None
        else:
            self._failed = False
            self._written = status.told

    def status(self) -> Status:
        """How it is now."""
        outcome, ledger = self._outcome, self._wanted.ledger
        listed = islice(ledger.faults(), MOST_LISTED)
        return Status(
            pid=os.getpid(),
            backend=self._backend,
            written=self._clock(),
            revision=self._wanted.revision,
            hypervisors=self._wanted.hosts(Group.HYPERVISORS),
            guests=self._wanted.hosts(Group.GUESTS),
            left_out=ledger.counts(),
            quarantined=tuple(_quarantined(key, entry) for key, entry in listed),
            generation=outcome.generation if outcome else 0,
            installed_hosts=outcome.hosts if outcome else 0,
            last_apply=self._last_apply,
            last_error=self._last_error[0] if self._last_error else None,
            last_error_at=self._last_error[1] if self._last_error else None,
            in_step=outcome is not None and outcome.in_step,
            etcd=self._told,
        )


def read_status(path: Path) -> Status | None:
    """What a status file says; None when there is none.

    Raises:
        OSError: it can not be read.
        ValueError: it is not a status.
    """
    try:
        with path.open("rb") as file:
            return Status.from_json(file.read(_MOST_BYTES))
    except FileNotFoundError:
        return None


def remembered_in(path: Path) -> dict[str, Entry]:
    """What a keeper before us knew of objects that are left out; nothing when that can not be
    read."""
    try:
        status = read_status(path)
    except (OSError, ValueError) as exc:
        log.warning("the old status file is of no use: %s", exc, extra={"path": str(path)})
        return {}
    return remembered(status) if status else {}


def _quarantined(key: str, entry: Entry) -> Quarantined:
    problem = entry.problem
    return Quarantined(
        key=key, reason=problem.reason.value, text=problem.text, first_seen=entry.first_seen
    )


def _sentence(status: Status) -> str:
    """What ``systemctl status`` shows."""
    hosts = f"{status.hypervisors} hypervisors, {status.guests} guests"
    if status.etcd is not None:
        return f"{hosts}; etcd is away: {status.etcd}"
    if not status.in_step:
        return f"{hosts}; not in step: {status.last_error}"
    return f"{hosts}; generation {status.generation}"
