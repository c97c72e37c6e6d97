"""``lochkit zfs-director``: what its words mean, and the status it prints."""

import json
from pathlib import Path

import pytest
import trio

from lochkit.cli import invoke
from lochkit.commands import zfs_director_options
from lochkit.commands.zfs_director import feed_of
from lochkit.commands.zfs_director_options import ZfsDirectorOptions
from lochkit.errors import ConfigError, leaves
from lochkit.zfs.directing_record import DirectorKeys
from lochkit.zfs.directing_work import Conflicted
from lochkit.zfs.director_status import (
    DirectorStatus,
    HostLine,
    JunkLine,
    OrderLine,
    TroubleLine,
    encode_status,
)
from lochkit.zfs.election_record import Candidate, leader_value
from lochkit.zfs.layout import Layout
from lochkit.zfs.policy_feed import EtcdFeed, FileFeed
from tests.etcd.real import client_of
from tests.servers.etcd_server import EtcdServer

PLAIN = "--insecure-plaintext"


@pytest.fixture(autouse=True)
def _no_policy_of_this_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(zfs_director_options, "DEFAULT_POLICY", str(tmp_path / "default.toml"))


def test_where_the_policy_comes_from(tmp_path: Path) -> None:
    assert isinstance(feed_of(ZfsDirectorOptions(policy="x.toml")), FileFeed)
    assert isinstance(feed_of(ZfsDirectorOptions(policy_in_etcd=True)), EtcdFeed)
    with pytest.raises(ConfigError, match="exclude each other"):
        feed_of(ZfsDirectorOptions(policy="x.toml", policy_in_etcd=True))
    with pytest.raises(ConfigError, match="there is no policy"):
        feed_of(ZfsDirectorOptions())
    (tmp_path / "default.toml").write_text("")
    assert feed_of(ZfsDirectorOptions()).source == str(tmp_path / "default.toml")


@pytest.mark.parametrize(
    ("policy", "words", "says"),
    [
        ("", (), "certificates"),
        ("", (PLAIN,), "job: missing"),
        (
            "[[job]]\nname = 'a'\ndatasets = ['b']\nsnapshot = { cron = '0 4 * * *' }\n",
            (PLAIN,),
            "job[0].host",
        ),
    ],
)
async def test_what_it_can_not_begin_with(
    tmp_path: Path, policy: str, words: tuple[str, ...], says: str
) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(policy)
    found: list[BaseException] = []
    with trio.fail_after(20):
        try:
            await invoke(["zfs-director", "--policy", str(path), *words])
        except (ConfigError, ExceptionGroup) as exc:
            found += leaves(exc)
    (fault,) = found
    assert isinstance(fault, ConfigError)
    assert says in str(fault)


@pytest.mark.real_etcd
async def test_status(one_etcd: EtcdServer, capfd: pytest.CaptureFixture[str]) -> None:
    layout = Layout("/status-of-director")
    keys = DirectorKeys(layout)
    words = ["zfs-director", "status", "--etcd", one_etcd.endpoint]
    words += ["--namespace", "/status-of-director"]
    status = DirectorStatus(
        name="d1",
        since=1.0,
        at=2.0,
        policy="/etc/p.toml",
        jobs=1,
        hosts=(HostLine(host="web1", address="10.0.0.1:7711", zfs="zfs-2.3", datasets=3),),
    )
    troubled = DirectorStatus(
        name="d1",
        since=1.0,
        at=2.0,
        policy_error="line 7",
        hosts=(HostLine(host="web2"),),
        running=(OrderLine(order="u", job="j", work="send", host="web1", dataset="ssd/a"),),
        troubles=(TroubleLine(job="j", work="take", dataset="ssd/b", error="it is busy"),),
        conflicts=(
            Conflicted(
                job="j",
                replication="r",
                host="web1",
                dataset="ssd/c",
                target="vault:bulk/c",
                reason="diverged",
                message="somebody wrote there",
            ),
        ),
        junk=(JunkLine(key="/z/\x1b[31m", reason="not JSON"),),
        notices=("web2 is silent",),
    )
    with trio.fail_after(30):
        assert await invoke(words) == 1
        assert capfd.readouterr().out == "nobody directs\n"
        async with client_of(one_etcd.endpoint) as etcd:
            leader = leader_value(Candidate(name="d1", instance="x"), 1.0)
            await etcd.kv.put(layout.leader(), leader)
            await etcd.kv.put(keys.status, encode_status(status))
            assert await invoke(words) == 0
            shown = capfd.readouterr().out
            assert shown.startswith("d1 directs since 1970-01-01 00:00:01Z\n")
            assert "10.0.0.1:7711" in shown
            await etcd.kv.put(keys.status, encode_status(troubled))
            assert await invoke(words) == 1
            shown = capfd.readouterr().out
            for text in ("line 7", "silent", "ssd/a", "it is busy", "somebody wrote there"):
                assert text in shown
            assert "\x1b" not in shown
            assert await invoke([*words, "--json"]) == 1
            document = json.loads(capfd.readouterr().out)
            assert document["Leader"]["Host"] == "d1"
            assert document["Status"]["Conflicts"][0]["Reason"] == "diverged"
