"""Short words for the records and steps of a registry, for tests of those who read them."""

import json
from typing import Any

from lochkit.discovery.events import Event, Kind
from lochkit.discovery.layout import DEFAULT_LAYOUT
from lochkit.etcd.messages import KeyValue
from lochkit.etcd.model import KeyChange, Origin, Step

__all__ = ["Kept", "host_key", "host_value", "infos_key", "step", "words"]


def host_key(name: str) -> bytes:
    """``web/a`` as a key."""
    service, _, uuid = name.partition("/")
    return DEFAULT_LAYOUT.instance_key(service, uuid)


def infos_key(service: str) -> bytes:
    return DEFAULT_LAYOUT.infos_key(service)


def host_value(name: str = "h", **fields: Any) -> bytes:
    return json.dumps({"name": name, "ports": {"http": "80"}, **fields}).encode()


def step(
    revision: int,
    *changes: tuple[bytes, KeyValue | None, KeyValue | None],
    origin: Origin = Origin.WATCHED,
) -> Step:
    return Step(
        revision=revision,
        changes={key: KeyChange(key, old, new) for key, old, new in changes},
        origin=origin,
    )


def words(events: list[Event] | tuple[Event, ...]) -> list[str]:
    """Events in short, such as ``new web/a``, ``down web/a expired``, ``infos web``."""
    return [
        " ".join(
            word
            for word in (
                event.kind.value,
                f"{event.service}/{event.uuid}" if event.uuid else event.service,
                event.cause.value if event.cause else "",
                "~" if event.synthetic else "",
            )
            if word
        )
        for event in events
    ]


class Kept:
    """What a subscriber knows who does nothing but take events at their word.

    Attributes:
        hosts: by service and id.
        infos: by service.
        stale: whether it was told so.
    """

    def __init__(self) -> None:
        self.hosts: dict[tuple[str, str], object] = {}
        self.infos: dict[str, object] = {}
        self.stale = False

    def take(self, event: Event) -> None:
        """Take one, which must fit what is known."""
        key = (event.service, event.uuid)
        match event.kind:
            case Kind.NEW:
                assert key not in self.hosts, event
                self.hosts[key] = event.host
            case Kind.CHANGED:
                assert self.hosts[key] == event.previous, event
                assert event.host != event.previous, event
                self.hosts[key] = event.host
            case Kind.DOWN:
                assert event.cause is not None
                assert event.host is not None
                del self.hosts[key]
            case Kind.INFOS:
                if event.infos is None:
                    self.infos.pop(event.service, None)
                else:
                    self.infos[event.service] = event.infos
            case Kind.STALE:
                assert not self.stale
                self.stale = True
            case Kind.FRESH:
                assert self.stale
                self.stale = False
