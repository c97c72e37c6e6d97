"""What can go wrong between a service, its registry and those who look it up."""

from ..errors import ConfigError, LochkitError

__all__ = [
    "BadRecord",
    "DirectoryStopped",
    "DiscoveryError",
    "InvalidHost",
    "InvalidName",
    "NoHostFound",
    "NoHostFoundOnShard",
    "RegistrationEnded",
    "SchemeNotFound",
    "ServiceNotFound",
    "UnknownScheme",
]


class DiscoveryError(LochkitError):
    """The root of what a lookup answers instead of a host."""


class ServiceNotFound(DiscoveryError):
    """The registry holds neither an instance of the service nor a record of it."""


class NoHostFound(DiscoveryError):
    """The service is known, and no instance of it that was asked for is there now."""


class NoHostFoundOnShard(NoHostFound):
    """The service has instances, and none of them on the shard that was asked for."""


class UnknownScheme(DiscoveryError):
    """The host, or the service, has no port for that scheme."""


class SchemeNotFound(UnknownScheme):
    """No scheme was given, and there is neither http nor https to choose."""


class DirectoryStopped(DiscoveryError):
    """Nobody follows the registry any more, so that nothing more would be heard of it."""


class BadRecord(DiscoveryError):
    """A value in the registry is not a record; it harms nothing but itself."""


class InvalidHost(ConfigError):
    """What is to be written is not a record that all readers understand."""


class InvalidName(InvalidHost):
    """A name that would not be found again, or would be taken for another."""


class RegistrationEnded(LochkitError):
    """The instance is not in the registry, and nobody tries to get it there any more."""
