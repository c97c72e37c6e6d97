"""How an instance is registered."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from .errors import InvalidHost
from .host import Host, State
from .publishing import Publication

__all__ = ["PublishedKeys", "RegisterOptions", "published_keys"]

_MOST_KEYS: Final = 100
"""etcd takes 128 operations in one transaction, and some are ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterOptions:
    """What a registration does beside writing a record.

    Attributes:
        ttl: seconds after which others take the instance for gone when nothing is heard of it;
            etcd may grant more.
        takeover: overwrite what the instances have in common with this one's view at the start,
            whatever is there, as the original did.
        brings_credentials: whether the host's credentials are news to a public service. When they
            are not, those that its instances share already go before them.
        instance_passwords: whether user and password are in the instance's own record too, where
            readers of the original look for those of private services.
        publications: what else it publishes, on the same lease, while it is in rotation.
        honour_deletion: stop when somebody deletes the instance's key, instead of writing it again.
        state: what it says of itself at first.
        stop_within: seconds that leaving the registry may take, a drain not counted.
    """

    ttl: int = 5
    takeover: bool = False
    brings_credentials: bool = True
    instance_passwords: bool = True
    publications: tuple[Publication, ...] = ()
    honour_deletion: bool = False
    state: State = State.PASSING
    stop_within: float = 3.0

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            InvalidHost: a number is out of range.
        """
        if not 1 <= self.ttl <= 86_400:
            raise InvalidHost(f"a registration lives 1 to 86400 s without news, not {self.ttl}")
        if not 0 < self.stop_within <= 60:
            raise InvalidHost("leaving may take more than 0 and at most 60 s")


class PublishedKeys(NamedTuple):
    """What an instance publishes: with its lease, and for all instances."""

    own: dict[bytes, bytes]
    shared: dict[bytes, bytes]


def published_keys(
    publications: Iterable[Publication], host: Host, taken: Iterable[bytes]
) -> PublishedKeys:
    """The keys of all publications together.

    Args:
        publications: how to publish.
        host: what.
        taken: keys that are none of theirs.

    Raises:
        InvalidHost: the host cannot be published so, or two want the same key for different things.
    """
    own: dict[bytes, bytes] = {}
    shared: dict[bytes, bytes] = {}
    for publication in publications:
        for target, keys in (
            (own, publication.keys(host)),
            (shared, publication.shared_keys(host)),
        ):
            for key, value in keys.items():
                if target.setdefault(key, value) != value:
                    raise InvalidHost(f"two publications want key {_shown(key)}")
    for key in (*(own.keys() & shared.keys()), *((own.keys() | shared.keys()) & set(taken))):
        raise InvalidHost(f"a publication wants key {_shown(key)}, which is for something else")
    if len(own) + len(shared) > _MOST_KEYS:
        raise InvalidHost(
            f"an instance may publish {_MOST_KEYS} keys, not {len(own) + len(shared)}"
        )
    return PublishedKeys(own, shared)


def _shown(key: bytes) -> str:
    return repr(key.decode("utf-8", "backslashreplace"))
