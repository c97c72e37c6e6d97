"""What the command of ``lochkit services watch`` is told: the whole view, and what led to it.

Pure: told of events and of runs, asked for what there is to be run.
"""

import json
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..discovery.events import Event, Kind
from ..discovery.lookup import Service
from ..discovery.showing import Selection, event_fields, service_fields
from .output import shown

__all__ = ["Batch", "News", "View", "document", "environment"]

_MOST_EVENTS: Final = 1000
_START: Final = "start"
_SEVERAL: Final = "several"
_LONGEST_WORD: Final = 1024
"""Characters of a name in the environment, whose size has limits; no real one is so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The registry at one moment.

    Attributes:
        services: by name.
        revision: at which it was so.
        stale: etcd is away: it was so when it was last heard of.
    """

    services: Mapping[str, Service]
    revision: int
    stale: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What has happened since the command was last told.

    Attributes:
        start: it has been told nothing yet.
        events: what happened, the oldest first.
        dropped: events before those, of which there were too many.
    """

    start: bool = False
    events: tuple[Event, ...] = ()
    dropped: int = 0

    @property
    def kind(self) -> str:
        """The one thing that happened; or that it was more than one."""
        if self.start and not self.events:
            return _START
        if len(self.events) == 1 and not self.start and not self.dropped:
            return self.events[0].kind.value
        return _SEVERAL


class News:
    """The events that the command has not been told yet, in bounded memory.

    Args:
        start: whether there is something to be told at the start.
        most: events that are kept; of more, the oldest are only counted. The view has what they
            have led to all the same.
    """

    def __init__(self, *, start: bool, most: int = _MOST_EVENTS) -> None:
        self._start = start
        self._most = most
        self._events: deque[Event] = deque()
        self._dropped = 0

    def __bool__(self) -> bool:
        return self._start or bool(self._events)

    def add(self, event: Event) -> None:
        """Something happened."""
        self._events.append(event)
        self._shed()

    def take(self) -> Batch:
        """Everything, which is then in the caller's hands."""
        batch = Batch(start=self._start, events=tuple(self._events), dropped=self._dropped)
        self._start, self._dropped = False, 0
        self._events.clear()
        return batch

    def give_back(self, batch: Batch) -> None:
        """The command has not been told after all."""
        self._start = batch.start
        self._dropped += batch.dropped
        self._events.extendleft(reversed(batch.events))
        self._shed()

    def _shed(self) -> None:
        while len(self._events) > self._most:
            self._events.popleft()
            self._dropped += 1


def document(view: View, batch: Batch, selection: Selection, *, secrets: bool) -> bytes:
    """What the command reads: one JSON document, with a line end.

    Args:
        view: all there is.
        batch: what happened.
        selection: the instances that are shown.
        secrets: whether passwords are.
    """
    fields: dict[str, Any] = {
        "revision": view.revision,
        "stale": view.stale,
        "services": {
            name: service_fields(service, selection, secrets=secrets)
            for name, service in sorted(view.services.items())
        },
        "event": batch.kind,
        "events": [event_fields(event, secrets=secrets) for event in batch.events],
        "events_dropped": batch.dropped,
    }
    return json.dumps(fields).encode() + b"\n"


def environment(view: View, batch: Batch) -> dict[str, str]:
    """Variables that tell of the run; one that does not apply is empty.

    Of several events, what they have in common. Control characters are escaped: no variable can
    hold a NUL, and the rest would surprise a shell script.
    """
    events = batch.events
    return {
        "LOCHKIT_EVENT": batch.kind,
        "LOCHKIT_SERVICE": shown(_common(event.service for event in events)),
        "LOCHKIT_UUID": shown(_common(event.uuid for event in events)),
        "LOCHKIT_CAUSE": _common(
            event.cause.value if event.kind is Kind.DOWN and event.cause else "" for event in events
        ),
        "LOCHKIT_REVISION": str(view.revision),
        "LOCHKIT_STALE": "1" if view.stale else "",
    }


def _common(words: Iterable[str]) -> str:
    found = set(words)
    word = found.pop() if len(found) == 1 else ""
    return word if len(word) <= _LONGEST_WORD else ""
