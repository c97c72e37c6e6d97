"""What would change in a file, as a unified diff that is quick for files of 22 MB, too. Pure.

A search for the longest common subsequence takes minutes for a million lines. What the two sides
have in common at their beginning and end is put aside; in the rest lines that stand once on either
side, as the one with a host's id does, are matched first (the idea of patience diff), and only what
lies between two of these is searched.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from enum import Enum
from typing import Final, NamedTuple

__all__ = ["DiffLine", "Kind", "coloured", "unified_diff"]

_CONTEXT: Final = 3  # lines
_SEARCHED: Final = 1_000_000  # pairs of lines; what is between two anchors is mostly a few lines
_CHUNK: Final = 1 << 16  # bytes; a power of two
_NO_END: Final = "\\ No newline at end of file"


class Kind(Enum):
    """What a line of a diff is."""

    HEADER = "header"
    HUNK = "hunk"
    KEPT = "kept"
    REMOVED = "removed"
    ADDED = "added"


class DiffLine(NamedTuple):
    """A line of a diff, without its end; control characters are escaped."""

    kind: Kind
    text: str


_COLOURS: Final = {Kind.HEADER: "1", Kind.HUNK: "36", Kind.REMOVED: "31", Kind.ADDED: "32"}
# What a terminal might act on. A file on disk can hold anything.
_ESCAPED: Final = {
    code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if code != ord("\t")
}


class _Change(NamedTuple):
    """Lines ``low`` to ``high`` of the one side become lines ``start`` to ``stop`` of the other."""

    low: int
    high: int
    start: int
    stop: int


def unified_diff(
    before: bytes | None, after: bytes | None, labels: tuple[str, str]
) -> Iterator[DiffLine]:
    """Yield the lines of a diff, as ``diff -u`` would give them; none when both are equal.

    Args:
        before: the content of one file; None when there is none.
        after: the content of the other.
        labels: their names.
    """
    if before == after:
        return
    yield DiffLine(Kind.HEADER, "--- " + ("/dev/null" if before is None else _shown(labels[0])))
    yield DiffLine(Kind.HEADER, "+++ " + ("/dev/null" if after is None else _shown(labels[1])))
    skipped, old_rest, new_rest = _differing(before or b"", after or b"")
    old, new = _lines(old_rest), _lines(new_rest)
    for hunk in _hunks(_changes(old, new)):
        yield from _hunk_lines(hunk, old, new, skipped)


def coloured(line: DiffLine) -> str:
    """Return a line with the colours of a terminal."""
    colour = _COLOURS.get(line.kind)
    return line.text if colour is None else f"\x1b[{colour}m{line.text}\x1b[0m"


def _shown(text: str) -> str:
    return text.translate(_ESCAPED)


def _differing(old: bytes, new: bytes) -> tuple[int, bytes, bytes]:
    """Return how many lines both begin with, and the rests without those that both end with.

    The context is left in the rests.
    """
    head = old.rfind(b"\n", 0, _common(old, new, min(len(old), len(new)), 0)) + 1
    tail = _common(old, new, min(len(old), len(new)) - head, -1)
    end = old.find(b"\n", len(old) - tail) + 1 or len(old)
    for _ in range(_CONTEXT):
        head = old.rfind(b"\n", 0, max(0, head - 1)) + 1
        end = old.find(b"\n", end) + 1 or len(old)
    tail = len(old) - end
    return old.count(b"\n", 0, head), old[head:end], new[head : len(new) - tail]


def _common(old: bytes, new: bytes, limit: int, side: int) -> int:
    """Return how many bytes, `limit` at most, are equal at the beginning (0) or end (-1)."""

    def same(done: int, count: int) -> bool:
        first, second = len(old) - done - count, len(new) - done - count
        if side == 0:
            first = second = done
        return old[first : first + count] == new[second : second + count]

    done, step = 0, _CHUNK
    while step:
        while done + step <= limit and same(done, step):
            done += step
        step //= 2
    return done


def _lines(content: bytes) -> list[bytes]:
    """Return the lines with their ends; the last may have none."""
    *lines, last = content.split(b"\n")
    found = [line + b"\n" for line in lines]
    return [*found, last] if last else found


def _changes(old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[_Change]:
    """Yield what is different, in order, with at least one equal line between."""
    low = start = 0
    for first, second, size in _matches(old, new):
        if size and (low, start) != (first, second):
            yield _Change(low, first, start, second)
        if size:
            low, start = first + size, second + size
    if (low, start) != (len(old), len(new)):
        yield _Change(low, len(old), start, len(new))


def _matches(old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[tuple[int, int, int]]:
    """Yield places on both sides from which on so many lines are equal, in order."""
    low = start = 0
    for first, second in (*_anchors(old, new), (len(old), len(new))):
        gap, other = old[low:first], new[start:second]
        if gap and other and len(gap) * len(other) <= _SEARCHED:
            matcher = SequenceMatcher(None, gap, other, autojunk=False)
            for match in matcher.get_matching_blocks():
                yield low + match.a, start + match.b, match.size
        if first < len(old):
            yield first, second, 1
        low, start = first + 1, second + 1


def _anchors(old: Sequence[bytes], new: Sequence[bytes]) -> list[tuple[int, int]]:
    """Return where lines stand that both sides have once, as many as keep their order."""
    theirs = _single(new)
    pairs = [(place, theirs[line]) for line, place in _single(old).items() if line in theirs]
    # The longest increasing subsequence, by patience sorting.
    ends: list[int] = []  # the smallest place on the other side at which one of a length ends
    at: list[int] = []  # which pair that is
    before: list[int] = []  # by pair: the one before it in its sequence
    for number, (_, place) in enumerate(pairs):
        length = bisect_left(ends, place)
        before.append(at[length - 1] if length else -1)
        if length == len(ends):
            ends.append(place)
            at.append(number)
        else:
            ends[length], at[length] = place, number
    found, number = [], at[-1] if at else -1
    while number >= 0:
        found.append(pairs[number])
        number = before[number]
    return found[::-1]


def _single(lines: Sequence[bytes]) -> dict[bytes, int]:
    """Return the lines that stand there once, and where, in their order."""
    counts = Counter(lines)
    return {line: place for place, line in enumerate(lines) if counts[line] == 1}


def _hunks(changes: Iterator[_Change]) -> Iterator[list[_Change]]:
    """Yield changes that are so near that their contexts meet."""
    hunk: list[_Change] = []
    for change in changes:
        if hunk and change.low - hunk[-1].high > 2 * _CONTEXT:
            yield hunk
            hunk = []
        hunk.append(change)
    if hunk:
        yield hunk


def _hunk_lines(
    hunk: Sequence[_Change], old: Sequence[bytes], new: Sequence[bytes], skipped: int
) -> Iterator[DiffLine]:
    first, last = hunk[0], hunk[-1]
    lead = min(_CONTEXT, first.low)
    trail = min(_CONTEXT, len(old) - last.high)
    spans = (
        _span(skipped + first.low - lead, last.high + trail - first.low + lead),
        _span(skipped + first.start - lead, last.stop + trail - first.start + lead),
    )
    yield DiffLine(Kind.HUNK, f"@@ -{spans[0]} +{spans[1]} @@")
    place = first.low - lead
    for change in hunk:
        yield from _told(Kind.KEPT, " ", old[place : change.low])
        yield from _told(Kind.REMOVED, "-", old[change.low : change.high])
        yield from _told(Kind.ADDED, "+", new[change.start : change.stop])
        place = change.high
    yield from _told(Kind.KEPT, " ", old[place : place + trail])


def _span(line: int, count: int) -> str:
    """Return a range as diff writes it: an empty one lies after the line before it."""
    return str(line + 1) if count == 1 else f"{line + (count > 0)},{count}"


def _told(kind: Kind, sign: str, lines: Sequence[bytes]) -> Iterator[DiffLine]:
    for line in lines:
        text = line.removesuffix(b"\n").decode("utf-8", "backslashreplace")
        yield DiffLine(kind, sign + _shown(text))
        if not line.endswith(b"\n"):
            yield DiffLine(kind, _NO_END)
