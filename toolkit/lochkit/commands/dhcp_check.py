"""``lochkit dhcp check``: the server's own checker on the files as they should be."""

import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import trio

from ..dhcp.check_run import Outcome, Verdict
from ..dhcp.model import Group
from ..io.durable import Access, write_new
from ..options import Subcommand, flag
from .dhcp_pipeline import lines_of, server_checker
from .dhcp_setup import conf_dir_of
from .dhcp_source import DhcpReadOptions, View, to_the_end, view_of
from .dhcp_view_options import check_timeout_option, main_config_option
from .output import counted, print_lines, shown, table

__all__ = ["SUBCOMMAND", "DhcpCheckOptions", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DhcpCheckOptions(DhcpReadOptions):
    """The options of ``lochkit dhcp check``, as given: see their help."""

    main_config: str | None = main_config_option()
    check_timeout: float = check_timeout_option()
    require_check: bool = flag("--require-check", help="Exit with 1 if there is no checker.")
    json: bool = flag("--json", help="Print one JSON object instead.")


async def run(options: DhcpCheckOptions) -> int:
    """Check the files, and report."""

    async def work() -> int:
        view = await view_of(options)
        verdict = await _judge(view, options)
        report = _report(view, verdict, options)
        await print_lines([json.dumps(report)] if options.json else _readable(report))
        if verdict.outcome is Outcome.SKIPPED:
            return 1 if options.require_check else 0
        return 0 if verdict.outcome is Outcome.ACCEPTED else 1

    return await to_the_end(work)


async def _judge(view: View, options: DhcpCheckOptions) -> Verdict:
    """Let the checker see the files.

    Raises:
        InstallError: they can not be written for it.
        ConfigError: they never can, or the operator's configuration is not there.
    """
    backend = view.wanted.backend
    checker = server_checker(options, options.main_config, options.check_timeout)
    with _somewhere(conf_dir_of(options)) as directory:
        staged = {}
        for document in backend.documents():
            staged[document.name] = directory / document.name
            await trio.to_thread.run_sync(_write, staged[document.name], document.pieces)
        lines = lines_of(backend)
        return await checker.check(staged, lines.lines_to_check() if lines else ())


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    write_new(path, pieces, Access(0o644), sync=False)


@contextmanager
def _somewhere(conf_dir: Path) -> Iterator[Path]:
    """A directory for a short time.

    In the server's own if we may write there, since a profile of AppArmor may let its checker read
    nowhere else.
    """
    beside = conf_dir if os.access(conf_dir, os.W_OK | os.X_OK) else None
    with tempfile.TemporaryDirectory(prefix=".lochkit-check-", dir=beside) as directory:
        yield Path(directory)


def _report(view: View, verdict: Verdict, options: DhcpCheckOptions) -> dict[str, Any]:
    wanted = view.wanted
    return {
        "backend": options.backend.value,
        "outcome": verdict.outcome.value,
        "text": verdict.text,
        "revision": wanted.revision,
        "hypervisors": wanted.hosts(Group.HYPERVISORS),
        "guests": wanted.hosts(Group.GUESTS),
        "left_out": wanted.ledger.counts(),
        "quarantined": [
            {"key": key, "reason": problem.reason.value, "text": problem.text}
            for key, problem in view.left_out
        ],
    }


def _readable(report: dict[str, Any]) -> Iterator[str]:
    said = report["text"].splitlines()
    yield f"{report['backend']}: {report['outcome']}" + (f": {shown(said[0])}" if said else "")
    yield from (f"  {shown(line)}" for line in said[1:])
    hypervisors = counted(report["hypervisors"], "hypervisor")
    yield f"served: {hypervisors}, {counted(report['guests'], 'guest')}"
    if report["left_out"]:
        counts = ", ".join(f"{count} {reason}" for reason, count in report["left_out"].items())
        yield f"left out: {counts}"
    yield from table((one["key"], one["reason"], one["text"]) for one in report["quarantined"])


HELP: Final = """\
Let the server's own checker judge the files as they should be, and list what is left out of them.

Nothing is installed.
"""

EPILOG: Final = """\
\b
Exit codes: 0 accepted, or there is no checker; 1 rejected; others: it is not known.
"""

SUBCOMMAND = Subcommand(options=DhcpCheckOptions, run=run, help=HELP, epilog=EPILOG)
