"""How many connections a server has, and how many it wants."""

from collections import Counter
from dataclasses import dataclass

__all__ = ["Guests", "ServeLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeLimits:
    """What strangers can take of a server.

    Attributes:
        connections: at a time that have been let in.
        per_address: at a time of one address, let in or not.
        pending: at a time that have not been let in yet; of them, those do not count as
            `connections`, so that who never says anything keeps nobody out who is in.
        handshake: seconds for TLS's handshake.
        banner: seconds for the banner.
    """

    connections: int = 64
    per_address: int = 16
    pending: int = 32
    handshake: float = 10.0
    banner: float = 10.0


class Guests:
    """Counts them.

    Args:
        limits: see there.
    """

    def __init__(self, limits: ServeLimits) -> None:
        self._limits = limits
        self._pending = 0
        self._in = 0
        self._by_host: Counter[str] = Counter()

    def knock(self, host: str) -> str | None:
        """Count one who has come; return why it is not wanted, which counts nothing."""
        if self._pending >= self._limits.pending:
            return f"{self._pending} connections have not said yet who they are"
        if self._by_host[host] >= self._limits.per_address:
            return f"there are {self._by_host[host]} connections from this address"
        self._pending += 1
        self._by_host[host] += 1
        return None

    def let_in(self) -> str | None:
        """One of those who have come may be let in; return why not."""
        if self._in >= self._limits.connections:
            return f"there are {self._in} connections"
        self._pending -= 1
        self._in += 1
        return None

    def leave(self, host: str, *, was_in: bool) -> None:
        """One goes."""
        if was_in:
            self._in -= 1
        else:
            self._pending -= 1
        self._by_host[host] -= 1
        if not self._by_host[host]:
            del self._by_host[host]
