"""Jobs as JSON: what is written is read as the same, and damage is a fault."""

import json
import tomllib
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from lochkit.zfs.errors import BadPolicy
from lochkit.zfs.keep_rules import KeepPolicy, parse_keep
from lochkit.zfs.naming import DEFAULT, NameTemplate
from lochkit.zfs.policy_json import (
    job_text,
    read_job_text,
    read_replication,
    replication_document,
)
from lochkit.zfs.policy_read import read_policy
from lochkit.zfs.policy_types import (
    Guarantee,
    HostAddress,
    Job,
    Policy,
    Replication,
    Selection,
    SnapshotPolicy,
    StaleToken,
)
from lochkit.zfs.policy_write import policy_document
from lochkit.zfs.schedule import Schedule

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,15}", fullmatch=True)
datasets = st.from_regex(r"[a-z]{1,5}(/[a-z0-9_][a-z0-9_.-]{0,4}x){0,3}", fullmatch=True)
zones = st.sampled_from(["local", "UTC", "Europe/Paris"])
schedules = st.builds(
    Schedule, cron=st.sampled_from(["@daily", "*/15 * * * *", "0 2 1,15 * mon"]), zone=zones
)
rules = st.sampled_from(
    [
        *("24 in last day", "1/week in last month", "last 7", "not regex _00", "regex a  b"),
        "1x1h(keep=all) | 24x1h | 30x1d(keep=2)",
    ]
)
keeps = st.builds(parse_keep, st.lists(rules, min_size=1, max_size=3), zones)
templates = st.builds(
    NameTemplate,
    prefix=names,
    template=st.sampled_from([DEFAULT, "legacy", "{prefix}-{epoch}"]),
    zone=zones,
    also=st.sampled_from([(), ("legacy",), ("default", "legacy")]),
)
snapshot_policies = st.builds(
    SnapshotPolicy,
    schedule=st.none() | schedules,
    template=templates,
    skip_unwritten=st.booleans(),
)
maybe = st.none() | st.booleans()
replications = st.builds(
    Replication,
    name=names,
    to=names,
    target=datasets,
    when=st.none() | schedules,
    keep=st.none() | keeps,
    snapshots=st.none() | st.just("hot_.*"),
    intermediates=st.booleans(),
    initial_all=st.booleans(),
    raw=st.booleans(),
    send_properties=st.booleans(),
    set_properties=st.dictionaries(st.sampled_from(["a", "b:c"]), st.sampled_from(["", "on", "é"])),
    exclude_properties=st.sampled_from([(), ("mountpoint", "sharenfs")]),
    large_blocks=maybe,
    compressed=maybe,
    embedded=maybe,
    resume=st.booleans(),
    stale_token=st.sampled_from(StaleToken),
    rollback=st.booleans(),
    guarantee=st.sampled_from(Guarantee),
    compression=st.sampled_from(["none", "zstd", "lz4", "gzip"]),
    rate=st.none() | st.integers(1024, 2**40),
)


@st.composite
def jobs(draw: st.DrawFn) -> Job:
    recursive = draw(st.booleans())
    root = draw(datasets)
    snapshot = draw(st.none() | snapshot_policies)
    found = draw(st.lists(replications, max_size=2))
    keep: KeepPolicy | None = None
    if snapshot is not None:
        keep = draw(st.none() | keeps)
    else:
        found = [Replication(name=one.name, to=one.to, target=one.target) for one in found]
    return Job(
        name=draw(names),
        host=draw(st.none() | names),
        datasets=Selection(
            roots=(root,),
            recursive=recursive,
            exclude=draw(st.sampled_from([(), ("*/tmp", "x*")])) if recursive else (),
        ),
        snapshot=snapshot,
        keep=keep,
        replications=tuple(found),
        skip_renamed=draw(st.booleans()),
    )


@given(jobs())
@settings(max_examples=60, deadline=None)
def test_a_job_is_read_as_it_was_written(job: Job) -> None:
    assert read_job_text(job_text(job)) == job
    assert read_job_text(job_text(job).encode(), name=job.name) == job


@given(replications)
@settings(max_examples=60, deadline=None)
def test_a_replication_is_read_as_it_was_written(replication: Replication) -> None:
    document = json.loads(json.dumps(replication_document(replication)))
    assert read_replication(document) == replication


@given(jobs())
@settings(max_examples=30, deadline=None)
def test_a_policy_is_read_as_it_was_written(job: Job) -> None:
    hosts = {"vault": HostAddress(address="10.0.0.2", streams=1, certificate="v")}
    policy = Policy(jobs=(job,), hosts=hosts)
    try:
        read = read_policy(tomllib.loads(tomli_w.dumps(policy_document(policy))))
    except BadPolicy as exc:
        # Two replications may have got one name or one place, or the source its own.
        assert "job[0].replicate" in str(exc)  # noqa: PT017 (a policy without such has no fault)
        return
    assert read.policy == policy


def test_what_is_at_its_default_is_not_written() -> None:
    job = Job(name="a", datasets=Selection(roots=("tank",)))
    assert job_text(job) == '{"name":"a","datasets":["tank"]}'


def test_the_key_may_give_the_name() -> None:
    assert read_job_text('{"datasets":["tank"]}', name="a").name == "a"
    with pytest.raises(BadPolicy, match="make both the same"):
        read_job_text('{"name":"b","datasets":["tank"]}', name="a")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "job: not valid JSON"),
        ("null", "job: expected a table, found null"),
        ('{"name":"a","name":"b"}', "'name' is there twice"),
        ('{"name":"a","datasets":["t"],"x":NaN}', "NaN is not a number"),
        ('{"name":"a","datasets":["t"],"host":null}', "job.host: expected a string, found null"),
        ('{"name":"a","datasets":["t"],"replicate":{}}', "job.replicate: expected a list"),
        ('{"name":"a","datasets":["t"],"replicate":[{"to":"v"}]}', "job.replicate[0].target: mis"),
        ("[" * 100_000, "not valid JSON"),
        (" " * 1_048_577, "the limit is 1048576"),
        (b"\xff", "not valid JSON"),
    ],
)
def test_what_is_no_job(text: str | bytes, fault: str) -> None:
    with pytest.raises(BadPolicy) as caught:
        read_job_text(text)
    assert fault in str(caught.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3)
    ),
    max_leaves=6,
)


@given(jobs(), st.data())
@settings(max_examples=80, deadline=None)
def test_damage_is_a_fault_or_another_job(job: Job, data: st.DataObject) -> None:
    document: Any = json.loads(job_text(job))
    place = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
            place = place[key]
            continue
        place[key] = data.draw(json_values)
        break
    try:
        read = read_job_text(json.dumps(document))
    except BadPolicy as exc:
        assert all(line.startswith("job") for line in str(exc).split("\n"))  # noqa: PT017 (or none)
    else:
        assert read_job_text(job_text(read)) == read


def test_a_replication_must_say_its_name() -> None:
    with pytest.raises(BadPolicy, match=r"replication\.name: missing"):
        read_replication({"to": "vault", "target": "bulk"})
