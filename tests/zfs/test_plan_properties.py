"""Whatever happens to a source and its copy, plans bring the copy up to date and destroy nothing.

A random history of both is made: snapshots are taken, destroyed, renamed and bookmarked, on a clock
that jumps, streams are cut, and the target takes snapshots of its own. Plans are carried out by a
model of ``zfs receive`` that refuses what ZFS refuses.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lochkit.zfs.model import Bookmark, Dataset, Snapshot
from lochkit.zfs.plan_types import (
    Conflict,
    ConflictReason,
    Full,
    Incremental,
    Resume,
    ResumeToken,
    Step,
    UpToDate,
    Verdict,
)

from .plan_language import copy, dataset, plan

# Few names, so that snapshots of the same name are often not the same.
NAMES = tuple(f"{letter}{number}" for number in range(5) for letter in "ab")
PLACES = st.integers(0, 9)
TAKE = st.tuples(st.just("take"), st.sampled_from(NAMES), st.integers(0, 50))
ACTIONS = st.one_of(
    TAKE,
    TAKE,
    TAKE,
    st.tuples(st.just("destroy"), PLACES, st.just(0)),
    st.tuples(st.just("bookmark and destroy"), PLACES, st.just(0)),
    st.tuples(st.just("rename"), PLACES, st.sampled_from(NAMES)),
    st.tuples(st.just("prune target"), PLACES, st.just(0)),
    st.tuples(st.just("rename at target"), PLACES, st.sampled_from(NAMES)),
    st.tuples(st.just("replicate"), st.just(0), st.just(0)),
    st.tuples(st.just("cut"), st.just(0), st.just(0)),
    st.tuples(st.just("take at target"), st.sampled_from(NAMES), st.integers(0, 50)),
)
BEGINNING = (("take", "a9", 5), ("take", "b9", 3), ("replicate", 0, 0), ("take", "a8", 9))
ENDING = tuple(("take", name, 7) for name in ("b8", "a7", "a6", "b7", "a5", "a8"))
WISHES = st.fixed_dictionaries(
    {
        "intermediates": st.booleans(),
        "initial_all": st.booleans(),
        "snapshots": st.sampled_from([None, None, "a.", "[ab][1-4]"]),
        "rollback": st.booleans(),
        "resume": st.booleans(),
    }
)


class RefusedByZfs(AssertionError):
    """The plan asked for what ZFS does not do."""


@dataclass
class World:
    """A source, its copy, and the model of what ZFS does with them."""

    wishes: Mapping[str, Any]
    source: list[Snapshot] = field(default_factory=list)
    bookmarks: list[Bookmark] = field(default_factory=list)
    target: list[Snapshot] | None = None
    token: ResumeToken | None = None
    txg: int = 0

    def act(self, what: str, argument: object, more: object) -> None:
        """Let something happen, if it can."""
        if what == "take":
            self._take(self.source, str(argument), int(str(more)))
        elif what == "take at target" and self.target is not None and self.token is None:
            self._take(self.target, str(argument), int(str(more)))
        elif what == "destroy" and self.source:
            del self.source[int(str(argument)) % len(self.source)]
        elif what == "bookmark and destroy" and self.source:
            one = self.source.pop(int(str(argument)) % len(self.source))
            self.bookmarks.append(Bookmark(f"m{len(self.bookmarks)}", *one[1:4]))
        elif what == "rename" and self.source:
            self._rename(self.source, int(str(argument)), str(more))
        elif what == "rename at target" and self.target:
            self._rename(self.target, int(str(argument)), str(more))
        elif what == "prune target" and self.target and len(self.target) > 1:
            del self.target[int(str(argument)) % (len(self.target) - 1)]
        elif what in ("replicate", "cut"):
            self.replicate(cut=what == "cut")

    def replicate(self, *, cut: bool = False) -> Verdict:
        """Plan, and do it; `cut`: the connection breaks in the first stream."""
        verdict = self.verdict()
        if isinstance(verdict, Full | Incremental | UpToDate) and verdict.abort_receive:
            self.token, self.target = None, self.target or None
        if isinstance(verdict, Full | Incremental | Resume):
            steps = verdict.steps
            if isinstance(verdict, Resume):
                assert self.token == verdict.token
                self.token = None
                base = verdict.token.from_guid
                self._receive(verdict.to, base, rollback=verdict.rollback)
                assert not steps or steps[0].base == verdict.to
            for step in steps[:1] if cut else steps:
                self._step(step, verdict, first=step is verdict.steps[0], cut=cut)
        return verdict

    def verdict(self) -> Verdict:
        """What the planner says now."""
        return plan(self.shown(), self.shown_target(), token=self.token, **self.wishes)

    def shown(self) -> Dataset:
        """The source's inventory."""
        marks = tuple(sorted(self.bookmarks, key=lambda one: one.createtxg))
        return replace(dataset(""), snapshots=tuple(self.source), bookmarks=marks)

    def shown_target(self) -> Dataset | None:
        """The target's inventory."""
        if self.target is None:
            return None
        token = self.token.token if self.token else None
        return replace(copy(""), snapshots=tuple(self.target), written=0, resume_token=token)

    def _step(self, step: Step, verdict: Verdict, *, first: bool, cut: bool) -> None:
        if step.base is not None and step.base not in (*self.source, *self.bookmarks):
            raise RefusedByZfs("the source does not have the base")
        if step.intermediates and not isinstance(step.base, Snapshot):
            raise RefusedByZfs("-I from a bookmark, or from nothing")
        carried = [step.to]
        if step.intermediates and step.base is not None:
            at = step.base.createtxg
            carried = [one for one in self.source if at < one.createtxg <= step.to.createtxg]
            assert carried == [*step.between, step.to]
        rollback = first and isinstance(verdict, Full | Incremental) and verdict.rollback
        lost = verdict.would_lose if isinstance(verdict, Incremental) else ()
        base = step.base.guid if step.base is not None else None
        for one in carried:
            if cut:
                if base is None:
                    self.target = []
                elif rollback:
                    self._roll_back(base, lost)
                self.token = ResumeToken(
                    token=f"1-{one.guid}", to_guid=one.guid, to_name="", from_guid=base
                )
                return
            self._receive(one, base, rollback=rollback, lost=lost)
            base, rollback = one.guid, False

    def _receive(
        self,
        one: Snapshot,
        base: int | None,
        *,
        rollback: bool,
        lost: tuple[Snapshot, ...] = (),
    ) -> None:
        if self.token is not None:
            raise RefusedByZfs("destination has partially received state")
        if base is None:
            if self.target:
                raise RefusedByZfs("destination has snapshots")
            self.target = []
        elif rollback:
            self._roll_back(base, lost)
        elif not self.target or self.target[-1].guid != base:
            raise RefusedByZfs("most recent snapshot does not match incremental source")
        assert self.target is not None
        if one.name in [other.name for other in self.target]:
            raise RefusedByZfs("destination snapshot exists")
        self.txg += 1
        self.target.append(one._replace(createtxg=self.txg))

    def _roll_back(self, base: int, lost: tuple[Snapshot, ...]) -> None:
        assert self.target is not None
        place = [one.guid for one in self.target].index(base) + 1
        assert tuple(self.target[place:]) == lost
        del self.target[place:]

    def _take(self, where: list[Snapshot], name: str, creation: int) -> None:
        if name not in [one.name for one in where]:
            self.txg += 1
            where.append(Snapshot(name, 5000 + self.txg, self.txg, creation))

    def _rename(self, where: list[Snapshot], place: int, name: str) -> None:
        place %= len(where)
        if name not in [one.name for one in where]:
            where[place] = where[place]._replace(name=name)


@settings(max_examples=250, deadline=None)
@given(WISHES, st.booleans(), st.booleans(), st.lists(ACTIONS, min_size=4, max_size=25))
def test_plans_do_what_was_asked_for_and_nothing_else(
    wishes: Mapping[str, Any], begun: bool, ended: bool, actions: list[tuple[str, object, object]]
) -> None:
    world = World(wishes)
    for action in (*(BEGINNING if begun else ()), *actions, *(ENDING if ended else ())):
        world.act(*action)
    source, before = world.shown(), world.shown_target()
    verdict = world.replicate()
    after = world.shown_target()
    had = {one.guid for one in before.snapshots} if before else set()
    has = {one.guid for one in after.snapshots} if after else set()
    lost = verdict.would_lose if isinstance(verdict, Incremental) else ()
    assert not lost or wishes["rollback"]
    assert had - has == {one.guid for one in lost}
    if isinstance(verdict, Conflict):
        assert before == after
        assert verdict.reason in POSSIBLE
        return
    assert has - had == expected_arrivals(source, before, verdict, wishes)
    assert isinstance(world.verdict(), UpToDate)
    assert world.token is None


POSSIBLE = {
    ConflictReason.DIVERGED,
    ConflictReason.RECEIVER_NEWER,
    ConflictReason.NO_COMMON,
    ConflictReason.NO_SOURCE,
    ConflictReason.NAME_TAKEN,
}


def expected_arrivals(
    source: Dataset, before: Dataset | None, verdict: Verdict, wishes: Mapping[str, Any]
) -> set[int]:
    """What had to come, said in the plainest way: all that is wanted after the newest common."""
    if isinstance(verdict, UpToDate):
        return set()
    had = {one.guid for one in before.snapshots} if before else set()
    common = [one.createtxg for one in source.snapshots if one.guid in had]
    common += [one.createtxg for one in source.bookmarks if one.guid in had]
    resumed = {verdict.to.guid} if isinstance(verdict, Resume) else set()
    if isinstance(verdict, Resume):
        common.append(verdict.to.createtxg)
    after = [one for one in source.snapshots if one.createtxg > max(common, default=0)]
    pattern = str(wishes["snapshots"] or ".*")
    guids = [one.guid for one in after if re.fullmatch(pattern, one.name)]
    first = isinstance(verdict, Full)
    if not wishes["intermediates"] or (first and not wishes["initial_all"]):
        guids = guids[-1:]
    return set(guids) | resumed
