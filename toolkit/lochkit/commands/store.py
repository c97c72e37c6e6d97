"""From the options an operator gave to a connected etcd client, embedded etcd included."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..errors import ConfigError
from ..etcd.client import Client, open_client
from ..etcd.config import Credentials, EtcdConfig, TlsConfig, parse_endpoints
from ..etcd_options import EMBEDDED, EtcdOptions

__all__ = ["etcd_config", "open_store"]


def etcd_config(options: EtcdOptions, *, endpoint: str | None = None) -> EtcdConfig:
    """What the client needs, from what the operator said.

    Args:
        options: the shared options.
        endpoint: the URL to use instead of those in `options`.

    Raises:
        ConfigError: an endpoint cannot be read, or a user has no password.
    """
    endpoints = options.endpoints if endpoint is None else (endpoint,)
    return EtcdConfig(
        endpoints=parse_endpoints(endpoints),
        tls=TlsConfig(
            cacert=options.cacert,
            cert=options.cert,
            key=options.key,
            server_name=options.server_name,
            verify=not options.insecure_skip_verify,
        ),
        credentials=_credentials(options),
        dial_timeout=options.dial_timeout,
        request_timeout=options.request_timeout,
    )


@asynccontextmanager
async def open_store(options: EtcdOptions) -> AsyncIterator[Client]:
    """A client for the etcd of the options; with ``embedded``, one started for as long as the block
    runs.

    Raises:
        ConfigError: a file, an endpoint or a binary cannot be used.
        ExceptionGroup: what the block raises, since it runs inside nurseries.
    """
    if options.endpoints == (EMBEDDED,):
        # Here, with what it takes to run a child: it is rarely needed.
        from ..etcd.embedded import embedded_etcd

        async with (
            embedded_etcd(options.data_dir) as server,
            open_client(etcd_config(options, endpoint=server.endpoint)) as client,
        ):
            yield client
        return
    if EMBEDDED in options.endpoints:
        raise ConfigError("--etcd embedded stands alone: it is not one endpoint among others")
    async with open_client(etcd_config(options)) as client:
        yield client


def _credentials(options: EtcdOptions) -> Credentials | None:
    if options.user is None:
        return None
    if options.password is None and options.password_file is None:
        raise ConfigError(
            f"user {options.user!r} has no password: give its file with --password-file,"
            " or the password in ETCDCTL_PASSWORD"
        )
    return Credentials(
        user=options.user,
        password=None if options.password_file else options.password,
        password_file=options.password_file,
    )
