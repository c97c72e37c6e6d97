"""Where the registry keeps its records: the keys of the original, perhaps below a namespace.

An instance is ``/services/SERVICE/UUID``, what all instances have in common
``/services_infos/SERVICE``.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from ..etcd.prefix import KeyRange

__all__ = ["DEFAULT_LAYOUT", "InstanceKey", "Layout"]


class InstanceKey(NamedTuple):
    """The names in the key of an instance."""

    service: str
    uuid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The keys of a registry.

    Attributes:
        namespace: what all keys begin with, such as ``/blue``; empty for the original's own keys.
    """

    namespace: str = ""

    @property
    def instances(self) -> KeyRange:
        """All instances of all services."""
        return KeyRange.prefix(self._hosts())

    @property
    def infos(self) -> KeyRange:
        """What is known of all services."""
        return KeyRange.prefix(self._infos())

    def service(self, service: str) -> KeyRange:
        """All instances of one service; those of ``web2`` are not ``web``'s."""
        return KeyRange.prefix(self._hosts() + service.encode() + b"/")

    def instance_key(self, service: str, uuid: str) -> bytes:
        """The key of one instance."""
        return self._hosts() + f"{service}/{uuid}".encode()

    def infos_key(self, service: str) -> bytes:
        """The key of what all instances of a service have in common."""
        return self._infos() + service.encode()

    def parse_instance(self, key: bytes) -> InstanceKey | None:
        """The names in the key of an instance, None when it is no such key.

        A key at a greater depth, which no writer should make, belongs to the service of its first
        part; all the rest is its id.
        """
        rest = _after(key, self._hosts())
        service, _, below = (rest or "").partition("/")
        return InstanceKey(service, below) if service and below else None

    def parse_infos(self, key: bytes) -> str | None:
        """The service in the key of its infos, None when it is no such key."""
        return _after(key, self._infos()) or None

    def _hosts(self) -> bytes:
        return self.namespace.encode() + b"/services/"

    def _infos(self) -> bytes:
        return self.namespace.encode() + b"/services_infos/"


def _after(key: bytes, prefix: bytes) -> str | None:
    if not key.startswith(prefix):
        return None
    return key[len(prefix) :].decode("utf-8", "backslashreplace")


DEFAULT_LAYOUT: Final = Layout()
