"""A health check as data: what is looked at, how often, and what counts."""

from dataclasses import dataclass, field
from typing import Final

__all__ = [
    "GOOD_STATUS",
    "WARNING_EXIT",
    "WARNING_STATUS",
    "AbsentFile",
    "CheckSpec",
    "CheckTarget",
    "Codes",
    "ExecTarget",
    "HttpTarget",
    "TcpTarget",
    "TtlTarget",
]


@dataclass(frozen=True, slots=True)
class Codes:
    """Some numbers, such as ``200-299,401``, in ranges that include both ends."""

    ranges: tuple[tuple[int, int], ...] = ()

    def __contains__(self, code: int) -> bool:
        """Whether it is one of them."""
        return any(first <= code <= last for first, last in self.ranges)

    def __str__(self) -> str:
        return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in self.ranges)


GOOD_STATUS: Final = Codes(((200, 299),))
WARNING_STATUS: Final = Codes(((429, 429),))  # too many requests: alive, and busy
WARNING_EXIT: Final = Codes(((1, 1),))


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpTarget:
    """Somebody accepts connections.

    Attributes:
        host: name or address.
        port: a number, or the scheme of a port of the instance's own.
    """

    host: str
    port: int | str


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpTarget:
    """A request is answered well.

    Attributes:
        host: name or address.
        port: a number, or the scheme of a port of the instance's own.
        path: with the query, which may hold a secret.
        tls: whether it is https.
        method: of the request, which has no body.
        name: the Host header, and the name in the certificate; empty for those of `host`.
        good: the status codes that are well.
        warning: those that are well with a warning.
        cacert: path of the authorities that are trusted; empty for the system's.
        insecure: whether the certificate is believed unseen.
    """

    host: str
    port: int | str
    path: str = field(default="/", repr=False)
    tls: bool = False
    method: str = "GET"
    name: str = ""
    good: Codes = GOOD_STATUS
    warning: Codes = WARNING_STATUS
    cacert: str = ""
    insecure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecTarget:
    """A command ends with 0, or with a code that is a warning.

    Attributes:
        argv: the command and its arguments, which may hold a secret.
        warning: the exit codes that are well with a warning.
    """

    argv: tuple[str, ...] = field(repr=False)
    warning: Codes = WARNING_EXIT


@dataclass(frozen=True, slots=True, kw_only=True)
class TtlTarget:
    """A file is written or touched again and again.

    Attributes:
        path: of the file.
        ttl: seconds of silence that are too long.
    """

    path: str
    ttl: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsentFile:
    """A file is not there; while it is, the instance is in maintenance."""

    path: str


CheckTarget = TcpTarget | HttpTarget | ExecTarget | TtlTarget | AbsentFile


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSpec:
    """A health check.

    Attributes:
        name: for people.
        target: what is looked at.
        interval: seconds from one look to the next.
        timeout: seconds that a look may take.
        passes: good looks in a row that make it passing.
        failures: bad looks in a row that make it failing.
    """

    name: str
    target: CheckTarget
    interval: float = 10.0
    timeout: float = 5.0
    passes: int = 1
    failures: int = 3
