"""How long each phase of a replication may take, and how often what failed is tried again."""

from dataclasses import dataclass, field

from ..runtime.backoff import Backoff

__all__ = ["Retries", "StreamLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """Limits of time, in seconds. Where the other host works, its heartbeats show that it lives.

    Attributes:
        connect: to connect, with the handshake.
        silent: without any sign of life from the other host.
        queue: that an offer waits for its turn at the receiver.
        answer: from an offer to its answer, the queue included.
        stall: without a byte of a stream, though both hosts live; ``zfs send`` may have to read
            much before it finds something to send.
        finish: from the end of a stream to the end of ``zfs receive`` and what is looked at then.
        settle: to put and release the holds that are owed, when a session ends.
        pause: between two requests of a client.
    """

    connect: float = 15.0
    silent: float = 60.0
    queue: float = 60.0
    answer: float = 180.0
    stall: float = 1800.0
    finish: float = 900.0
    settle: float = 60.0
    pause: float = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often a dataset is tried again after a failure that time may heal.

    Attributes:
        most: failures in a row without a byte received in between, after which it is given up.
        backoff: how long to wait before each.
    """

    most: int = 5
    backoff: Backoff = field(default_factory=lambda: Backoff(base=0.5, factor=2.0, maximum=30.0))
