"""The answers to keepalives, known by their last bytes.

A server answers each renewal of a lease with the same two numbers behind a header that nobody
reads. So what follows the header is compared with what is expected, which costs a tenth of decoding
it; any answer that is not quite so is decoded.
"""

from .messages_lease import LeaseKeepAliveResponse
from .wire import encode

__all__ = ["expected_tail", "tail"]

_HEADER_TAG = 0x0A
_SHORT = 0x80  # a length below this is one byte


def expected_tail(lease_id: int, ttl: int) -> bytes:
    """What follows the header of an answer that a lease was renewed for `ttl` seconds."""
    return encode(LeaseKeepAliveResponse(ID=lease_id, TTL=ttl))


def tail(body: bytes) -> bytes:
    """What follows the header of an answer; empty where it does not begin with a short one."""
    if len(body) > 1 and body[0] == _HEADER_TAG and body[1] < _SHORT:
        return body[2 + body[1] :]
    return b""
