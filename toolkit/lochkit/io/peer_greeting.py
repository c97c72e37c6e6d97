"""The beginning of a connection: TLS, and the banner."""

import trio

from ..wire.banner import (
    BANNER_LIMIT,
    REFUSAL_LIMIT,
    check_answer,
    check_banner,
    encode_banner,
    encode_refusal,
    is_banner_so_far,
)
from ..wire.certificate import certificate_name
from ..wire.faults import WireFault
from .peer_errors import PeerClosed, PeerRefused
from .peer_line import Line, TlsLine
from .peer_link import read_some, write_all

__all__ = ["ask", "hear", "shake_hands"]


async def shake_hands(line: TlsLine) -> str:
    """Do TLS's handshake.

    Returns:
        The name in the other end's certificate.

    Raises:
        OSError: it failed.
        WireFault: the certificate has no name that can be used.
    """
    while not line.shake_hands():
        await trio.lowlevel.wait_readable(line.socket)
    while not line.flush():
        await trio.lowlevel.wait_writable(line.socket)
    return certificate_name(line.certificate())


async def ask(line: Line, service: str, address: str) -> None:
    """Speak first, as a client, and hear whether the server agrees.

    Raises:
        PeerRefused: it does not.
        PeerClosed: it hung up.
        OSError: the connection broke.
        WireFault: what came is no answer.
    """
    await write_all(line, encode_banner(service))
    said = await _read_line(line, REFUSAL_LIMIT)
    if not said:
        raise PeerClosed(f"{address} hung up; perhaps it wants TLS, or no more connections")
    reason = check_answer(said, service)
    if reason is not None:
        raise PeerRefused(f"{address} refused: {reason}")


async def hear(line: Line, service: str, address: str) -> None:
    """Hear as a server what is asked for; the answer is the caller's, unless it is a refusal.

    Raises:
        PeerClosed: nothing was asked for.
        OSError: the connection broke.
        WireFault: it is not what is served; the client has been told.
    """
    said = await _read_line(line, BANNER_LIMIT)
    if not said:
        raise PeerClosed(f"{address} hung up before it asked for anything")
    try:
        check_banner(said, service)
    except WireFault as exc:
        await write_all(line, encode_refusal(str(exc)))  # noqa: ASYNC120 (then it is not told)
        raise


async def _read_line(line: Line, limit: int) -> bytes:
    """Read to the end of the line, or as long as it may be one of ours.

    Byte by byte: nothing that follows it may be taken out of the connection.
    """
    said = b""
    byte = bytearray(1)
    while len(said) < limit and not said.endswith(b"\n") and is_banner_so_far(said):
        if not await read_some(line, memoryview(byte)):
            break
        said += byte
    return said
