"""Single calls: which connection, which token, how often to try, and until when."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import trio

from ..runtime.backoff import Backoff
from .answers import read_answer
from .auth import Login, token_metadata
from .errors import (
    ConnectionLost,
    DeadlineExceeded,
    EtcdError,
    NoLeader,
    Unauthenticated,
    Unavailable,
)
from .link import Link
from .messages import Message
from .wire import encode

__all__ = ["Caller", "Rpc"]

RequestT = TypeVar("RequestT", bound=Message)
ResponseT = TypeVar("ResponseT", bound=Message)

_RETRY = Backoff(base=0.05, factor=2.0, maximum=2.0)


@dataclass(frozen=True, slots=True)
class Rpc(Generic[RequestT, ResponseT]):
    """One method of etcd's API.

    Attributes:
        path: its HTTP/2 path.
        request: the type of its argument.
        response: the type of the answer.
        repeatable: doing it twice is the same as doing it once, so that it may be sent again when
            the connection broke before the answer came. Other calls are only repeated when the
            server surely did not act.
    """

    path: str
    request: type[RequestT]
    response: type[ResponseT]
    repeatable: bool = False


class Caller:
    """Sends requests over a link until one is answered or the time is up.

    Args:
        link: the connection for calls.
        login: the token.
        timeout: seconds one call may take in all, unless the call says otherwise.
        max_message_bytes: passed to the decoder.
        jitter: numbers in [0, 1).
    """

    def __init__(
        self,
        link: Link,
        login: Login,
        *,
        timeout: float,
        max_message_bytes: int,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.link = link
        self.login = login
        self._timeout = timeout
        self._limit = max_message_bytes
        self._jitter = jitter

    async def call(
        self,
        rpc: Rpc[RequestT, ResponseT],
        request: RequestT,
        *,
        timeout: float | None = None,
        persist: bool = True,
    ) -> ResponseT:
        """Send `request`, return the answer.

        Args:
            rpc: what to call.
            request: its argument.
            timeout: seconds in all, retries included; None takes the client's own.
            persist: try again until the time is up where that is safe; without it every endpoint is
                tried once, for those who have their own way of waiting.

        Raises:
            DeadlineExceeded: no answer in time; a write may or may not have been committed.
            Unavailable: no endpoint could be asked, or the connection broke under a call that must
                not be repeated.
            EtcdError: what etcd answered.
        """
        answer = await self.ask(rpc, request, timeout=timeout, persist=persist)
        return read_answer(rpc.response, answer, limit=self._limit)

    async def ask(
        self,
        rpc: Rpc[RequestT, ResponseT],
        request: RequestT,
        *,
        timeout: float | None = None,
        persist: bool = True,
    ) -> bytes:
        """Do as `call` does, and return the answer as it came."""
        seconds = self._timeout if timeout is None else timeout
        body = encode(request)
        fault: EtcdError | None = None
        renewed = False
        failures = 0
        with trio.move_on_after(seconds) as limit:
            while True:
                try:
                    return await self._attempt(rpc, body, limit.deadline)
                except Unauthenticated as error:
                    if renewed or not self.login.can_renew:
                        raise
                    renewed, fault = True, error
                except Unavailable as error:
                    safe = rpc.repeatable or getattr(error, "unprocessed", False)
                    if not (safe and persist):
                        raise
                    failures += 1
                    fault = error
                    await trio.sleep(_RETRY.jittered(failures, self._jitter()))
        reason = f"; last: {fault}" if fault is not None else ""
        name = rpc.path.rpartition("/")[2]
        raise DeadlineExceeded(f"etcd: no answer to {name} within {seconds:g} s{reason}") from fault

    def turn_away(self, error: Unavailable) -> None:
        """See `Client.turn_away`."""
        self.link.turn_away(error)

    async def _attempt(self, rpc: Rpc[RequestT, ResponseT], body: bytes, deadline: float) -> bytes:
        try:
            connection = await self.link.connection()
            token = await self.login.token(connection)
        except Unavailable as error:  # whatever broke, the request itself was never sent
            raise ConnectionLost(str(error), unprocessed=True) from error
        metadata = (*token_metadata(token), *_time_limit(deadline))
        try:
            return await connection.unary(rpc.path, body, metadata)
        except Unauthenticated:
            self.login.forget(token)
            raise
        except NoLeader as error:
            # This member is cut off; one of the others may not be.
            self.link.leave(connection, error)
            raise


def _time_limit(deadline: float) -> tuple[tuple[str, str], ...]:
    """Our deadline for the server, so that it stops working for a caller who has left."""
    if deadline == math.inf:
        return ()
    milliseconds = max(1, math.ceil((deadline - trio.current_time()) * 1000))
    return (("grpc-timeout", f"{milliseconds}m" if milliseconds < 10**8 else f"{10**5}S"),)
