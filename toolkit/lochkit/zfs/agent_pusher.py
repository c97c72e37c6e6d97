"""Sending datasets, and saying on the board how far they are."""

import time
from collections.abc import Callable
from dataclasses import replace

import trio

from .agent_board import Board
from .agent_push import Push
from .agent_status import TransferStatus
from .agent_targets import Targets
from .host_types import ZfsHost
from .offers import Received
from .plan_types import Step, Verdict
from .progress import Reporter
from .replicator import replicate
from .reports import DatasetReport, Report

__all__ = ["AgentPusher", "BoardReporter"]


class BoardReporter:
    """A `Reporter` that says on the board what is under way, and passes everything on.

    Args:
        push: what is sent.
        board: where to say it.
        then: is told everything too.
        clock: seconds since 1970.
    """

    def __init__(
        self, push: Push, board: Board, then: Reporter, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._push = push
        self._board = board
        self._then = then
        self._clock = clock
        self._targets: dict[str, str] = {}
        self._current: dict[str, TransferStatus] = {}

    def planned(self, dataset: str, target: str, verdict: Verdict) -> None:
        """See `Reporter`."""
        self._targets[dataset] = target
        self._then.planned(dataset, target, verdict)

    def started(self, dataset: str, step: Step, size: int | None) -> None:
        """See `Reporter`."""
        replication = self._push.replication
        self._say(
            TransferStatus(
                replication=replication.name,
                dataset=dataset,
                target=f"{replication.to}:{self._targets.get(dataset, '')}",
                snapshot=step.to.name,
                size=size,
                started=self._clock(),
                order=self._push.order,
            )
        )
        self._then.started(dataset, step, size)

    def moved(self, dataset: str, sent: int, rate: float) -> None:
        """See `Reporter`."""
        if (current := self._current.get(dataset)) is not None:
            self._say(replace(current, done=sent, rate=rate))
        self._then.moved(dataset, sent, rate)

    def received(self, dataset: str, step: Step, result: Received) -> None:
        """See `Reporter`."""
        self._forget(dataset)
        self._then.received(dataset, step, result)

    def retrying(self, dataset: str, why: str, seconds: float) -> None:
        """See `Reporter`."""
        self._forget(dataset)
        self._then.retrying(dataset, why, seconds)

    def finished(self, report: DatasetReport) -> None:
        """See `Reporter`."""
        self._forget(report.source)
        self._then.finished(report)

    def end(self) -> None:
        """Nothing is under way any more, however it ended."""
        for dataset in list(self._current):
            self._forget(dataset)

    def _say(self, transfer: TransferStatus) -> None:
        self._current[transfer.dataset] = transfer
        self._board.transfer((id(self), transfer.dataset), transfer)

    def _forget(self, dataset: str) -> None:
        if self._current.pop(dataset, None) is not None:
            self._board.transfer((id(self), dataset), None)


class AgentPusher:
    """A `Pusher`.

    Args:
        host: the ZFS of this host.
        targets: finds destinations.
        board: where to say what is under way.
        streams: how many streams are sent at once, by all pushes together.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        host: ZfsHost,
        targets: Targets,
        board: Board,
        *,
        streams: int = 4,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._host = host
        self._targets = targets
        self._board = board
        self._streams = streams
        self._slots = trio.Semaphore(streams)
        self._clock = clock

    async def push(self, push: Push, reporter: Reporter) -> Report:
        """See `Pusher`."""
        target = await self._targets.find(push.replication.to, push.address)
        said = BoardReporter(push, self._board, reporter, clock=self._clock)
        try:
            return await replicate(
                self._host,
                target,
                push.replication,
                push.selection,
                reporter=said,
                concurrency=self._streams,
                slots=self._slots,
                order=push.order,
            )
        finally:
            said.end()
