"""Numbers for subnets that stay the same, because leases refer to them. Pure."""

from collections.abc import Collection, Iterable, Mapping
from hashlib import blake2s
from typing import Final

__all__ = ["FIRST", "LAST", "assign"]

FIRST: Final = 1 << 20
"""The least number given: those below are left to people, who begin at 1."""

LAST: Final = (1 << 31) - 1
"""The greatest. Kea takes up to 2**32 - 2, but not every database and tool behind it does."""


def assign(
    known: Mapping[str, int], networks: Iterable[str], taken: Collection[int] = ()
) -> dict[str, int]:
    """Return a number for each network, all different.

    A network's number is made of its text, so that it is the same on every machine and after it
    has been away; what `known` has for it goes before that.

    Args:
        known: numbers given before, by network.
        networks: that need one, in CIDR notation.
        taken: numbers that may not be given, whatever `known` says.
    """
    wanted = sorted(set(networks))
    used = set(taken)
    given: dict[str, int] = {}
    for network in wanted:
        number = known.get(network)
        if number is not None and FIRST <= number <= LAST and number not in used:
            given[network] = number
            used.add(number)
    for network in wanted:
        if network not in given:
            number = _number(network)
            while number in used:
                number = number + 1 if number < LAST else FIRST
            given[network] = number
            used.add(number)
    return given


def _number(network: str) -> int:
    digest = blake2s(network.encode(), digest_size=8, person=b"lk-kea").digest()
    return FIRST + int.from_bytes(digest, "big") % (LAST - FIRST + 1)
