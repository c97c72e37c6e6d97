"""What certificates there are."""

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError
from ..io.faults import telling
from .described import Described, parse_description
from .openssl import OpensslFailed, run_openssl
from .requests import show_command

__all__ = ["Found", "look"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A certificate's file.

    Attributes:
        path: of it.
        described: what is in it.
        key: whether its private key is beside it.
        exposed: whether others than its owner may do something with that.
    """

    path: Path
    described: Described
    key: bool
    exposed: bool


async def look(path: Path) -> Sequence[Found]:
    """Describe the certificate in a file, or those of the authority in a directory.

    Raises:
        ConfigError: there is none.
        OpensslFailed: a file is not a certificate.
    """
    found = [await _look_at(file) for file in _files(path)]
    if not found:
        raise ConfigError(f"there is no certificate in {path}")
    return found


def _files(path: Path) -> Sequence[Path]:
    with telling("can not read", path):
        if not path.exists():
            raise ConfigError(f"there is no {path}")
        if not path.is_dir():
            return [path]
        # The copies of the authority's certificate for the hosts are no further ones.
        below = sorted(file for file in path.glob("*/*.crt") if file.stem == file.parent.name)
        return [*sorted(path.glob("*.crt")), *below]


async def _look_at(path: Path) -> Found:
    text = await run_openssl(show_command(str(path)))
    key = path.with_suffix(".key")
    try:
        described = parse_description(text)
    except ValueError as exc:
        raise OpensslFailed(f"{path}: {exc}") from exc
    with telling("can not look at", key):
        there = key.exists() and key != path
        exposed = there and bool(stat.S_IMODE(key.stat().st_mode) & 0o077)
    return Found(path=path, described=described, key=there, exposed=exposed)
