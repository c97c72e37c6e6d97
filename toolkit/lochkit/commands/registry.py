"""How the commands of the service registry reach it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

from ..discovery.environment import Surroundings, read_surroundings
from ..discovery.layout import Layout
from ..discovery.surroundings import tls_files
from ..etcd.client import Client
from ..etcd_options import EtcdOptions
from ..options import option, shared
from .store import open_store

__all__ = ["RegistryEtcdOptions", "RegistryOptions", "check_utf8", "layout_of", "open_registry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryEtcdOptions(EtcdOptions):
    """The connection's options, and last of all the variables of the original.

    Attributes:
        surroundings: what those variables say, when nothing else says where etcd is.
    """

    surroundings: Surroundings | None = None

    @classmethod
    def resolve(cls, given: Mapping[str, Any], environ: Mapping[str, str]) -> Self:
        """See `EtcdOptions.resolve`.

        Raises:
            ConfigError: a variable of the original's cannot be understood.
        """
        options = super(RegistryEtcdOptions, cls).resolve(given, environ)
        if "endpoints" in given or environ.get("ETCDCTL_ENDPOINTS", "").strip():
            return options
        around = read_surroundings(environ)
        if not around.endpoints:
            return options
        return replace(options, endpoints=around.endpoints, surroundings=around)


def check_utf8(word: str) -> None:
    """Refuse a word of the command line whose bytes are not text: it is to be part of a key.

    Raises:
        ValueError: says so.
    """
    try:
        word.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{word[:200]!r} is not UTF-8") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryOptions:
    """What all of them know."""

    namespace: str = option(
        "--namespace",
        default="",
        default_text="none",
        metavar="KEY",
        check=check_utf8,
        help="What all keys of the registry begin with: /blue for /blue/services/...",
    )
    etcd: RegistryEtcdOptions = shared(RegistryEtcdOptions, "etcd")


def layout_of(options: RegistryOptions) -> Layout:
    """The keys of the registry."""
    return Layout(namespace=options.namespace.rstrip("/"))


@asynccontextmanager
async def open_registry(options: RegistryOptions) -> AsyncIterator[Client]:
    """A client of the registry's etcd.

    Raises:
        ConfigError: a file, an endpoint or a binary cannot be used.
        ExceptionGroup: what the block raises, since it runs inside nurseries.
    """
    etcd, around = options.etcd, options.etcd.surroundings
    if around is None:
        async with open_store(etcd) as client:
            yield client
        return
    with tls_files(around) as (cacert, cert, key):
        files = replace(
            etcd, cacert=etcd.cacert or cacert, cert=etcd.cert or cert, key=etcd.key or key
        )
        async with open_store(files) as client:
            yield client
