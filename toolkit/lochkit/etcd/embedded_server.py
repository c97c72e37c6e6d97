"""The actor that keeps one etcd child running in its place, or waits for its turn to."""

import logging
import math
import os
import platform
import subprocess
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from signal import SIGTERM
from typing import Final, NoReturn

import trio

from ..errors import ConfigError, TransientError
from ..io.guardian import MARK_VARIABLE, Guardian
from ..io.process import Child, StopPlan
from .client import open_client
from .config import EtcdConfig, parse_endpoints
from .embedded_binary import Binary
from .embedded_log import LastWords, parse_line
from .embedded_place import CLIENT_SOCKET, PEER_SOCKET, Place
from .errors import EtcdError, Unavailable

__all__ = ["STOP", "EtcdEnded", "EtcdKeeper", "child_environment"]

log = logging.getLogger(__name__)

STOP: Final = StopPlan(signal=SIGTERM, timeout=2.0)
"""Killing it afterwards costs nothing: what etcd has confirmed is on disk."""

POLL_SECONDS: Final = 0.05
TURN_SECONDS: Final = 0.5
PROBE_SECONDS: Final = 2.0
DRAIN_SECONDS: Final = 0.5
LONGEST_LINE: Final = 64 * 1024

_NOT_ITS_BUSINESS: Final = ("ETCD_", "ETCDCTL_", "LISTEN_", "LOCHKIT_", "NOTIFY_", "WATCHDOG_")
# etcd refuses to run on these unless it is told by name that we know.
_GO_NAMES: Final[Mapping[str, str]] = {
    "aarch64": "arm64",
    "armv6l": "arm",
    "armv7l": "arm",
    "i686": "386",
    "riscv64": "riscv64",
}


class EtcdEnded(TransientError):
    """The child ended by itself, or was not ready in time."""


class EtcdKeeper:
    """Runs etcd in a place. Where another process does that already, lets it, and takes over when
    that one is gone: the endpoint stays the same.

    Args:
        place: where.
        binary: what to run.
        guardian: told of the child; borrowed.
        start_seconds: how long etcd may take to be ready; replaying a long log takes a while.
    """

    name = "embedded etcd"

    def __init__(
        self, place: Place, binary: Binary, guardian: Guardian, *, start_seconds: float
    ) -> None:
        self._place = place
        self._binary = binary
        self._guardian = guardian
        self._start_seconds = start_seconds

    async def run(  # noqa: ASYNC128 - started() is called through _Once
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Keep it running; started when it serves.

        Raises:
            EtcdEnded: it ended, or was not ready in time; the text has its last words.
            ConfigError: it can not be executed, or the place can not be used.
        """
        report = _Once(task_status)
        deadline = trio.current_time() + self._start_seconds
        while True:
            with self._place.try_lock() as lock:
                if lock is not None:
                    await self._run_child(lock, report)
            if not report.done and await is_serving(self._place):
                log.info(
                    "another process runs the embedded etcd of this directory: using that one",
                    extra={"endpoint": self._place.endpoint},
                )
                report.started()
            if not report.done and trio.current_time() > deadline:
                raise EtcdEnded(
                    f"{self._place.directory}: another process holds the lock, and no etcd has"
                    f" served there for {self._start_seconds:g} s"
                )
            await trio.sleep(TURN_SECONDS if report.done else POLL_SECONDS)

    async def _run_child(self, lock: int, report: "_Once") -> NoReturn:
        """Run etcd until it ends by itself.

        Raises:
            EtcdEnded: it did, or was not ready in time.
        """
        words = LastWords()
        ready = trio.Event()
        patience = trio.CancelScope(deadline=trio.current_time() + self._start_seconds)
        async with self._child(lock) as (child, stderr), trio.open_nursery() as nursery:
            drained = trio.Event()
            nursery.start_soon(_forward, stderr, words, drained)
            nursery.start_soon(self._announce, patience, ready, report)
            with patience:
                await child.wait()
            with trio.move_on_after(DRAIN_SECONDS):
                await drained.wait()
            nursery.cancel_scope.cancel()
        if patience.cancelled_caught:
            what = f"was not ready within {self._start_seconds:g} s"
        else:
            what = f"ended{'' if ready.is_set() else ' before it was ready'} ({child.exit})"
        # One that had served and was killed has only its everyday business for last words.
        last = words.complaints if ready.is_set() else str(words)
        raise EtcdEnded(f"the embedded etcd, {self._binary.path}, {what}{last and ': '}{last}")

    async def _announce(
        self, patience: trio.CancelScope, ready: trio.Event, report: "_Once"
    ) -> None:
        # No event to wait for: whether it serves is known to another process.
        while not await is_serving(self._place):  # noqa: ASYNC110
            await trio.sleep(POLL_SECONDS)
        patience.deadline = math.inf
        ready.set()
        try:
            self._place.record_version(self._binary.version_text)
        except OSError as exc:  # it serves all the same
            log.warning("the data's version can not be recorded", extra={"error": exc})
        log.info(
            "the embedded etcd serves",
            extra={"endpoint": self._place.endpoint, "version": self._binary.version_text},
        )
        report.started()

    @asynccontextmanager
    async def _child(self, lock: int) -> AsyncIterator[tuple[Child, trio.abc.ReceiveStream]]:
        """Start etcd, and stop it on the way out if it still runs, in bounded time."""
        self._place.remove_sockets()
        mark = uuid.uuid4().hex
        self._guardian.expect(mark)
        try:
            process = await self._spawn(mark, lock)
            child = Child(process)
            self._guardian.watch(child.pid)
            stderr = process.stderr
            assert stderr is not None
            try:
                yield child, stderr
            finally:
                if child.exit is None:
                    with trio.CancelScope(shield=True):  # bounded by the plan
                        await child.stop(STOP)
                await stderr.aclose()  # not earlier: etcd must be able to write until its end
        finally:
            self._guardian.withdraw()

    async def _spawn(self, mark: str, lock: int) -> trio.Process:
        environ = child_environment(os.environ, machine=platform.machine())
        try:
            return await trio.lowlevel.open_process(
                [self._binary.path, *arguments()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd=self._place.directory,
                env=environ | {MARK_VARIABLE: mark},
                pass_fds=(
                    lock,
                ),  # so that nobody else starts while it lives, whatever becomes of us
                umask=0o077,  # what may write to the socket may do anything
                start_new_session=True,
            )
        except OSError as exc:
            raise ConfigError(f"{self._binary.path}: {exc.strerror}") from exc


def arguments() -> list[str]:
    """Return etcd's command line; all of it is known to 3.4 and every later 3.x."""
    peer = f"unix://{PEER_SOCKET}"
    client = f"unix://{CLIENT_SOCKET}"
    return [
        "--name=lochkit",
        "--data-dir=data",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=lochkit={peer}",
        "--initial-cluster-token=lochkit",
        # A member alone has nobody to wait for; by default it takes over a second to find out.
        "--heartbeat-interval=50",
        "--election-timeout=250",
        # Nobody looks after this one: without it, history would fill the quota some day.
        "--auto-compaction-mode=periodic",
        "--auto-compaction-retention=1h",
        # The default keeps 100,000 entries in memory and replays them at the start.
        "--snapshot-count=10000",
        "--logger=zap",
        "--log-outputs=stderr",
    ]


def child_environment(environ: Mapping[str, str], *, machine: str) -> dict[str, str]:
    """Return what etcd gets to see of our environment.

    Not what is meant for us, such as passwords and the service manager's sockets, and not ETCD_*,
    which etcd would take for options.

    Args:
        environ: ours.
        machine: the hardware's name, as ``uname -m`` has it.
    """
    kept = {name: text for name, text in environ.items() if not name.startswith(_NOT_ITS_BUSINESS)}
    if machine in _GO_NAMES:
        kept["ETCD_UNSUPPORTED_ARCH"] = _GO_NAMES[machine]
    return kept


async def is_serving(place: Place) -> bool:
    """Return whether an etcd answers there; takes at most a few seconds to find out."""
    if not place.socket.exists():
        return False
    config = EtcdConfig(
        endpoints=parse_endpoints([place.endpoint]),
        dial_timeout=PROBE_SECONDS,
        request_timeout=PROBE_SECONDS,
    )
    async with open_client(config) as client:
        try:
            await client.verify()
        except Unavailable:
            return False
        except EtcdError:  # it wants a user's name, and so it serves
            return True
        return True


async def _forward(stderr: trio.abc.ReceiveStream, words: LastWords, drained: trio.Event) -> None:
    """Log what the child says until it has no more to say."""
    rest = b""
    async for chunk in stderr:
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > LONGEST_LINE:
            lines.append(rest)
            rest = b""
        for line in lines:
            _log_line(line, words)
    _log_line(rest, words)
    drained.set()


def _log_line(raw: bytes, words: LastWords) -> None:
    line = parse_line(raw)
    words.hear(line)
    if line.message:
        log.log(line.level, "etcd: %s", line.message)


class _Once:
    """Reports a start once, however often it happens in one run."""

    def __init__(self, task_status: trio.TaskStatus[None]) -> None:
        self._task_status = task_status
        self.done = False

    def started(self) -> None:
        if not self.done:
            self.done = True
            self._task_status.started()
