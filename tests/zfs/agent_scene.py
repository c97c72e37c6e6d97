"""An agent's host in memory, with a clock of the wall that goes as Trio's clock does."""

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import trio

from lochkit.zfs.agent_board import Board
from lochkit.zfs.agent_notes import Notes
from lochkit.zfs.agent_push import Push
from lochkit.zfs.agent_site import Site
from lochkit.zfs.agent_status import AgentStatus, ChoreStatus
from lochkit.zfs.errors import ZfsError
from lochkit.zfs.keep_rules import parse_keep
from lochkit.zfs.locks import Turns
from lochkit.zfs.model import Inventory
from lochkit.zfs.naming import NameTemplate
from lochkit.zfs.policy_types import Job, Replication, Selection, SnapshotPolicy
from lochkit.zfs.progress import Reporter
from lochkit.zfs.reports import DatasetReport, Outcome, Report
from lochkit.zfs.schedule import parse_schedule
from lochkit.zfs.selecting import select
from lochkit.zfs.work_queue import Work
from tests.fakes.zfs_host import Call, FakeHost

NOON = 1_800_014_400  # 2027-01-15 12:00:00 UTC


class NotesInMemory(Notes):
    """Notes that end with the test: a thread would be outside of the clock."""

    def __init__(self) -> None:
        super().__init__(Path("/nowhere"))

    async def _save(self) -> None:
        await trio.lowlevel.checkpoint()


class RecordingPusher:
    """Confirms the newest snapshot of every dataset, as a destination that gets all would.

    Attributes:
        pushes: what was asked for.
        fails: raised by the next ones, or put as outcomes: one each.
        sending: awaited by each.
    """

    def __init__(self, host: FakeHost) -> None:
        self.pushes: list[Push] = []
        self.fails: list[Exception | Outcome] = []
        self.sending: Callable[[Push], Awaitable[None]] | None = None
        self._host = host
        self._there: dict[tuple[str, str], int] = {}

    async def push(self, push: Push, reporter: Reporter) -> Report:
        """See `Pusher`."""
        await trio.lowlevel.checkpoint()
        self.pushes.append(push)
        if self.sending is not None:
            await self.sending(push)
        fault = self.fails.pop(0) if self.fails else None
        if isinstance(fault, Exception):
            raise fault
        datasets = []
        for dataset in select(push.selection, await self._host.inventory(push.selection.roots)):
            key, newest = (push.replication.name, dataset.name), dataset.newest
            is_new = newest is not None and self._there.get(key) != newest.guid
            outcome = fault or (Outcome.SENT if is_new else Outcome.UP_TO_DATE)
            if outcome.ok and newest is not None:
                self._there[key] = newest.guid
            datasets.append(
                DatasetReport(
                    source=dataset.name,
                    target=f"{push.replication.target}/x",
                    outcome=outcome,
                    bytes=100 if outcome is Outcome.SENT else 0,
                    newest=newest if outcome.ok else None,
                    message="" if outcome.ok else "it did not go well",
                )
            )
            reporter.finished(datasets[-1])
        return Report(replication=push.replication.name, datasets=tuple(datasets))


class Told:
    """A `Publishing` that counts."""

    def __init__(self, host: FakeHost) -> None:
        self.changes = 0
        self._host = host

    def changed(self) -> None:
        """See `Publishing`."""
        self.changes += 1

    async def publish(self) -> Inventory | None:
        """See `Publishing`."""
        self.changes += 1
        return await self._host.inventory()


class Scene:
    """A host, and what an agent has there.

    Args:
        start: the wall's time when the test begins.
    """

    def __init__(self, start: float = NOON, host: FakeHost | None = None) -> None:
        self.offset = start - trio.current_time()
        self.host = host or FakeHost("web1", pools=("ssd", "hdd"))
        self.host.before = self._tick
        self.notes = NotesInMemory()
        self.pusher = RecordingPusher(self.host)
        self.told = Told(self.host)
        self.board = Board(AgentStatus(host="web1"), clock=self.clock)
        self.site = Site(
            host=self.host,
            turns=Turns(dict.fromkeys(Work, 4)),
            board=self.board,
            pusher=self.pusher,
            publishing=self.told,
            clock=self.clock,
        )

    def clock(self) -> float:
        """The wall's time."""
        return trio.current_time() + self.offset

    def chore(self, job: str, work: str, replication: str = "") -> ChoreStatus:
        """What the board says of a chore."""
        wanted = (job, work, replication)
        return next(
            one
            for one in self.board.status.chores
            if (one.job, one.work, one.replication) == wanted
        )

    def names(self, dataset: str) -> list[str]:
        """The snapshots of a dataset, without their prefix and date."""
        return [name.partition("T")[2] for name in self.host.state.names(dataset)]

    async def _tick(self, call: Call) -> None:
        del call
        self.host.state.now = int(self.clock())


def job(
    name: str = "pg",
    *,
    roots: Iterable[str] = ("ssd/pg",),
    cron: str | None = "*/15 * * * *",
    keep: list[str] | None = None,
    to: Iterable[Replication] = (),
    recursive: bool = True,
    skip_unwritten: bool = False,
    exclude: tuple[str, ...] = (),
) -> Job:
    """A job, in UTC."""
    snapshot = SnapshotPolicy(
        schedule=parse_schedule(cron, "UTC") if cron else None,
        template=NameTemplate(prefix="hot", zone="UTC"),
        skip_unwritten=skip_unwritten,
    )
    return Job(
        name=name,
        datasets=Selection(roots=tuple(roots), recursive=recursive, exclude=exclude),
        snapshot=snapshot,
        keep=parse_keep(keep) if keep else None,
        replications=tuple(to),
    )


def to_vault(name: str = "pg", **more: object) -> Replication:
    """A destination."""
    return Replication(name=name, to="vault", target="bulk/pg", **more)  # type: ignore[arg-type]


def broken(text: str = "the vault is on fire") -> ZfsError:
    """A failure of no special kind."""
    return ZfsError(text)
