r"""The first line in both directions: ``lochkit-zfs 1 streams\n``.

The client speaks first. The server answers with the same line, or with one that says why not:
``lochkit-zfs refused: this is orders\n``. What is not a banner is known by its first byte, so that
nobody who speaks something else is listened to for long.
"""

from typing import Final

from .faults import WireFault

__all__ = [
    "BANNER_LIMIT",
    "REFUSAL_LIMIT",
    "check_answer",
    "check_banner",
    "encode_banner",
    "encode_refusal",
    "is_banner_so_far",
]

VERSION: Final = 1
BANNER_LIMIT: Final = 64  # bytes, with the end of the line
REFUSAL_LIMIT: Final = 200  # bytes, likewise

_MAGIC: Final = b"lochkit-zfs "
_REFUSED: Final = _MAGIC + b"refused: "
_TLS_HANDSHAKE: Final = b"\x16"  # the content type of a ClientHello's record, RFC 8446, 5.1
_TLS_ALERT: Final = b"\x15"


def encode_banner(service: str) -> bytes:
    """The line that asks for, or offers, a service.

    Args:
        service: one short word of ASCII.
    """
    return b"%s%d %s\n" % (_MAGIC, VERSION, service.encode("ascii"))


def encode_refusal(reason: str) -> bytes:
    """The line that refuses; a long reason is cut."""
    text = " ".join(reason.split()).encode("ascii", "replace")
    return (_REFUSED + text)[: REFUSAL_LIMIT - 1] + b"\n"


def is_banner_so_far(line: bytes) -> bool:
    """Whether a line that has not ended yet may still become a banner."""
    return _MAGIC.startswith(line[: len(_MAGIC)]) and b"\0" not in line


def check_banner(line: bytes, service: str) -> None:
    """See whether a client's whole line, or what came instead of it, asks for this service.

    Raises:
        WireFault: it does not.
    """
    _check_magic(line)
    words = line[len(_MAGIC) :].split()
    if len(words) != 2 or not line.endswith(b"\n"):
        raise WireFault(f"a banner was expected, and {_shown(line)} came")
    version, asked = words
    if version != b"%d" % VERSION:
        raise WireFault(f"this is version {VERSION} of the protocol, not {_shown(version)}")
    if asked != service.encode("ascii"):
        raise WireFault(f"this is the port for {service}, not for {_shown(asked)}")


def check_answer(line: bytes, service: str) -> str | None:
    """See whether a server's whole line, or what came instead of it, is what was asked for.

    Returns:
        The reason why the server refuses, for a person; None when it does not.

    Raises:
        WireFault: it is neither banner nor refusal.
    """
    if line.startswith(_REFUSED):
        return "".join(
            char if char.isprintable() else "?"
            for char in line[len(_REFUSED) : -1].decode("latin1")
        )
    check_banner(line, service)
    return None


def _check_magic(line: bytes) -> None:
    if line.startswith((_TLS_HANDSHAKE, _TLS_ALERT)):
        raise WireFault("the other end speaks TLS, and this one plain text")
    if not line.startswith(_MAGIC):
        raise WireFault(f"a banner of lochkit was expected, and {_shown(line)} came")


def _shown(data: bytes) -> str:
    text = repr(data[:32])[1:]
    return f"{text}..." if len(data) > 32 else text
