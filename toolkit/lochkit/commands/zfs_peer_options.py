"""How this host proves who it is to other hosts, and who they must be."""

from dataclasses import dataclass
from typing import Final

from ..errors import ConfigError
from ..io.peer_tls import ClientSecurity, Credentials, ServerSecurity, check_credentials
from ..options import flag, option

__all__ = ["PeerOptions", "client_security", "credentials_of", "server_security"]

_SECTION: Final = "Connection to other hosts"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerOptions:
    """What every command knows that talks to the agents of other hosts."""

    tls_cert: str | None = option(
        "--tls-cert",
        default=None,
        metavar="FILE",
        completes="file",
        section=_SECTION,
        help="Certificate of this host (PEM), as lochkit pki issue makes it.",
    )
    tls_key: str | None = option(
        "--tls-key",
        default=None,
        metavar="FILE",
        completes="file",
        section=_SECTION,
        help="Its key (PEM).",
    )
    tls_ca: str | None = option(
        "--tls-ca",
        default=None,
        metavar="FILE",
        completes="file",
        section=_SECTION,
        help="The authority (PEM) that all hosts' certificates come from.",
    )
    insecure_plaintext: bool = flag(
        "--insecure-plaintext",
        section=_SECTION,
        help="No TLS: anyone on the path can read, forge and destroy. For a link that is trusted"
        " wholly, at private addresses only.",
    )
    allow_public: bool = flag(
        "--allow-public",
        section=_SECTION,
        help="With --insecure-plaintext: at public addresses, too.",
    )


def credentials_of(options: PeerOptions) -> Credentials | None:
    """The credentials of this host; None: it was asked to do without.

    Raises:
        ConfigError: they are not complete, or can not be used.
    """
    files = {
        "--tls-cert": options.tls_cert,
        "--tls-key": options.tls_key,
        "--tls-ca": options.tls_ca,
    }
    given = [name for name, file in files.items() if file]
    if options.insecure_plaintext:
        if given:
            raise ConfigError(f"--insecure-plaintext and {given[0]} exclude each other")
        return None
    if options.allow_public:
        raise ConfigError("--allow-public belongs to --insecure-plaintext")
    missing = [name for name, file in files.items() if not file]
    if missing:
        raise ConfigError(
            f"{', '.join(missing)}: missing. Hosts prove to each other who they are by"
            " certificates; lochkit pki makes them"
        )
    assert options.tls_cert and options.tls_key and options.tls_ca  # as was just seen
    credentials = Credentials(cert=options.tls_cert, key=options.tls_key, ca=options.tls_ca)
    check_credentials(credentials)
    return credentials


def client_security(options: PeerOptions, expected_name: str) -> ClientSecurity:
    """How to reach the host whose certificate carries that name.

    Raises:
        ConfigError: see `credentials_of`.
    """
    credentials = credentials_of(options)
    if credentials is None:
        return ClientSecurity(allow_public=options.allow_public)
    return ClientSecurity(credentials=credentials, expected_name=expected_name)


def server_security(options: PeerOptions) -> ServerSecurity:
    """How to let other hosts in.

    Raises:
        ConfigError: see `credentials_of`.
    """
    return ServerSecurity(credentials=credentials_of(options), allow_public=options.allow_public)
