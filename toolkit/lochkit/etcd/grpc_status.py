"""How a gRPC call ended, read from HTTP/2 headers, trailers and resets (``PROTOCOL-HTTP2.md``)."""

from typing import Final
from urllib.parse import unquote

from .errors import ConnectionLost, EtcdError, ProtocolError, Unavailable, rpc_error

__all__ = ["answer_error", "reset_error", "status_error"]

_REFUSED_STREAM: Final = 7
"""The one HTTP/2 error code that promises that nothing was done (RFC 9113, section 8.7)."""


def answer_error(headers: dict[str, str]) -> EtcdError | None:
    """What is wrong with the headers that begin an answer, None when they are gRPC's."""
    status = headers.get(":status", "")
    if status == "200" and headers.get("content-type", "").startswith("application/grpc"):
        return None
    if status in ("429", "502", "503", "504"):  # a proxy speaks for a server it cannot reach
        return Unavailable(f"the endpoint answered HTTP status {status}")
    return ProtocolError(
        f"the endpoint does not speak gRPC (HTTP status {status or 'missing'}):"
        " is it etcd's client port?"
    )


def status_error(headers: dict[str, str]) -> EtcdError | None:
    """The error in the trailers that end an answer, None for success."""
    text = headers["grpc-status"]
    if text == "0":
        return None
    message = unquote(headers.get("grpc-message", ""))
    if not text.isascii() or not text.isdigit() or len(text) > 3:
        return ProtocolError(f"the server sent the unreadable grpc-status {text[:20]!r}")
    return rpc_error(int(text), message)


def reset_error(code: int) -> EtcdError:
    """The error for a stream the server reset."""
    return ConnectionLost(
        f"the server reset the call (HTTP/2 error {code})", unprocessed=code == _REFUSED_STREAM
    )
