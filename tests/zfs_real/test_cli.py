"""``lochkit zfs`` by hand, between two real pools of one host."""

import json
import secrets
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lochkit import cli
from tests.servers.zfs_commands import zfs
from tests.servers.zfs_pools import Pool, guids, noise, properties


class Answer(NamedTuple):
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, read as JSON."""
        return json.loads(self.out)


class Bench:
    """Two pools, and lochkit beside them.

    Attributes:
        source: the pool of what is sent.
        target: the pool of the copies.
        data: a dataset of the source.
        db: below it.
        copy: where `data` is to be copied to; it is not there yet.
    """

    def __init__(
        self, source: Pool, target: Pool, directory: Path, read: Callable[[], Any]
    ) -> None:
        self.source, self.target, self._directory, self._read = source, target, directory, read
        own = f"cli-{secrets.token_hex(4)}"
        self.data = source.create(own)
        self.db = source.create(f"{own}/db")
        self.copy = f"{target.name}/{own}"

    async def run(self, *words: str) -> Answer:
        """Run ``lochkit zfs`` with these words."""
        self._read()
        code = await cli.invoke(["--log-level", "warning", "zfs", *words])
        out, err = self._read()
        return Answer(code, out, err)

    def policy(self, *, keep: str = "last 2", more: str = "") -> str:
        """Write a policy, and return its path."""
        path = self._directory / "zfs.toml"
        path.write_text(
            f"""
            [[job]]
            name = "data"
            datasets = ["{self.data}"]
            recursive = true
            snapshot = {{ cron = "0 0 1 1 *", prefix = "hot" }}
            keep = ["{keep}"]
            [[job.replicate]]
            to = "local"
            target = "{self.copy}"
            {more}
            """
        )
        return str(path)


@pytest.fixture
def bench(
    shared_pools: tuple[Pool, Pool], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> Bench:
    """Two pools, and lochkit beside them."""
    return Bench(*shared_pools, tmp_path, capfd.readouterr)


async def test_from_snapshots_to_copies_and_back_to_nothing_to_do(bench: Bench) -> None:
    bench.source.write(bench.data, noise(0.5))
    taken = await bench.run("snapshot", "-r", "--name", "one", bench.data)
    assert (taken.code, taken.out.split()) == (0, [f"{bench.data}@one", f"{bench.db}@one"])
    looked = await bench.run("send", "-r", "--dry-run", bench.data, bench.copy)
    assert looked.code == 0
    assert looked.out.count("in full") == 2
    assert bench.copy not in zfs("list", "-H", "-o", "name").split()
    sent = await bench.run("send", "-r", "--json", bench.data, bench.copy)
    assert (sent.code, sent.json[0]["Ok"]) == (0, True)
    assert [one["Outcome"] for one in sent.json[0]["Datasets"]] == ["sent", "sent"]
    assert guids(bench.copy) == guids(bench.data)
    assert guids(f"{bench.copy}/db") == guids(bench.db)
    again = await bench.run("send", "-r", bench.data, bench.copy)
    assert (again.code, again.out) == (0, "2 datasets up to date\n")


async def test_a_conflict_is_explained_and_repaired_step_by_step(bench: Bench) -> None:
    policy = ("--policy", bench.policy())
    bench.source.snapshot(bench.data, "one")
    assert (await bench.run("send", "--job", "data", *policy)).code == 0
    zfs("snapshot", f"{bench.copy}@by-hand")
    bench.source.snapshot(bench.data, "two", noise(0.2))
    before = zfs("list", "-H", "-t", "snapshot", "-o", "name")

    refused = await bench.run("send", "--job", "data", *policy)
    assert refused.code == 1
    assert "by-hand" in refused.out
    planned = await bench.run("plan", *policy)
    assert planned.code == 1
    assert "conflict" in planned.out
    why = await bench.run("explain", *policy, bench.data)
    assert why.code == 1
    commands = [shlex.split(line) for line in why.out.splitlines() if " lochkit zfs " in line]
    destroy = next(words for words in commands if "--destroy-newer" in words)
    assert destroy[-2:] == list(policy)  # it is to be copied, and must find the same policy
    offered = await bench.run("repair", *policy, bench.data, "--json")
    options = [one["Option"] for one in offered.json]
    assert {"--aside", "--destroy-newer", "--rollback"} <= set(options)
    dry = await bench.run("repair", *policy, bench.data, "--destroy-newer", "--dry-run")
    assert f"LOSES {bench.copy}@by-hand" in dry.out
    assert zfs("list", "-H", "-t", "snapshot", "-o", "name") == before

    assert (await bench.run(*destroy[2:])).code == 0
    assert list(guids(bench.copy)) == ["one"]
    assert (await bench.run("explain", *policy, bench.data)).code == 0
    assert (await bench.run("send", "--job", "data", *policy)).code == 0
    assert guids(bench.copy) == guids(bench.data)


async def test_pruning_keeps_what_the_destination_needs_and_the_rules_keep(bench: Bench) -> None:
    policy = ("--policy", bench.policy())
    names = [f"hot_2026-01-0{day}T00:00:00Z" for day in range(1, 6)]
    for name in names[:2]:
        bench.source.snapshot(bench.data, name, noise(0.1))
    bench.source.snapshot(bench.data, "by-hand")
    assert (await bench.run("send", "--job", "data", *policy)).code == 0
    for name in names[2:]:
        bench.source.snapshot(bench.data, name, noise(0.1))
    # The newest that the copy has is `by-hand`, which is nobody's to destroy in any case.
    dry = await bench.run("prune", "--dry-run", "--json", *policy)
    assert dry.json["Destroy"] == [f"{bench.data}@{name}" for name in names[:3]]
    assert len(guids(bench.data)) == 6
    done = await bench.run("prune", *policy)
    assert done.code == 0
    assert list(guids(bench.data)) == ["by-hand", *names[3:]]
    assert "0 snapshots destroyed" in (await bench.run("prune", *policy)).out
    assert (await bench.run("send", "--job", "data", *policy)).code == 0
    assert set(names[3:]) <= set(guids(bench.copy))


async def test_the_newest_common_snapshot_survives_a_policy_that_keeps_one(bench: Bench) -> None:
    policy = ("--policy", bench.policy(keep="last 1"))
    old, *newer = (f"hot_2026-01-0{day}T00:00:00Z" for day in range(1, 4))
    bench.source.snapshot(bench.data, old, noise(0.1))
    assert (await bench.run("send", "--job", "data", *policy)).code == 0
    for name in newer:
        bench.source.snapshot(bench.data, name, noise(0.1))
    dry = await bench.run("prune", "--dry-run", "--verbose", *policy)
    kept = next(
        line for line in dry.out.splitlines() if line.startswith(f"keep {bench.data}@{old}")
    )
    assert "the newest that data has confirmed" in kept  # not only because it is held
    assert (await bench.run("prune", *policy)).code == 0
    assert list(guids(bench.data)) == [old, newer[-1]]


async def test_a_monitor_is_told_how_old_the_copies_are(bench: Bench) -> None:
    policy = ("--policy", bench.policy())
    bench.source.snapshot(bench.data, "one")
    bench.source.snapshot(bench.db, "one")
    never = await bench.run("monitor", *policy, "-w", "1h", "-c", "2h")
    assert never.code == 2
    assert never.out.startswith("CRITICAL: ")
    assert (await bench.run("send", "--job", "data", *policy)).code == 0
    well = await bench.run("monitor", *policy, "-w", "1h", "-c", "2h")
    assert (well.code, well.out[:4]) == (0, "OK: ")
    bench.source.snapshot(bench.data, "two", noise(0.1))
    waiting = await bench.run("monitor", *policy, "-w", "1h", "-c", "2h", "--ask")
    assert (waiting.code, waiting.out[:4]) == (0, "OK: ")  # the copy is of a moment ago still
    late = await bench.run("monitor", *policy, "-w", "0s", "-c", "2h", "--json", "--ask")
    assert (late.code, late.json["Level"]) in ((1, "WARNING"), (0, "OK"))
    unknown = await bench.run("monitor", "--policy", "/nowhere.toml")
    assert (unknown.code, unknown.out[:8]) == (3, "UNKNOWN:")


@pytest.mark.needs_openzfs
async def test_holds_are_named_and_let_go(bench: Bench) -> None:
    policy = ("--policy", bench.policy())
    bench.source.snapshot(bench.data, "one")
    zfs("hold", "lochkit:gone", f"{bench.data}@one")
    zfs("hold", "somebody", f"{bench.data}@one")
    listed = await bench.run("holds", *policy, bench.data)
    assert "gone (not in the policy)" in listed.out
    dry = await bench.run("holds", "--gc", "--dry-run", *policy, bench.data)
    assert "1 hold and 0 bookmarks would be released" in dry.out
    assert properties(f"{bench.data}@one", "userrefs") == {"userrefs": "2"}
    assert (await bench.run("holds", "--gc", *policy, bench.data)).code == 0
    assert properties(f"{bench.data}@one", "userrefs") == {"userrefs": "1"}


async def test_what_a_named_replication_has_left_can_be_let_go_everywhere(bench: Bench) -> None:
    bench.source.snapshot(bench.data, "one")
    zfs("hold", "lochkit:send", f"{bench.data}@one")
    zfs("hold", "lochkit:other", f"{bench.data}@one")
    zfs("hold", "somebody", f"{bench.data}@one")
    done = await bench.run("holds", "--gc", "--replication", "send", "--json", bench.data)
    assert [(one["Name"], one["Tag"]) for one in done.json["Holds"]] == [
        (f"{bench.data}@one", "lochkit:send")
    ]
    assert properties(f"{bench.data}@one", "userrefs") == {"userrefs": "2"}


async def test_what_is_not_there_is_said_so(bench: Bench) -> None:
    policy = ("--policy", bench.policy())
    for words in (
        ("snapshot", f"{bench.source.name}/none"),
        ("explain", *policy, f"{bench.source.name}/none"),
        ("send", "--job", "none", *policy),
        ("repair", *policy, bench.data, "--rollback"),
    ):
        with pytest.raises(BaseException) as caught:  # noqa: PT011 - bare, or in a group
            await bench.run(*words)
        assert "none" in _text(caught.value) or "does not apply" in _text(caught.value)


def _text(exc: BaseException) -> str:
    if isinstance(exc, BaseExceptionGroup):
        return " ".join(_text(one) for one in exc.exceptions)
    return str(exc)
