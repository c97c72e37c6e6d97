"""What an operator says of a health check, and what that means. Strict: a typing error is told.

``TARGET [NAME=VALUE]...``, in words as a shell splits them, though no shell ever sees them::

    tcp:http interval=2s                    the instance's own port for a scheme, on this machine
    tcp://db.internal:5432                  any port
    http:http/health status=200-299,401     a GET of the instance's own port for a scheme
    https://127.0.0.1:8443/up host=www      a GET of any URL
    exec timeout=20s -- /usr/bin/check -v   a command: 0 is well, 1 is well with a warning
    ttl:/run/web/alive ttl=30s              a file that the service touches, or writes its word in
    absent:/run/web/maintenance             while the file is there, the instance gets no work
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import SplitResult, urlsplit

from .check_model import (
    GOOD_STATUS,
    WARNING_EXIT,
    WARNING_STATUS,
    AbsentFile,
    CheckSpec,
    CheckTarget,
    Codes,
    ExecTarget,
    HttpTarget,
    TcpTarget,
    TtlTarget,
)
from .check_settings import Settings
from .errors import InvalidHost
from .host import Host
from .names import check_hostname, check_scheme

__all__ = ["HERE", "CheckSpec", "parse_check", "resolve"]

HERE: Final = "127.0.0.1"
"""Where an instance is asked on a port of its own."""

_PATH: Final = re.compile(r"/[!-~]*")  # and the query: printable, and no space
_METHOD: Final = re.compile(r"[A-Z]{1,16}")
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
_SHORTEST: Final = 0.1  # seconds
_LONGEST: Final = 86400.0  # seconds
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def parse_check(text: str) -> CheckSpec:
    """Read what an operator says of a check.

    Raises:
        ValueError: why it is none, for people; without the secrets that it may hold.
    """
    try:
        words = shlex.split(text)
    except ValueError as exc:
        raise ValueError(f"a check can not be split into words: {exc}") from None
    if not words:
        raise ValueError("a check must say what is looked at, such as tcp:http")
    head, *rest = words
    argv: list[str] = []
    if head == "exec":
        if "--" not in rest or rest[-1] == "--":
            raise ValueError("exec: the command follows after --, as in: exec -- /usr/bin/check")
        cut = rest.index("--")
        rest, argv = rest[:cut], rest[cut + 1 :]
    settings = Settings(rest)
    target = _exec(argv, settings) if head == "exec" else _target(head, settings)
    spec = _scheduled(_name(head, argv), target, settings)
    settings.done()
    return spec


def resolve(spec: CheckSpec, host: Host) -> CheckSpec:
    """The check with a number in place of the scheme of a port.

    The private ports go first: they are what a process of this machine listens on.

    Raises:
        InvalidHost: the instance has no such port.
    """
    target = spec.target
    if not isinstance(target, TcpTarget | HttpTarget) or isinstance(target.port, int):
        return spec
    ports: Mapping[str, str] = host.private_ports or host.ports or {}
    port = str(ports.get(target.port, ""))
    if not port.isascii() or not port.isdecimal():
        known = f"only for {', '.join(sorted(ports))}" if ports else "nor for anything else"
        raise InvalidHost(f"check {spec.name}: there is no port for {target.port!r}, {known}")
    return replace(spec, target=replace(target, port=int(port)))


def _scheduled(name: str, target: CheckTarget, settings: Settings) -> CheckSpec:
    # To look at a file costs nothing, and what is said there is meant.
    is_file = isinstance(target, TtlTarget | AbsentFile)
    interval = settings.seconds("interval", 1.0 if is_file else 10.0, _SHORTEST, _LONGEST)
    timeout = settings.seconds("timeout", 5.0, 0.01, 3600.0)
    told = settings.text("name", name)
    if isinstance(target, AbsentFile):
        return CheckSpec(
            name=told, target=target, interval=interval, timeout=timeout, passes=1, failures=1
        )
    return CheckSpec(
        name=told,
        target=target,
        interval=interval,
        timeout=timeout,
        passes=settings.count("passes", 1),
        failures=settings.count("failures", 1 if is_file else 3),
    )


def _name(head: str, argv: list[str]) -> str:
    """What a check is called: without arguments or a query, in which a secret may be."""
    return f"exec {argv[0]}" if argv else head.partition("?")[0]


def _exec(argv: list[str], settings: Settings) -> ExecTarget:
    if not argv[0] or any("\0" in word for word in argv):
        raise ValueError("exec: the command has no name, or a zero byte in it")
    return ExecTarget(
        argv=tuple(argv), warning=Codes(settings.codes("warn", WARNING_EXIT.ranges, 1, 255))
    )


def _target(head: str, settings: Settings) -> CheckTarget:
    kind, colon, rest = head.partition(":")
    match kind:
        case "tcp" if colon:
            return _tcp(rest)
        case "http" | "https" if colon:
            return _http(kind, rest, settings)
        case "ttl" if colon:
            return TtlTarget(path=_file(kind, rest), ttl=settings.seconds("ttl", 30.0, 0.5, 86400))
        case "absent" if colon:
            return AbsentFile(path=_file(kind, rest))
    raise ValueError(
        f"{head.partition('?')[0][:80]!r} is no check: it begins with tcp:, http:, https:, ttl:,"
        " absent: or the word exec"
    )


def _file(kind: str, path: str) -> str:
    if not path or "\0" in path:
        raise ValueError(f"{kind}: a path follows, such as {kind}:/run/web/file")
    return path


def _tcp(rest: str) -> TcpTarget:
    if not rest.startswith("//"):
        return TcpTarget(host=HERE, port=_scheme("tcp", rest))
    host, port, parts = _place("tcp", rest)
    if port is None:
        raise ValueError("tcp://HOST:PORT needs a port")
    if parts.path or parts.query or parts.fragment:
        raise ValueError("tcp://HOST:PORT has nothing after the port")
    return TcpTarget(host=host, port=port)


def _http(kind: str, rest: str, settings: Settings) -> HttpTarget:
    host, port = HERE, None
    if rest.startswith("//"):
        host, port, parts = _place(kind, rest)
        port = _DEFAULT_PORTS[kind] if port is None else port
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        place: int | str = port
        if parts.fragment:
            raise ValueError(f"{kind}: a fragment (#) is not sent to a server")
    else:
        scheme, slash, below = rest.partition("/")
        place, path = _scheme(kind, scheme), slash + below or "/"
    if not _PATH.fullmatch(path) or "#" in path:
        raise ValueError(f"{kind}: a path has no spaces; other characters as %XX")
    method = settings.text("method", "GET")
    if not _METHOD.fullmatch(method) or method == "CONNECT":
        raise ValueError(f"method={method[:40]} is no method such as GET or HEAD")
    name = settings.text("host", "")
    if name and not _HOST.fullmatch(name):
        raise ValueError(f"host={name[:80]} is no host's name")
    tls = kind == "https"
    return HttpTarget(
        host=host,
        port=place,
        path=path,
        tls=tls,
        method=method,
        name=name,
        good=Codes(settings.codes("status", GOOD_STATUS.ranges, 200, 599)),
        warning=Codes(settings.codes("warn", WARNING_STATUS.ranges, 200, 599)),
        cacert=settings.text("cacert", "") if tls else "",
        insecure=settings.flag("insecure") if tls else False,
    )


def _scheme(kind: str, scheme: str) -> str:
    try:
        check_scheme(scheme)
    except InvalidHost:
        raise ValueError(
            f"{kind}:{scheme[:80]}: the scheme of a port follows, or //HOST:PORT"
        ) from None
    return scheme


def _place(kind: str, rest: str) -> tuple[str, int | None, SplitResult]:
    try:
        parts = urlsplit(f"{kind}:{rest}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(f"{kind}://: host or port is none") from None
    if "@" in parts.netloc:
        raise ValueError(f"{kind}://: a check takes no user or password, which all could read")
    try:
        check_hostname(host)
    except InvalidHost as exc:
        raise ValueError(f"{kind}://: {exc}") from None
    if port == 0:
        raise ValueError(f"{kind}://: there is no port 0")
    return host, port, parts
