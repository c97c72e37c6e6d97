"""Disks that are full or read-only, made with what the user who runs the tests may do.

Root mounts a small file system; who may not has a limit on the size of files, or takes the right to
write away from the directory.
"""

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LIMIT = 256 * 1024


def mounted(path: Path, *options: str) -> bool:
    """Mount a small file system, or tell that it can not be done."""
    if os.geteuid() != 0:
        return False
    argv = ["mount", "-t", "tmpfs", "-o", ",".join(options), "lochkit-test", str(path)]
    return subprocess.run(argv, capture_output=True, check=False, timeout=10).returncode == 0


def unmounted(path: Path) -> None:
    subprocess.run(["umount", "--lazy", str(path)], check=True, timeout=10)


@contextmanager
def small_disk(path: Path) -> Iterator[Path]:
    """Yield a new directory that has room for less than LIMIT bytes in a file."""
    path.mkdir()
    if mounted(path, f"size={LIMIT}", "mode=0755"):
        try:
            yield path
        finally:
            unmounted(path)
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, hard))
    try:
        yield path
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def own_disk(path: Path) -> Iterator[Path]:
    """Yield a new directory that `read_only` works on."""
    path.mkdir()
    ours = mounted(path, "size=4m", "mode=0755")
    try:
        yield path
    finally:
        if ours:
            unmounted(path)


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    """Let nobody write in a directory that `own_disk` has made, or below it."""
    if os.path.ismount(path):
        remount(path, "ro")
        try:
            yield
        finally:
            remount(path, "rw")
        return
    below = [
        path,
        *(found for found in path.rglob("*") if found.is_dir() and not found.is_symlink()),
    ]
    modes = [(found, found.stat().st_mode) for found in below]
    for found, mode in modes:
        found.chmod(mode & ~0o222)
    try:
        yield
    finally:
        for found, mode in modes:
            found.chmod(mode)


def remount(path: Path, how: str) -> None:
    argv = ["mount", "-o", f"remount,{how}", str(path)]
    subprocess.run(argv, check=True, capture_output=True, timeout=10)
