"""The names lochkit gives to its holds and bookmarks, which tell the replication they belong to.

===============================  ========================  ====================================
what                             where                     name
===============================  ========================  ====================================
hold while a step is under way   both snapshots of a step  ``lochkit:REPLICATION``
hold on the newest received      snapshot of the target    ``lochkit:REPLICATION:last``
cursor: newest it has confirmed  bookmark of the source    ``lochkit_REPLICATION_GUID``, 16 hex
===============================  ========================  ====================================

A replication's name has no colon, and a guid always 16 digits: each name is read in one way only.
"""

import re
from dataclasses import dataclass
from typing import Final

from .errors import BadName
from .model import Bookmark, Dataset

__all__ = [
    "Cursor",
    "HoldTag",
    "check_replication",
    "cursor_name",
    "cursors",
    "last_tag",
    "newest_cursor",
    "parse_cursor",
    "parse_tag",
    "step_tag",
]

_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
_REPLICATION: Final = re.compile(_NAME)
_TAG: Final = re.compile(rf"lochkit:({_NAME})(:last)?")
_CURSOR: Final = re.compile(rf"lochkit_({_NAME})_([0-9a-f]{{16}})")
_LAST_GUID: Final = 2**64 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldTag:
    """What the tag of a hold of ours says.

    Attributes:
        replication: whose it is.
        last: it keeps the newest received snapshot; otherwise a step that is under way.
    """

    replication: str
    last: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """What the name of a bookmark of ours says.

    Attributes:
        replication: whose it is.
        guid: of the snapshot that the destination had confirmed.
    """

    replication: str
    guid: int


def check_replication(name: str) -> str:
    """Return the name of a replication if it can be a part of tags and bookmarks.

    Raises:
        BadName: it can not, and why.
    """
    if not _REPLICATION.fullmatch(name):
        shown = repr(name if len(name) <= 80 else name[:77] + "...")
        raise BadName(
            f"{shown} can not be the name of a replication: 1 to 64 of A-Z a-z 0-9 _ . -,"
            " beginning with a letter or a digit"
        )
    return name


def step_tag(replication: str) -> str:
    """The tag of the holds on both snapshots of a step while it is under way.

    Raises:
        BadName: the replication can not be called so.
    """
    return f"lochkit:{check_replication(replication)}"


def last_tag(replication: str) -> str:
    """The tag of the hold on the newest snapshot the target has received.

    Raises:
        BadName: the replication can not be called so.
    """
    return f"lochkit:{check_replication(replication)}:last"


def parse_tag(tag: str) -> HoldTag | None:
    """What the tag of a hold says; None if it is not one of ours."""
    found = _TAG.fullmatch(tag)
    return HoldTag(replication=found[1], last=found[2] is not None) if found else None


def cursor_name(replication: str, guid: int) -> str:
    """The name, after the ``#``, of the cursor at the snapshot with that guid.

    Raises:
        BadName: the replication can not be called so.
        ValueError: not a guid: those have 64 bits.
    """
    if not 0 <= guid <= _LAST_GUID:
        raise ValueError(f"{guid} is not a guid")
    return f"lochkit_{check_replication(replication)}_{guid:016x}"


def parse_cursor(name: str) -> Cursor | None:
    """What the name of a bookmark, after the ``#``, says; None if it is not one of ours."""
    found = _CURSOR.fullmatch(name)
    return Cursor(replication=found[1], guid=int(found[2], 16)) if found else None


def cursors(dataset: Dataset, replication: str) -> tuple[Bookmark, ...]:
    """The cursors of a replication on a dataset of its source, oldest first.

    A bookmark that was named like a cursor, and remembers another snapshot, is not one.
    """
    return tuple(
        one
        for one in dataset.bookmarks
        if parse_cursor(one.name) == Cursor(replication=replication, guid=one.guid)
    )


def newest_cursor(dataset: Dataset, replication: str) -> Bookmark | None:
    """Where a replication of a dataset is, by its newest cursor; None: nowhere yet."""
    return max(cursors(dataset, replication), key=lambda one: one.createtxg, default=None)
