"""What an agent follows: jobs, hosts, and what its clients may do; and what it must not prune."""

from pathlib import Path

import pytest

from lochkit.errors import ConfigError
from lochkit.io.peer_tls import Credentials
from lochkit.zfs.agent_policy import load_agent_policy
from lochkit.zfs.agent_prune import needs_of_source, needs_of_target, newest_cursors
from lochkit.zfs.agent_settings import AgentSettings
from lochkit.zfs.errors import BadPolicy
from lochkit.zfs.model import Bookmark, Dataset, Snapshot
from lochkit.zfs.orders import Action
from lochkit.zfs.permits import Permits
from lochkit.zfs.tags import cursor_name

JOB = """
[[job]]
name = "pg"
datasets = ["ssd/pg"]
snapshot = { cron = "0 * * * *" }
"""
CLIENTS = """
[clients.web1]
write = ["bulk/web1"]
rollback = true
properties = true
streams = 3
orders = ["destroy_snapshot"]
[clients.director]
orders = ["all"]
orders_on = ["ssd", "bulk"]
[clients.anonymous]
write = ["bulk/lab"]
"""


def written(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_jobs_and_clients_may_stand_in_one_file(tmp_path: Path) -> None:
    found = load_agent_policy(written(tmp_path / "zfs.toml", JOB + CLIENTS), None)
    assert [job.name for job in found.jobs_of("web1")] == ["pg"]
    web1, director = found.permits.of("web1"), found.permits.of("director")
    assert web1 is not None
    assert director is not None
    assert (web1.write, web1.rollback, web1.properties, web1.streams) == (
        *(("bulk/web1",), True, True, 3),
    )
    assert web1.may_order("destroy_snapshot", "bulk/web1/x")
    assert not web1.may_order("take_snapshot", "bulk/web1")
    assert not web1.may_order("destroy_snapshot", "bulk/web2")
    assert director.orders == {action.value for action in Action}
    assert director.may_order("send_snapshot", "ssd/pg")
    assert not director.may_write("ssd/pg")
    assert found.permits.of("nobody") is None


def test_who_has_no_name_is_let_in_in_plain_text_only(tmp_path: Path) -> None:
    path = written(tmp_path / "zfs.toml", CLIENTS)
    assert load_agent_policy(path, None).permits.of(None) is None
    anonymous = load_agent_policy(path, None, plaintext=True).permits.of(None)
    assert anonymous is not None
    assert anonymous.may_write("bulk/lab/x")
    assert load_agent_policy(path, None).permits.of("anonymous") is None


def test_a_host_that_only_receives_needs_no_jobs(tmp_path: Path) -> None:
    hosts = '[hosts.attic]\naddress = "10.0.0.3"\n'
    found = load_agent_policy(written(tmp_path / "zfs.toml", hosts + CLIENTS), None)
    assert found.jobs_of("vault") == ()
    assert found.policy.hosts["attic"].address == "10.0.0.3"
    with pytest.raises(BadPolicy, match="job: missing"):
        load_agent_policy(written(tmp_path / "zfs.toml", hosts), None)
    assert load_agent_policy(None, None).permits == Permits()


def test_clients_may_stand_in_a_file_of_their_own(tmp_path: Path) -> None:
    policy = written(tmp_path / "zfs.toml", JOB + '[clients.web2]\nwrite = ["bulk/web2"]')
    clients = written(tmp_path / "clients.toml", CLIENTS)
    found = load_agent_policy(policy, clients)
    assert sorted(found.permits.clients) == ["director", "web1", "web2"]
    written(tmp_path / "zfs.toml", JOB + CLIENTS)
    with pytest.raises(BadPolicy, match=r"clients\.web1: is in .* as well"):
        load_agent_policy(policy, clients)


def test_an_old_policy_is_followed(tmp_path: Path) -> None:
    text = """{"datasets": [{"hostname": "web1", "dataset": "ssd/pg",
      "backup": {"prefix": "", "creation": "", "sync_on": "", "sync_dataset": "",
                 "sync_policy": "", "retention": []},
      "sync": {"prefix": "hot", "creation": "*/15 * * * *", "sync_on": "", "sync_dataset": "",
               "sync_policy": "", "retention": ["2 in last day"]}}]}"""
    found = load_agent_policy(written(tmp_path / "server.json", text), None)
    assert [job.datasets.roots for job in found.jobs_of("web1")] == [("ssd/pg",)]
    assert found.jobs_of("web2") == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[clients.web1]\nwrit = []", ["clients.web1.writ", "did you mean 'write'"]),
        ('[clients.web1]\nwrite = ["-r"]', ["clients.web1.write[0]"]),
        ('[clients.web1]\norders = ["rm"]\norders_on = ["a"]', ["'rm' is no order"]),
        ('[clients.web1]\norders = ["all"]', ["of which datasets"]),
        ('[clients.web1]\norders_on = ["ssd"]', ["no effect"]),
        ("[clients.web1]\nstreams = 0", ["clients.web1.streams"]),
        ("clients = 7", ["clients: expected a table"]),
        ('[clients."a b"]\nwrite = ["x/y"]', ["can not be the name of a host"]),
        (JOB + "colour = 1\n[clients.web1]\nwrit = []", ["colour", "clients.web1.writ"]),
        ("[[job]", ["not valid TOML"]),
    ],
)
def test_all_faults_are_told_with_their_file(tmp_path: Path, text: str, words: list[str]) -> None:
    path = written(tmp_path / "zfs.toml", text)
    with pytest.raises(BadPolicy) as caught:
        load_agent_policy(path, None)
    lines = str(caught.value).split("\n")
    assert all(line.startswith(path) for line in lines)
    for word in words:
        assert word in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    for name in ("zfs.toml", "server.json"):
        with pytest.raises(BadPolicy, match="No such file"):
            load_agent_policy(str(tmp_path / name), None)
    with pytest.raises(BadPolicy, match="No such file"):
        load_agent_policy(None, str(tmp_path / "clients.toml"))


def test_nobody_is_served_without_a_certificate() -> None:
    with pytest.raises(ConfigError, match="--tls-cert"):
        AgentSettings(host="a", state=Path("/x"), listen="0.0.0.0")
    both = Credentials(cert="a", key="b", ca="c")
    with pytest.raises(ConfigError, match="exclude"):
        AgentSettings(host="a", state=Path("/x"), credentials=both, plaintext=True)
    assert AgentSettings(host="a", state=Path("/x"), listen="::1", plaintext=True).speaks


# -- what must not be pruned


def snaps(*guids: int) -> tuple[Snapshot, ...]:
    return tuple(Snapshot(f"s{guid}", guid, 10 * guid, guid) for guid in guids)


def cursor(replication: str, guid: int, txg: int | None = None) -> Bookmark:
    return Bookmark(cursor_name(replication, guid), guid, txg or 10 * guid, guid)


def test_cursors_say_what_destinations_need() -> None:
    marks = (cursor("pg", 1), cursor("pg", 3), cursor("other", 2), Bookmark("manual", 4, 40, 4))
    source = Dataset(name="a/b", snapshots=snaps(1, 2, 3, 4), bookmarks=marks)
    assert {name: mark.guid for name, mark in newest_cursors(source).items()} == {
        "pg": 3,
        "other": 2,
    }
    needs = needs_of_source(source, ["pg", "new"], {})
    assert set(needs.protected) == {2, 3}
    assert needs.replicated == {"pg": 30, "new": None}


def test_what_a_destination_has_confirmed_counts_without_a_cursor() -> None:
    source = Dataset(name="a/b", snapshots=snaps(1, 2, 3))
    needs = needs_of_source(source, ["pg"], {"pg": {"a/b": 2, "a/c": 3}})
    assert set(needs.protected) == {2}
    assert needs.replicated == {"pg": 20}
    gone = needs_of_source(source, ["pg"], {"pg": {"a/b": 77}})
    assert (gone.protected, gone.replicated) == ({}, {"pg": None})


def test_of_cursor_and_note_the_newer_counts_and_both_stay() -> None:
    source = Dataset(name="a/b", snapshots=snaps(1, 2, 3), bookmarks=(cursor("pg", 1),))
    needs = needs_of_source(source, ["pg"], {"pg": {"a/b": 3}})
    assert set(needs.protected) == {1, 3}
    assert needs.replicated == {"pg": 30}


def test_a_copy_keeps_the_newest_that_its_source_has() -> None:
    source = Dataset(name="a/b", snapshots=snaps(3, 4), bookmarks=(cursor("pg", 2),))
    target = Dataset(name="x/y", snapshots=snaps(1, 2, 3))
    needs = needs_of_target(source, target)
    assert needs is not None
    assert set(needs.protected) == {3}
    only_a_mark = needs_of_target(source, Dataset(name="x/y", snapshots=snaps(1, 2)))
    assert only_a_mark is not None
    assert set(only_a_mark.protected) == {2}


def test_a_copy_of_nobody_is_left_alone() -> None:
    target = Dataset(name="x/y", snapshots=snaps(1, 2))
    assert needs_of_target(Dataset(name="a/b", snapshots=snaps(3)), target) is None
    assert needs_of_target(None, target) is None
