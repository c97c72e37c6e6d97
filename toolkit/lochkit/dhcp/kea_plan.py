"""What to tell a running Kea server for hosts that have changed, one by one. Pure."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from .kea_family import ReservationChange

__all__ = ["knows_reservations", "lease_query", "lease_to_end", "steps"]

# Since then the library for hosts is part of the free Kea, and takes `operation-target`. An older
# one would, without being told otherwise, put hosts into a database, where they would outlive us.
_OLDEST: Final = (2, 7, 7)


def knows_reservations(commands: object, release: str) -> bool:
    """Return whether a server can be told of single hosts.

    Args:
        commands: the arguments of its answer to ``list-commands``.
        release: the text of its answer to ``version-get``.
    """
    number = re.match(r"(\d+)\.(\d+)\.(\d+)", release)
    return (
        isinstance(commands, list)
        and {"reservation-add", "reservation-del"} <= {str(name) for name in commands}
        and number is not None
        and tuple(map(int, number.groups())) >= _OLDEST
    )


def steps(changes: Sequence[ReservationChange]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield commands and their arguments; all deletions first, so that addresses can move."""
    target = {"operation-target": "memory"}  # and not a database of the operator's
    for change in changes:
        if change.reservation is None:
            yield "reservation-del", {**_identity(change), **target}
    for change in changes:
        if change.reservation is not None:
            reservation = {**change.reservation, "subnet-id": change.subnet_id}
            yield "reservation-add", {"reservation": reservation, **target}


def lease_query(change: ReservationChange) -> dict[str, Any]:
    """Return the arguments that ask for the lease of a host (``lease4-get``)."""
    return _identity(change)


def lease_to_end(
    change: ReservationChange, found: object, changes: Sequence[ReservationChange]
) -> str | None:
    """Return the address of a lease to be ended; None when it is to stay.

    Args:
        change: a host that is gone, or gone from there.
        found: the arguments of the answer to `lease_query`.
        changes: all changes; a host that has the same address again keeps its lease.
    """
    if not isinstance(found, dict) or str(found.get("hw-address")).lower() != change.mac.lower():
        return None
    address = found.get("ip-address")
    if not isinstance(address, str) or found.get("subnet-id") != change.subnet_id:
        return None
    again = [one.reservation for one in changes if one.mac == change.mac and one.reservation]
    if any(reservation.get("ip-address") == address for reservation in again):
        return None
    return address


def _identity(change: ReservationChange) -> dict[str, Any]:
    return {
        "subnet-id": change.subnet_id,
        "identifier-type": "hw-address",
        "identifier": change.mac,
    }
