"""One request and its answer, as a health check makes them: no network in here.

The answer comes from a server that may be broken or hostile: what is read of it is bounded, and
nothing that it says is followed.
"""

from typing import Final

import h11

from .check_model import HttpTarget
from .health import MOST_OUTPUT, Outcome, Result

__all__ = ["MOST_ANSWER", "HttpExchange"]

MOST_ANSWER: Final = 64 * 1024
"""Bytes that are read of an answer; its status decides when there are more."""

_MOST_HEADER: Final = 16 * 1024  # bytes
_AGENT: Final = "lochkit-check"
_DEFAULT_PORTS: Final = {False: 80, True: 443}


class HttpExchange:
    """A request, and what has come of its answer.

    Args:
        target: with a number for a port.

    Attributes:
        result: what the answer says; None until it is known.
    """

    def __init__(self, target: HttpTarget) -> None:
        self._target = target
        self._connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MOST_HEADER)
        self._response: h11.Response | None = None
        self._body = bytearray()
        self._read = 0
        self.result: Result | None = None

    def request(self) -> bytes:
        """What is sent; once."""
        target = self._target
        headers = [
            ("Host", target.name or _authority(target)),
            ("User-Agent", _AGENT),
            ("Accept", "*/*"),
            ("Connection", "close"),
        ]
        if target.method not in ("GET", "HEAD"):
            headers.append(("Content-Length", "0"))
        request = h11.Request(method=target.method, target=target.path, headers=headers)
        sent = self._connection.send(request) or b""
        return sent + (self._connection.send(h11.EndOfMessage()) or b"")

    def receive(self, data: bytes | bytearray) -> None:
        """Take in what has come; nothing is the end of the connection.

        Nothing is taken in any more when there is a result.
        """
        if self.result is not None:
            return
        self._read += len(data)
        try:
            self._connection.receive_data(bytes(data))
            self._take_events()
        except h11.RemoteProtocolError as exc:
            if self._read == 0:
                self._fail("the connection was closed without an answer")
            elif self._response is None:
                self._fail(f"not HTTP: {exc}")
            else:
                self._fail(f"broken answer: {exc}")
        self._limit()

    def cut(self) -> str:
        """What has not come, for people, when it takes too long."""
        return "no answer" if self._response is None else "no end of the answer"

    def _limit(self) -> None:
        if self.result is None and self._read >= MOST_ANSWER:
            # Only of a body: no status line or header is as long. But there may be any number of
            # answers that come before the answer.
            if self._response is None:
                self._fail("too much before the answer")
            else:
                self._judge(self._response)

    def _take_events(self) -> None:
        while self.result is None:
            event = self._connection.next_event()
            match event:
                case h11.Response():
                    self._response = event
                case h11.Data():
                    self._body += event.data[: MOST_OUTPUT - len(self._body)]
                case h11.EndOfMessage():
                    assert self._response is not None  # h11 sees to that
                    self._judge(self._response)
                case h11.NEED_DATA | h11.PAUSED:
                    return

    def _judge(self, response: h11.Response) -> None:
        status, target = response.status_code, self._target
        if status in target.good:
            outcome = Outcome.PASS
        else:
            outcome = Outcome.WARNING if status in target.warning else Outcome.FAIL
        reason = response.reason.decode("ascii", "replace")
        first = f"status {status} {reason}".rstrip()
        body = self._body.decode("utf-8", "replace").strip()
        self.result = Result(outcome, f"{first}\n{body}" if body else first)

    def _fail(self, why: str) -> None:
        self.result = Result(Outcome.FAIL, why)


def _authority(target: HttpTarget) -> str:
    host = f"[{target.host.partition('%')[0]}]" if ":" in target.host else target.host
    return host if target.port == _DEFAULT_PORTS[target.tls] else f"{host}:{target.port}"
