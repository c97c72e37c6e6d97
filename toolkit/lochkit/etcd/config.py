"""What it takes to reach an etcd: endpoints, TLS files, credentials, limits. Data only."""

import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from ..errors import ConfigError

__all__ = [
    "Credentials",
    "Endpoint",
    "EtcdConfig",
    "Scheme",
    "TlsConfig",
    "parse_endpoint",
    "parse_endpoints",
]

DEFAULT_PORT: Final = 2379
DEFAULT_ENDPOINT: Final = "http://127.0.0.1:2379"
MAX_MESSAGE_BYTES: Final = 256 << 20
"""Far over a sane etcd (its own quota is 2 GiB, 8 GiB at most), far under what kills a host."""


class Scheme(Enum):
    """How an endpoint is spoken to."""

    HTTP = "http"
    HTTPS = "https"
    UNIX = "unix"
    UNIXS = "unixs"

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self in (Scheme.HTTPS, Scheme.UNIXS)

    @property
    def local(self) -> bool:
        """Whether the address is a path of this host's file system."""
        return self in (Scheme.UNIX, Scheme.UNIXS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One member's client address.

    Attributes:
        scheme: how it is spoken to.
        host: name or IP address without brackets; the socket's path for unix endpoints.
        port: TCP port, 0 for unix endpoints.
    """

    scheme: Scheme
    host: str
    port: int = 0

    def __str__(self) -> str:
        return f"{self.scheme.value}://{self.host if self.scheme.local else self.authority}"

    @property
    def authority(self) -> str:
        """The HTTP/2 ``:authority``: host and port, IPv6 in brackets."""
        if self.scheme.local:
            return "localhost"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsConfig:
    """Files and names of TLS; the empty one verifies servers against the system's CAs.

    Attributes:
        cacert: path of the CA certificates that vouch for the servers (PEM).
        cert: path of our client certificate (PEM), whose common name is our etcd user where etcd
            asks for it.
        key: path of its private key (PEM).
        server_name: the name the servers' certificates must carry instead of the endpoint's host.
        verify: False accepts any server certificate: only for a look, never for work.
    """

    cacert: str | None = None
    cert: str | None = None
    key: str | None = None
    server_name: str | None = None
    verify: bool = True

    def __post_init__(self) -> None:
        if (self.cert is None) != (self.key is None):
            raise ConfigError(
                "a client certificate needs its certificate and its key (--cert and --key)"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """An etcd user. The password is kept in memory, or better in a file, read anew at every login.

    Attributes:
        user: the user's name.
        password: the password; never shown by repr.
        password_file: path of a file whose first line is the password.
    """

    user: str
    password: str | None = field(default=None, repr=False)
    password_file: str | None = None

    def __post_init__(self) -> None:
        if (self.password is None) == (self.password_file is None):
            raise ConfigError(
                f"user {self.user!r} needs a password: give its file (--password-file)"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcdConfig:
    """Everything `open_client` needs.

    Attributes:
        endpoints: members, tried in this order; at least one.
        tls: for https and unixs endpoints.
        credentials: the user to log in as, None without authentication or with a client
            certificate's name.
        dial_timeout: seconds one endpoint may take to answer a new connection (TCP, TLS and HTTP/2
            together).
        request_timeout: seconds one call may take in all, retries on other endpoints included.
        ping_interval: seconds of silence after which a server that owes an answer is pinged; at
            least 5, or etcd takes it for an attack.
        ping_timeout: seconds the answer to a ping may take before the connection is given up.
        max_message_bytes: the longest message accepted from or sent to a server.
    """

    endpoints: tuple[Endpoint, ...]
    tls: TlsConfig = TlsConfig()
    credentials: Credentials | None = None
    dial_timeout: float = 3.0
    request_timeout: float = 10.0
    ping_interval: float = 6.0
    ping_timeout: float = 4.0
    max_message_bytes: int = MAX_MESSAGE_BYTES

    def __post_init__(self) -> None:
        if not self.endpoints:
            raise ConfigError(
                "no etcd endpoint given: name at least one, such as http://127.0.0.1:2379 (--etcd)"
            )


def parse_endpoint(text: str) -> Endpoint:
    """Read ``http://host:port``, ``https://[v6]:port``, ``host:port``, ``unix:///path``.

    Args:
        text: an endpoint as etcd's own tools take it; scheme ``http`` and port 2379 where left out.

    Raises:
        ConfigError: what is wrong with it. A user and password in the URL are refused, since argv
            and logs are public.
    """
    text = text.strip()
    whole = text if "://" in text else f"http://{text}"
    word, _, rest = whole.partition("://")
    try:
        scheme = Scheme(word.lower())
    except ValueError:
        known = ", ".join(kind.value for kind in Scheme)
        raise ConfigError(
            f"etcd endpoint {text!r}: unknown scheme {word!r} (one of {known})"
        ) from None
    if scheme.local:
        if not rest:
            raise ConfigError(
                f"etcd endpoint {text!r}: the socket's path is missing (unix:///run/etcd.sock)"
            )
        return Endpoint(scheme=scheme, host=rest)
    if "@" in rest.split("/", 1)[0]:
        host = rest.split("/", 1)[0].rpartition("@")[2]
        raise ConfigError(
            f"etcd endpoint {scheme.value}://…@{host}: no user or password in the URL, please; "
            "use --user and --password-file"
        )
    return _tcp_endpoint(text, scheme, whole)


def _tcp_endpoint(text: str, scheme: Scheme, whole: str) -> Endpoint:
    try:
        url = urllib.parse.urlsplit(whole)
        host, port = url.hostname, url.port
    except ValueError as error:
        raise ConfigError(f"etcd endpoint {text!r}: {error}") from None
    if not host or any(letter.isspace() for letter in host):
        raise ConfigError(f"etcd endpoint {text!r}: the host is missing")
    if url.path not in ("", "/") or url.query or url.fragment:
        raise ConfigError(f"etcd endpoint {text!r}: nothing may follow the port")
    return Endpoint(scheme=scheme, host=host, port=DEFAULT_PORT if port is None else port)


def parse_endpoints(texts: Iterable[str]) -> tuple[Endpoint, ...]:
    """Read several endpoints, each perhaps a comma-separated list; duplicates are dropped.

    Raises:
        ConfigError: one of them is not an endpoint.
    """
    words = (word.strip() for text in texts for word in text.split(","))
    return tuple(dict.fromkeys(parse_endpoint(word) for word in words if word))
