"""One subnet of a Kea configuration, with the reservations in it. Pure."""

import json
from typing import Any

from .model import Host
from .rows import Rows

__all__ = ["KeaSubnet", "list_pieces", "parse_row", "reservation_text"]


class KeaSubnet:
    """The text of one subnet.

    Attributes:
        network: in CIDR notation.
        rows: its reservations, each with a comma before it.
        given: the router that a host is given without being told of it; None for none.
        silent: how many of its hosts tell no router. While there are some, the subnet announces
            none either: Kea could not keep it from them.
    """

    def __init__(self, network: str, version: int) -> None:
        self.network = network
        self.version = version
        self.rows = Rows()
        self.given: str | None = None
        self.silent = 0
        self._head = b""
        self._cached: tuple[tuple[bytes, ...], tuple[bytes, ...]] | None = None

    def set_head(self, number: int, gateway: str | None) -> bool:
        """Say what stands before the reservations; return whether it is different now."""
        options = [{"name": "routers", "data": gateway}] if gateway and self.version == 4 else []
        fields: dict[str, Any] = {
            "id": number,
            "subnet": self.network,
            # No pool is ours: each address is somebody's, and Kea need not look for more.
            "reservations-global": False,
            "reservations-in-subnet": True,
            "reservations-out-of-pool": True,
            "option-data": options,
        }
        text = json.dumps(fields)[:-1]
        head = f',\n      {text}, "reservations": ['.encode()
        if head == self._head:
            return False
        self._head = head
        self._cached = None
        return True

    def pieces(self) -> tuple[bytes, ...]:
        """Return the subnet as an item of a list, with a comma before it."""
        rows = self.rows.pieces()
        if self._cached is None or self._cached[0] is not rows:
            self._cached = (rows, (self._head, *list_pieces(rows, first=True), b"] }"))
        return self._cached[1]


def list_pieces(rows: tuple[bytes, ...], first: bool) -> tuple[bytes, ...]:
    """Return the rows of a list; without the comma of the first when nothing stands before it."""
    return (rows[0][1:], *rows[1:]) if rows and first else rows


def reservation_text(host: Host, classes: str, given: str | None) -> str:
    """Return a reservation as JSON.

    Args:
        host: whose texts need no escaping: its id, MAC, addresses and name have been checked.
        classes: the JSON of the list of its classes.
        given: the router that it is given anyhow.
    """
    key, mac, address, (_, _, _, gateway, version), name, _ = host
    reserved = f'"ip-address": "{address}"' if version == 4 else f'"ip-addresses": ["{address}"]'
    hostname = f', "hostname": "{name}"' if name else ""
    routers = ""
    if gateway != given and gateway and version == 4:
        routers = f', "option-data": [{{"name": "routers", "data": "{gateway}"}}]'
    return (
        f'{{"hw-address": "{mac}", {reserved}{hostname}{routers}, "client-classes": {classes}, '
        f'"user-context": {{"lochkit-id": "{key}"}}}}'
    )


def parse_row(row: bytes) -> dict[str, Any]:
    """Return the object in a row."""
    found: dict[str, Any] = json.loads(row.lstrip(b",\n "))
    return found
