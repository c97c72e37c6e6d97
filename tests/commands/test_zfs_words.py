"""What ``lochkit zfs`` understands, and how it says things; no ZFS is needed for that."""

import json
import os
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from lochkit import cli
from lochkit.commands.zfs_progress import Bar, Stream, progress_line
from lochkit.commands.zfs_send_options import destination
from lochkit.commands.zfs_showing import in_bytes, report_lines, step_text, verdict_lines
from lochkit.zfs.agent_status import STATUS_FILE, AgentStatus, encode_status
from lochkit.zfs.errors import BadPolicy, Failure
from lochkit.zfs.model import Bookmark, Snapshot
from lochkit.zfs.plan_types import Conflict, ConflictReason, Full, Incremental, Step, UpToDate
from lochkit.zfs.reports import DatasetReport, Outcome, Report

A, B, C = (Snapshot(name, guid, guid, guid) for guid, name in enumerate("abc", 1))


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["send", "tank/a"], "name datasets and, last, the destination"),
        (["send", "tank/a@b", "backup/a"], "'tank/a@b'"),
        (["send", "tank/a", "vault:../a"], "'..'"),
        (["send", "tank/a", "vault:-o"], "'-o'"),
        (["send", "tank/a", "b/a", "--job", "x"], "--job says what is sent"),
        (["send", "tank/a", "b/a", "--compression", "rar"], "--compression is one of none"),
        (["send", "tank/a", "b/a", "--set", "x"], "give NAME=VALUE"),
        (["send", "tank/a", "b/a", "--snapshots", "("], "("),
        (["send", "tank/a", "b/a", "--name", "a b"], "a b"),
        (["snapshot"], "name datasets, or jobs"),
        (["snapshot", "tank/a", "--name", "a@b"], "a@b"),
        (["prune", "tank/a"], "go together"),
        (["prune", "tank/a", "--keep", "all", "--prefix", "x"], "all"),
        (["holds", "--dry-run"], "belong to --gc"),
        (["holds", "tank/a;b"], "tank/a;b"),
        (["monitor", "-w", "1h"], "go together"),
        (["monitor", "-w", "2h", "-c", "1h"], "less than"),
        (["monitor", "-w", "soon", "-c", "1h"], "soon"),
        (["receive", "tank/a"], "say who may send"),
        (["receive", "tank/a", "--from", "x", "--insecure-plaintext"], "needs certificates"),
        (["explain", "a", "b"], "name one dataset"),
        (["repair", "a", "--aside", "--rollback"], "one repair at a time"),
        (["check-policy", "a", "b"], "one policy at a time"),
        (["snapshoot", "tank/a"], "there is no mode 'snapshoot'"),
    ],
)
async def test_what_can_not_be_meant_is_refused(
    words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await cli.invoke(["zfs", *words]) == 2
    assert complaint in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("backup/a", ("local", "backup/a")),
        ("vault:backup/a", ("vault", "backup/a")),
        ("backup/a:b", ("local", "backup/a:b")),
        ("local:back:up/a", ("local", "back:up/a")),
    ],
)
def test_a_destination_is_a_host_and_a_dataset(word: str, meant: tuple[str, str]) -> None:
    assert destination(word) == meant


async def test_a_policy_is_judged_with_all_its_faults(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "zfs.toml"
    path.write_text(
        """
        [[job]]
        name = "a"
        datasets = ["tank/a"]
        keep = ["24 in last dy"]
        snapshot = { cron = "61 * * * *" }
        """
    )
    assert await cli.invoke(["zfs", "check-policy", str(path)]) == 78
    said = capfd.readouterr().out
    assert "24 in last dy" in said
    assert "snapshot" in said
    assert "2 faults" in said
    with pytest.RaisesGroup(BadPolicy, flatten_subgroups=True):
        await cli.invoke(["zfs", "plan", "--policy", str(path)])


async def test_an_old_policy_becomes_a_new_one(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "server.json"
    old.write_text(
        """{"datacenter": "x", "consul_resync": [], "datasets": [
        {"hostname": "web1", "dataset": "tank/a", "backup":
          {"prefix": "cold", "creation": "0 2 * * *", "sync_on": "vault",
           "sync_dataset": "bulk/a", "sync_policy": "asap", "retention": ["2 in last day"]},
         "sync": {"prefix": "", "creation": "", "sync_on": "", "sync_dataset": "",
           "sync_policy": "", "retention": []}}]}"""
    )
    assert await cli.invoke(["zfs", "check-policy", "--convert", str(old)]) == 0
    new = tmp_path / "zfs.toml"
    new.write_text(capfd.readouterr().out)
    assert await cli.invoke(["zfs", "check-policy", "--director", str(new)]) == 0
    said = capfd.readouterr().out
    assert "tank/a of web1" in said
    assert "to vault:bulk/a" in said


def test_steps_and_verdicts_in_words() -> None:
    assert step_text(Step(to=B)) == "@b in full"
    assert step_text(Step(to=C, base=A, intermediates=True, between=(B,))) == (
        "@a to @c, with 1 between"
    )
    mark = Bookmark("m", 1, 1, 1)
    assert step_text(Step(to=B, base=mark)) == "#m to @b"
    assert list(verdict_lines(UpToDate(newest=B, renamed_to="x"))) == [
        "up to date with @b, which is called @x there"
    ]
    assert list(verdict_lines(Full(steps=(Step(to=A),), raw=True))) == ["send @a in full (raw)"]
    lossy = Incremental(steps=(Step(to=B, base=A),), rollback=True, would_lose=(C,), written=2048)
    assert list(verdict_lines(lossy)) == [
        "take the target back to its base first (-F), which loses there:",
        "    snapshot @c",
        "    2.0 KiB written there since",
        "send @a to @b",
    ]
    many = tuple(Snapshot(f"s{number}", number, number, number) for number in range(1, 15))
    conflict = Conflict(reason=ConflictReason.DIVERGED, message="they differ.", source=many)
    assert list(verdict_lines(conflict))[1].endswith(
        "4 older, " + ", ".join(f"@s{number}" for number in range(5, 15))
    )


def test_a_report_counts_what_needs_nothing() -> None:
    def one(name: str, outcome: Outcome, **facts: object) -> DatasetReport:
        return DatasetReport(source=name, target=f"b/{name}", outcome=outcome, **facts)  # type: ignore[arg-type]

    report = Report(
        replication="r",
        datasets=(
            one("a", Outcome.UP_TO_DATE, newest=A),
            one("b", Outcome.UP_TO_DATE),
            one("c", Outcome.SENT, steps=(Step(to=A),), bytes=2048, seconds=2.0, newest=A),
            one("d", Outcome.FAILED, failure=Failure.NO_SPACE, message="d: the pool is full"),
            one("e", Outcome.WAITING),
        ),
        missing=("z",),
    )
    assert list(report_lines(report)) == [
        "c -> b/c: 1 stream, 2.0 KiB, 1.0 KiB/s, now at @a",
        "d -> b/d: failed (no-space)",
        "    d: the pool is full",
        "e -> b/e: waits for the dataset above it",
        "z: there is no such dataset here",
        "1 dataset up to date",
        "1 dataset without a snapshot to send",
    ]


def test_progress_fits_the_line_and_tells_what_is_left() -> None:
    streams = {"tank/a": Stream("s", 4096, sent=1024, rate=1024.0)}
    line = progress_line(streams, 120)
    assert line.startswith("[#####...............]  25%  1.0 KiB of 4.0 KiB  1.0 KiB/s  3s left")
    assert line.endswith("tank/a@s")
    streams["tank/b"] = Stream("t", None, sent=1024)
    assert "of" not in progress_line(streams, 120)
    assert progress_line(streams, 120).endswith("and 1 more")
    assert len(progress_line(streams, 20)) < 20
    assert progress_line({}, 20) == ""


def test_a_bar_takes_its_line_away() -> None:
    class Terminal:
        def __init__(self) -> None:
            self.text = ""

        def write(self, text: str) -> int:
            self.text += text
            return len(text)

        def flush(self) -> None:
            pass

    terminal = Terminal()
    bar = Bar(terminal, 80)  # type: ignore[arg-type]
    bar.started("tank/a", Step(to=A), 10)
    assert "tank/a@a" in terminal.text
    bar.retrying("tank/a", "cut\x1b[2J", 1.0)
    bar.clear()
    assert "\x1b[2J" not in terminal.text.replace("\\x1b[2J", "")
    assert terminal.text.endswith("again in 1.0 s\n")


@given(st.integers(0, 1 << 62))
def test_bytes_are_short(count: int) -> None:
    assert len(in_bytes(count)) <= 10


async def test_a_monitor_shows_all_faults_of_a_policy_in_its_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "zfs.toml"
    path.write_text('[hosts.vault]\naddress = "10.0.0.2"\nport = 1\nways = 2\n')
    assert await cli.invoke(["zfs", "monitor", "--policy", str(path)]) == 3
    line = capfd.readouterr().out
    assert line.startswith("UNKNOWN: ")
    assert line.count("\n") == 1
    assert "hosts.vault.port: unknown key" in line
    assert "; " in line
    assert await cli.invoke(["zfs", "monitor", "--json", "--policy", str(path)]) == 3
    assert json.loads(capfd.readouterr().out)["Level"] == "UNKNOWN"


async def test_an_agent_that_was_killed_is_not_said_to_be_ready(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def shown(pid: int) -> tuple[int, str]:
        status = AgentStatus(host="web1", pid=pid, state="ready")
        (tmp_path / STATUS_FILE).write_bytes(encode_status(status))
        code = await cli.invoke(["zfs", "status", "--state", str(tmp_path)])
        return code, capfd.readouterr().out.splitlines()[0]

    assert (await shown(os.getpid()))[0] == 0
    process = await trio.lowlevel.open_process(["true"])
    await process.wait()
    code, first = await shown(process.pid)
    assert code == 1
    assert first.startswith("agent of web1: gone")


async def test_hosts_that_only_etcd_can_know_are_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "zfs.toml"
    path.write_text(
        """
        [[job]]
        name = "a"
        datasets = ["tank/a"]
        replicate = [{ to = "valt", target = "bulk/a" }, { to = "local", target = "bulk/a" }]
        """
    )
    assert await cli.invoke(["zfs", "check-policy", str(path)]) == 0
    assert "valt is not in [hosts]" in capfd.readouterr().out
