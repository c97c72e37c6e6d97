"""Giving a public service new credentials, and telling which of its instances have adopted them.

They are written once, to what the instances have in common; each running instance takes them over
by itself, and says so in its own record: by having them there, or where passwords are kept out of
instances, by the revision at which they were written.
"""

from collections.abc import Iterable
from dataclasses import replace

from .errors import DiscoveryError
from .host import Credentials, Host, Instance
from .records import decode_infos, encode_infos

__all__ = ["NotPublic", "has_adopted", "laggards", "rotated"]


class NotPublic(DiscoveryError):
    """The instances of the service have no credentials in common."""


def rotated(
    service: str, value: bytes, user: str | None, password: str
) -> tuple[bytes, Credentials]:
    """What the instances have in common, with other credentials and everything else as it was.

    Args:
        service: the service.
        value: the record as it is.
        user: the new user; None keeps the present one.
        password: the new password.

    Returns:
        The new record, and the credentials in it.

    Raises:
        NotPublic: it is a private service.
        BadRecord: there is no reading the record.
        InvalidHost: the new one is none that all readers understand.
    """
    infos, _ = decode_infos(service, value)
    if not infos.public:
        raise NotPublic(
            f"service {service!r} is private: each of its instances has credentials of its own"
        )
    wanted = Credentials(infos.user if user is None else user, password)
    if not wanted.user:
        raise NotPublic(
            f"service {service!r} has no user yet, and a password without one is of no use"
        )
    infos = replace(infos, user=wanted.user, password=wanted.password)
    return encode_infos(infos), wanted


def has_adopted(host: Host, wanted: Credentials, revision: int) -> bool:
    """Whether an instance says that it has the credentials that were written at `revision`."""
    return host.credentials == wanted or host.credentials_revision >= revision


def laggards(
    instances: Iterable[Instance], wanted: Credentials, revision: int
) -> tuple[Instance, ...]:
    """The public instances that have not adopted the credentials yet."""
    return tuple(
        one for one in instances if one.host.public and not has_adopted(one.host, wanted, revision)
    )
