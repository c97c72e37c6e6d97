"""Reaching an endpoint: TCP or unix socket, TLS with ALPN, the first words of HTTP/2."""

import os
import ssl
from pathlib import Path

import trio

from ..errors import ConfigError, leaves
from .config import Endpoint, EtcdConfig, TlsConfig
from .connection import Connection, Pulse
from .errors import Unavailable
from .http2 import GrpcCore

__all__ = ["check_files", "dial"]


def check_files(config: EtcdConfig) -> None:
    """Read every file the configuration names, once, before anything depends on it.

    Blocks for a moment; meant for the start of a program. Files are read again at each new
    connection, so that renewed certificates and passwords are taken up without a restart, and a
    fault then is only transient.

    Raises:
        ConfigError: a file is missing, unreadable or not what it should be.
    """
    if any(endpoint.scheme.tls for endpoint in config.endpoints):
        _tls_context(config.tls)
    if config.credentials is not None and config.credentials.password_file is not None:
        read_password_file(config.credentials.password_file)


def read_password_file(path: str) -> str:
    """The password in a file: all of it but its last line end.

    Raises:
        ConfigError: the file cannot be read or holds no password.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"password file {path}: {_reason(error)}") from error
    password = text.removesuffix("\n").removesuffix("\r")
    if not password:
        raise ConfigError(f"password file {path}: it is empty")
    return password


async def dial(endpoint: Endpoint, config: EtcdConfig, nursery: trio.Nursery) -> Connection:
    """Connect to one endpoint and hear it speak HTTP/2, within `dial_timeout`.

    Args:
        endpoint: where to.
        config: TLS, limits and times.
        nursery: runs the connection until it ends; the caller closes it.

    Raises:
        Unavailable: why the endpoint cannot be used now.
    """
    connection: Connection | None = None
    spoken = False
    try:
        with trio.move_on_after(config.dial_timeout):
            connection = Connection(
                await _open_stream(endpoint, config.tls),
                GrpcCore(
                    config.tls.server_name or endpoint.authority,
                    "https" if endpoint.scheme.tls else "http",
                    max_message_bytes=config.max_message_bytes,
                ),
                name=str(endpoint),
                pulse=Pulse(interval=config.ping_interval, timeout=config.ping_timeout),
            )
            nursery.start_soon(connection.run)
            await connection.settled.wait()
            spoken = True
    except (OSError, trio.BrokenResourceError, ConfigError) as error:
        raise Unavailable(f"{endpoint}: {_reason(error)}") from error
    finally:
        if connection is not None and not spoken:
            connection.close()
    if connection is None or not spoken:
        raise Unavailable(f"{endpoint}: no answer within {config.dial_timeout:g} s")
    if connection.error is not None:
        raise Unavailable(f"{endpoint}: {connection.error}")
    return connection


async def _open_stream(endpoint: Endpoint, tls: TlsConfig) -> trio.abc.Stream:
    stream: trio.SocketStream
    if endpoint.scheme.local:
        stream = await trio.open_unix_socket(endpoint.host)
    else:
        stream = await trio.open_tcp_stream(endpoint.host, endpoint.port)
    if not endpoint.scheme.tls:
        return stream
    try:
        name = tls.server_name or ("localhost" if endpoint.scheme.local else endpoint.host)
        secure = trio.SSLStream(stream, _tls_context(tls), server_hostname=name)
        await secure.do_handshake()
        if secure.selected_alpn_protocol() != "h2":
            raise OSError("the server does not offer HTTP/2 over TLS: is it etcd's client port?")
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return secure


def _tls_context(tls: TlsConfig) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=tls.cacert)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"CA certificates {tls.cacert}: {_reason(error)}") from error
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert is not None:
        try:
            context.load_cert_chain(tls.cert, tls.key, password=_refuse_passphrase)
        except (OSError, ssl.SSLError) as error:
            reason = _reason(error)
            raise ConfigError(f"client certificate {tls.cert}, key {tls.key}: {reason}") from error
    context.set_alpn_protocols(["h2"])
    return context


def _refuse_passphrase() -> str:
    """Refuse, where OpenSSL itself would prompt on a terminal that a daemon does not have."""
    raise ConfigError(
        "the client key is encrypted; give one without a passphrase, readable only by its user"
    )


def _reason(error: BaseException) -> str:
    """The first thing that went wrong, in words for a person."""
    root: BaseException = error
    while root.__cause__ is not None:
        root = root.__cause__
    for leaf in leaves(root):
        if isinstance(leaf, ssl.SSLCertVerificationError):
            return f"its certificate is not accepted: {leaf.verify_message}"
        if isinstance(leaf, OSError) and leaf.strerror:
            # Trio puts the address into the text, which the endpoint says already. A negative
            # number is of the name service, which has texts of its own.
            number = leaf.errno or 0
            return os.strerror(number) if number > 0 else leaf.strerror
        return str(leaf) or type(leaf).__name__
    return str(error)
