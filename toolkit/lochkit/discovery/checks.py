"""One look at something, in bounded time: at a port, a page, a file, or what a command says."""

import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

import trio

from ..errors import CommandFailed, ConfigError, TransientError, leaves
from ..io.bounded import run_bounded
from .check_model import AbsentFile, CheckSpec, ExecTarget, HttpTarget, TcpTarget, TtlTarget
from .health import MOST_OUTPUT, Outcome, Result
from .http_check import HttpExchange
from .ttl_file import TtlFile, is_there

__all__ = ["Check", "open_check"]

_CHUNK: Final = 16 * 1024  # bytes
_LATE: Final = Result(Outcome.FAIL, "the file can not be looked at in time")


class Check(Protocol):
    """Looks at one thing."""

    async def look(self) -> Result:
        """Look once; takes no longer than the check's timeout and a moment."""
        ...


def open_check(spec: CheckSpec) -> Check:
    """Make ready what looks as ``spec`` says.

    Args:
        spec: with numbers for ports: see `lochkit.discovery.check_spec.resolve`.

    Raises:
        ConfigError: the trusted certificates can not be read.
    """
    target = spec.target
    match target:
        case TcpTarget():
            return _TcpCheck(target, spec.timeout)
        case HttpTarget():
            return _HttpCheck(target, spec.timeout, _trust(target))
        case ExecTarget():
            return _ExecCheck(target, spec.timeout)
        case TtlTarget():
            return _FileCheck(TtlFile(target).look, lambda: _LATE, spec.timeout)
        case AbsentFile():
            absence = _Absence(target.path)
            return _FileCheck(absence.look, lambda: absence.as_before("no answer"), spec.timeout)


@dataclass(slots=True)
class _TcpCheck:
    target: TcpTarget
    timeout: float

    async def look(self) -> Result:
        """See `Check`."""
        result = Result(Outcome.FAIL, "no connection in time")
        with trio.move_on_after(self.timeout):
            try:
                stream = await _connect(self.target.host, self.target.port)
            except OSError as exc:
                return Result(Outcome.FAIL, _reason(exc))
            result = Result(Outcome.PASS, "connected")
            await trio.aclose_forcefully(stream)
        return result


@dataclass(slots=True)
class _HttpCheck:
    target: HttpTarget
    timeout: float
    trust: ssl.SSLContext | None

    async def look(self) -> Result:
        """See `Check`."""
        exchange = HttpExchange(self.target)
        missing = "no connection"
        stream: trio.abc.Stream | None = None
        try:
            with trio.move_on_after(self.timeout):
                stream = await _connect(self.target.host, self.target.port)
                if self.trust is not None:
                    missing = "no TLS handshake"
                    stream = trio.SSLStream(
                        stream, self.trust, server_hostname=self._name(), https_compatible=True
                    )
                    await stream.do_handshake()
                missing = ""
                await _exchange(stream, exchange)
        except (OSError, trio.BrokenResourceError) as exc:
            return Result(Outcome.FAIL, _reason(exc))
        finally:
            if stream is not None:
                await trio.aclose_forcefully(stream)
        return exchange.result or Result(Outcome.FAIL, f"{missing or exchange.cut()} in time")

    def _name(self) -> str:
        """The name that the certificate must be for."""
        name = self.target.name.rpartition(":")[0] if _has_port(self.target.name) else ""
        return (name or self.target.name or self.target.host).strip("[]")


@dataclass(slots=True)
class _ExecCheck:
    target: ExecTarget
    timeout: float

    async def look(self) -> Result:
        """See `Check`."""
        try:
            finished = await run_bounded(
                self.target.argv,
                timeout=self.timeout,
                limit=MOST_OUTPUT,
                # Else it could tell the service manager of ours that we are ready, or stop.
                environment={"NOTIFY_SOCKET": ""},
            )
        except (CommandFailed, TransientError) as exc:
            return Result(Outcome.FAIL, str(exc))
        output = finished.output.decode("utf-8", "replace").strip()
        if finished.exit is None:
            return Result(Outcome.FAIL, f"stopped after {self.timeout:g} s\n{output}".strip())
        code = finished.exit.code
        if code == 0:
            return Result(Outcome.PASS, output)
        outcome = Outcome.WARNING if code in self.target.warning else Outcome.FAIL
        return Result(outcome, f"{finished.exit}\n{output}".strip())


@dataclass(slots=True)
class _FileCheck:
    """In a thread: a file may be on a server that does not answer."""

    read: Callable[[], Result]
    late: Callable[[], Result]
    timeout: float
    # A look that hangs is left behind; it must not be joined by another at each interval.
    limiter: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(1))

    async def look(self) -> Result:
        """See `Check`."""
        with trio.move_on_after(self.timeout):
            return await trio.to_thread.run_sync(
                self.read, abandon_on_cancel=True, limiter=self.limiter
            )
        return self.late()


@dataclass(slots=True)
class _Absence:
    path: str
    was_there: bool = False

    def look(self) -> Result:
        """Look for the file; where that can not be known, it is as it was."""
        try:
            self.was_there = is_there(self.path)
        except OSError as exc:
            return self.as_before(exc.strerror or "unknown")
        if self.was_there:
            return Result(Outcome.FAIL, f"{self.path} is there")
        return Result(Outcome.PASS)

    def as_before(self, why: str) -> Result:
        """What is said when there is no knowing."""
        return Result(Outcome.FAIL if self.was_there else Outcome.WARNING, f"{self.path}: {why}")


class _Itself(OSError):
    """The connection is one with itself."""


async def _connect(host: str, port: int | str) -> trio.SocketStream:
    """Connect; cancellable.

    Raises:
        OSError: nobody is there.
    """
    assert isinstance(port, int), "the check is to be resolved first"
    stream = await trio.open_tcp_stream(host, port)
    try:
        # Where nobody listens on a port of this machine that is also one for clients, TCP may
        # connect a socket to itself: no sign of life, and the service could not take its port.
        if stream.socket.getsockname() == stream.socket.getpeername():
            raise _Itself("connection refused")
    except OSError:
        await trio.aclose_forcefully(stream)
        raise
    return stream


async def _exchange(stream: trio.abc.Stream, exchange: HttpExchange) -> None:
    try:
        await stream.send_all(exchange.request())
    except trio.BrokenResourceError:
        # A server may refuse before it has read: what it said is still to be had.
        await trio.lowlevel.checkpoint()
    while exchange.result is None:
        exchange.receive(await stream.receive_some(_CHUNK))


def _trust(target: HttpTarget) -> ssl.SSLContext | None:
    if not target.tls:
        return None
    try:
        context = ssl.create_default_context(cafile=target.cacert or None)
    except OSError as exc:  # ssl.SSLError is one
        raise ConfigError(f"cacert={target.cacert}: {exc.strerror or exc}") from exc
    if target.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _has_port(name: str) -> bool:
    return name.rpartition(":")[2].isdecimal() and not name.endswith("]")


def _reason(exc: BaseException) -> str:
    """Why a connection failed, for people: the innermost reason, of several the first."""
    while True:
        inner = exc.__cause__
        if isinstance(inner, BaseExceptionGroup):
            inner = next(leaves(inner))
        if inner is None:
            break
        exc = inner
    if isinstance(exc, ssl.SSLCertVerificationError):
        return f"TLS: {exc.verify_message}"
    if isinstance(exc, ssl.SSLError):
        return f"TLS: {exc.reason or exc.strerror or exc}"
    if isinstance(exc, OSError) and exc.strerror:
        # Trio says the address as well; what can not be resolved has a number below 0.
        number = exc.errno or 0
        return (os.strerror(number) if number > 0 else exc.strerror).lower()
    return str(exc) or "the connection broke"
