"""How an agent says it is doing, and what it remembers."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from lochkit.zfs.agent_board import Board, StatusFile
from lochkit.zfs.agent_notes import Notes
from lochkit.zfs.agent_push import Push
from lochkit.zfs.agent_pusher import BoardReporter
from lochkit.zfs.agent_status import (
    AgentStatus,
    BadStatus,
    ChoreStatus,
    TransferStatus,
    encode_status,
    read_status,
)
from lochkit.zfs.model import Snapshot
from lochkit.zfs.offers import Received
from lochkit.zfs.plan_types import Step, UpToDate
from lochkit.zfs.policy_types import Replication, Selection
from lochkit.zfs.progress import SILENT
from lochkit.zfs.reports import DatasetReport, Outcome

WHOLE = AgentStatus(
    host="web1",
    pid=17,
    started=1.5,
    at=2.5,
    state="ready",
    policy="/etc/lochkit/zfs.toml",
    policy_error="line 3",
    listening={"orders": "0.0.0.0:7711"},
    etcd="connected",
    chores=(
        ChoreStatus(job="pg", work="take"),
        ChoreStatus(
            job="pg",
            work="send",
            replication="pg",
            to="vault",
            state="failed",
            last_tick=1.0,
            next_tick=2.0,
            last_start=3.0,
            last_end=4.0,
            last_success=5.0,
            failures=6,
            retry_at=7.0,
            last_error="é",
            message="done",
        ),
    ),
    transfers=(
        TransferStatus(replication="pg", dataset="ssd/pg"),
        TransferStatus(
            replication="pg",
            dataset="ssd/pg/a",
            target="vault:bulk/a",
            snapshot="hot_1",
            done=1,
            size=2,
            rate=3.5,
            started=4.5,
            order="uuid",
        ),
    ),
    orders_running=1,
    orders_done=2,
    orders_failed=3,
)


def test_a_status_is_read_back() -> None:
    assert read_status(encode_status(WHOLE)) == WHOLE
    assert read_status(encode_status(AgentStatus(host="x"))) == AgentStatus(host="x")


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"Version": 2}', b'{"Version": 1, "Pid": "x"}']
)
def test_what_is_no_status_is_told(content: bytes) -> None:
    with pytest.raises(BadStatus):
        read_status(content)


async def test_the_file_says_what_the_board_says(tmp_path: Path) -> None:
    path = tmp_path / "agent.json"
    board = Board(replace(WHOLE, chores=(), transfers=()), clock=lambda: 9.0)
    async with trio.open_nursery() as nursery:
        await nursery.start(StatusFile(path, board).run)
        for chore in WHOLE.chores:
            board.chore(chore)
        with trio.fail_after(10):
            while not path.exists() or len(read_status(path.read_bytes()).chores) < 2:  # noqa: ASYNC110 (files tell no trio.Event)
                await trio.sleep(0.02)
        nursery.cancel_scope.cancel()
    assert read_status(path.read_bytes()).at == 9.0
    board.forget_job("pg")
    assert board.status.chores == ()


async def test_a_file_that_can_not_be_written_stops_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = StatusFile(tmp_path / "nowhere" / "agent.json", Board(WHOLE))
    await file.write()
    await file.write()
    assert caplog.text.count("can not be written") == 1


def transfers(board: Board) -> list[TransferStatus]:
    return list(board.status.transfers)


def test_transfers_are_on_the_board_while_they_last() -> None:
    board = Board(AgentStatus(host="x"))
    push = Push(
        replication=Replication(name="pg", to="vault", target="bulk/pg"),
        selection=Selection(roots=("ssd/pg",)),
        order="u",
    )
    reporter = BoardReporter(push, board, SILENT, clock=lambda: 5.0)
    step = Step(to=Snapshot("hot_1", 1, 1, 1))
    reporter.planned("ssd/pg", "bulk/pg", UpToDate())
    reporter.started("ssd/pg", step, 100)
    reporter.moved("ssd/pg", 40, 2.0)
    assert transfers(board) == [
        TransferStatus(
            replication="pg",
            dataset="ssd/pg",
            target="vault:bulk/pg",
            snapshot="hot_1",
            done=40,
            size=100,
            rate=2.0,
            started=5.0,
            order="u",
        ),
    ]
    reporter.received("ssd/pg", step, Received(guid=1, bytes=100, snapshots=1))
    assert transfers(board) == []
    reporter.moved("ssd/pg", 1, 1.0)  # too late
    reporter.started("ssd/pg", step, None)
    reporter.retrying("ssd/pg", "busy", 1.0)
    assert transfers(board) == []
    reporter.started("ssd/pg", step, None)
    report = DatasetReport(source="ssd/pg", target="bulk/pg", outcome=Outcome.SENT)
    reporter.finished(report)
    assert transfers(board) == []
    reporter.started("ssd/pg", step, None)
    reporter.end()
    assert transfers(board) == []


async def test_notes_survive_a_restart(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    await notes.open()
    await notes.done("pg/take", 100)
    await notes.done("pg/take", None)
    await notes.confirmed("pg", {"ssd/a": 2**64 - 1, "ssd/b": 1})
    await notes.confirmed("pg", {"ssd/b": 2})
    await notes.confirmed("empty", {})
    again = Notes(tmp_path)
    await again.open()
    assert again.tick("pg/take") == 100
    assert again.tick("other") is None
    assert again.known("pg") == {"ssd/a": 2**64 - 1, "ssd/b": 2}
    assert (tmp_path / "notes.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["{", "[]", '{"Ticks": 7}', '{"Known": {"a": {"b": "x"}}}'])
async def test_notes_that_can_not_be_read_are_begun_anew(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "notes.json").write_text(content)
    notes = Notes(tmp_path)
    await notes.open()
    assert notes.tick("pg/take") is None
    assert "begun anew" in caplog.text
    await notes.done("pg/take", 5)
    assert json.loads((tmp_path / "notes.json").read_text())["Ticks"] == {"pg/take": 5}
