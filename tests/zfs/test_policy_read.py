"""Policies in TOML: what they say, all that is wrong with them, and what is suspicious."""

import tomllib
from typing import Any

import pytest

from lochkit.zfs.errors import BadPolicy
from lochkit.zfs.keep_rules import parse_keep
from lochkit.zfs.naming import NameTemplate
from lochkit.zfs.policy_read import read_policy
from lochkit.zfs.policy_read_checks import check_for_director
from lochkit.zfs.policy_types import (
    Guarantee,
    HostAddress,
    Job,
    Replication,
    Selection,
    SnapshotPolicy,
    StaleToken,
)
from lochkit.zfs.schedule import Schedule

WHOLE = """
zone = "Europe/Paris"
[hosts.vault]
address = "10.0.0.2"
orders = 7001
certificate = "vault.example"
[[job]]
name = "pgdata"
host = "web1"
datasets = ["ssd/pgdata"]
recursive = true
exclude = ["ssd/pgdata/tmp*"]
skip_renamed = false
keep = ["24 in last day", "1/day in last week"]
[job.snapshot]
cron = "*/15 * * * *"
zone = "UTC"
name_zone = "Asia/Tokyo"
prefix = "hot"
template = "{prefix}_{time:%Y%m%d%H%M%S}"
also = ["legacy"]
skip_unwritten = true
[[job.replicate]]
to = "vault"
target = "bulk/from-web1/pgdata"
when = "asap"
keep = { rules = ["1/week in last month"], zone = "UTC" }
snapshots = "hot_.*"
intermediates = false
initial_all = false
raw = false
send_properties = true
set_properties = { "com.example:x" = "y", readonly = "on" }
exclude_properties = ["mountpoint"]
large_blocks = true
compressed = false
embedded = true
resume = false
stale_token = "keep"
rollback = true
guarantee = "incremental"
compression = "zstd"
rate = 1000000
[[job.replicate]]
name = "near"
to = "local"
target = "hdd/pgdata"
when = "30 2 * * *"
[[job]]
name = "plain"
datasets = ["ssd/plain", "hdd/plain"]
zone = "local"
snapshot = { cron = "@daily" }
keep = ["last 3"]
"""


def policy(text: str) -> Any:
    return read_policy(tomllib.loads(text))


def faults(text: str) -> list[str]:
    with pytest.raises(BadPolicy) as caught:
        policy(text)
    return str(caught.value).split("\n")


def test_everything_that_can_be_said() -> None:
    read = policy(WHOLE)
    assert read.warnings == ()
    assert read.policy.hosts == {
        "vault": HostAddress(address="10.0.0.2", orders=7001, certificate="vault.example")
    }
    pgdata, plain = read.policy.jobs
    assert pgdata == Job(
        name="pgdata",
        host="web1",
        datasets=Selection(roots=("ssd/pgdata",), recursive=True, exclude=("ssd/pgdata/tmp*",)),
        skip_renamed=False,
        keep=parse_keep(["24 in last day", "1/day in last week"], "Europe/Paris"),
        snapshot=SnapshotPolicy(
            schedule=Schedule(cron="*/15 * * * *", zone="UTC"),
            template=NameTemplate(
                prefix="hot",
                template="{prefix}_{time:%Y%m%d%H%M%S}",
                zone="Asia/Tokyo",
                also=("legacy",),
            ),
            skip_unwritten=True,
        ),
        replications=(
            Replication(
                name="pgdata_vault",
                to="vault",
                target="bulk/from-web1/pgdata",
                keep=parse_keep(["1/week in last month"], "UTC"),
                snapshots="hot_.*",
                intermediates=False,
                initial_all=False,
                raw=False,
                send_properties=True,
                set_properties={"com.example:x": "y", "readonly": "on"},
                exclude_properties=("mountpoint",),
                large_blocks=True,
                compressed=False,
                embedded=True,
                resume=False,
                stale_token=StaleToken.KEEP,
                rollback=True,
                guarantee=Guarantee.INCREMENTAL,
                compression="zstd",
                rate=1_000_000,
            ),
            Replication(
                name="near",
                to="local",
                target="hdd/pgdata",
                when=Schedule(cron="30 2 * * *", zone="Europe/Paris"),
            ),
        ),
    )
    assert plain.host is None
    assert plain.snapshot == SnapshotPolicy(
        schedule=Schedule(cron="@daily", zone="local"), template=NameTemplate(prefix="lochkit")
    )
    assert plain.keep == parse_keep(["last 3"], "local")


def test_the_least_that_can_be_said() -> None:
    read = policy('[[job]]\nname = "a"\ndatasets = ["tank"]\nsnapshot = {cron = "@daily"}')
    (job,) = read.policy.jobs
    assert job == Job(
        name="a",
        datasets=Selection(roots=("tank",)),
        snapshot=SnapshotPolicy(
            schedule=Schedule(cron="@daily"), template=NameTemplate(prefix="lochkit")
        ),
    )
    assert read.warnings == ("job[0]: 'a' takes snapshots and never destroys any: it has no keep",)


def test_zones_when_none_is_said() -> None:
    text = """
    [[job]]
    name = "a"
    datasets = ["tank/a"]
    snapshot = { cron = "@daily" }
    keep = ["1/day in last week"]
    replicate = [{ to = "vault", target = "bulk/a", when = "@weekly" }]
    """
    (job,) = policy(text).policy.jobs
    assert job.snapshot.schedule.zone == job.replications[0].when.zone == "local"
    assert job.keep.zone == "UTC"


def test_jobs_of_a_host() -> None:
    read = policy(WHOLE).policy
    assert [job.name for job in read.of_host("web1")] == ["pgdata", "plain"]
    assert [job.name for job in read.of_host("web2")] == ["plain"]


JOB = '[[job]]\nname = "a"\ndatasets = ["tank/a"]\n'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "job: missing: a policy has at least one [[job]]"),
        ("zone = 5\n" + JOB, "zone: expected a string, found 5"),
        ("zones = 'UTC'\n" + JOB, "zones: unknown key; did you mean 'zone'?"),
        ("zone = 'Mars'\n" + JOB, "zone: there is no time zone 'Mars'"),
        ("job = 5", "job: expected a list of tables, found 5"),
        ("job = [5]", "job[0]: expected a table, found 5"),
        (JOB + "[hosts]\nvault = 5", "hosts.vault: expected a table, found 5"),
        (JOB + "[hosts.vault]", "hosts.vault.address: missing"),
        (JOB + "[hosts.local]\naddress = 'x'", "hosts.local: 'local' means the same host"),
        (JOB + "[hosts.v]\naddress = 'a b'", "hosts.v.address: 'a b' is not a name or address"),
        (JOB + "[hosts.'a/b']\naddress = 'x'", "hosts.a/b: 'a/b' can not be the name of a host"),
        (JOB + "[hosts.v]\naddress = 'x'\norders = 0", "hosts.v.orders: expected 1 to 65535"),
        (JOB + "[hosts.v]\naddress = 'x'\norders = true", "expected a whole number, found true"),
        ("[[job]]\ndatasets = ['tank']", "job[0].name: missing"),
        ("[[job]]\nname = 'a b'\ndatasets = ['tank']", "job[0].name: 'a b' can not be the name"),
        ("[[job]]\nname = 'a'", "job[0].datasets: missing"),
        ("[[job]]\nname = 'a'\ndatasets = []", "job[0].datasets: empty"),
        ("[[job]]\nname = 'a'\ndatasets = 'tank'", 'expected a list of strings, found "tank"'),
        ("[[job]]\nname = 'a'\ndatasets = ['tank', '-r']", "job[0].datasets[1]: '-r'"),
        ("[[job]]\nname = 'a'\ndatasets = ['tank@x']", "job[0].datasets[0]: 'tank@x'"),
        ("[[job]]\nname = 'a'\ndatasets = ['tank/..']", "job[0].datasets[0]: 'tank/..'"),
        ("[[job]]\nname = 'a'\ndatasets = ['t', 't']", "job[0].datasets: 't' is there twice"),
        (
            "[[job]]\nname = 'a'\nrecursive = true\ndatasets = ['t', 't/b']",
            "job[0].datasets: 't/b' is below 't' already",
        ),
        (JOB + "recursive = 1", "job[0].recursive: expected true or false, found 1"),
        (JOB + "exclude = ['x']", "job[0].exclude: has no effect unless recursive = true"),
        (JOB + "host = '-x'", "job[0].host: '-x' can not be the name of a host"),
        (JOB + "keep = ['last 1']", "job[0].keep: only a job's own snapshots are destroyed"),
        (JOB + "snapshot = {cron = '61 * * * *'}", "job[0].snapshot.cron: schedule '61 * * * *'"),
        (JOB + "snapshot = {corn = '@daily'}", "snapshot.corn: unknown key; did you mean 'cron'?"),
        (JOB + "snapshot = {zone = 'Europe/Pari'}", "did you mean 'Europe/Paris'?"),
        (JOB + "snapshot = {prefix = 'a@b'}", "job[0].snapshot: prefix: 'a@b'"),
        (JOB + "snapshot = {template = 'x'}", "job[0].snapshot: template 'x': it must begin"),
        (JOB + "snapshot = 'daily'", 'job[0].snapshot: expected a table, found "daily"'),
        (JOB + "snapshot = {}\nkeep = []", "job[0].keep: nothing would be kept"),
        (JOB + "snapshot = {}\nkeep = 'last 1'", "job[0].keep: expected a list of strings"),
        (JOB + "snapshot = {}\nkeep = ['last 1', 'x']", "job[0].keep[1]: rule 'x' is not"),
        (JOB + "snapshot = {}\nkeep = {rules = ['x']}", "job[0].keep.rules[0]: rule 'x' is not"),
        (JOB + "snapshot = {}\nkeep = {}", "job[0].keep.rules: nothing would be kept"),
        (JOB + "snapshot = {}\nkeep = ['not replicated']", "this job has no replicate"),
    ],
)
def test_what_is_wrong_and_where(text: str, fault: str) -> None:
    found = faults(text)
    assert any(fault in line for line in found), found


def test_all_faults_at_once_and_none_of_them_twice() -> None:
    found = faults(
        """
        zones = "UTC"
        [hosts.vault]
        adress = "10.0.0.2"
        [[job]]
        name = "pg data"
        datasets = ["ssd/pgdata", "-x"]
        snapshot = { cron = "0 0 31 2 *", prefix = "hot" }
        keep = ["24 in last day", "5/week in last day", "bla"]
        [[job.replicate]]
        to = 5
        target = "x"
        [[job]]
        name = "b"
        datasets = ["tank"]
        keep = []
        """
    )
    assert [line.partition(": ")[0] for line in found] == [
        "hosts.vault.address",
        "hosts.vault.adress",
        "job[0].name",
        "job[0].datasets[1]",
        "job[0].snapshot.cron",
        "job[0].keep[1]",
        "job[0].keep[2]",
        "job[0].replicate[0].to",
        "job[1].keep",
        "zones",
    ]


def test_a_director_must_know_whose_datasets_are_meant() -> None:
    assert check_for_director(policy(WHOLE).policy) == [
        "job[1].host: a director must know whose datasets 'plain' is about"
    ]
