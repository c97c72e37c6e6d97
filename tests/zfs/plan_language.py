"""Datasets written down in a line: ``@a,1 #b,2 @c,3:holds=1``.

That is a snapshot with guid 1, a bookmark of guid 2, and a held snapshot, in order of createtxg.
More may be said of each: ``txg``, ``creation``, ``holds``, ``clones``.
"""

from collections.abc import Sequence
from typing import Any

from lochkit.zfs.capabilities import Capabilities
from lochkit.zfs.model import Bookmark, Dataset, Snapshot
from lochkit.zfs.plan import plan_replication
from lochkit.zfs.plan_types import ResumeToken, Step, Verdict
from lochkit.zfs.policy_types import Replication

MODERN = Capabilities(
    version="zfs-2.3.2",
    parsable_list=True,
    bookmarks=True,
    resume=True,
    raw=True,
    receive_properties=True,
    list_holds=True,
    written=True,
    encryption=True,
)
FUSE = Capabilities(version="zfs-fuse")


def dataset(text: str, name: str = "tank/a", **more: Any) -> Dataset:
    """The dataset that is written down."""
    snapshots: list[Snapshot] = []
    bookmarks: list[Bookmark] = []
    for place, word in enumerate(text.split(), start=1):
        named, *facts = word[1:].split(":")
        called, guid = named.split(",")
        said = dict(fact.split("=") for fact in facts)
        txg = int(said.get("txg", place * 10))
        creation = int(said.get("creation", txg))
        if word[0] == "#":
            bookmarks.append(Bookmark(called, int(guid), txg, creation))
        else:
            clones = tuple(filter(None, said.get("clones", "").split("+")))
            holds = int(said.get("holds", 0))
            snapshots.append(Snapshot(called, int(guid), txg, creation, holds, clones))
    return Dataset(
        name=name,
        guid=more.pop("guid", 1000),
        snapshots=tuple(snapshots),
        bookmarks=tuple(bookmarks),
        **more,
    )


def copy(text: str, **more: Any) -> Dataset:
    """The same, at the target."""
    more.setdefault("guid", 2000)
    return dataset(text, more.pop("name", "bulk/a"), **more)


def replication(**more: Any) -> Replication:
    """A replication with these wishes."""
    return Replication(**{"name": "job", "to": "vault", "target": "bulk/a", **more})


def plan(
    source: str | Dataset,
    target: str | Dataset | None,
    *,
    token: ResumeToken | None = None,
    source_caps: Capabilities = MODERN,
    target_caps: Capabilities = MODERN,
    releasable: frozenset[int] = frozenset(),
    **wishes: Any,
) -> Verdict:
    """Plan what is written down."""
    return plan_replication(
        dataset(source) if isinstance(source, str) else source,
        copy(target) if isinstance(target, str) else target,
        replication=replication(**wishes),
        token=token,
        source_caps=source_caps,
        target_caps=target_caps,
        releasable=releasable,
    )


def streams(steps: Sequence[Step]) -> str:
    """Steps in a line: ``full a | a -I d | #b -i e``."""
    return " | ".join(_stream(step) for step in steps)


def _stream(step: Step) -> str:
    if step.base is None:
        return f"full {step.to.name}"
    mark = "#" if isinstance(step.base, Bookmark) else ""
    word = "-I" if step.intermediates else "-i"
    return f"{mark}{step.base.name} {word} {step.to.name}"
