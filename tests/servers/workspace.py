"""Directories for servers' data: in memory where the host has that, gone when no longer needed."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["workspace"]

MEMORY = Path("/dev/shm")


@contextmanager
def workspace() -> Iterator[Path]:
    """An empty directory of its own. Its path is short, as the names of unix sockets must be."""
    where = MEMORY if MEMORY.is_dir() else None
    path = Path(tempfile.mkdtemp(prefix="lochkit-", dir=where))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
