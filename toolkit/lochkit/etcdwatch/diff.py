"""What changed, as a unified diff of the keys and their values. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from json.encoder import encode_basestring_ascii as quoted
from typing import Final, NamedTuple

from .changes import ShownChange
from .formats import json_leaf
from .text import Leaf

__all__ = ["coloured", "entry_line", "unified_diff"]

CONTEXT: Final = 3
COLOURS: Final = {"---": "1", "+++": "1", "@@ ": "36", "-": "31", "+": "32"}


class Row(NamedTuple):
    """One key in the diff: a line before, a line after, or both; equal ones are context."""

    before: str | None
    after: str | None


def entry_line(key: str, leaf: Leaf) -> str:
    """Return one key and its value as one line of ASCII, whatever is in them."""
    return f"{quoted(key)}: {json_leaf(leaf)}"


def unified_diff(
    before: Mapping[str, str], changes: Sequence[ShownChange], labels: tuple[str, str]
) -> Iterator[str]:
    """Yield the lines of the diff, without their ends, as ``diff -U3`` would give them.

    Each key is a line of its own and they are sorted, so the longest common subsequence is known
    and nothing has to be searched for: the time is linear where ``difflib`` needs minutes for a
    large state.

    Args:
        before: the lines of the state before, by key.
        changes: the changes against it.
        labels: names of the state before and after.
    """
    changed = {change.key: change for change in changes}
    rows: list[Row] = []
    for key in sorted(before.keys() | changed.keys()):
        line = before.get(key)
        if key not in changed:
            rows.append(Row(line, line))
        else:
            leaf = changed[key].new
            rows.append(Row(line, None if leaf is None else entry_line(key, leaf)))
    touched = [index for index, row in enumerate(rows) if row.before != row.after]
    if not touched:
        return
    yield f"--- {labels[0]}"
    yield f"+++ {labels[1]}"
    old_line = new_line = 1
    done = 0
    for start, stop in _hunks(touched, len(rows)):
        old_line += _count(rows[done:start], 0)
        new_line += _count(rows[done:start], 1)
        hunk = rows[start:stop]
        old_count, new_count = _count(hunk, 0), _count(hunk, 1)
        yield f"@@ -{_span(old_line, old_count)} +{_span(new_line, new_count)} @@"
        yield from _hunk_lines(hunk)
        old_line, new_line, done = old_line + old_count, new_line + new_count, stop


def _hunks(touched: Sequence[int], length: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of rows: the touched ones with their context, joined where they meet."""
    start = stop = -1
    for index in touched:
        if index - CONTEXT > stop or start < 0:
            if start >= 0:
                yield start, stop
            start = max(0, index - CONTEXT)
        stop = min(length, index + 1 + CONTEXT)
    yield start, stop


def _count(rows: Sequence[Row], side: int) -> int:
    """Return how many of ``rows`` have a line on the side 0 (before) or 1 (after)."""
    return sum(row[side] is not None for row in rows)


def _span(line: int, count: int) -> str:
    """Return a range as diff writes it: an empty one lies after the line before it."""
    if count == 1:
        return str(line)
    return f"{line if count else line - 1},{count}"


def _hunk_lines(rows: Sequence[Row]) -> Iterator[str]:
    added: list[str] = []
    for before, after in rows:
        if before is not None and before == after:
            yield from added
            added = []
            yield f" {before}"
            continue
        if before is not None:
            yield f"-{before}"
        if after is not None:
            added.append(f"+{after}")
    yield from added


def coloured(line: str) -> str:
    """Return a line of a diff with the colours of a terminal."""
    for lead, colour in COLOURS.items():
        if line.startswith(lead):
            return f"\x1b[{colour}m{line}\x1b[0m"
    return line
