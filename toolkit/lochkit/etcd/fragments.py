"""Putting together what a watch sent in fragments.

With ``fragment`` set on a watch, the server cuts a response that is larger than a message may be;
all pieces but the last say ``fragment``, and every piece has events. Half a revision is never
shown, so the pieces are kept until the last has come.
"""

from dataclasses import replace

from .messages import Event, WatchResponse

__all__ = ["FragmentJoiner"]


class FragmentJoiner:
    """Joins the fragments of one watch. A new watch needs a new one: a cut loses the rest."""

    __slots__ = ("_events",)

    def __init__(self) -> None:
        self._events: list[Event] = []

    def add(self, response: WatchResponse) -> WatchResponse | None:
        """The whole response this one completes, or None when more is to come.

        A progress notice between the pieces is dropped: it would end the response too early, or
        let a reader believe that it has what the pieces hold.
        """
        if response.fragment:
            self._events += response.events
            return None
        if not self._events:
            return response
        if not response.events:
            return None
        events, self._events = self._events, []
        events += response.events
        return replace(response, events=tuple(events))
