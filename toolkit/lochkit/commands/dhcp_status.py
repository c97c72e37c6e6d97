"""``lochkit dhcp status``: how the daemon is doing."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import trio

from .. import logs
from ..dhcp.model import Reason
from ..dhcp.reporter import read_status
from ..dhcp.status import Status
from ..errors import ConfigError
from ..io.placement import LOCK
from ..options import Subcommand, flag
from .dhcp_setup import STATUS_FILE, state_dir_of
from .dhcp_view_options import DhcpPlaceOptions
from .output import counted, instant, print_lines, shown, table

__all__ = ["SUBCOMMAND", "DhcpStatusOptions", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DhcpStatusOptions(DhcpPlaceOptions):
    """The options of ``lochkit dhcp status``, as given: see their help."""

    json: bool = flag("--json", help="Print one JSON object instead.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What there is to be told.

    Attributes:
        status: the last report; None when there is none.
        running: whether a process keeps the files.
        reporting: whether the report is of that process.
    """

    status: Status | None
    running: bool
    reporting: bool

    @property
    def well(self) -> bool:
        """Whether everything is as it should be."""
        status = self.status
        return self.reporting and status is not None and status.in_step and status.etcd is None


async def run(options: DhcpStatusOptions) -> int:
    """Print the status; 0 when all is well."""
    logs.default_level("warning")
    directory = state_dir_of(options)
    seen = await trio.to_thread.run_sync(_look, directory)
    now = time.time()
    await print_lines([_object(seen)] if options.json else _readable(seen, directory, now))
    return 0 if seen.well else 1


def _look(directory: Path) -> _Seen:
    """Look at what a daemon has left, or is keeping.

    Raises:
        ConfigError: that can not be read.
    """
    path = directory / STATUS_FILE
    try:
        running, holder = _holder(directory / LOCK)
        status = read_status(path)
    except OSError as exc:
        raise ConfigError(f"{exc.filename or path}: {exc.strerror or exc}") from exc
    except ValueError as exc:
        raise ConfigError(f"{path}: {exc}") from exc
    reporting = running and status is not None and status.pid == holder
    return _Seen(status=status, running=running, reporting=reporting)


def _holder(path: Path) -> tuple[bool, int | None]:
    """Whether somebody holds the lock, and the pid that is written in it.

    A pid by itself tells little: it may be another's by now, or of another container.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False, None
    try:
        # Shared, and for an instant: two that look do not take each other for the daemon.
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        word = os.pread(fd, 32, 0).strip()
        return True, int(word) if word.isdigit() else None
    else:
        return False, None
    finally:
        os.close(fd)


def _object(seen: _Seen) -> str:
    told = {} if seen.status is None else asdict(seen.status)
    return json.dumps(
        {"well": seen.well, "running": seen.running, "reporting": seen.reporting, **told}
    )


def _readable(seen: _Seen, directory: Path, now: float) -> Iterator[str]:
    status = seen.status
    if status is None:
        daemon = "is starting" if seen.running else "is not running"
        yield f"the daemon {daemon}, and none has reported in {shown(str(directory))} yet"
        return
    yield from table(_facts(seen, status, now))
    if status.quarantined:
        yield ""
        yield "Not served:"
        yield from table(
            (one.key, one.reason, f"since {instant(one.first_seen)}", one.text)
            for one in status.quarantined
        )
    listed = len(status.quarantined)
    faults = sum(status.left_out.values()) - status.left_out.get(Reason.UNPLACED.value, 0)
    if faults > listed:
        yield f"... and {faults - listed} more"


def _facts(seen: _Seen, status: Status, now: float) -> Iterator[tuple[str, str]]:
    if seen.reporting:
        yield "daemon", f"running, process {status.pid}, for {status.backend}"
    elif seen.running:
        yield "daemon", f"starting; what follows is of process {status.pid} before it"
    else:
        yield "daemon", "not running; what follows is what it last knew"
    yield "in step", "yes" if status.in_step else "no"
    yield "etcd", f"away: {status.etcd}" if status.etcd else f"revision {status.revision}"
    served = counted(status.hypervisors, "hypervisor"), counted(status.guests, "guest")
    yield "served", ", ".join(served)
    if status.left_out:
        counts = ", ".join(f"{count} {reason}" for reason, count in status.left_out.items())
        yield "left out", counts
    installed = f"generation {status.generation}, {counted(status.installed_hosts, 'host')}"
    yield "installed", installed if status.generation else "nothing"
    yield "last apply", _ago(status.last_apply, now)
    if status.last_error is not None:
        yield "last error", f"{_ago(status.last_error_at, now)}: {status.last_error}"


def _ago(then: float | None, now: float) -> str:
    if then is None:
        return "never"
    return f"{instant(then)} ({max(0, round(now - then))} s ago)"


HELP: Final = """\
Tell how the daemon is doing: what is served and what is not, what it last did, what went wrong.
"""

EPILOG: Final = """\
\b
Exit codes: 0 it runs, follows etcd, and the server has what is wanted; 1 anything else.
"""

SUBCOMMAND = Subcommand(options=DhcpStatusOptions, run=run, help=HELP, epilog=EPILOG)
