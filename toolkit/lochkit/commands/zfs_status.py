"""``lochkit zfs status``: how the agent of this host is doing."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

from ..errors import LochkitError
from ..options import Subcommand, option
from .output import instant, print_lines, table
from .zfs_agent_options import DEFAULT_STATE
from .zfs_options import ZfsOptions
from .zfs_running import answered
from .zfs_showing import in_bytes

if TYPE_CHECKING:
    from ..zfs.agent_status import AgentStatus, ChoreStatus, TransferStatus

__all__ = ["SUBCOMMAND", "ZfsStatusOptions", "run"]

# What only this mode needs is imported where it is used: all modes import this module.

_LARGEST: Final = 64 << 20  # bytes
_SILENT: Final = 300.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ZfsStatusOptions(ZfsOptions):
    """The options of ``lochkit zfs status``, as given: see their help."""

    state: str = option(
        "--state",
        default=DEFAULT_STATE,
        metavar="DIRECTORY",
        completes="directory",
        help="The state directory of the agent.",
    )


async def run(options: ZfsStatusOptions) -> int:
    """Print what the agent says of itself; 1 if something failed last."""

    from ..zfs.agent_status import encode_status

    async def work() -> int:
        status = await _read(options.state)
        if options.json:
            document = json.loads(encode_status(status))
            await print_lines([json.dumps(document)])
        else:
            await print_lines(_lines(status, time.time()))
        troubled = any(one.last_error for one in status.chores) or bool(status.policy_error)
        return int(troubled or status.state not in ("ready", "stopped"))

    return await answered(work)


async def _read(directory: str) -> "AgentStatus":
    from ..zfs.agent_status import STATUS_FILE, read_status

    path = Path(directory) / STATUS_FILE

    def read() -> bytes:
        with path.open("rb") as file:
            return file.read(_LARGEST)

    try:
        return _as_it_is(read_status(await trio.to_thread.run_sync(read)))
    except FileNotFoundError:
        raise LochkitError(
            f"{path} is not there: no agent has run here with this state directory (--state)"
        ) from None
    except OSError as exc:
        raise LochkitError(f"{path}: {exc.strerror or exc}") from exc


def _as_it_is(status: "AgentStatus") -> "AgentStatus":
    """What the agent said last; but an agent that was killed can not say that it is gone."""
    if status.state == "stopped" or not status.pid:
        return status
    try:
        os.kill(status.pid, 0)
    except ProcessLookupError:
        return replace(status, state="gone")
    except (PermissionError, OverflowError):  # it lives, and is somebody else's; or was misread
        pass
    return status


def _lines(status: "AgentStatus", now: float) -> Iterator[str]:
    age = now - status.at
    yield f"agent of {status.host}: {status.state}, process {status.pid}, said {_ago(age)}"
    if status.state == "ready" and age > _SILENT:
        yield "it has said nothing since: is it still running?"
    if status.state == "gone":
        yield "it has ended without saying so: start it again, and look at its log"
    if status.policy:
        yield f"policy {status.policy}"
    if status.policy_error:
        yield f"which can not be followed as it is now: {status.policy_error}"
    for service, where in sorted(status.listening.items()):
        yield f"listens for {service} at {where}"
    yield f"etcd: {status.etcd}"
    yield (
        f"orders: {status.orders_running} under way, {status.orders_done} done,"
        f" {status.orders_failed} failed"
    )
    if status.chores:
        yield ""
        heads = ("JOB", "WORK", "TO", "STATE", "LAST WELL", "NEXT", "WHAT")
        yield from table([heads, *(_chore(one, now) for one in status.chores)])
    if status.transfers:
        yield ""
        columns = ("SENDING", "TO", "SNAPSHOT", "DONE", "RATE")
        yield from table([columns, *(_transfer(one) for one in status.transfers)])


def _chore(one: "ChoreStatus", now: float) -> tuple[str, ...]:
    again = one.retry_at if one.retry_at is not None else one.next_tick
    what = one.last_error or one.message
    if one.failures > 1:
        what = f"{what} ({one.failures} times)"
    job = one.job if one.replication in ("", one.job) else f"{one.job}/{one.replication}"
    well = "never" if one.last_success is None else _ago(now - one.last_success)
    due = "" if again is None else instant(again)
    return (job, one.work, one.to, one.state, well, due, what)


def _transfer(one: "TransferStatus") -> tuple[str, ...]:
    size = f" of {in_bytes(one.size)}" if one.size else ""
    done, rate = f"{in_bytes(one.done)}{size}", f"{in_bytes(one.rate)}/s"
    return (one.dataset, one.target, one.snapshot, done, rate)


def _ago(seconds: float) -> str:
    from ..zfs.durations import in_words

    return f"{in_words(max(0, round(seconds)))} ago"


HELP: Final = """\
Print how the agent of this host is doing: its jobs, when each went well last and is due next, what
failed, and what is being sent.

The exit code is 1 when something failed last, the policy can not be followed, or the agent was
killed.
"""

SUBCOMMAND = Subcommand(options=ZfsStatusOptions, run=run, help=HELP)
