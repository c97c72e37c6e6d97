"""A certificate as ``openssl x509`` describes it. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

__all__ = ["Described", "parse_description"]

_DATE: Final = "%b %d %H:%M:%S %Y GMT"
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One certificate.

    Attributes:
        name: its common name; the whole subject where that has none.
        issuer: whose authority made it, likewise.
        authority: whether it is an authority's itself.
        alternatives: its further names and addresses, as ``DNS:name`` and ``IP Address:1.2.3.4``.
        serial: in hexadecimal.
        fingerprint: SHA-256, in hexadecimal with colons.
        begins: seconds since 1970 from which it is valid.
        ends: seconds since 1970 from which it is not valid any more.
    """

    name: str
    issuer: str
    authority: bool
    alternatives: tuple[str, ...]
    serial: str
    fingerprint: str
    begins: int
    ends: int

    def days_left(self, now: float) -> int:
        """Whole days until it ends; below 0 once it has ended."""
        return int((self.ends - now) // _DAY)


def parse_description(text: str) -> Described:
    """Read what `requests.show_command` prints.

    Raises:
        ValueError: it is something else.
    """
    facts = dict(line.split("=", 1) for line in text.splitlines() if "=" in line.split(" ")[0])
    fingerprint = re.search(r"^sha256 Fingerprint=([0-9A-F:]+)$", text, re.M | re.I)
    try:
        return Described(
            name=_common_name(facts["subject"]),
            issuer=_common_name(facts["issuer"]),
            authority="CA:TRUE" in text,
            alternatives=_alternatives(text),
            serial=facts["serial"],
            fingerprint=fingerprint[1] if fingerprint else "",
            begins=_seconds(facts["notBefore"]),
            ends=_seconds(facts["notAfter"]),
        )
    except KeyError as exc:
        raise ValueError(f"openssl did not tell {exc.args[0]}") from None


def _common_name(subject: str) -> str:
    found = re.search(r"(?:^|,)CN=([^,]+)", subject)
    return found[1] if found else subject


def _alternatives(text: str) -> tuple[str, ...]:
    found = re.search(r"Subject Alternative Name:[^\n]*\n\s*([^\n]+)", text)
    return tuple(found[1].split(", ")) if found else ()


def _seconds(date: str) -> int:
    return int(datetime.strptime(date, _DATE).replace(tzinfo=UTC).timestamp())
