"""Saying which permission is missing: etcd itself says only that one is. Pure."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ..etcd.errors import PermissionDenied
from ..etcd.prefix import KeyRange

__all__ = ["WITHOUT_INFOS", "needing"]

WITHOUT_INFOS: Final = "what instances have in common may not be read: looking without it"
"""What to log when the instances may be read, and the infos may not."""


@contextmanager
def needing(kind: str, *wanted: KeyRange | str) -> Iterator[None]:
    """Say of a refusal in the block what would have been needed.

    Args:
        kind: of permission: ``read``, ``write`` or ``readwrite``.
        wanted: for what.

    Raises:
        PermissionDenied: what the block raises, with that said.
    """
    try:
        yield
    except PermissionDenied as refusal:
        text = f"{kind} permission is needed for {', '.join(map(str, wanted))}"
        raise PermissionDenied(refusal.code, f"{refusal.message}; {text}") from refusal
