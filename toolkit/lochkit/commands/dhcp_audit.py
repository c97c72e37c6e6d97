"""``lochkit dhcp audit``: what does not fit together."""

import json
import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from ..dhcp.audit import audit
from ..dhcp.findings import Finding
from ..dhcp.kea_socket import KeaSocket
from ..dhcp.layout import Layout
from ..dhcp.leases import Lease, LeaseError, Leases, leases_of_answer, read_leases
from ..errors import ConfigError, LochkitError
from ..etcd_options import EtcdOptions
from ..options import Subcommand, flag, option, shared
from .dhcp_source import from_file_option, read_everything, to_the_end
from .output import counted, print_lines, table

__all__ = ["SUBCOMMAND", "DhcpAuditOptions", "run"]

log = logging.getLogger(__name__)

LEASES: Final = "Leases"
# The parts of Kea's memfile in which older rows are, the oldest first; a part that is complete
# stands for those before the file itself.
_OLDER: Final = (".completed", ".2", ".1")


@dataclass(frozen=True, slots=True, kw_only=True)
class DhcpAuditOptions:
    """The options of ``lochkit dhcp audit``, as given: see their help."""

    prefix: str = option(
        "--prefix",
        default="/lochness",
        metavar="KEY",
        help="Where the objects are in etcd, with or without a leading slash, as the keys have it.",
    )
    leases: tuple[str, ...] = option(
        "--leases",
        default=(),
        metavar="FILE",
        completes="file",
        section=LEASES,
        help="Compare with these leases, too: Kea's CSV file or an answer to lease4-get-all,"
        " dnsmasq.leases, or dhcpd.leases. May be given several times.",
    )
    kea_socket: str | None = option(
        "--kea-socket",
        default=None,
        metavar="PATH",
        completes="file",
        section=LEASES,
        help="Ask kea-dhcp4 for its leases; it needs libdhcp_lease_cmds.so for that.",
    )
    kea6_socket: str | None = option(
        "--kea6-socket",
        default=None,
        metavar="PATH",
        completes="file",
        section=LEASES,
        help="Ask kea-dhcp6 for its leases.",
    )
    json: bool = flag("--json", help="Print one JSON object instead.")
    from_file: str | None = from_file_option()
    etcd: EtcdOptions = shared(EtcdOptions, "etcd")


async def run(options: DhcpAuditOptions) -> int:
    """Print what does not fit; 1 when there is something."""

    async def work() -> int:
        now = time.time()
        leases: list[Lease] = []
        for path in options.leases:
            leases += await _from_file(Path(path), now)
        for socket, version in ((options.kea_socket, 4), (options.kea6_socket, 6)):
            if socket is not None:
                leases += await _from_kea(Path(socket), version, now)
        layout = Layout(options.prefix)
        entries = await read_everything(options, layout)
        findings = await trio.to_thread.run_sync(audit, entries, layout, leases)
        lines = [_object(findings)] if options.json else _readable(findings)
        await print_lines(lines)
        return 1 if any(finding.fault for finding in findings) else 0

    return await to_the_end(work)


async def _from_file(path: Path, now: float) -> list[Lease]:
    """The leases in a file, and in the parts of it that Kea has put aside.

    Raises:
        ConfigError: it can not be read, or is of no known kind.
    """

    def read() -> list[bytes]:
        contents = [path.read_bytes()]
        if contents[0].startswith(b"address,"):
            older = [path.with_name(path.name + end) for end in _OLDER]
            contents[:0] = [part.read_bytes() for part in older if part.exists()]
        return contents

    try:
        contents = await trio.to_thread.run_sync(read, abandon_on_cancel=True)
        return _active(read_leases(contents, now), str(path))
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror or exc}") from exc
    except LeaseError as exc:
        raise ConfigError(f"{path}: {exc}") from exc


async def _from_kea(path: Path, version: int, now: float) -> list[Lease]:
    """The leases of a running server.

    Raises:
        KeaError: it can not be asked.
        LochkitError: it can not tell.
    """
    name = f"lease{version}-get-all"
    socket = KeaSocket(path)
    answer = await socket.command(name)
    if answer.unsupported:
        raise LochkitError(
            f"Kea at {path} does not know {name}: add libdhcp_lease_cmds.so to its hooks-libraries,"
            " or give its file with --leases"
        )
    try:
        arguments = None if answer.empty else socket.granted(name, answer).arguments
        return _active(leases_of_answer(arguments, now), str(path))
    except LeaseError as exc:
        raise LochkitError(f"Kea at {path}: {exc}") from exc


def _active(found: Leases, where: str) -> list[Lease]:
    if found.unread:
        log.warning(
            "some leases could not be understood", extra={"in": where, "count": found.unread}
        )
    return found.active


def _object(findings: Sequence[Finding]) -> str:
    return json.dumps(
        {
            "counts": Counter(finding.kind.value for finding in findings),
            "findings": [
                {
                    "kind": finding.kind.value,
                    "where": finding.where,
                    "text": finding.text,
                    "fault": finding.fault,
                }
                for finding in findings
            ],
        }
    )


def _readable(findings: Sequence[Finding]) -> Iterator[str]:
    yield from table((finding.kind.value, finding.where, finding.text) for finding in findings)
    faults = sum(finding.fault for finding in findings)
    told = len(findings) - faults
    found = counted(faults, "fault") if faults else "no faults"
    yield f"{found} found" + (f", and {told} that may be none" if told else "")


HELP: Final = """\
Look for what does not fit: objects that are left out, addresses without a reservation and
reservations without a guest, hypervisors that are gone or list other guests than they have, and
leases that are not as wanted.
"""

EPILOG: Final = """\
\b
Exit codes: 0 no fault, 1 there are some, others: it is not known.
"""

SUBCOMMAND = Subcommand(options=DhcpAuditOptions, run=run, help=HELP, epilog=EPILOG)
