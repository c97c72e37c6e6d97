"""The control socket of a Kea server: one command and its answer for each connection.

Documentation: Kea Administrator Reference Manual, "Management API".
"""

import errno
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import trio

from ..errors import TransientError

__all__ = ["Answer", "KeaError", "KeaGarbled", "KeaRefused", "KeaSocket", "KeaUnreachable"]

_CHUNK: Final = 64 * 1024  # bytes
_SUCCESS: Final = 0
_UNSUPPORTED: Final = 2
_EMPTY: Final = 3


class KeaError(TransientError):
    """A Kea server did not do what it was asked for."""


class KeaUnreachable(KeaError):
    """Nobody listens, or the answer did not come in time, or not to its end."""


class KeaGarbled(KeaError):
    """What came is no answer of a Kea server."""


class KeaRefused(KeaError):
    """The server says no.

    Attributes:
        answer: what it said.
    """

    def __init__(self, message: str, answer: "Answer") -> None:
        super().__init__(message)
        self.answer = answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server said.

    Attributes:
        result: 0 success, 1 error, 2 not supported, 3 nothing found; others may come.
        text: for people; may be empty.
        arguments: for programs: what JSON can hold; None when there are none.
    """

    result: int
    text: str = ""
    arguments: Any = field(default=None, repr=False)

    @property
    def ok(self) -> bool:
        """Whether it did it."""
        return self.result == _SUCCESS

    @property
    def unsupported(self) -> bool:
        """Whether it does not know the command, for which a hook library may be missing."""
        return self.result == _UNSUPPORTED

    @property
    def empty(self) -> bool:
        """Whether there is no such thing as was asked for."""
        return self.result == _EMPTY


class KeaSocket:
    """A server's control socket.

    Args:
        path: of the socket, in the file system.
        timeout: seconds for a command and its answer.
        limit: bytes of an answer; ``config-get`` answers with all of a configuration.
    """

    def __init__(
        self, path: Path, *, timeout: float = 30.0, limit: int = 256 * 1024 * 1024
    ) -> None:
        self.path = path
        self._timeout = timeout
        self._limit = limit

    async def command(self, name: str, arguments: Mapping[str, Any] | None = None) -> Answer:
        """Send a command, and return the answer, whatever it is.

        Raises:
            KeaUnreachable, KeaGarbled: there is none.
        """
        asked = (
            {"command": name} if arguments is None else {"command": name, "arguments": arguments}
        )
        return await self._exchange(name, [json.dumps(asked).encode()])

    async def command_with(self, name: str, document: Sequence[bytes]) -> Answer:
        """Send a command whose arguments are a JSON document in pieces.

        Raises:
            KeaUnreachable, KeaGarbled: there is no answer.
        """
        opening = b'{"command":%s,"arguments":' % json.dumps(name).encode()
        return await self._exchange(name, (opening, *document, b"}"))

    async def demand(self, name: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """Send a command, and return the arguments of the answer.

        Raises:
            KeaRefused: it did not do it.
            KeaUnreachable, KeaGarbled: there is no answer.
        """
        return self.granted(name, await self.command(name, arguments)).arguments

    def granted(self, name: str, answer: Answer) -> Answer:
        """Return an answer that is a success.

        Raises:
            KeaRefused: it is none.
        """
        if not answer.ok:
            said = answer.text or f"result {answer.result}"
            raise KeaRefused(f"Kea at {self.path} refuses {name}: {said}", answer)
        return answer

    async def _exchange(self, name: str, pieces: Iterable[bytes]) -> Answer:
        try:
            with trio.fail_after(self._timeout):
                said = await self._talk(pieces)
        except trio.TooSlowError as exc:
            raise KeaUnreachable(
                f"Kea at {self.path} did not answer {name} within {self._timeout:g} s"
            ) from exc
        if not said:
            raise KeaUnreachable(
                f"Kea at {self.path} closed the connection without an answer to {name}"
            )
        try:
            return _parse(said)
        except (ValueError, RecursionError) as exc:
            raise KeaGarbled(f"Kea at {self.path}: no valid answer to {name}: {exc}") from exc

    async def _talk(self, pieces: Iterable[bytes]) -> bytearray:
        said = bytearray()
        # Both at once: it may answer, and close, before it has heard everything.
        async with await self._connect() as stream, trio.open_nursery() as nursery:
            nursery.start_soon(_send, stream, pieces)
            # It closes after its answer. Our half is not closed before: some versions take that for
            # the end of the connection.
            with suppress(trio.BrokenResourceError):
                while len(said) <= self._limit and (chunk := await stream.receive_some(_CHUNK)):
                    said += chunk
            nursery.cancel_scope.cancel()
        if len(said) > self._limit:
            raise KeaGarbled(f"Kea at {self.path} answers more than {self._limit} bytes")
        return said

    async def _connect(self) -> trio.SocketStream:
        try:
            return await trio.open_unix_socket(os.fspath(self.path))
        except OSError as exc:
            why = exc.strerror or str(exc)
            if exc.errno in (errno.ENOENT, errno.ECONNREFUSED):
                why = "nobody listens; is the server running, with this control socket?"
            elif exc.errno in (errno.EACCES, errno.EPERM):
                why = f"user {os.geteuid()} may not connect to it"
            raise KeaUnreachable(f"can not reach Kea at {self.path}: {why}") from exc


async def _send(stream: trio.SocketStream, pieces: Iterable[bytes]) -> None:
    with suppress(trio.BrokenResourceError):
        for piece in pieces:
            await stream.send_all(piece)


def _parse(said: bytearray) -> Answer:
    """Read an answer.

    Raises:
        ValueError: it is none.
        RecursionError: it is too deep.
    """
    answer: Any = json.loads(said)
    if isinstance(answer, list) and len(answer) == 1:  # as the Control Agent answers
        answer = answer[0]
    if not isinstance(answer, dict):
        raise ValueError("it is not an object")
    result, text = answer.get("result"), answer.get("text", "")
    if type(result) is not int or not isinstance(text, str):
        raise ValueError("it has no result")
    return Answer(result=result, text=text, arguments=answer.get("arguments"))
