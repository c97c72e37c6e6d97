"""What an instance does about what all instances of its service have in common. Pure.

One record is shared by many writers, some of them of the original, which overwrite it blindly. Ours
write it only when they have something to say: when they start, when their owner changes what they
are, and when it is gone. An instance of a private service never touches a public record, and a
record that is gone or broken is no news about credentials.
"""

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from typing import Any

from ..etcd.messages import KeyValue
from .defaults import infos_of
from .errors import BadRecord, InvalidHost
from .host import Credentials, Host, Infos
from .names import check_text
from .records import decode_infos, encode_infos

__all__ = ["Duty", "adoptable", "plan_infos", "read_infos", "shared_part"]


class Duty(Enum):
    """What an instance owes the record now."""

    KEEP = "keep"
    """To put it back when it is gone."""
    ASSERT = "assert"
    """To say what is new: it has just started, or its owner has changed it."""
    TAKEOVER = "takeover"
    """To overwrite whatever is there."""


def read_infos(service: str, value: bytes) -> tuple[Infos, tuple[str, ...]] | None:
    """The record and what is odd about it; None when there is no reading it."""
    try:
        return decode_infos(service, value)
    except BadRecord:
        return None


def adoptable(service: str, value: bytes) -> Credentials | None:
    """The credentials that a running public instance takes over from a record.

    Returns:
        None where the record says nothing of them: it cannot be read, or is not a public
        service's; or where they are no text, or could not be written again.
    """
    found = read_infos(service, value)
    if found is None or not found[0].public:
        return None
    infos, faults = found
    if any(fault.startswith(("user ", "password ")) for fault in faults):
        return None  # no reader of the original takes it, and a guess could be a blank
    credentials = infos.credentials
    try:
        check_text("user", credentials.user)
        check_text("password", credentials.password)
    except InvalidHost:
        return None
    return credentials


def plan_infos(
    host: Host, there: KeyValue | None, duty: Duty, *, brings: bool, last: Infos | None
) -> bytes | None:
    """The value to write, None to leave the record as it is.

    Args:
        host: the instance, with the credentials it holds.
        there: the record, None when there is none.
        duty: what is owed.
        brings: the credentials are the owner's word, and go before those that are there.
        last: the last record that could be read, if there ever was one.
    """
    own = infos_of(host)
    if duty is Duty.TAKEOVER:
        value = encode_infos(own)
    elif there is None:
        return _put_back(host, own, last if duty is Duty.KEEP else None, last)
    elif duty is Duty.KEEP:
        return None
    else:
        asserted = _asserted(host, own, there.value, brings=brings)
        if asserted is None:
            return None
        value = asserted
    return value if there is None or there.value != value else None


def _put_back(host: Host, own: Infos, record: Infos | None, last: Infos | None) -> bytes:
    """The record as it was, but with the credentials that are in force."""
    if record is not None:
        if record.public and host.public:
            record = replace(record, user=host.user, password=host.password)
        try:
            return encode_infos(record)
        except InvalidHost:
            pass  # others may write what we may not
    return _encoded(own, last.extra if last is not None else {})


def _asserted(host: Host, own: Infos, value: bytes, *, brings: bool) -> bytes | None:
    found = read_infos(host.service, value)
    if found is None:
        return encode_infos(own) if host.public else None
    infos, faults = found
    if not host.public:
        if infos.public or infos.critical == own.critical:
            return None
        try:
            return encode_infos(replace(infos, critical=own.critical))
        except InvalidHost:
            return None
    if not brings and (credentials := adoptable(host.service, value)) is not None:
        own = replace(own, user=credentials.user, password=credentials.password)
    own = replace(own, extra=infos.extra)
    return None if not faults and own == infos else _encoded(own, infos.extra)


def _encoded(infos: Infos, extra: Mapping[str, Any]) -> bytes:
    """The record with the fields of others, unless these cannot be written."""
    try:
        return encode_infos(replace(infos, extra=extra))
    except InvalidHost:  # others may write what JSON has no way to write
        return encode_infos(replace(infos, extra={}))


def shared_part(host: Host) -> tuple[object, ...]:
    """What of a host all instances have in common, but for credentials."""
    public = (host.name, dict(host.ports or {})) if host.public else None
    return host.public, host.critical, public
