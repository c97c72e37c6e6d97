"""What an operator's words mean to the agent."""

from pathlib import Path
from typing import Any

import pytest
import trio

from lochkit.cli import invoke
from lochkit.commands import zfs_agent, zfs_agent_options
from lochkit.commands.zfs_agent import settings_of
from lochkit.commands.zfs_agent_options import AgentEtcdOptions, ZfsAgentOptions
from lochkit.errors import ConfigError
from lochkit.options import Subcommand
from lochkit.zfs.agent_settings import AgentSettings
from tests.io.peering import Hosts


@pytest.fixture
def parse(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """What the command line comes to."""
    monkeypatch.setattr(zfs_agent_options, "DEFAULT_POLICY", str(tmp_path / "default.toml"))
    got: list[ZfsAgentOptions] = []

    async def run(options: ZfsAgentOptions) -> None:
        await trio.lowlevel.checkpoint()
        got.append(options)

    command = Subcommand(options=ZfsAgentOptions, run=run, help="x")
    monkeypatch.setattr(zfs_agent, "SUBCOMMAND", command)

    async def parsed(*words: str) -> AgentSettings:
        assert await invoke(["zfs-agent", *words]) == 0
        return settings_of(got[-1])

    return parsed


def tls(hosts: Hosts) -> list[str]:
    mine = hosts.credentials("web1")
    return ["--tls-cert", mine.cert, "--tls-key", mine.key, "--tls-ca", mine.ca]


async def test_a_policy_alone_serves_nobody_and_tells_nobody(parse: Any) -> None:
    settings = await parse("--policy", "zfs.toml", "--host", "web1")
    assert (settings.host, settings.policy) == ("web1", "zfs.toml")
    assert (settings.listen, settings.credentials, settings.etcd) == (None, None, None)
    assert settings.state == Path("/var/lib/lochkit/zfs")


async def test_with_a_certificate_others_are_served(parse: Any, tmp_path: Path) -> None:
    words = ["-p", "zfs.toml", *tls(Hosts(tmp_path / "pki"))]
    settings = await parse(*words, "--orders-port", "1", "--concurrency", "9")
    assert (settings.listen, settings.orders_port, settings.streams_port) == ("0.0.0.0", 1, 7722)
    assert settings.streams == 9
    assert settings.credentials is not None
    assert (await parse(*words, "--listen", "none")).listen is None
    assert (await parse(*words, "--once")).listen is None


async def test_plain_text_must_be_asked_for(parse: Any) -> None:
    settings = await parse("-p", "zfs.toml", "--insecure-plaintext", "--listen", "10.0.0.1")
    assert (settings.plaintext, settings.allow_public, settings.listen) == (
        *(True, False, "10.0.0.1"),
    )
    with pytest.raises(ConfigError, match="--insecure-plaintext"):
        await parse("-p", "zfs.toml", "--allow-public")
    with pytest.raises(ConfigError, match="--tls-cert"):
        await parse("-p", "zfs.toml", "--listen", "10.0.0.1")


async def test_a_certificate_is_given_whole(parse: Any, tmp_path: Path) -> None:
    words = tls(Hosts(tmp_path / "pki"))
    with pytest.raises(ConfigError, match="--tls-ca"):
        await parse("-p", "zfs.toml", *words[:4])
    with pytest.raises(ConfigError, match="exclude"):
        await parse("-p", "zfs.toml", *words, "--insecure-plaintext")


@pytest.mark.parametrize(
    ("words", "environ", "tells"),
    [
        ([], {}, False),
        (["--etcd", "http://127.0.0.1:2379"], {}, True),  # though that is the default
        ([], {"ETCDCTL_ENDPOINTS": "http://h:1"}, True),
        ([], {"LOCHKIT_ETCD": "http://h:1"}, True),
        (["--publish", "no"], {"ETCDCTL_ENDPOINTS": "http://h:1"}, False),
        (["--publish", "yes"], {}, True),
        (["--publish", "yes", "--once"], {}, False),
        (["--cacert", "x.pem"], {}, False),
    ],
)
async def test_etcd_is_told_if_it_is_said_where_it_is(
    parse: Any,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    environ: dict[str, str],
    tells: bool,
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    settings = await parse("-p", "zfs.toml", "--advertise", "10.0.0.1", *words)
    assert (settings.etcd is not None) is tells
    if settings.etcd is not None:
        assert (settings.etcd.address, settings.etcd.namespace) == ("10.0.0.1", "/lochkit/zfs")


async def test_without_anything_to_do_it_does_not_begin(parse: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--policy"):
        await parse()
    (tmp_path / "default.toml").write_text("")
    assert (await parse()).policy == str(tmp_path / "default.toml")
    assert (await parse("--clients", "clients.toml")).clients == "clients.toml"


def test_the_options_of_etcd_are_those_of_all_commands() -> None:
    assert AgentEtcdOptions.resolve({"user": "x"}, {"ETCDCTL_PASSWORD": "p"}).password == "p"
