"""Files without a name: nothing is left of them when the last process that has one open is gone."""

import os
import tempfile
from collections.abc import Iterable
from typing import BinaryIO

__all__ = ["anonymous_file"]


def anonymous_file(label: str, chunks: Iterable[bytes]) -> BinaryIO:
    """Return a file that holds ``chunks``, positioned at its start; the caller closes it.

    It is a real file to whoever inherits it: seekable, of known size, with an end. It lives in
    memory (memfd_create), so that it needs no writable directory, can not fill a disk, and has no
    name at any moment, not even between its creation and a kill -9. Where the kernel refuses that,
    it is an unnamed file in the directory for temporary files.

    Args:
        label: shown by tools that list open files.
        chunks: the content; written from the calling thread.

    Raises:
        OSError: no room for it.
    """
    file = _create(label)
    try:
        for chunk in chunks:
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(file.fileno(), rest) :]
        os.lseek(file.fileno(), 0, os.SEEK_SET)
    except BaseException:
        file.close()
        raise
    return file


def _create(label: str) -> BinaryIO:
    try:
        return open(os.memfd_create(label, os.MFD_CLOEXEC), "r+b", buffering=0)
    except (AttributeError, OSError):
        return tempfile.TemporaryFile(buffering=0)
