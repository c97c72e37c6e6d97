"""pytest fixtures of real servers; the root conftest loads them for all tests."""

from collections.abc import Iterator

import pytest

from .binaries import DEBIAN, VARIANTS, Binaries, binaries
from .certificates import Certificates
from .etcd_server import EtcdServer
from .workspace import workspace

__all__ = ["certificates", "debian_etcd", "etcd_binary", "one_etcd", "shared_etcd"]


@pytest.fixture(scope="session", params=VARIANTS)
def etcd_binary(request: pytest.FixtureRequest) -> Binaries:
    """Every etcd we promise to work with, one after the other."""
    return binaries(request.param)


@pytest.fixture(scope="session")
def debian_etcd() -> Binaries:
    """The one etcd of tests that are not about versions."""
    return binaries(DEBIAN)


@pytest.fixture(scope="session")
def shared_etcd(etcd_binary: Binaries) -> Iterator[EtcdServer]:
    """A plain server for many tests: each keeps to a key prefix of its own, and never hurts it."""
    with workspace() as directory:
        server = EtcdServer(etcd_binary, directory)
        try:
            server.start_sync()
            yield server
        finally:
            server.kill()


@pytest.fixture(scope="session")
def one_etcd(debian_etcd: Binaries) -> Iterator[EtcdServer]:
    """As `shared_etcd`, of one version, for tests that are not about versions."""
    with workspace() as directory:
        server = EtcdServer(debian_etcd, directory)
        try:
            server.start_sync()
            yield server
        finally:
            server.kill()


@pytest.fixture(scope="session")
def certificates() -> Iterator[Certificates]:
    """An authority, and server and client certificates from it."""
    with workspace() as directory:
        yield Certificates(directory)
