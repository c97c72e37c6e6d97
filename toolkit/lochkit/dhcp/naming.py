"""Names in configuration files: DNS names, in the letters that every server takes. Pure."""

import re

from .model import Group

__all__ = ["LABELS", "check_domain", "check_name", "group_domains"]

LABELS = {Group.HYPERVISORS: "nodes", Group.GUESTS: "guests"}
"""What stands before the cluster's domain in the domain of each group."""

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LONGEST = 253  # characters of a name: RFC 1035, 2.3.4, less the length byte and the root
_ROOM = len("ipxe.services.")  # the longest we put before the domain


def check_name(text: str) -> str:
    """Return `text` when it is a DNS name of letters, digits and hyphens (RFC 1123, 2.1).

    Raises:
        ValueError: it is none, with a phrase that says why.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"a DNS name has at most {_LONGEST} characters, this one has {len(text)}")
    if not _NAME.fullmatch(text):
        raise ValueError(f"{text!r} is no DNS name of letters, digits, hyphens and single dots")
    if text.rpartition(".")[2].isdigit():
        raise ValueError(f"{text!r} is no DNS name: the last part is only digits")
    return text


def check_domain(text: str) -> str:
    """Return the cluster's domain when it is a DNS name with room for what we put before it.

    Raises:
        ValueError: it is none, with a phrase that says why.
    """
    check_name(text)
    if len(text) > _LONGEST - _ROOM:
        raise ValueError(
            f"the domain has {len(text)} characters; only {_LONGEST - _ROOM} leave room for names"
        )
    return text


def group_domains(domain: str) -> dict[Group, str]:
    """Return the domain name of each group's hosts: ``nodes.`` and ``guests.`` before `domain`.

    Raises:
        ValueError: `domain` is no domain (see `check_domain`).
    """
    check_domain(domain)
    return {group: f"{label}.{domain}" for group, label in LABELS.items()}
