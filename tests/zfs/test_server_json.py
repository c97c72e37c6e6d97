"""The old server.json: what it becomes, and what is said about it."""

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lochkit.zfs.errors import BadPolicy
from lochkit.zfs.keep_rules import parse_keep
from lochkit.zfs.naming import NameTemplate
from lochkit.zfs.policy_types import HostAddress, Job, Replication, Selection, SnapshotPolicy
from lochkit.zfs.schedule import Schedule
from lochkit.zfs.server_json import job_name, read_server_json
from lochkit.zfs.tags import check_replication

BACKUP = {
    "prefix": "cold",
    "creation": "0 2 * * *",
    "sync_on": "vault",
    "sync_dataset": "bulk/from-web1",
    "sync_policy": "30 2 * * *",
    "retention": ["2 in last day", "1/day in last week"],
}
SYNC = {
    "prefix": "hot",
    "creation": "*/15 * * * *",
    "sync_on": "web2",
    "sync_dataset": "ssd/standby",
    "sync_policy": "asap",
    "retention": ["24 in last day"],
}
ENTRY = {
    "hostname": "web1",
    "dataset": "ssd/pgdata",
    "backup": BACKUP,
    "sync": SYNC,
    "rollback_if_needed": True,
    "skip_if_renamed": True,
    "skip_if_not_written": True,
    "skip_if_cloned": True,
}


def one(**changes: Any) -> dict[str, Any]:
    return {"datasets": [{**deepcopy(ENTRY), **changes}]}


def faults(document: object) -> list[str]:
    with pytest.raises(BadPolicy) as caught:
        read_server_json(document)
    return str(caught.value).split("\n")


def test_an_entry_is_two_jobs() -> None:
    read = read_server_json(one())
    assert read.warnings == ()
    assert read.policy.hosts == {
        name: HostAddress(address=name) for name in ("web1", "vault", "web2")
    }
    backup, sync = read.policy.jobs
    assert backup == Job(
        name="web1.ssd.pgdata.backup",
        host="web1",
        datasets=Selection(roots=("ssd/pgdata",)),
        snapshot=SnapshotPolicy(
            schedule=Schedule(cron="0 2 * * *"),
            template=NameTemplate(prefix="cold", template="legacy"),
            skip_unwritten=True,
        ),
        keep=parse_keep(["2 in last day", "1/day in last week"], "local"),
        replications=(
            Replication(
                name="web1.ssd.pgdata.backup",
                to="vault",
                target="bulk/from-web1",
                when=Schedule(cron="30 2 * * *"),
                rollback=True,
            ),
        ),
    )
    assert sync.name == "web1.ssd.pgdata.sync"
    assert sync.replications[0].when is None


def test_keys_are_matched_whatever_their_case() -> None:
    text = json.dumps(one()).replace('"hostname"', '"HostName"').replace('"prefix"', '"Prefix"')
    assert read_server_json(json.loads(text)) == read_server_json(one())


def test_an_entry_may_only_prune() -> None:
    """How a destination was pruned: an entry of its own, with nothing but prefix and retention."""
    empty = {"prefix": "", "creation": "", "sync_on": "", "sync_dataset": "", "sync_policy": ""}
    block = {**empty, "prefix": "cold", "retention": ["1/week in last month"]}
    read = read_server_json(one(backup=block, sync={**empty, "retention": []}))
    (job,) = read.policy.jobs
    assert job.snapshot is not None
    assert job.snapshot.schedule is None
    assert job.snapshot.template.prefix == "cold"
    assert job.keep == parse_keep(["1/week in last month"], "local")
    assert job.replications == ()


def test_the_same_host_is_another_pool_of_it() -> None:
    read = read_server_json(one(sync={**SYNC, "sync_on": "web1"}))
    assert read.policy.jobs[1].replications[0].to == "local"


@pytest.mark.parametrize(
    ("document", "warning"),
    [
        ({**one(), "consul_resync": ["03:00", "03:10"]}, "consul_resync: not needed"),
        ({**one(), "consul_resync": ["03:00"]}, "consul_resync: not needed"),
        ({**one(), "datacenter": "par1"}, "datacenter: not needed"),
        (
            one(skip_renamed=True),
            "datasets[0].skip_renamed: not read, nor was it ever; write 'skip",
        ),
        (one(rollback_needed=True), "datasets[0].rollback_needed: not read"),
        (one(skip_if_cloned=False), "datasets[0].skip_if_cloned: snapshots with clones are never"),
        (one(comment="x"), "datasets[0].comment: not known, and left aside"),
        (
            one(sync={**SYNC, "snc_on": "x"}),
            "datasets[0].sync.snc_on: not known, and left aside; did",
        ),
        (one(sync={**SYNC, "sync_policy": ""}), "datasets[0].sync.sync_policy: empty: nothing is"),
        (
            one(sync={**SYNC, "creation": "0 0 1 * 1"}),
            "datasets[0].sync.creation: '0 0 1 * 1' comes on those days of the month, and on",
        ),
    ],
)
def test_what_is_said_about_it(document: dict[str, Any], warning: str) -> None:
    (said,) = read_server_json(document).warnings
    assert said.startswith(warning)


def test_misspelt_flags_do_nothing() -> None:
    entry = {key: value for key, value in ENTRY.items() if not key.startswith(("skip", "roll"))}
    misspelt = {"rollback_needed": True, "skip_renamed": True, "skip_not_written": True}
    read = read_server_json({"datasets": [{**entry, **misspelt, "skip_if_cloned": True}]})
    job = read.policy.jobs[0]
    assert not job.skip_renamed
    assert job.snapshot is not None
    assert not job.snapshot.skip_unwritten
    assert not job.replications[0].rollback


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ([], "policy: expected a table, found a list"),
        ({}, "datasets: nothing to do"),
        ({"datasets": []}, "datasets: nothing to do"),
        ({"datasets": {}}, "datasets: expected a list of tables"),
        ({"local_datasets": []}, "local_datasets: this is a local.json"),
        (one(hostname=""), "datasets[0].hostname: '' can not be"),
        (one(dataset="a@b"), "datasets[0].dataset: 'a@b'"),
        (one(backup=5), "datasets[0].backup: expected a table"),
        (one(skip_if_renamed="yes"), "datasets[0].skip_if_renamed: expected true or false"),
        (
            one(sync={**SYNC, "retention": []}),
            "datasets[0].sync.retention: empty: say what is kept",
        ),
        (one(sync={**SYNC, "retention": ["x"]}), "datasets[0].sync.retention[0]: rule 'x'"),
        (one(sync={**SYNC, "retention": ["0 in last day"]}), "sync.retention[0]: rule '0 in last"),
        (one(sync={**SYNC, "prefix": ""}), "datasets[0].sync.prefix: empty"),
        (one(sync={**SYNC, "creation": "60 * * * *"}), "datasets[0].sync.creation: schedule"),
        (
            one(sync={**SYNC, "sync_policy": "soon"}),
            "datasets[0].sync.sync_policy: schedule 'soon'",
        ),
        (one(sync={**SYNC, "sync_on": ""}), "datasets[0].sync.sync_on: missing"),
        (one(sync={**SYNC, "sync_dataset": ""}), "datasets[0].sync.sync_dataset: missing"),
        (one(sync={**SYNC, "sync_on": "fe80::1"}), "datasets[0].sync.sync_on: 'fe80::1' can not"),
        (
            one(sync={**SYNC, "sync_on": "vault", "sync_dataset": "bulk/from-web1"}),
            "datasets[0].sync.replicate[0].target: 'bulk/from-web1' on vault overlaps",
        ),
        (
            one(sync={**SYNC, "sync_on": "web1", "sync_dataset": "ssd/pgdata"}),
            "ssd/pgdata can not be replicated to ssd/pgdata",
        ),
    ],
)
def test_what_is_wrong_with_it(document: object, fault: str) -> None:
    found = faults(document)
    assert len(found) <= 2
    assert any(fault in line for line in found), found


def test_all_faults_at_once() -> None:
    document = one(hostname="-", sync={**SYNC, "retention": [], "creation": "60 * * * *"})
    assert [line.partition(": ")[0] for line in faults(document)] == [
        "datasets[0].hostname",
        "datasets[0].sync.creation",
        "datasets[0].sync.retention",
    ]


def test_a_dataset_that_is_there_twice() -> None:
    found = faults({"datasets": [ENTRY, ENTRY]})
    assert found[0] == (
        "datasets[0].backup.name: 2 jobs are called 'web1.ssd.pgdata.backup': rename one"
    )


def test_an_invalid_retention_is_never_keep_one() -> None:
    for retention in ([], [""], ["24 in the last day"], ["24 in last day", "nonsense"], [5], "all"):
        assert faults(one(backup={**BACKUP, "retention": retention}))


parts = st.text(st.sampled_from("aZ0._-: "), min_size=1, max_size=12)


@given(
    st.lists(
        st.tuples(
            parts,
            st.lists(parts, min_size=1, max_size=8).map("/".join),
            st.sampled_from(["backup", "sync"]),
        ),
        unique=True,
        max_size=30,
    )
)
@settings(max_examples=100, deadline=None)
def test_names_of_jobs_are_valid_and_unique(identities: list[tuple[str, str, str]]) -> None:
    names = [job_name(*identity) for identity in identities]
    assert len(set(names)) == len(names)
    assert all(check_replication(name) == name for name in names)


def test_names_of_jobs_that_could_be_confused() -> None:
    assert job_name("web1", "ssd/pg", "sync") == "web1.ssd.pg.sync"
    assert job_name("web1.ssd", "pg", "sync") != "web1.ssd.pg.sync"
    assert job_name("web1", "ssd.pg", "sync") != "web1.ssd.pg.sync"
