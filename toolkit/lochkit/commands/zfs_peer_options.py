"""How this host proves who it is to other hosts, and who they must be."""

from ..errors import ConfigError
from ..io.peer_tls import ClientSecurity, Credentials, ServerSecurity, check_credentials
from ..peer_options import PeerOptions

__all__ = ["client_security", "credentials_of", "server_security"]


def credentials_of(options: PeerOptions) -> Credentials | None:
    """The credentials of this host; None: it was asked to do without.

    Raises:
        ConfigError: they are not complete, or can not be used.
    """
    cert, key, ca = options.cert, options.key, options.ca
    files = {"--tls-cert": cert, "--tls-key": key, "--tls-ca": ca}
    given = [name for name, file in files.items() if file]
    if options.insecure_plaintext:
        if given:
            raise ConfigError(f"--insecure-plaintext and {given[0]} exclude each other")
        return None
    if options.allow_public:
        raise ConfigError("--allow-public belongs to --insecure-plaintext")
    if not cert or not key or not ca:
        missing = [name for name, file in files.items() if not file]
        raise ConfigError(
            f"{', '.join(missing)}: missing. Hosts prove to each other who they are by"
            " certificates; lochkit pki makes them"
        )
    credentials = Credentials(cert=cert, key=key, ca=ca)
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
