"""A director's policy in a file: TOML or the old server.json, read anew, a bad one left aside."""

from pathlib import Path

import pytest

from lochkit.zfs.errors import BadPolicy
from lochkit.zfs.policy_feed import EtcdFeed, FileFeed

from .director_scene import LAYOUT

GOOD = """
[[job]]
name = "pg"
host = "web1"
datasets = ["ssd/pg"]
keep = ["last 1"]
snapshot = { cron = "0 * * * *" }
"""
SERVER = """
{"datacenter": "par1", "consul_resync": ["03:00", "03:10"], "datasets": [
 {"hostname": "web1", "dataset": "ssd/pg",
  "backup": {"prefix": "cold", "creation": "0 2 * * *", "sync_on": "vault",
   "sync_dataset": "bulk/pg", "sync_policy": "asap", "retention": ["2 in last day"]},
  "sync": {"prefix": "", "creation": "", "sync_on": "", "sync_dataset": "", "sync_policy": "",
   "retention": []},
  "rollback_if_needed": true, "skip_if_renamed": true, "skip_if_cloned": true}]}
"""


async def test_a_bad_policy_leaves_the_good_one(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(GOOD)
    feed = FileFeed(str(path))
    await feed.load()
    good = feed.policy
    assert [one.name for one in good.jobs] == ["pg"]
    for bad in ("[[job", GOOD.replace("0 * * * *", "often"), GOOD.replace('host = "web1"', ""), ""):
        path.write_text(bad)
        with pytest.raises(BadPolicy, match=r"policy\.toml"):
            await feed.load()
        assert feed.policy is good
        assert "policy.toml" in feed.error
    path.write_text(GOOD.replace('"pg"', '"other"') + "[clients.web1]\nwrite = ['bulk']\n")
    await feed.load()
    assert [one.name for one in feed.policy.jobs] == ["other"]
    assert not feed.error


async def test_the_old_server_json_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "server.json"
    path.write_text(SERVER)
    feed = FileFeed(str(path))
    await feed.load()
    (job,) = feed.policy.jobs
    assert (job.host, job.datasets.roots) == ("web1", ("ssd/pg",))
    assert job.replications[0].to == "vault"
    assert feed.policy.hosts["vault"].address == "vault"


async def test_a_policy_in_etcd_comes_by_itself() -> None:
    feed = EtcdFeed(LAYOUT)
    await feed.load()
    assert feed.ranges == (LAYOUT.policies(),)
    assert feed.source == "etcd: /z/policy/"
    assert not feed.policy.jobs
