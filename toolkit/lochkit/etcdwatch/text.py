"""Etcd's bytes as text, and what to do with those that are none. Pure."""

import base64
from dataclasses import dataclass
from enum import Enum
from typing import Final

__all__ = ["Base64", "Binary", "Leaf", "key_text", "leaf_of"]

MARK: Final = "base64:"


class Binary(Enum):
    """What becomes of a key or a value that is not UTF-8."""

    ERROR = "error"
    """The state is refused until it is gone."""
    BASE64 = "base64"
    """A value becomes an object with the member ``base64``, a segment of a key ``base64:TEXT``."""
    SKIP = "skip"
    """The key is left out."""


@dataclass(frozen=True, slots=True)
class Base64:
    """A value that is not text, in the standard alphabet of RFC 4648."""

    text: str


Leaf = str | Base64


def leaf_of(value: bytes, policy: Binary) -> Leaf | None:
    """Return a value as text, or under ``Binary.BASE64`` encoded; None when it is neither."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        if policy is Binary.BASE64:
            return Base64(base64.b64encode(value).decode())
        return None


def key_text(key: bytes, policy: Binary) -> str | None:
    """Return a key as text; None when it has none.

    Under ``Binary.BASE64`` every segment that is not UTF-8, or that could be mistaken for the
    result of this encoding, becomes ``base64:`` and the segment in the alphabet without slashes. No
    two keys have the same text.
    """
    try:
        text = key.decode()
    except UnicodeDecodeError:
        if policy is not Binary.BASE64:
            return None
    else:
        if policy is not Binary.BASE64 or MARK not in text:
            return text
    return "/".join(map(_segment_text, key.split(b"/")))


def _segment_text(segment: bytes) -> str:
    try:
        text = segment.decode()
    except UnicodeDecodeError:
        pass
    else:
        if not text.startswith(MARK):
            return text
    return MARK + base64.urlsafe_b64encode(segment).decode()
