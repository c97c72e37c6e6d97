"""Runs of a command that a guardian knows of, one at a time."""

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from signal import SIGKILL

from .guardian import MARK_VARIABLE, Guardian
from .process import Child, StopPlan, open_child

__all__ = ["GuardedCommand"]


class GuardedCommand:
    """A command that is run again and again, and never left behind.

    Args:
        argv: the command and its arguments.
        stop: how it is stopped.
        guardian: told of every run; borrowed.
        environ: what the command's environment is made from.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        stop: StopPlan,
        guardian: Guardian,
        environ: Mapping[str, str],
    ) -> None:
        self._argv = tuple(argv)
        self._stop = stop
        self._guardian = guardian
        self._environ = dict(environ)
        self._child: Child | None = None

    @asynccontextmanager
    async def run(
        self, *, stdin: int, variables: Mapping[str, str | None], pass_fds: Sequence[int] = ()
    ) -> AsyncIterator[Child]:
        """Start a run; leaving the context stops it if it is still running, and waits for that.

        Args:
            stdin: descriptor of its standard input; borrowed, and needed no more once entered.
            variables: added to its environment; None takes one away.
            pass_fds: descriptors that it inherits; as `stdin`.

        Raises:
            CommandFailed: there is no such command, or it can not be executed.
            CommandNotStarted: it can not be started for now.
        """
        mark = uuid.uuid4().hex
        env: dict[str, str | None] = {**self._environ, **variables, MARK_VARIABLE: mark}
        self._guardian.expect(mark)
        try:
            async with open_child(
                self._argv,
                stdin=stdin,
                env={name: value for name, value in env.items() if value is not None},
                pass_fds=pass_fds,
                stop=self._stop,
            ) as child:
                self._guardian.watch(child.pid)
                self._child = child
                yield child
        finally:
            self._child = None
            self._guardian.withdraw()

    def kill_now(self) -> None:
        """Kill the command and what it started, without waiting: a forced exit, from any thread."""
        child = self._child
        if child is not None:
            child.signal_group(SIGKILL)
