"""States that the command must not see: too few keys, one missing, too many gone at once. Pure.

A backend's hiccup or a slip of an operator's hand looks just like a deletion. A refused state is
not lost: it is where the next one continues from, and the first one that passes runs.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

__all__ = ["Guards", "NotReadable", "NotYet", "Refusal", "RequiredMissing", "Shrunk", "TooFew"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a state is not handed to the command."""

    def __str__(self) -> str:
        return "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class TooFew(Refusal):
    """There are fewer keys than ``--min-keys``."""

    count: int
    wanted: int

    def __str__(self) -> str:
        return f"{self.count} keys are fewer than --min-keys {self.wanted}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredMissing(Refusal):
    """Keys named by ``--require`` are missing."""

    keys: tuple[str, ...]

    def __str__(self) -> str:
        return f"required and missing: {', '.join(self.keys)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk(Refusal):
    """More keys than ``--max-shrink`` allows are gone since the last state that was let through."""

    before: int
    count: int
    allowed_percent: float

    def __str__(self) -> str:
        return (
            f"{self.count} keys of {self.before} are left, which is a loss of more than"
            f" --max-shrink {self.allowed_percent:g} percent"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NotYet(Refusal):
    """The revision is not above ``--wait-index``."""

    revision: int
    wanted: int

    def __str__(self) -> str:
        return f"revision {self.revision} is not above --wait-index {self.wanted}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotReadable(Refusal):
    """Some keys can not be shown in the format, and are not to be left out."""

    key: bytes
    count: int
    reason: str

    def __str__(self) -> str:
        others = f" (and {self.count - 1} more)" if self.count > 1 else ""
        return f"{self.key!r}{others}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """What a state must be like.

    Attributes:
        min_keys: fewest keys.
        required: keys that must be there; one that ends in a slash stands for any key below it.
        max_shrink_percent: how much smaller than the last state let through it may be; None is no
            limit.
        above_revision: the store's revision must be above it.
    """

    min_keys: int = 0
    required: tuple[str, ...] = ()
    max_shrink_percent: float | None = None
    above_revision: int = 0

    def refusal(self, keys: Collection[bytes], *, revision: int, before: int) -> Refusal | None:
        """Return the first reason against a state, or None when there is none.

        Args:
            keys: the keys of the state.
            revision: the store's revision that it is of.
            before: how many keys the last state let through had; 0 when there was none.
        """
        if revision <= self.above_revision and self.above_revision:
            return NotYet(revision=revision, wanted=self.above_revision)
        if len(keys) < self.min_keys:
            return TooFew(count=len(keys), wanted=self.min_keys)
        if missing := tuple(name for name in self.required if not _holds(keys, name)):
            return RequiredMissing(keys=missing)
        allowed = self.max_shrink_percent
        if allowed is not None and (before - len(keys)) * 100 > before * allowed:
            return Shrunk(before=before, count=len(keys), allowed_percent=allowed)
        return None


def _holds(keys: Collection[bytes], name: str) -> bool:
    wanted = name.encode("utf-8", "surrogateescape")
    return wanted in keys or (wanted.endswith(b"/") and _any_below(keys, wanted))


def _any_below(keys: Iterable[bytes], stem: bytes) -> bool:
    return any(key.startswith(stem) for key in keys)
