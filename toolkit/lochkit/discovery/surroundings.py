"""What the variables of the original say, as files and configuration for a client."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import NamedTuple

from ..etcd.config import EtcdConfig, TlsConfig, parse_endpoints
from ..io.anonymous import anonymous_file
from .environment import Surroundings, read_surroundings

__all__ = ["TlsFiles", "config_from_environment", "tls_files"]

_DEFAULT_ENDPOINT = "http://localhost:2379"


class TlsFiles(NamedTuple):
    """Paths of PEM files; None where there is none."""

    cacert: str | None
    cert: str | None
    key: str | None


@contextmanager
def tls_files(around: Surroundings) -> Iterator[TlsFiles]:
    """The files of the surroundings, for as long as the block runs.

    What is in the variables themselves (ETCD_TLS_INMEMORY) is put into files without a name, in
    memory, that nobody but this process can open.
    """
    given = (around.cacert, around.cert, around.key)
    if not around.in_memory:
        yield TlsFiles(*given)
        return
    with ExitStack() as stack:
        paths: list[str | None] = []
        for text in given:
            if text is None:
                paths.append(None)
                continue
            file = stack.enter_context(anonymous_file("lochkit-tls", [text.encode()]))
            paths.append(f"/proc/self/fd/{file.fileno()}")
        yield TlsFiles(*paths)


@contextmanager
def config_from_environment(environ: Mapping[str, str] = os.environ) -> Iterator[EtcdConfig]:
    """The client's configuration as the original's variables have it.

        with config_from_environment() as config:
            async with open_client(config) as etcd: ...

    Args:
        environ: ETCD_HOSTS, ETCD_HOST, ETCD_CACERT, ETCD_TLS_CERT, ETCD_TLS_KEY, ETCD_TLS_INMEMORY.

    Raises:
        ConfigError: a variable cannot be understood; it is named.
    """
    around = read_surroundings(environ)
    with tls_files(around) as files:
        config = EtcdConfig(endpoints=parse_endpoints(around.endpoints or (_DEFAULT_ENDPOINT,)))
        yield replace(config, tls=TlsConfig(cacert=files.cacert, cert=files.cert, key=files.key))
