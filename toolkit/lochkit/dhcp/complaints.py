"""What a server's checker says, made fit for an operator: file, line and host. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

__all__ = ["Complaint", "complaints", "describe", "host_at", "host_with", "last_words", "readable"]

LONGEST: Final = 2000  # characters that are told of what was not understood
_MOST: Final = 3  # complaints that are told one by one
_NEAR: Final = 4096  # bytes round a place in which its host is looked for


class Complaint(NamedTuple):
    """One thing that a checker found.

    Attributes:
        path: the file, as the checker names it; "" when it does not say.
        line: from 1; 0 when it does not say.
        column: from 1; 0 when it does not say.
        message: what is wrong.
    """

    path: str
    line: int
    column: int
    message: str


_ISC: Final = re.compile(r"^(?P<path>\S.*) line (?P<line>\d+): (?P<message>.+)$", re.MULTILINE)
_KEA_AT: Final = re.compile(
    r"^(?:Error encountered|Syntax check failed with): (?P<message>.+?)"
    r" \((?P<path>[^()]+):(?P<line>\d+):(?P<column>\d+)\)\s*$",
    re.MULTILINE,
)
_KEA_SYNTAX: Final = re.compile(
    r"^(?:Error encountered|Syntax check failed with): (?P<path>/[^:]+):(?P<line>\d+)"
    r"\.(?P<column>\d+)(?:-[\d.]+)?: (?P<message>.+)$",
    re.MULTILINE,
)
_KEA_PLAIN: Final = re.compile(
    r"^(?:Error encountered|Syntax check failed with): (?P<message>.+)$", re.MULTILINE
)
_DNSMASQ: Final = re.compile(
    r"^dnsmasq: (?P<message>.+) at line (?P<line>\d+) of (?P<path>.+)$", re.MULTILINE
)
_FORMS: Final = (_KEA_AT, _KEA_SYNTAX, _KEA_PLAIN, _DNSMASQ, _ISC)

# What dhcpd says besides, every time.
_ALWAYS_SAID: Final = re.compile(
    r"^(?:Internet Systems Consortium DHCP Server .*|Copyright .*|All rights reserved\..*"
    r"|For info, please visit .*|Config file: .*|Database file: .*|PID file: .*"
    r"|If you think you have received this message due to a bug(?:.|\n)*)$",
    re.MULTILINE,
)


def readable(output: bytes) -> str:
    """Return what a command wrote as text that is safe in a log and on a terminal."""
    text = output.decode(errors="replace").expandtabs()
    return "\n".join(
        "".join(letter if letter.isprintable() else "?" for letter in line).rstrip()
        for line in text.replace("\r\n", "\n").split("\n")
    )


def complaints(text: str) -> list[Complaint]:
    """Return what any of the checkers found, in order; nothing when that can not be told."""
    for form in _FORMS:
        found = []
        for match in form.finditer(text):
            place = match.groupdict()
            line, column = int(place.get("line") or 0), int(place.get("column") or 0)
            found.append(Complaint(place.get("path") or "", line, column, match["message"].strip()))
        # dhcpd says of every file on the way to the fault that it is a "bad parse" as well.
        found = [item for item in found if not item.message.endswith("bad parse.")] or found
        if found:
            return found
    return []


def last_words(text: str) -> str:
    """Return the end of what was said, without what is always said."""
    said = _ALWAYS_SAID.sub("", text).strip()
    said = re.sub(r"\n\s*\n+", "\n", said)
    return said if len(said) <= LONGEST else f"[...] {said[-LONGEST:]}"


def describe(found: Iterable[tuple[Complaint, str | None]], shown: Mapping[str, str]) -> str:
    """Return one sentence for all complaints.

    Args:
        found: them, and the host that each is about, if that is known.
        shown: the names by which an operator knows the files that a checker names.
    """
    told = []
    for complaint, host in found:
        where = shown.get(complaint.path, complaint.path)
        if complaint.line:
            where += f" line {complaint.line}"
        if host:
            where += f" ({host})" if where else host
        told.append(f"{where}: {complaint.message}" if where else complaint.message)
    told = list(dict.fromkeys(told))
    more = len(told) - _MOST
    return "; ".join(told[:_MOST]) + (f"; and {more} more" if more > 0 else "")


# --- which host ----------------------------------------------------------------------------------

_ISC_HOST: Final = re.compile(rb"(?<![\w-])host\s+([^\s{]+)\s*\{")
_KEA_ID: Final = re.compile(rb'"lochkit-id"\s*:\s*"([^"]*)"')
_KEA_MAC: Final = re.compile(rb'"hw-address"\s*:\s*"([^"]*)"')


def host_at(content: bytes, line: int, column: int = 0) -> str | None:
    """Return the host at a place in a file of dhcpd or Kea; None when there is none.

    Args:
        content: of the file.
        line: from 1.
        column: from 1; 0 for the line's end.
    """
    begin = 0
    for _ in range(line - 1):
        begin = content.find(b"\n", begin) + 1
        if not begin:
            return None
    end = content.find(b"\n", begin)
    end = len(content) if end < 0 else end
    if content.lstrip()[:1] == b"{":
        return _kea_host(content, min(begin + max(column, 1), end))
    # dhcpd notices a missing semicolon at the next word, which may be the brace that ends the host.
    found = list(_ISC_HOST.finditer(content, max(0, begin - _NEAR), end))
    if not found or b"}" in content[found[-1].end() : begin]:
        return None
    return f"host {found[-1][1].decode(errors='replace')}"


def host_with(content: bytes, message: str) -> str | None:
    """Return the first host of Kea that has a value quoted in a message; None when none has."""
    for value in re.findall(r"'([^']+)'", message):
        place = content.find(f'"{value}"'.encode())
        if place >= 0 and (host := _kea_host(content, place)):
            return host
    return None


def _kea_host(content: bytes, offset: int) -> str | None:
    """Return the host whose reservation is round `offset`: its id, or else its MAC."""
    first = max(0, offset - _NEAR)
    depth = 0
    for start in range(offset, first - 1, -1):
        letter = content[start : start + 1]
        if letter == b"}" and start < offset:
            depth += 1
        elif letter == b"{":
            if depth:
                depth -= 1
                continue
            end = _closing(content, start)
            macs = _KEA_MAC.findall(content, start, end)
            if macs:
                said = _KEA_ID.findall(content, start, end) or macs
                return f"host {said[0].decode(errors='replace')}" if len(macs) == 1 else None
    return None


def _closing(content: bytes, start: int) -> int:
    depth = 0
    for brace in re.finditer(rb"[{}]", content[start : start + _NEAR]):
        depth += 1 if brace[0] == b"{" else -1
        if not depth:
            return start + brace.end()
    return min(len(content), start + _NEAR)
