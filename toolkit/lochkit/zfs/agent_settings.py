"""What an agent is told when it begins."""

from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError
from ..io.peer_tls import Credentials, ServerSecurity

__all__ = ["AgentSettings", "Etcd"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Etcd:
    """What it tells in etcd.

    Attributes:
        namespace: see `Layout`.
        address: where others reach this host.
        ttl: seconds that it all outlives a host that dies.
        every: seconds after which the inventory is read anew anyhow.
    """

    namespace: str
    address: str
    ttl: int = 30
    every: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """One agent.

    Attributes:
        host: its name, in policies and in etcd.
        state: directory of what it remembers; for us alone.
        policy: file; None: it has no jobs.
        clients: file of what clients may do, besides the policy's own; None: none.
        listen: address to serve at; None: it serves nobody.
        orders_port: 0 in tests: any.
        streams_port: likewise.
        credentials: who we are to others; None: nobody can be reached, unless in plain text.
        plaintext: without TLS.
        allow_public: plain text also with addresses that are not private.
        streams: how many are sent, and how many received, at once.
        etcd: None: nothing is told.
    """

    host: str
    state: Path
    policy: str | None = None
    clients: str | None = None
    listen: str | None = None
    orders_port: int = 7711
    streams_port: int = 7722
    credentials: Credentials | None = None
    plaintext: bool = False
    allow_public: bool = False
    streams: int = 4
    etcd: Etcd | None = None

    def __post_init__(self) -> None:
        """Refuse what can not be meant.

        Raises:
            ConfigError: says what.
        """
        if self.plaintext and self.credentials is not None:
            raise ConfigError("plain text and certificates exclude each other")
        if self.listen is not None and not self.speaks:
            raise ConfigError(
                "others can not be served without a certificate: give --tls-cert, --tls-key and"
                " --tls-ca (lochkit pki makes them), or --listen none"
            )

    @property
    def speaks(self) -> bool:
        """Whether it can speak with other hosts at all."""
        return self.plaintext or self.credentials is not None

    @property
    def server_security(self) -> ServerSecurity:
        """How others are let in."""
        return ServerSecurity(credentials=self.credentials, allow_public=self.allow_public)
