"""The records of the registry as data: an instance of a service, and what all instances share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any, Final

__all__ = ["Credentials", "Host", "Infos", "Instance", "State"]

_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


def _none() -> Mapping[str, Any]:
    return _NONE


class State(Enum):
    """What an instance says of itself; one that says nothing is passing, as all once were."""

    PASSING = "passing"
    CRITICAL = "critical"
    """Its health checks fail: out of rotation, and still registered."""
    MAINTENANCE = "maintenance"
    """Taken out of rotation by an operator."""
    LEAVING = "leaving"
    """About to deregister: no new work for it, and its end is no crash."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """User and password of a service; both may be empty. The password is never shown."""

    user: str = ""
    password: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        return bool(self.user or self.password)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One instance of a service: where it is, and how it is reached.

    The first eleven are the original's, in its order. The rest is ours and travels in one object
    of its own, which readers of the original ignore.

    Attributes:
        name: the *hostname* under which others reach it: the public one if it is public.
        service: the service.
        ports: scheme to port; None is the original's ``null``.
        user: credentials, in clear text; see `password`.
        password: never shown by repr.
        public: whether the service has one public address, credentials included, in its infos.
        private_hostname: where it is reached from inside.
        private_ports: the ports there.
        critical: whether the service is one that matters; says nothing of its health.
        shard: its part of the service; empty for none.
        uuid: the id: see `lochkit.discovery.names.make_uuid`.
        state: whether it wants work.
        weight: its share when one is drawn by lot; 0 is drawn only where nothing else is.
        tags: words.
        meta: any facts.
        version: of the software.
        zone: where it is.
        credentials_revision: the revision of the infos whose credentials it has adopted, 0 for
            none: how rotation is seen to be done where passwords are kept out of instances.
        extra: fields of others, kept as they were.
        extra_own: fields of the object of ours that this version does not know, kept likewise.
    """

    name: str = ""
    service: str = ""
    ports: Mapping[str, str] | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    public: bool = False
    private_hostname: str = ""
    private_ports: Mapping[str, str] = field(default_factory=_none)
    critical: bool = False
    shard: str = ""
    uuid: str = ""
    state: State = State.PASSING
    weight: int = 1
    tags: tuple[str, ...] = ()
    meta: Mapping[str, str] = field(default_factory=_none)
    version: str = ""
    zone: str = ""
    credentials_revision: int = 0
    extra: Mapping[str, Any] = field(default_factory=_none, repr=False)
    extra_own: Mapping[str, Any] = field(default_factory=_none, repr=False)

    @property
    def credentials(self) -> Credentials:
        """Its user and password."""
        return Credentials(self.user, self.password)

    @property
    def in_rotation(self) -> bool:
        """Whether it should be given work."""
        return self.state is State.PASSING


@dataclass(frozen=True, slots=True, kw_only=True)
class Infos:
    """What the instances of a service have in common.

    Attributes:
        name: the service.
        critical: as in `Host`.
        hostname: the public hostname; only of public services, as are the next three.
        user: credentials, in clear text.
        password: never shown by repr.
        ports: the public ports.
        public: whether the service is reached at `hostname` rather than at an instance.
        extra: fields of others, kept as they were.
    """

    name: str = ""
    critical: bool = False
    hostname: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    ports: Mapping[str, str] = field(default_factory=_none)
    public: bool = False
    extra: Mapping[str, Any] = field(default_factory=_none, repr=False)

    @property
    def credentials(self) -> Credentials:
        """The service's user and password."""
        return Credentials(self.user, self.password)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A host as it stands in the store.

    Attributes:
        service: the service, as its key has it.
        uuid: the id, as its key has it.
        host: the record.
        create_revision: when it came: the older, the smaller.
        mod_revision: when it was last written.
        lease: that keeps it alive; 0 when nothing ever removes it.
        faults: what is odd about the record, and was read all the same.
    """

    service: str
    uuid: str
    host: Host
    create_revision: int = 0
    mod_revision: int = 0
    lease: int = 0
    faults: tuple[str, ...] = ()
