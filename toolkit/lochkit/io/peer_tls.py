"""TLS 1.3 between our own hosts: both ends show a certificate of the same authority.

No host name is looked at: a host may have many addresses and names. What counts is the name in the
certificate, which the client must expect, and to which the server gives its permissions.
"""

import os
import ssl
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from ..errors import ConfigError
from ..wire.certificate import certificate_name
from ..wire.faults import WireFault
from .peer_errors import PeerError, PeerRefused, ProtocolFault

__all__ = [
    "ClientSecurity",
    "Credentials",
    "ServerSecurity",
    "TlsEnd",
    "check_credentials",
    "client_context",
    "server_context",
    "tls_error",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who we are, and whom we believe: paths of PEM files.

    They are read anew for every connection, so that renewed ones need no restart.

    Attributes:
        cert: our certificate, with those between it and the authority's.
        key: its private key, without a password; nobody but its owner and group may read it.
        ca: certificates of the authorities whose certificates are believed.
    """

    cert: str
    key: str
    ca: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSecurity:
    """How a client protects its connections.

    Attributes:
        credentials: None is plain text.
        expected_name: the name that the server's certificate must have; exactly with credentials.
        allow_public: plain text also to addresses that are not of one's own networks.
    """

    credentials: Credentials | None = None
    expected_name: str | None = None
    allow_public: bool = False

    def __post_init__(self) -> None:
        if (self.credentials is None) != (self.expected_name is None):
            raise ValueError("a name is expected exactly where there are certificates")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSecurity:
    """How a server protects its connections.

    Attributes:
        credentials: None is plain text.
        allow_public: plain text also from addresses that are not of one's own networks.
    """

    credentials: Credentials | None = None
    allow_public: bool = False


def check_credentials(credentials: Credentials) -> str:
    """See at the start whether the files can be used.

    Returns:
        The name of our own certificate.

    Raises:
        ConfigError: they can not.
    """
    client = TlsEnd(client_context(credentials), server_side=False)
    server = TlsEnd(server_context(credentials), server_side=True)
    try:
        while not (client.advance() & server.advance()):
            server.incoming.write(client.outgoing.read())
            client.incoming.write(server.outgoing.read())
        return certificate_name(client.certificate())
    except ssl.SSLCertVerificationError as exc:
        raise ConfigError(
            f"{credentials.cert} is not valid with {credentials.ca}: {exc.verify_message}"
        ) from exc
    except (ssl.SSLError, WireFault) as exc:
        raise ConfigError(f"{credentials.cert} can not be used: {exc}") from exc


def client_context(credentials: Credentials) -> ssl.SSLContext:
    """What a client's connection needs.

    Raises:
        ConfigError: the files can not be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # the certificate's name is compared once it is verified
    return _loaded(context, credentials)


def server_context(credentials: Credentials) -> ssl.SSLContext:
    """What a server's connection needs.

    Raises:
        ConfigError: the files can not be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.num_tickets = 0  # a connection lives long, and is never resumed
    return _loaded(context, credentials)


def _loaded(context: ssl.SSLContext, credentials: Credentials) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    _check_key_file(credentials.key)
    try:
        context.load_verify_locations(cafile=credentials.ca)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigError(f"{credentials.ca}: {_reason(exc)}") from exc
    try:
        context.load_cert_chain(credentials.cert, credentials.key, password=_no_password)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigError(
            f"certificate {credentials.cert} with key {credentials.key}: {_reason(exc)}"
        ) from exc
    return context


def _no_password() -> NoReturn:
    raise ConfigError("a private key has a password; a service can not be asked for one")


def _check_key_file(path: str) -> None:
    try:
        mode = os.stat(path).st_mode
    except OSError as exc:
        raise ConfigError(f"private key {path}: {exc.strerror}") from exc
    if stat.S_IMODE(mode) & 0o007:
        raise ConfigError(f"private key {path} can be read by everybody: chmod 600 {path}")


class TlsEnd:
    """One end of a TLS connection without its socket: bytes in, bytes out.

    So no thread is ever within a socket that another one closes, no record costs a system call of
    its own, and a read may be tried while what was written has not gone out.

    Attributes:
        incoming: what came from the other end, to be decrypted.
        outgoing: what is to be sent to the other end.
    """

    def __init__(self, context: ssl.SSLContext, *, server_side: bool) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=server_side)

    def advance(self) -> bool:
        """Go on with the handshake as far as what has come allows; True when it is done."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def certificate(self) -> Mapping[str, Any]:
        """The other end's, verified."""
        return self.tls.getpeercert() or {}


def tls_error(exc: ssl.SSLError, other: str) -> PeerError | PeerRefused:
    """Say what an error of TLS means.

    Args:
        exc: the error.
        other: the other end, for a person.
    """
    reason = exc.reason or str(exc)
    if isinstance(exc, ssl.SSLCertVerificationError):
        return PeerRefused(f"{other}: its certificate is refused: {exc.verify_message}")
    if isinstance(exc, ssl.SSLEOFError):
        return PeerError(f"{other} hung up during the handshake; has it too many connections?")
    if reason in _WITHOUT_CERTIFICATE:
        return PeerRefused(f"{other} showed no certificate")
    if reason in _OTHER_VERSION:
        return PeerRefused(f"{other} does not speak TLS 1.3 ({reason})")
    if reason in _NO_TLS:
        return ProtocolFault(f"{other} does not speak TLS; is it set up for plain text?")
    if "ALERT" in reason and any(word in reason for word in _ABOUT_CERTIFICATES):
        return PeerRefused(f"{other} refuses our certificate ({reason})")
    return PeerError(f"the connection with {other} broke: {reason}")


_WITHOUT_CERTIFICATE: Final = frozenset(("PEER_DID_NOT_RETURN_A_CERTIFICATE",))
_OTHER_VERSION: Final = frozenset(
    ("UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE")
)
_NO_TLS: Final = frozenset(("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST"))
# The alerts of RFC 8446, 6.2, that are about the certificate that was shown.
_ABOUT_CERTIFICATES: Final = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED", "DECRYPT_ERROR")


def _reason(exc: OSError) -> str:
    return exc.strerror or str(exc)
