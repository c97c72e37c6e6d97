"""A command that takes as long and ends as the test says, without a process."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from signal import Signals
from typing import Any, Final

import trio

from lochkit.etcdwatch.desk import Job
from lochkit.io.process import Exit

__all__ = ["STOPPED", "ScriptedLauncher"]

STOPPED: Final = Exit(status=-15)


class ScriptedRun:
    """A run that ends after some seconds, unless it is stopped."""

    def __init__(self, job: Job, seconds: float, status: int) -> None:
        self.job = job
        self.seconds = seconds
        self.status = status
        self.exit: Exit | None = None
        self.signals: list[Signals] = []

    @property
    def state(self) -> Any:
        return json.loads(b"".join(self.job.content))

    async def wait(self) -> Exit:
        await trio.sleep(self.seconds)
        self.exit = Exit(status=self.status)
        return self.exit

    def signal(self, number: Signals) -> None:
        self.signals.append(number)


class ScriptedLauncher:
    """Runs as long and ends as the script says, the last entry for all further runs.

    An entry is ``(seconds, exit status)``, or an exception that the start raises.
    """

    is_logged = True

    def __init__(self, *script: tuple[float, int] | Exception) -> None:
        self.script = list(script) or [(0.0, 0)]
        self.runs: list[ScriptedRun] = []
        self.began: list[float] = []
        self.ended: list[float] = []
        self.stop_seconds = 0.0
        self.at_once = 0
        self.most_at_once = 0
        self.start_seconds = 0.0

    @asynccontextmanager
    async def launch(self, job: Job) -> AsyncIterator[ScriptedRun]:
        entry = self.script[min(len(self.began), len(self.script) - 1)]
        self.began.append(trio.current_time())
        if isinstance(entry, Exception):
            raise entry
        await trio.sleep(self.start_seconds)
        run = ScriptedRun(job, *entry)
        self.runs.append(run)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            yield run
        finally:
            if run.exit is None:
                with trio.CancelScope(shield=True):
                    await trio.sleep(self.stop_seconds)
                run.exit = STOPPED
            self.at_once -= 1
            self.ended.append(trio.current_time())

    @property
    def states(self) -> list[Any]:
        return [run.state for run in self.runs]
