"""The record of our own instance, in which others may have put fields of theirs. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .errors import BadRecord, InvalidHost
from .host import Host, State
from .records import decode_host, encode_host

__all__ = ["Foreign", "own_view", "says_leaving"]


@dataclass(slots=True)
class Foreign:
    """The fields of others in our record; they survive whatever we write there.

    Attributes:
        fields: those beside ours.
        own_fields: those in the object of ours.
    """

    fields: dict[str, Any] = field(default_factory=dict)
    own_fields: dict[str, Any] = field(default_factory=dict)
    _ours: frozenset[str] = frozenset()
    _own_ours: frozenset[str] = frozenset()

    def claim(self, host: Host) -> None:
        """The fields of `host` that have no name here are its owner's, also when they are gone."""
        self._ours |= host.extra.keys()
        self._own_ours |= host.extra_own.keys()

    def learn(self, value: bytes) -> None:
        """Take over what others have put into the record; of one that cannot be read, nothing."""
        try:
            found, _ = decode_host(value)
        except BadRecord:
            return
        self.fields = _without(found.extra, self._ours)
        self.own_fields = _without(found.extra_own, self._own_ours)

    def encode(self, host: Host) -> bytes:
        """The record, with the fields of others unless these cannot be written.

        Raises:
            InvalidHost: the host itself cannot be written.
        """
        if not self.fields and not self.own_fields:
            return encode_host(host)
        with_them = replace(
            host,
            extra={**self.fields, **host.extra},
            extra_own={**self.own_fields, **host.extra_own},
        )
        try:
            return encode_host(with_them)
        except InvalidHost:  # others may write what JSON has no way to write
            return encode_host(host)


def own_view(host: Host, adopted_at: int, *, passwords: bool) -> Host:
    """The host as its own record tells it.

    Args:
        host: with the credentials that are in force.
        adopted_at: the revision of the record that they are from.
        passwords: whether they are told.
    """
    if host.public and host.credentials:
        host = replace(host, credentials_revision=adopted_at)
    return host if passwords else replace(host, user="", password="")


def says_leaving(value: bytes) -> bool:
    """Whether a record says that its instance leaves."""
    try:
        return decode_host(value)[0].state is State.LEAVING
    except BadRecord:
        return False


def _without(fields: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}
