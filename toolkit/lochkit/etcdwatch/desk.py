"""Decides what the command is to see next. Pure: told of steps and of runs, asked for jobs."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ..etcd.messages import KeyValue
from ..etcd.model import KeyChange, Keyspace, Step
from .changes import Ledger, ShownChange, Summary, change_line, shown_changes
from .formats import Format, chunked, layout_for
from .guards import Guards, NotReadable, Refusal
from .selection import Selection
from .text import Binary, key_text, leaf_of
from .tree import MAX_DEPTH, depth

__all__ = ["Desk", "Job"]

NOT_TEXT = "not UTF-8; see --binary"
TOO_DEEP = f"more than {MAX_DEPTH} segments; see --format flat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run of the command.

    Attributes:
        content: its standard input, in chunks.
        digest: of the content.
        changes: everything that is different from what it saw before, sorted by key.
        revision: the store's revision that the state is of.
        previous_revision: that of the state it saw before; 0 when it saw none.
        key_count: keys in the state.
        binary: how bytes become text.
    """

    content: tuple[bytes, ...]
    digest: bytes
    changes: tuple[KeyChange, ...]
    revision: int
    previous_revision: int
    key_count: int
    binary: Binary

    def shown_changes(self) -> Iterator[ShownChange]:
        """Yield the changes as text."""
        return shown_changes(self.changes, self.binary)

    def change_lines(self, summary: Summary) -> Iterator[str]:
        """Yield a line of JSON for every change, noted in ``summary`` as it passes."""
        for change in summary.watch(self.shown_changes()):
            yield change_line(change, self.revision)

    def environment(self, summary: Summary) -> dict[str, str | None]:
        """Return variables of bounded size that tell of the run; None is for those to be unset."""
        return {
            "LOCHKIT_REVISION": str(self.revision),
            "LOCHKIT_PREVIOUS_REVISION": str(self.previous_revision),
            "LOCHKIT_KEY_COUNT": str(self.key_count),
            "LOCHKIT_CHANGED_COUNT": str(summary.count),
            "LOCHKIT_CHANGED_KEYS": summary.keys,
        }


class Desk:
    """The state, what the command saw of it, and what speaks against showing it the rest.

    After a step, :meth:`next` says whether there is something to run. A job it returned is reported
    back by :meth:`began` and then :meth:`finished` or :meth:`failed`. Until then ``next`` goes by
    the running job: it returns one only for a state that differs from what that was given.

    Attributes:
        refusal: why the present state is refused, None if it is not; as of the last ``next``.
        left_out: keys that have no place in the document, sorted; as of the last ``next``.
    """

    def __init__(
        self,
        selection: Selection,
        wanted: Format,
        *,
        binary: Binary = Binary.ERROR,
        guards: Guards | None = None,
        env_prefix: str = "",
        run_unchanged: bool = False,
    ) -> None:
        self.refusal: Refusal | None = None
        self.left_out: tuple[str, ...] = ()
        self._selection = selection
        self._format = wanted
        self._layout = layout_for(wanted, env_prefix=env_prefix)
        self._has_depth = wanted in (Format.JSON, Format.YAML, Format.TOML, Format.PICKLE)
        self._binary = binary
        self._guards = guards or Guards()
        self._run_unchanged = run_unchanged
        self._keyspace = Keyspace()
        self._ledger = Ledger()
        self._unshown: dict[bytes, str] = {}  # keys that are not in the layout, and why
        self._fresh = False  # whether there is anything that next() has not been asked about
        self._seen: bytes | None = None  # digest of what the command was given last
        self._seen_revision = 0
        self._let_through = 0  # keys in the last state that passed the guards

    @property
    def revision(self) -> int:
        """The revision of the present state, 0 before the first step."""
        return self._keyspace.revision

    def apply(self, step: Step) -> None:
        """Take in a step."""
        if not self._selection.recursive:
            shows = self._selection.shows
            shown = {key: change for key, change in step.changes.items() if shows(key)}
            step = replace(step, changes=shown)
        self._keyspace.apply(step)
        for change in step.changes.values():
            self._ledger.note(change)
            self._arrange(change)
        self._fresh = True

    def _arrange(self, change: KeyChange) -> None:
        """Bring one key of the layout up to date."""
        key, old, new = change
        was_shown = old is not None and self._unshown.pop(key, None) is None
        text = key_text(key, self._binary)
        leaf = leaf_of(new.value, self._binary) if new else None
        if text is None or (new and leaf is None):
            reason = NOT_TEXT
        elif self._has_depth and len(key) > MAX_DEPTH and depth(text) > MAX_DEPTH:
            reason = TOO_DEEP
        else:
            reason = ""
        if leaf is not None and text is not None and not reason:
            self._layout.put(text, leaf)
            return
        if was_shown and text is not None:
            self._layout.remove(text)
        if new is not None:
            self._unshown[key] = reason

    def next(self) -> Job | None:
        """Return what to run now; None when there is nothing new to see, or it is refused."""
        if not self._fresh:
            return None
        self._fresh = False
        entries = self._keyspace.entries
        self.refusal = self._unreadable() or self._guards.refusal(
            entries.keys(), revision=self._keyspace.revision, before=self._let_through
        )
        if self.refusal is not None:
            return None
        job = self._job(entries)
        self._let_through = len(entries)
        unchanged = not job.content if self._format is Format.NDJSON else job.digest == self._seen
        if self._seen is not None and unchanged and not self._run_unchanged:
            return None
        return job

    def _unreadable(self) -> Refusal | None:
        """Return the refusal of a state with keys that can neither be shown nor left out."""
        skipped = NOT_TEXT if self._binary is Binary.SKIP else ""
        bad = sorted(key for key, reason in self._unshown.items() if reason != skipped)
        if not bad:
            return None
        return NotReadable(key=bad[0], count=len(bad), reason=self._unshown[bad[0]])

    def _job(self, entries: Mapping[bytes, KeyValue]) -> Job:
        changes = self._ledger.net(entries)
        document = self._layout.document()
        content = document.chunks
        if self._format is Format.NDJSON:
            revision = self._keyspace.revision
            lines = (change_line(c, revision) for c in shown_changes(changes, self._binary))
            content = tuple(chunked(lines))
        skipped = (key.decode("utf-8", "backslashreplace") for key in self._unshown)
        self.left_out = tuple(sorted((*document.left_out, *skipped)))
        digest = hashlib.blake2b(digest_size=32)
        for chunk in content:
            digest.update(chunk)
        return Job(
            content=content,
            digest=digest.digest(),
            changes=changes,
            revision=self._keyspace.revision,
            previous_revision=self._seen_revision,
            key_count=len(entries),
            binary=self._binary,
        )

    def began(self, job: Job) -> None:
        """The command is running ``job``, which must be the last one returned, with nothing in
        between.

        From now on changes count from its state.
        """
        self._ledger.clear()
        self._seen = job.digest
        self._seen_revision = job.revision

    def failed(self, job: Job) -> None:
        """The run of ``job`` does not count: its changes are still to be seen, and something is to
        be run.

        What it was given is forgotten: after half a run no content is the one the command saw last.
        """
        self._ledger.reopen(job.changes)
        self._seen = None
        self._seen_revision = job.previous_revision
        self._fresh = True

    def look_again(self) -> None:
        """Let the next :meth:`next` consider the present state again."""
        self._fresh = True
