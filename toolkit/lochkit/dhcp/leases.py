"""Who holds which address, from what DHCP servers write down or answer. Pure.

Documentation: Kea Administrator Reference Manual ("Memfile", "lease4-get-all"), dhcpd.leases(5).
Of dnsmasq's file the columns are: expiry, MAC or IAID, address, name, client id.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from .values import read_address, read_mac

__all__ = ["Lease", "LeaseError", "Leases", "leases_of_answer", "read_leases"]


class LeaseError(ValueError):
    """These are no leases of a known kind; the message says why."""


class Lease(NamedTuple):
    """One address, and who holds it.

    Attributes:
        address: in canonical spelling.
        mac: lower case with colons; None when that is not known, as for many of IPv6.
        expires: seconds since the epoch; None for never.
        hostname: as the client or the server calls it; may be empty.
    """

    address: str
    mac: str | None
    expires: float | None
    hostname: str


class Leases(NamedTuple):
    """What a file says.

    Attributes:
        active: leases in force, one for each address at most.
        unread: how many entries could not be understood; the last may be half written.
    """

    active: list[Lease]
    unread: int


class _Entry(NamedTuple):
    """What a file says of an address at one time; a later entry replaces it."""

    lease: Lease
    active: bool


_Reader = Callable[[str], Iterator[_Entry | None]]
"""Yields entries in the order of the file, None for one that can not be understood."""

_STATE_ACTIVE: Final = "0"  # 1 is declined, 2 is expired and reclaimed, 3 is released
_ADDRESSES: Final = ("", "0", "1", "IA_NA", "IA_TA", "V4")  # types of leases that are no prefixes
_FOREVER: Final = 0xFFFFFFFF  # as seconds of validity
_ESCAPED: Final = re.compile("&#x([0-9a-fA-F]{2})")
_LEASE: Final = re.compile(r"^lease (\S+) \{")
_HARDWARE: Final = re.compile(r"^hardware ethernet (\S+);")
_STATE: Final = re.compile(r"^binding state (\w+);")
_ENDS: Final = re.compile(r"^ends (?:(never)|epoch (\d+)|\d (\d+)/(\d+)/(\d+) (\d+):(\d+):(\d+));")
_HOSTNAME: Final = re.compile(r'^client-hostname "(.*)";')


def read_leases(contents: Iterable[bytes], now: float) -> Leases:
    """Return the leases that files hold; of which kind one is is seen in it.

    Known are Kea's memfile (v4 and v6), the answers to its lease4-get-all and lease6-get-all,
    dnsmasq.leases and dhcpd.leases.

    Args:
        contents: of the files of one server, the oldest first: what a later one says of an address
            replaces what an earlier one does. Kea keeps older rows in files of their own.
        now: seconds since the epoch; what has expired by then is left out.

    Raises:
        LeaseError: one is of another kind.
    """
    entries: dict[str, _Entry] = {}
    unread = 0
    for content in contents:
        text = content.decode("utf-8", "backslashreplace")
        for entry in _reader_of(text)(text):
            if entry is None:
                unread += 1
            else:
                entries[entry.lease.address] = entry
    return Leases(_in_force(entries.values(), now), unread)


def leases_of_answer(arguments: Any, now: float) -> Leases:
    """Return the leases in the arguments of an answer of Kea's.

    Args:
        arguments: of the answer to lease4-get-all or lease6-get-all; None when it found none.
        now: seconds since the epoch.

    Raises:
        LeaseError: there are none in it.
    """
    listed = arguments.get("leases") if isinstance(arguments, Mapping) else None
    if arguments is not None and not isinstance(listed, list):
        raise LeaseError("Kea's answer has no list of leases")
    entries = [_answered(found) for found in listed or ()]
    return Leases(_in_force(filter(None, entries), now), entries.count(None))


def _in_force(entries: Iterable[_Entry], now: float) -> list[Lease]:
    leases = (entry.lease for entry in entries if entry.active)
    return [lease for lease in leases if lease.expires is None or lease.expires > now]


def _reader_of(text: str) -> _Reader:
    first = next(filter(None, map(str.strip, text.split("\n"))), "")
    if first.startswith(("{", "[")):
        return _kea_answer
    if first.startswith("address,"):
        return _kea_memfile
    if re.match(r"\d+ \S+ \S+ \S+|duid ", first):
        return _dnsmasq
    if re.search(r"^(lease \S+ \{|authoring-byte-order |server-duid )|dhcpd\.leases", text, re.M):
        return _dhcpd
    if not first:
        return lambda text: iter(())
    raise LeaseError("not the leases of Kea, dnsmasq or dhcpd")


def _lease(address: str, mac: str | None, expires: float | None, hostname: str) -> Lease | None:
    try:
        canonical = read_address(address)[0]
    except ValueError:
        return None
    return Lease(canonical, mac, expires, "" if hostname == "*" else hostname.rstrip("."))


def _entry(lease: Lease | None, *, active: bool) -> _Entry | None:
    return None if lease is None else _Entry(lease, active)


def _mac(*texts: str) -> str | None:
    """The first of these that is an Ethernet address."""
    for text in texts:
        try:
            return read_mac(text)
        except ValueError:
            continue
    return None


def _mac_of_duid(duid: str) -> str:
    """The MAC in a DUID; "" when there is none (RFC 8415, 11.2 and 11.4)."""
    parts = duid.split(":")
    if parts[:4] == ["00", "03", "00", "01"]:
        return ":".join(parts[4:])
    if parts[:4] == ["00", "01", "00", "01"]:
        return ":".join(parts[8:])
    return ""


def _kea_memfile(text: str) -> Iterator[_Entry | None]:
    names: list[str] = []
    for line in text.splitlines():
        cells = line.split(",")
        if cells[0] == "address":
            names = cells
        elif line:
            yield _memfile_row(dict(zip(names, cells, strict=False)))


def _memfile_row(row: Mapping[str, str]) -> _Entry | None:
    try:
        address, state = row["address"], row["state"]
        valid, expires = int(row["valid_lifetime"]), float(row["expire"])
        hostname = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), row["hostname"])
    except (KeyError, ValueError):
        return None
    mac = _mac(row.get("hwaddr", ""), _mac_of_duid(row.get("duid", "")))
    lease = _lease(address, mac, None if valid == _FOREVER else expires, hostname)
    # A row whose lifetime is 0 says that the lease has been deleted.
    is_address = row.get("lease_type", "") in _ADDRESSES
    return _entry(lease, active=state == _STATE_ACTIVE and valid > 0 and is_address)


def _kea_answer(text: str) -> Iterator[_Entry | None]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise LeaseError(f"this begins like an answer of Kea's, but is not JSON: {exc}") from None
    if isinstance(found, list) and len(found) == 1:  # as the Control Agent answers
        found = found[0]
    found = found.get("arguments", found) if isinstance(found, dict) else None
    listed = found.get("leases") if isinstance(found, dict) else None
    if not isinstance(listed, list):
        raise LeaseError("this is JSON, but has no list of leases")
    return map(_answered, listed)


def _answered(found: Any) -> _Entry | None:
    try:
        valid, state = int(found["valid-lft"]), str(found["state"])
        address, hostname = str(found["ip-address"]), str(found.get("hostname", ""))
        expires = None if valid == _FOREVER else float(found["cltt"]) + valid
        macs = str(found.get("hw-address", "")), _mac_of_duid(str(found.get("duid", "")))
        is_address = found.get("type", "") in _ADDRESSES
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    lease = _lease(address, _mac(*macs), expires, hostname)
    return _entry(lease, active=state == _STATE_ACTIVE and is_address)


def _dnsmasq(text: str) -> Iterator[_Entry | None]:
    for line in text.splitlines():
        words = line.split()
        if not words or words[0] == "duid":  # the server's own
            continue
        if len(words) < 4 or not words[0].isdecimal():
            yield None
            continue
        duid = words[4] if len(words) > 4 and ":" in words[2] else ""
        mac = _mac(words[1], _mac_of_duid(duid))
        expires = float(words[0]) or None
        yield _entry(_lease(words[2], mac, expires, words[3]), active=True)


def _dhcpd(text: str) -> Iterator[_Entry | None]:
    address: str | None = None
    facts: list[str] = []
    for line in map(str.strip, text.splitlines()):
        if (found := _LEASE.match(line)) is not None:
            if address is not None:  # the one before has no end
                yield None
            address, facts = found[1], []
        elif line == "}" and address is not None:
            yield _dhcpd_lease(address, facts)
            address = None
        else:
            facts.append(line)
    if address is not None:
        yield None


def _dhcpd_lease(address: str, facts: Iterable[str]) -> _Entry | None:
    mac: str | None = None
    expires: float | None = None
    hostname, active = "", False
    for fact in facts:
        if (found := _HARDWARE.match(fact)) is not None:
            mac = _mac(found[1])
        elif (found := _STATE.match(fact)) is not None:
            active = found[1] == "active"
        elif (found := _HOSTNAME.match(fact)) is not None:
            hostname = found[1]
        elif (found := _ENDS.match(fact)) is not None:
            try:
                expires = _end(found)
            except ValueError:
                return None
    return _entry(_lease(address, mac, expires, hostname), active=active)


def _end(found: re.Match[str]) -> float | None:
    """When a lease ends: dhcpd writes UTC, or seconds since the epoch (db-time-format local)."""
    if found[1]:
        return None
    if found[2]:
        return float(found[2])
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[2:])
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
