"""What retention came to, remembered for as long as nothing has changed but the time. Pure.

To judge a million snapshots takes seconds, and a director plans every minute and at every change.
"""

from typing import Final, NamedTuple

from .agent_prune import Needs
from .directing_work import Pursuit
from .model import Dataset, Snapshot

__all__ = ["Memo"]

_GOOD_FOR: Final = 600
"""Seconds: snapshots that have grown too old meanwhile are destroyed so much later."""


class _Judged(NamedTuple):
    dataset: Dataset
    needs: Needs
    keep: object
    at: int
    doomed: tuple[Snapshot, ...]


class Memo:
    """What is remembered; of use to one plan after the other."""

    __slots__ = ("_before", "_now")

    def __init__(self) -> None:
        self._before: dict[Pursuit, _Judged] = {}
        self._now: dict[Pursuit, _Judged] = {}

    def begin(self) -> None:
        """A plan begins; what the one before it has not asked for is forgotten."""
        self._before, self._now = self._now, {}

    def find(
        self, pursuit: Pursuit, dataset: Dataset, needs: Needs, keep: object, now: int
    ) -> tuple[Snapshot, ...] | None:
        """What is to be destroyed; None: that must be judged.

        Args:
            pursuit: what for.
            dataset: the very object, since to compare two takes as long as to judge.
            needs: of others.
            keep: by what it is judged.
            now: seconds since 1970.
        """
        known = self._before.get(pursuit)
        if (
            known is None
            or known.dataset is not dataset
            or known.needs != needs
            or known.keep != keep
            or not 0 <= now - known.at < _GOOD_FOR
        ):
            return None
        self._now[pursuit] = known
        return known.doomed

    def keep(
        self,
        pursuit: Pursuit,
        dataset: Dataset,
        needs: Needs,
        keep: object,
        now: int,
        doomed: tuple[Snapshot, ...],
    ) -> None:
        """Remember what came of it."""
        self._now[pursuit] = _Judged(dataset, needs, keep, now, doomed)
