"""Names of datasets, snapshots and bookmarks: what ZFS allows, and what may be on a command line.

What is checked here can be a word of a ``zfs`` command: it begins with no ``-``, holds none of the
characters that the command gives a meaning (``@ # % ,``), and climbs nowhere.

Source of the rules: zfs(8), "ZFS component naming requirements"; module/zcommon/zfs_namecheck.c for
the characters and for 255 bytes in all.
"""

import re
from typing import Final

from .errors import BadName

__all__ = [
    "check_bookmark",
    "check_dataset",
    "check_snapshot_name",
    "check_tag",
    "is_within",
    "moved",
    "parents",
    "pool_of",
    "split_snapshot",
]

_LONGEST: Final = 255  # bytes, with the snapshot's name
_DEEPEST: Final = 50  # components; OpenZFS's default of zfs_max_dataset_nesting
# A blank is allowed by ZFS within a name; not at its ends, where people would not see it.
_COMPONENT: Final = re.compile(r"[A-Za-z0-9_.:][A-Za-z0-9_.: -]*(?<! )")
_POOL: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.: -]*(?<! )")
_TAG: Final = re.compile(r"[A-Za-z0-9_.:][A-Za-z0-9_.:-]*")


def check_dataset(name: str) -> str:
    """Return the name of a filesystem or volume if it is one.

    Raises:
        BadName: it is not, and why.
    """
    _check_length(name)
    parts = name.split("/")
    if len(parts) > _DEEPEST:
        raise BadName(f"{name!r}: more than {_DEEPEST} levels")
    if not _POOL.fullmatch(parts[0]):
        raise BadName(f"{_shown(name)}: {_shown(parts[0])} is not the name of a pool")
    for part in parts:
        _check_component(part, name)
    return name


def check_snapshot_name(name: str) -> str:
    """Return the part after the ``@`` if it can be one.

    Raises:
        BadName: it can not, and why.
    """
    _check_length(name)
    _check_component(name, name)
    return name


def check_bookmark(name: str) -> str:
    """Return the part after the ``#`` if it can be one.

    Raises:
        BadName: it can not, and why.
    """
    return check_snapshot_name(name)


def check_tag(tag: str) -> str:
    """Return the tag of a hold if lochkit would use it.

    Raises:
        BadName: it would not, and why.
    """
    _check_length(tag)
    if not _TAG.fullmatch(tag):
        raise BadName(f"{_shown(tag)} can not be the tag of a hold")
    return tag


def split_snapshot(name: str) -> tuple[str, str]:
    """Return the dataset and the name of ``dataset@name``.

    Raises:
        BadName: it is not of that form.
    """
    _check_length(name)
    dataset, at, snapshot = name.partition("@")
    if not at:
        raise BadName(f"{_shown(name)} is not the name of a snapshot: dataset@name")
    return check_dataset(dataset), check_snapshot_name(snapshot)


def pool_of(dataset: str) -> str:
    """The pool a dataset is in."""
    return dataset.partition("/")[0]


def parents(dataset: str) -> tuple[str, ...]:
    """The datasets above this one, the pool first."""
    parts = dataset.split("/")
    return tuple("/".join(parts[:count]) for count in range(1, len(parts)))


def is_within(dataset: str, root: str) -> bool:
    """Whether a dataset is ``root`` or below it."""
    return dataset == root or dataset.startswith(root + "/")


def moved(dataset: str, source: str, target: str) -> str:
    """The name below ``target`` of what is called ``dataset`` below ``source``.

    Raises:
        BadName: it is not below `source`, or the new name is too long or too deep.
    """
    if not is_within(dataset, source):
        raise BadName(f"{_shown(dataset)} is not {_shown(source)}, nor below it")
    return check_dataset(target + dataset[len(source) :])


def _check_length(name: str) -> None:
    if len(name.encode("utf-8", "surrogatepass")) > _LONGEST:
        raise BadName(f"{_shown(name)}: longer than {_LONGEST} bytes")


def _check_component(part: str, name: str) -> None:
    if part in (".", ".."):
        raise BadName(f"{_shown(name)}: {part!r} is a path, and no name")
    if not _COMPONENT.fullmatch(part):
        what = "an empty part" if not part else f"{_shown(part)} is not allowed"
        raise BadName(f"{_shown(name)}: {what}")


def _shown(name: str) -> str:
    return repr(name if len(name) <= 80 else name[:77] + "...")
