"""How a server's checker is run: copies beside the staged files, and what it says made plain."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

import trio

from ..errors import CommandFailed, TransientError
from ..io.bounded import Finished, run_bounded
from ..io.faults import telling
from .complaints import Complaint, complaints, describe, host_at, host_with, last_words, readable
from .staging import Plan

__all__ = ["Machine", "Outcome", "Sources", "Verdict", "find_server", "judge", "written"]

_SYSTEM_PATH: Final = "/usr/local/sbin:/usr/sbin:/sbin"
_BIGGEST: Final = 64 * 1024 * 1024  # bytes of a file in which the host of a complaint is looked for


class Outcome(Enum):
    """What a checker can come to."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    SKIPPED = "skipped"
    """It is not installed, or can not be run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a checker came to.

    Attributes:
        outcome: the kind.
        text: for the operator: what is wrong, or what was noticed; may be empty.
    """

    outcome: Outcome
    text: str = ""


def find_server(name: str) -> str | None:
    """Return the path of a server's binary, also where only root has it on PATH."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM_PATH}")


class Machine:
    """The files of this machine, for a plan; see `staging.Place`.

    Args:
        targets: where each of our files is going to be, by name.
    """

    def __init__(self, targets: Mapping[str, Path]) -> None:
        self._names: dict[str, str] = {}
        for name, target in targets.items():
            for path in (str(target.absolute()), _in_real_directory(str(target))):
                self._names[path] = name
            if target.exists():  # a link to a generation, which may be included by its own path
                self._names.setdefault(os.path.realpath(target), name)

    def read(self, path: str) -> bytes | None:
        """See `Place`."""
        try:
            return Path(path).read_bytes()
        except OSError:
            return None

    def name_of(self, path: str) -> str | None:
        """See `Place`."""
        for known in (path, _in_real_directory(path)):
            if known in self._names:
                return self._names[known]
        return None

    def names_in(self, directory: str) -> Sequence[str] | None:
        """See `Place`."""
        try:
            return [entry.name for entry in os.scandir(directory) if entry.is_file()]
        except OSError:
            return None


def _in_real_directory(path: str) -> str:
    directory, name = os.path.split(os.path.abspath(path))
    return os.path.join(os.path.realpath(directory), name)


@asynccontextmanager
async def written(beside: Path, plan: Callable[[str], Plan]) -> AsyncIterator[Plan]:
    """Write the copies that `plan` wants for a directory in `beside`; removed at the end.

    Raises:
        InstallError: they can not be written now.
        ConfigError: they never can.
    """

    def write(directory: str) -> Plan:
        made = plan(directory)
        for copy in made.copies:
            Path(copy.path).write_bytes(copy.content)
        return made

    with telling("can not write a copy for the checker in", beside):
        directory = tempfile.mkdtemp(prefix=".check-", dir=beside)
    try:
        with telling("can not write a copy for the checker in", beside):
            made = await trio.to_thread.run_sync(write, directory)
        yield made
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What a checker may complain of.

    Attributes:
        staged: our files, by name.
        originals: the operator's files, by the path of the copy.
        lines: what is in `lines_path`, line by line.
        lines_path: a file of single configuration lines.
    """

    staged: Mapping[str, Path] = field(default_factory=dict)
    originals: Mapping[str, str] = field(default_factory=dict)
    lines: Sequence[bytes] = ()
    lines_path: str = ""


async def judge(
    argv: Sequence[str],
    sources: Sources,
    *,
    timeout: float,
    environment: Mapping[str, str] | None = None,
) -> Verdict:
    """Run a checker and say what it came to. Nothing of it is left running.

    Args:
        argv: the command; its exit code 0 is acceptance.
        sources: what it looks at.
        timeout: seconds; a checker that takes longer rejects.
        environment: added to ours.
    """
    name = os.path.basename(argv[0])
    binary = find_server(argv[0])
    if binary is None:
        return Verdict(outcome=Outcome.SKIPPED, text=f"not checked: {name} is not installed")
    try:
        ended = await run_bounded(
            [binary, *argv[1:]],
            timeout=timeout,
            environment=environment,
            directory="/",  # from where systemd would start it: relative paths are meant from there
        )
    except CommandFailed as exc:
        return Verdict(outcome=Outcome.SKIPPED, text=f"not checked: {exc}")
    except TransientError as exc:
        return Verdict(outcome=Outcome.REJECTED, text=f"the checker can not be run now: {exc}")
    if ended.ok:
        return Verdict(outcome=Outcome.ACCEPTED)
    text = await trio.to_thread.run_sync(_explain, name, ended, sources, timeout)
    return Verdict(outcome=Outcome.REJECTED, text=text)


def _explain(name: str, ended: Finished, sources: Sources, timeout: float) -> str:
    said = readable(ended.output)
    if ended.exit is None:
        text = f"{name} hangs: its check did not end within {timeout:.3g} s"
        return f"{text}; it said: {last_words(said)}" if said.strip() else text
    if ended.exit.status < 0:
        return f"{name} was {ended.exit} in its check: {last_words(said)}"
    found = complaints(said)
    if not found:
        return f"{name} rejects it ({ended.exit}): {last_words(said)}"
    shown = {str(path): name for name, path in sources.staged.items()}
    shown |= {path: shown.get(file, file) for path, file in sources.originals.items()}
    told = describe(_with_hosts(found, sources), shown)
    return f"{name} rejects it: {told}"


def _with_hosts(
    found: Iterable[Complaint], sources: Sources
) -> Iterable[tuple[Complaint, str | None]]:
    ours = {str(path): path for path in sources.staged.values()}
    for complaint in found:
        if complaint.path == sources.lines_path and 0 < complaint.line <= len(sources.lines):
            line = readable(sources.lines[complaint.line - 1])
            yield Complaint("", 0, 0, complaint.message), line
        elif complaint.path in ours and complaint.line:
            content = _content(ours[complaint.path])
            yield complaint, host_at(content, complaint.line, complaint.column)
        elif not complaint.path:
            hosts = (host_with(_content(path), complaint.message) for path in ours.values())
            yield complaint, next(filter(None, hosts), None)
        else:
            yield complaint, None


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_BIGGEST)
    except OSError:
        return b""
