"""The ``__main__.py`` of ``lochkit.pyz``: finds or makes a safe place for its modules, and starts.

Python caches no bytecode for modules inside a zip file, and compiling them anew takes twice as long
as all else at a start. So they are unpacked once, to a directory that only we (or root) can write:
code will be run from it. Where there is no such place they are run from the zip file itself, slower
but the same; a read-only host without a home needs nothing.

The places, the first that is safe: ``SHIV_ROOT`` (and then no other), systemd's
``CACHE_DIRECTORY``, ``XDG_CACHE_HOME/lochkit``, ``~/.cache/lochkit``, for root
``/var/cache/lochkit``, and systemd's ``RUNTIME_DIRECTORY``. Not ``/tmp``: there anybody could have
been before us.

Unpacking is to a private name and then one rename, so that any number of first starts, or one
killed in the middle, leave either nothing or everything. A new version removes the unpacked old
ones that no process uses: each process holds a shared lock on its own.

This file is put in place by build.sh. It is read by whatever Python the host has: its syntax must
stay that of 3.6, so that an old one gets as far as being refused.
"""

import sys

OLDEST = (3, 11)
if sys.version_info < OLDEST:
    sys.exit(
        f"lochkit needs Python {OLDEST[0]}.{OLDEST[1]} or later, and {sys.executable} is"
        f" {sys.version_info[0]}.{sys.version_info[1]}"
    )

import fcntl  # noqa: E402 - after the version has been checked
import os  # noqa: E402
import stat  # noqa: E402
from collections.abc import Iterator, Mapping  # noqa: E402

BUILD = "@BUILD@"  # the hash of everything below site-packages
NAME = "lochkit_" + BUILD
OTHERS_CAN_WRITE = stat.S_IWGRP | stat.S_IWOTH
ABANDONED_AFTER = 3600.0  # seconds after which a half-unpacked directory has no owner any more


def places(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the directories that may hold the unpacked modules, the best first."""
    if environ.get("SHIV_ROOT"):
        yield environ["SHIV_ROOT"]
        return
    yield from environ.get("CACHE_DIRECTORY", "").split(":")[:1]
    if environ.get("XDG_CACHE_HOME"):
        yield os.path.join(environ["XDG_CACHE_HOME"], "lochkit")
    home = environ.get("HOME") or os.path.expanduser("~" if "HOME" not in environ else "")
    if home:
        yield os.path.join(home, ".cache", "lochkit")
    if os.geteuid() == 0:
        yield "/var/cache/lochkit"
    yield from environ.get("RUNTIME_DIRECTORY", "").split(":")[:1]


def is_safe(path: str) -> bool:
    """Return whether only we or root can put anything at ``path``, a directory without symlinks.

    Every directory above it must belong to us or root and be writable by no one else, but that
    others may write where the sticky bit keeps them from renaming what is not theirs.
    """
    status = os.lstat(path)
    if not stat.S_ISDIR(status.st_mode) or status.st_mode & OTHERS_CAN_WRITE:
        return False
    while True:
        if status.st_uid not in (0, os.geteuid()):
            return False
        if status.st_mode & OTHERS_CAN_WRITE and not status.st_mode & stat.S_ISVTX:
            return False
        if path == "/":
            return True
        path = os.path.dirname(path)
        status = os.lstat(path)


def prepared(place: str) -> str | None:
    """Return the real path of ``place``, made if need be; None if it can not be had or trusted."""
    if not os.path.isabs(place):
        return None
    try:
        os.makedirs(place, mode=0o700, exist_ok=True)
    except OSError:
        return None
    real = os.path.realpath(place)
    try:
        return real if is_safe(real) else None
    except OSError:
        return None


def unpacked(archive: str, root: str) -> str:
    """Return the directory of our modules below ``root``, unpacking them if they are not there.

    Raises:
        OSError: it is not there and can not be made.
    """
    target = os.path.join(root, NAME)
    hold(root, NAME)
    if not os.path.isdir(target):
        unpack(archive, root, target)
        remove_unused(root)
    return os.path.join(target, "site-packages")


def hold(root: str, name: str) -> None:
    """Tell other versions, until this process ends, that ``name`` is in use."""
    try:
        lock = os.open(os.path.join(root, f".{name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_SH)  # a remover holds it only for the time of a rename
    except OSError:
        pass  # a read-only place, where nothing can be removed either


def unpack(archive: str, root: str, target: str) -> None:
    """Unpack our modules to ``target``; whoever is first wins, and all have the same."""
    import shutil
    import tempfile
    import zipfile

    staging = tempfile.mkdtemp(prefix=f".{NAME}.", suffix=".new", dir=root)
    try:
        with zipfile.ZipFile(archive) as pyz:
            pyz.extractall(staging, [n for n in pyz.namelist() if n.startswith("site-packages/")])
        os.sync()  # else a power failure could leave the name with empty files below it, for good
        os.rename(staging, target)
    except OSError:
        shutil.rmtree(staging, ignore_errors=True)
        if not os.path.isdir(target):
            raise


def remove_unused(root: str) -> None:
    """Remove what other versions have unpacked, unless a process runs from it."""
    import shutil
    import time

    for name in os.listdir(root):
        path = os.path.join(root, name)
        if name.startswith(".lochkit_") and name.endswith((".new", ".old")):
            if time.time() - os.lstat(path).st_mtime > ABANDONED_AFTER:
                shutil.rmtree(path, ignore_errors=True)
        elif name.startswith("lochkit_") and name != NAME:
            aside = os.path.join(root, f".{name}.{os.getpid()}.old")
            try:
                lock = os.open(os.path.join(root, f".{name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.rename(path, aside)
                finally:
                    os.close(lock)
            except OSError:
                continue  # in use, or somebody else removes it
            shutil.rmtree(aside, ignore_errors=True)


def modules(archive: str) -> str:
    """Return what to put on ``sys.path``.

    Raises:
        SystemExit: SHIV_ROOT names a place that can not be used.
    """
    for place in places(os.environ):
        root = prepared(place)
        if root is not None:
            try:
                return unpacked(archive, root)
            except OSError:
                root = None
        if "SHIV_ROOT" in os.environ and place == os.environ["SHIV_ROOT"]:
            print(
                f"lochkit: SHIV_ROOT: {place}: must be an absolute directory that we can write, and"
                " that neither it nor any above it can be written by others",
                file=sys.stderr,
            )
            sys.exit(78)
    return os.path.join(archive, "site-packages")


def start() -> int:
    """Run lochkit from its modules."""
    archive = os.path.realpath(sys.path[0])
    sys.path[0] = modules(archive)
    # Our own directory, and nobody's source tree: the one place where bytecode is always welcome.
    sys.dont_write_bytecode = False
    from lochkit.__main__ import main

    return main()


if __name__ == "__main__":
    sys.exit(start())
