"""A sorted text made of rows, of which one can be changed without touching the others. Pure.

A hundred thousand rows are kept as some two hundred joined blocks. A change finds its block and its
place by bisection and splices a hundred kilobytes; the rest of the text stays the bytes it was.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping

__all__ = ["Rows"]

_FILL = 500  # rows of a new block: a splice copies about 100 kB, and 110,000 rows are 220 pieces
_FULL = 2 * _FILL
_REBUILD = 8  # from every eighth row on, making all blocks anew costs less than that many splices


class _Block:
    """Some rows that follow each other, joined."""

    __slots__ = ("keys", "lengths", "text")

    def __init__(self, keys: list[str], rows: list[bytes]) -> None:
        self.keys = keys
        self.lengths = array("I", map(len, rows))
        self.text = b"".join(rows)

    def place(self, key: str) -> tuple[int, bool]:
        """Return where the key is or belongs, and whether it is there."""
        place = bisect_left(self.keys, key)
        return place, place < len(self.keys) and self.keys[place] == key

    def row(self, place: int) -> bytes:
        start = sum(self.lengths[:place])
        return self.text[start : start + self.lengths[place]]

    def splice(self, place: int, width: int, key: str | None, row: bytes) -> None:
        """Put one row (none when `key` is None) in the place of `width` rows, which is 0 or 1."""
        start = sum(self.lengths[:place])
        end = start + sum(self.lengths[place : place + width])
        self.text = b"%b%b%b" % (self.text[:start], row, self.text[end:])
        self.keys[place : place + width] = [] if key is None else [key]
        self.lengths[place : place + width] = array("I", [] if key is None else [len(row)])

    def rows(self) -> Iterator[tuple[str, bytes]]:
        start = 0
        for key, length in zip(self.keys, self.lengths, strict=True):
            yield key, self.text[start : start + length]
            start += length


class Rows:
    """Rows by key, in the order of their keys, as one text.

    Attributes:
        stamp: goes up with every change of the text, and only then.
    """

    __slots__ = ("_blocks", "_firsts", "_pieces", "_size", "stamp")

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._firsts: list[str] = []  # the first key of each block
        self._size = 0
        self._pieces: tuple[bytes, ...] | None = ()
        self.stamp = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        for block in self._blocks:
            yield from block.rows()

    def get(self, key: str) -> bytes | None:
        """Return one row; None when there is none."""
        if not self._blocks:
            return None
        block = self._blocks[self._index(key)]
        place, found = block.place(key)
        return block.row(place) if found else None

    def pieces(self) -> tuple[bytes, ...]:
        """Return the text, in pieces that are never changed."""
        if self._pieces is None:
            self._pieces = tuple([block.text for block in self._blocks])
        return self._pieces

    def update(self, changes: Mapping[str, bytes | None]) -> None:
        """Put rows, and take away those that are None."""
        if len(changes) * _REBUILD > self._size + _REBUILD * _REBUILD:
            self._rebuild(changes)
            return
        for key, row in changes.items():
            if row is None:
                self._drop(key)
            else:
                self._put(key, row)

    def _index(self, key: str) -> int:
        return max(bisect_right(self._firsts, key) - 1, 0)

    def _put(self, key: str, row: bytes) -> None:
        if not self._blocks:
            self._rebuild({key: row})
            return
        index = self._index(key)
        block = self._blocks[index]
        place, found = block.place(key)
        if found and block.row(place) == row:
            return
        block.splice(place, int(found), key, row)
        self._size += not found
        self._firsts[index] = block.keys[0]
        if len(block.keys) > _FULL:
            keys, rows = block.keys, [row for _, row in block.rows()]
            halves = [_Block(keys[:_FILL], rows[:_FILL]), _Block(keys[_FILL:], rows[_FILL:])]
            self._blocks[index : index + 1] = halves
            self._firsts[index : index + 1] = [half.keys[0] for half in halves]
        self._touch()

    def _drop(self, key: str) -> None:
        if not self._blocks:
            return
        index = self._index(key)
        block = self._blocks[index]
        place, found = block.place(key)
        if not found:
            return
        block.splice(place, 1, None, b"")
        self._size -= 1
        if block.keys:
            self._firsts[index] = block.keys[0]
        else:
            del self._blocks[index], self._firsts[index]
        self._touch()

    def _rebuild(self, changes: Mapping[str, bytes | None]) -> None:
        before = dict(self)
        rows = before | {key: row for key, row in changes.items() if row is not None}
        for key, row in changes.items():
            if row is None:
                rows.pop(key, None)
        if rows == before:
            return
        keys = sorted(rows)
        chunks = [keys[start : start + _FILL] for start in range(0, len(keys), _FILL)]
        self._blocks = [_Block(chunk, [rows[key] for key in chunk]) for chunk in chunks]
        self._firsts = [block.keys[0] for block in self._blocks]
        self._size = len(rows)
        self._touch()

    def _touch(self) -> None:
        self._pieces = None
        self.stamp += 1
