"""Which properties a client may set on what it sends: none that mounts or shares it.

The names and values are those of zfsprops(7).
"""

import re
from collections.abc import Mapping
from typing import Final

from .errors import BadName
from .model import Kind

__all__ = ["check_property", "never_taken", "refused_property"]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_]{0,63}")
_USER: Final = re.compile(r"(?=[^:]*:)[a-z0-9:][a-z0-9:+._-]{0,199}")
_OURS: Final = "lochkit:"

# What only changes how data is stored and cached, or how much there may be of it.
_ANY_VALUE: Final = frozenset(
    (
        *("aclinherit", "aclmode", "acltype", "atime", "checksum", "compression", "copies"),
        *("dedup", "dnodesize", "logbias", "prefetch", "primarycache", "quota", "readonly"),
        *("recordsize", "redundant_metadata", "refquota", "refreservation", "relatime"),
        *("reservation", "secondarycache", "snapshot_limit", "filesystem_limit", "snapdev"),
        *("snapdir", "special_small_blocks", "sync", "vscan", "xattr"),
    )
)
# What makes something of it visible or able: towards less only.
_THESE_VALUES: Final[Mapping[str, frozenset[str]]] = {
    "canmount": frozenset(("off", "noauto")),
    "devices": frozenset(("off",)),
    "exec": frozenset(("off",)),
    "mountpoint": frozenset(("none", "legacy")),
    "overlay": frozenset(("off",)),
    "setuid": frozenset(("off",)),
    "sharenfs": frozenset(("off",)),
    "sharesmb": frozenset(("off",)),
    "volmode": frozenset(("none",)),
    "zoned": frozenset(("off",)),
}
# Of ours, the one that says what the target is a copy of. That it is a placeholder, we say.
_OUR_SETTABLE: Final = frozenset(("lochkit:source",))

# What we read of every dataset: a value in a stream may have ends of lines in it, and then
# `zfs list` prints rows of datasets that are not there.
_READ: Final = ("lochkit:placeholder", "lochkit:source")
_NEVER_TAKEN: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.FILESYSTEM: (
        *("mountpoint", "sharenfs", "sharesmb", "setuid", "exec", "devices", "zoned"),
        *("overlay", *_READ),
    ),
    Kind.VOLUME: ("snapdev", "volmode", *_READ),
}


def check_property(name: str) -> str:
    """Return the name of a property if it is one.

    Raises:
        BadName: it is not.
    """
    if not (_NAME.fullmatch(name) or _USER.fullmatch(name)):
        raise BadName(f"{name[:80]!r} is not the name of a property")
    return name


def refused_property(name: str, value: str) -> str | None:
    """Why a client may not set a property so; None: it may.

    Args:
        name: as `check_property` returned it.
        value: what for.
    """
    if name.startswith(_OURS):
        return None if name in _OUR_SETTABLE else "lochkit's own"
    if ":" in name or name in _ANY_VALUE or value in _THESE_VALUES.get(name, ()):
        return None
    if allowed := _THESE_VALUES.get(name):
        return f"only {' or '.join(sorted(allowed))} may be set by a client"
    return "may not be set by a client"


def never_taken(kind: Kind) -> tuple[str, ...]:
    """The properties that are never taken from a stream of a client."""
    return _NEVER_TAKEN[kind]
