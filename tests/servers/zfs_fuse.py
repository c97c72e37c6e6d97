"""The daemon of zfs-fuse: one per machine, shared by all test processes, ended by the last of them.

Two locks make that safe. Who changes anything holds the turnstile alone, and never for long. Who
uses the daemon holds the register shared, until done; so whoever gets the register alone, at the
turnstile, is the only user. The register's text is the daemon that tests have started. A daemon
that somebody else started is used as it is, and left alone.
"""

import fcntl
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import IO

from .kernel import is_gone
from .zfs_commands import ZfsFailed, answers, patiently, program, zpool

__all__ = ["POOL_PREFIX", "daemon"]

POOL_PREFIX = "lktest"
TURNSTILE = Path("/tmp/lochkit-zfs-fuse.turnstile")
REGISTER = Path("/tmp/lochkit-zfs-fuse.register")
TURNSTILE_SECONDS = 60.0
START_SECONDS = 20.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.02


@contextmanager
def daemon() -> Iterator[None]:
    """Have zfs-fuse answer inside the context; started before it if need be.

    The only user destroys what pools a killed test process left behind: those named with the tests'
    prefix.

    Raises:
        ZfsFailed: it is not installed or does not start, there is no /dev/fuse, this is not root.
    """
    _check_host()
    with _open(REGISTER) as register:
        with _turnstile():
            alone = _lock(register, fcntl.LOCK_EX)
            if not answers():
                _start(register)
            if alone:
                _sweep()
            _lock(register, fcntl.LOCK_SH)
        try:
            yield
        finally:
            with _turnstile():
                _lock(register, fcntl.LOCK_UN)
                if _lock(register, fcntl.LOCK_EX):
                    _stop(register)


def _check_host() -> None:
    program("zfs-fuse")
    if os.geteuid() != 0:
        raise ZfsFailed("tests on real pools need root")
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        raise ZfsFailed("zfs-fuse needs /dev/fuse, which is not here")


@contextmanager
def _open(path: Path) -> Iterator[IO[str]]:
    # No O_CREAT on a file of another owner in a sticky directory: root may be refused it there.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with path.open("r+") as file:
        yield file


@contextmanager
def _turnstile() -> Iterator[None]:
    with _open(TURNSTILE) as file:
        deadline = monotonic() + TURNSTILE_SECONDS
        while not _lock(file, fcntl.LOCK_EX):
            if monotonic() > deadline:
                raise ZfsFailed(f"{TURNSTILE} has been locked for {TURNSTILE_SECONDS:.0f} s")
            sleep(POLL_SECONDS)
        yield


def _lock(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _start(register: IO[str]) -> None:
    # Not the kernel's death signal: others may use it when this process is long gone.
    # -n: in the foreground, so that its id is known. kstats would be a mount at /zfs-kstat.
    log = REGISTER.with_suffix(".log")
    with log.open("w") as output:
        process = subprocess.Popen(
            [program("zfs-fuse"), "-n", "--no-kstat-mount", "-m", "64"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            start_new_session=True,
        )
    _write(register, _identity(process.pid))
    deadline = monotonic() + START_SECONDS
    while not answers():
        if process.poll() is not None or monotonic() > deadline:
            process.kill()
            process.wait()
            raise ZfsFailed(f"zfs-fuse does not start: {log.read_text()[-2000:]}")
        sleep(POLL_SECONDS)
    # It outlives this object on purpose, which must not be warned of.
    process.returncode = 0


def _stop(register: IO[str]) -> None:
    register.seek(0)
    started = register.read()
    pid = int(started.partition(" ")[0] or 0)
    if not pid or _identity(pid) != started:
        return  # none of ours, or gone
    if zpool("list", "-H", "-o", "name").strip():
        return  # somebody works with it by hand
    os.kill(pid, signal.SIGKILL)  # without a pool it has nothing to put in order
    deadline = monotonic() + STOP_SECONDS
    while not is_gone(pid):
        if monotonic() > deadline:
            raise ZfsFailed(f"zfs-fuse (process {pid}) does not go")
        sleep(POLL_SECONDS)
    with suppress(ChildProcessError):  # another test process has started it
        os.waitpid(pid, 0)
    _write(register, "")


def _write(register: IO[str], text: str) -> None:
    register.seek(0)
    register.truncate()
    register.write(text)
    register.flush()


def _identity(pid: int) -> str:
    """Return a process's id and start time, which no later process has both of; or nothing."""
    try:
        after = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return f"{pid} {after.split()[19]}"


def _sweep() -> None:
    for name in zpool("list", "-H", "-o", "name").split():
        if name.startswith(POOL_PREFIX):
            patiently("zpool", "destroy", name)
