"""Read the smaller outputs of ``zfs``: holds, sizes of streams, numbers of columns."""

from collections.abc import Sequence

from .parse_drafts import unreadable

__all__ = ["parse_holds", "parse_pairs", "parse_size"]


def parse_holds(text: str, snapshots: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Read ``zfs holds -H``: name, tag and time between tabs.

    Args:
        text: what was printed.
        snapshots: those that were asked about; they are all in the answer.

    Raises:
        ZfsError: it makes no sense.
    """
    found: dict[str, list[str]] = {name: [] for name in snapshots}
    for row in text.splitlines():
        parts = row.split("\t")
        if len(parts) != 3:
            raise unreadable(row, "columns")
        found.setdefault(parts[0], []).append(parts[1])
    return {name: tuple(sorted(tags)) for name, tags in found.items()}


def parse_size(text: str) -> int | None:
    """Read the last line of ``zfs send -nP``: the size of the stream in bytes; None: not told."""
    for row in reversed(text.splitlines()):
        name, _, value = row.partition("\t")
        if name == "size" and value.isdecimal():
            return int(value)
    return None


def parse_pairs(text: str) -> dict[str, str]:
    """Read rows of a name and a value between tabs.

    Raises:
        ZfsError: it makes no sense.
    """
    found = {}
    for row in text.splitlines():
        name, tab, value = row.partition("\t")
        if not tab:
            raise unreadable(row, "columns")
        found[name] = value
    return found
