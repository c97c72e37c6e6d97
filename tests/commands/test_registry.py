"""Where the commands of the registry look for etcd, and in which order."""

import base64
import os
from dataclasses import dataclass

import pytest
import trio

from lochkit.commands.registry import (
    RegistryEtcdOptions,
    RegistryOptions,
    layout_of,
    open_registry,
)
from lochkit.discovery.surroundings import config_from_environment
from lochkit.errors import ConfigError
from lochkit.etcd.config import Scheme
from lochkit.etcd_options import DEFAULT_ENDPOINT
from tests.servers.binaries import Binaries
from tests.servers.certificates import Certificates
from tests.servers.etcd_server import EtcdServer, ServerOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is said where, and which endpoints are meant."""

    given: dict[str, tuple[str, ...]]
    environ: dict[str, str]
    endpoints: tuple[str, ...]


@pytest.mark.parametrize(
    "case",
    [
        Case(given={}, environ={}, endpoints=(DEFAULT_ENDPOINT,)),
        Case(
            given={},
            environ={"ETCD_HOSTS": " http://a:1 , b:2", "ETCD_HOST": "http://c:3"},
            endpoints=("http://a:1", "http://b:2"),
        ),
        Case(given={}, environ={"ETCD_HOST": "http://c:3"}, endpoints=("http://c:3",)),
        Case(
            given={"endpoints": ("http://x:1",)},
            environ={"ETCD_HOSTS": "http://a:1"},
            endpoints=("http://x:1",),
        ),
        Case(
            given={"endpoints": (DEFAULT_ENDPOINT,)},
            environ={"ETCD_HOSTS": "http://a:1"},
            endpoints=(DEFAULT_ENDPOINT,),
        ),
        Case(
            given={},
            environ={"ETCDCTL_ENDPOINTS": "http://y:1", "ETCD_HOSTS": "http://a:1"},
            endpoints=("http://y:1",),
        ),
    ],
)
def test_who_goes_first(case: Case) -> None:
    options = RegistryEtcdOptions.resolve(case.given, case.environ)
    assert options.endpoints == case.endpoints


def test_a_variable_that_makes_no_sense_is_named() -> None:
    with pytest.raises(ConfigError, match="ETCD_HOSTS"):
        RegistryEtcdOptions.resolve({}, {"ETCD_HOSTS": "ftp://a"})


def test_a_variable_that_is_not_needed_does_no_harm() -> None:
    options = RegistryEtcdOptions.resolve(
        {"endpoints": ("http://x:1",)}, {"ETCD_HOSTS": "ftp://a", "ETCD_TLS_KEY": "k"}
    )
    assert options.surroundings is None


@pytest.mark.parametrize(
    ("namespace", "key"),
    [
        ("", b"/services/web/u"),
        ("/blue", b"/blue/services/web/u"),
        ("/blue/", b"/blue/services/web/u"),
    ],
)
def test_a_namespace(namespace: str, key: bytes) -> None:
    assert layout_of(RegistryOptions(namespace=namespace)).instance_key("web", "u") == key


@pytest.mark.parametrize("in_memory", [False, True])
async def test_tls_as_the_original_had_it(
    debian_etcd: Binaries,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    in_memory: bool,
) -> None:
    pair = certificates.client("someone")
    files = {
        "ETCD_CACERT": certificates.cacert,
        "ETCD_TLS_CERT": pair.cert,
        "ETCD_TLS_KEY": pair.key,
    }
    for name, path in files.items():
        content = await trio.Path(path).read_bytes()
        text = base64.b64encode(content).decode() if in_memory else str(path)
        monkeypatch.setenv(name, text)
    monkeypatch.setenv("ETCD_TLS_INMEMORY", "true" if in_memory else "")
    tls = ServerOptions(certificates=certificates, client_certificates=True)
    with trio.fail_after(40):
        async with EtcdServer.run(debian_etcd, tls) as server:
            endpoint = server.endpoint.replace("https", "http")  # TLS is on: it is made https
            monkeypatch.setenv("ETCD_HOSTS", endpoint)
            options = RegistryOptions(etcd=RegistryEtcdOptions.resolve({}, os.environ))
            async with open_registry(options) as etcd:
                assert (await etcd.cluster.status()).version


def test_a_configuration_for_programs() -> None:
    with config_from_environment({"ETCD_HOSTS": "https://a:1", "ETCD_CACERT": "/ca"}) as config:
        assert [str(endpoint) for endpoint in config.endpoints] == ["https://a:1"]
        assert config.tls.cacert == "/ca"
    with config_from_environment({}) as config:
        [endpoint] = config.endpoints
        assert endpoint.scheme is Scheme.HTTP
