"""``lochkit zfs explain``: why a dataset does not replicate, and what would fix it."""

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ..options import Subcommand
from ..zfs.explain import Explanation, explain
from .output import print_lines, shown
from .zfs_look import Case, LookOptions, look_at_all
from .zfs_options import DEFAULT_POLICY
from .zfs_running import answered

__all__ = ["SUBCOMMAND", "ZfsExplainOptions", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ZfsExplainOptions(LookOptions):
    """The options of ``lochkit zfs explain``, as given: see their help."""


async def run(options: ZfsExplainOptions) -> int:
    """Print why; 1 if it does not replicate."""

    async def work() -> int:
        cases = await look_at_all(options, options.datasets[0])
        explained = [(case, _explained(case)) for case in cases]
        if options.json:
            found = [_document(*one, _asked(options)) for one in explained]
            await print_lines([json.dumps(found)])
        else:
            asked = _asked(options)
            await print_lines(line for one in explained for line in _lines(*one, asked))
        return int(not all(one.replicates for _, one in explained))

    return await answered(work)


def _explained(case: Case) -> Explanation:
    if case.planned is None:
        to = case.replication.to
        why = str(case.trouble) if case.trouble else "the job leaves it out"
        return Explanation(replicates=False, lines=(f"{to} can not be looked at: {why}",))
    return explain(
        case.planned.source,
        case.planned.target,
        case.planned.verdict,
        target_name=case.planned.target_name,
        replication=case.replication,
        facts=case.facts,
        taken=case.taken,
    )


def _asked(options: ZfsExplainOptions) -> str:
    """The options that a command needs to look at the same: those that were not left as they are.

    A command that is copied is run later, and by itself: it must find the same policy and say the
    same host's name. What the file and the environment say, they say then as well; saying it once
    more does no harm.
    """
    peers = options.peers
    given = {
        "--zfs": options.zfs if options.zfs != "zfs" else None,
        "--policy": options.policy if options.policy != DEFAULT_POLICY else None,
        "--host": options.host,
        "--tls-cert": peers.cert,
        "--tls-key": peers.key,
        "--tls-ca": peers.ca,
    }
    flags = {
        "--insecure-plaintext": peers.insecure_plaintext,
        "--allow-public": peers.allow_public,
    }
    words = [word for name, value in given.items() if value for word in (name, value)]
    words += [name for name, value in flags.items() if value]
    return f" {shlex.join(words)}" if words else ""


def _lines(case: Case, explained: Explanation, asked: str) -> Iterator[str]:
    yield f"{case.replication.name}:"
    yield from (f"    {shown(line)}" for line in explained.lines)
    yield from (f"        {shown(command + asked)}" for command in explained.commands)


def _document(case: Case, explained: Explanation, asked: str) -> dict[str, object]:
    return {
        "Job": case.job.name,
        "Replication": case.replication.name,
        "To": case.replication.to,
        "Replicates": explained.replicates,
        "Lines": list(explained.lines),
        "Commands": [command + asked for command in explained.commands],
    }


HELP: Final = """\
Say in plain words whether a dataset replicates to each of its destinations; if not, why, and what
would fix it. Nothing is changed.

The exit code is 1 if it does not replicate to one of them.
"""

SUBCOMMAND = Subcommand(options=ZfsExplainOptions, run=run, help=HELP)
