"""`GrpcServer` with etcd's messages: a script of answers, one function for each method."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import trio

from lochkit.etcd.auth import Login
from lochkit.etcd.caller import Caller
from lochkit.etcd.config import Credentials, Endpoint, parse_endpoint
from lochkit.etcd.connection import Connection
from lochkit.etcd.errors import Unavailable
from lochkit.etcd.link import Link
from lochkit.etcd.messages import (
    AuthenticateRequest,
    AuthenticateResponse,
    Message,
    ResponseHeader,
)
from lochkit.etcd.wire import decode, encode
from tests.etcd.grpc_server import Call, GrpcServer, connect

HEADER = ResponseHeader(cluster_id=7, member_id=1, revision=10, raft_term=2)

Answer = Callable[[Call], Awaitable[None]]


def request_of(call: Call, kind: type[Any]) -> Any:
    """The first message of a call."""
    return decode(kind, bytes(call.body[5:]))


def replies(message: Message) -> Answer:
    """Answer every call with this."""

    async def answer(call: Call) -> None:
        await call.answer(encode(message))

    return answer


def fails(status: int, text: str) -> Answer:
    """Answer every call with this error."""

    async def answer(call: Call) -> None:
        await call.answer(status=status, message=text)

    return answer


class Members:
    """Endpoints that a link can dial: each a script by method name, or None for one that is
    down."""

    def __init__(self, nursery: trio.Nursery, **scripts: Mapping[str, Answer] | None) -> None:
        self.nursery = nursery
        self.scripts: dict[str, Mapping[str, Answer] | None] = dict(scripts)
        self.dialled: list[str] = []
        self.calls: list[tuple[str, str, Call]] = []
        self.servers: dict[str, GrpcServer] = {}
        self.endpoints = tuple(parse_endpoint(f"http://{name}:1") for name in scripts)

    async def dial(self, endpoint: Endpoint) -> Connection:
        """What `Link` asks for."""
        await trio.lowlevel.checkpoint()
        self.dialled.append(endpoint.host)
        script = self.scripts[endpoint.host]
        if script is None:
            raise Unavailable(f"{endpoint}: Connection refused")

        async def handle(call: Call) -> None:
            method = call.path.rpartition("/")[2]
            self.calls.append((endpoint.host, method, call))
            await script[method](call)

        connection, server = connect(self.nursery, handle, whole=not self._streams(script))
        self.servers[endpoint.host] = server
        await connection.settled.wait()
        return connection

    @staticmethod
    def _streams(script: Mapping[str, Answer]) -> bool:
        return bool(script.keys() & {"Watch", "LeaseKeepAlive"})

    def methods(self) -> list[tuple[str, str]]:
        """The calls so far, as (member, method)."""
        return [(member, method) for member, method, _ in self.calls]

    def link(self) -> Link:
        """A link over all members."""
        return Link(self.endpoints, self.dial, "tests")

    def caller(self, *, credentials: Credentials | None = None, timeout: float = 5.0) -> Caller:
        """A caller over all members, without luck in its waits."""
        return Caller(
            self.link(),
            Login(credentials),
            timeout=timeout,
            max_message_bytes=1 << 20,
            jitter=lambda: 0.0,
        )


def tokens(*names: str) -> Answer:
    """A login that hands out these tokens in turn."""
    left = list(names)

    async def answer(call: Call) -> None:
        request_of(call, AuthenticateRequest)
        await call.answer(encode(AuthenticateResponse(header=HEADER, token=left.pop(0))))

    return answer


__all__ = ["HEADER", "Answer", "Members", "fails", "replies", "tokens"]
