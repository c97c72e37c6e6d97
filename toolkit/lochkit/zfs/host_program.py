"""The ``zfs`` program of this host: runs command lines; what goes wrong becomes a `ZfsError`."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import trio

from .argv import Words
from .errors import Failure, ZfsError
from .failures import classify, zfs_error
from .processes import Ended, environment, find_program, run_streaming

__all__ = ["Outcome", "ZfsProgram"]

_MOST_OUTPUT: Final = 16 * 1024 * 1024  # bytes; of everything but inventories
_AT_ONCE: Final = 8  # commands that are no streams


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a command went.

    Attributes:
        words: its command line, without the program.
        ended: how the process ended.
        output: what it printed.
    """

    words: Words
    ended: Ended
    output: str = ""

    @property
    def ok(self) -> bool:
        """Whether it went well."""
        return self.ended.status == 0

    @property
    def failure(self) -> Failure:
        """Why it did not."""
        return Failure.TIMEOUT if self.ended.status is None else classify(self.ended.stderr)

    @property
    def complaints(self) -> list[str]:
        """What it complained of, line by line."""
        return [line.strip() for line in self.ended.stderr.splitlines() if line.strip()]

    def only(self, *failures: Failure) -> bool:
        """Whether all that it complained of are these failures."""
        found = self.complaints
        return (
            self.ended.status is not None
            and bool(found)
            and all(classify(line) in failures for line in found)
        )

    def error(
        self,
        dataset: str | None,
        *,
        failure: Failure | None = None,
        tolerated: Failure | None = None,
    ) -> ZfsError:
        """The error to raise.

        Args:
            dataset: that it is about.
            failure: why, if that is known better than by the complaints.
            tolerated: complaints of this are left out.
        """
        stderr = self.ended.stderr
        if tolerated is not None:
            stderr = "\n".join(one for one in self.complaints if classify(one) is not tolerated)
        return zfs_error(
            self.words,
            status=self.ended.status,
            stderr=stderr,
            dataset=dataset,
            failure=failure,
        )


class ZfsProgram:
    """The program, and how long it may take.

    Args:
        name: of the program, or its path.
        timeout: seconds for a command that is neither an inventory nor a stream.
        inventory_timeout: seconds for an inventory.
        stream_end_timeout: seconds a stream's process may take when its stream has ended.

    Raises:
        ZfsUnavailable: there is no such program.
    """

    def __init__(
        self, name: str, *, timeout: float, inventory_timeout: float, stream_end_timeout: float
    ) -> None:
        self.environment = environment(os.environ)
        self.path = find_program(name, self.environment)
        self.timeout = timeout
        self.inventory_timeout = inventory_timeout
        self.stream_end_timeout = stream_end_timeout
        self._turn = trio.CapacityLimiter(_AT_ONCE)

    def argv(self, words: Words) -> tuple[str, ...]:
        """The whole command line."""
        return (self.path, *words)

    async def attempt(self, words: Words) -> Outcome:
        """Run a command, and tell how it went.

        Raises:
            ZfsError: it could not be run, or printed without end.
        """
        output = bytearray()

        def take(chunk: bytes) -> None:
            if len(output) + len(chunk) > _MOST_OUTPUT:
                raise ZfsError(f"zfs {words[0]} prints without end")
            output.extend(chunk)

        ended = await self._run(words, self.timeout, take)
        return Outcome(words=words, ended=ended, output=output.decode("utf-8", "replace"))

    async def run(self, words: Words, *, dataset: str | None = None) -> str:
        """Run a command, and return what it printed.

        Raises:
            ZfsError: it failed.
        """
        outcome = await self.attempt(words)
        if not outcome.ok:
            raise outcome.error(dataset)
        return outcome.output

    async def run_inventory(self, words: Words, take: Callable[[bytes], None]) -> Outcome:
        """Run a command that prints much, and give that away as it comes.

        Raises:
            ZfsError: it could not be run, or what `take` raises.
        """
        ended = await self._run(words, self.inventory_timeout, take)
        return Outcome(words=words, ended=ended)

    async def _run(
        self, words: Sequence[str], timeout: float, take: Callable[[bytes], None]
    ) -> Ended:
        async with self._turn:
            return await run_streaming(
                self.argv(tuple(words)), self.environment, timeout=timeout, take=take
            )
