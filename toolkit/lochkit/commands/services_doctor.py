"""``lochkit services doctor``: what is wrong in the registry."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import trio

from ..discovery.doctor import Finding, Severity, examine, leases_of
from ..discovery.layout import Layout
from ..discovery.permissions import needing
from ..etcd.client import Client
from ..etcd.messages import KeyValue, LeaseTimeToLiveResponse
from ..etcd.prefix import KeyRange
from ..options import Subcommand, option
from .output import counted, print_lines, table
from .registry import check_utf8, layout_of
from .services_options import ServicesOptions
from .services_reading import LEASES_AT_ONCE, answered

__all__ = ["SUBCOMMAND", "ServicesDoctorOptions", "ask_leases", "run", "still_there"]

PUBLISHED: Final = "What is published for others"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicesDoctorOptions(ServicesOptions):
    """The options of ``lochkit services doctor``, as given: see their help."""

    dns_path: str | None = option(
        "--dns-path",
        default=None,
        metavar="PATH",
        check=check_utf8,
        section=PUBLISHED,
        help="Look at the records of CoreDNS, too: below /skydns, unless it was told otherwise.",
    )
    traefik_root: str | None = option(
        "--traefik-root",
        default=None,
        metavar="KEY",
        check=check_utf8,
        section=PUBLISHED,
        help="Look at the keys of Traefik, too: below traefik, unless it was told otherwise.",
    )


async def run(options: ServicesDoctorOptions) -> int:
    """Print what is wrong; 1 when there is something."""

    async def work(etcd: Client) -> int:
        findings = await _findings(etcd, options)
        await print_lines([_object(findings)] if options.json else _readable(findings))
        return 1 if any(one.severity is not Severity.NOTE for one in findings) else 0

    return await answered(options, work)


async def _findings(etcd: Client, options: ServicesDoctorOptions) -> Sequence[Finding]:
    layout = layout_of(options)
    entries = await _entries(etcd, layout)
    leases = await ask_leases(etcd, leases_of(entries))
    entries = await still_there(etcd, entries, leases)
    dns, traefik = options.dns_path, options.traefik_root
    dns_keys = [] if dns is None else await _below(etcd, f"/{dns.strip('/')}/")
    traefik_keys: list[KeyValue] = []
    if traefik is not None:
        for slash in ("", "/"):  # with a slash nobody reads them, which is a finding
            traefik_keys += await _below(etcd, f"{slash}{traefik.strip('/')}/")
    # In a thread: there may be very many, and a signal is to be heard.
    return await trio.to_thread.run_sync(
        lambda: examine(entries, leases=leases, layout=layout, dns=dns_keys, traefik=traefik_keys),
        abandon_on_cancel=True,
    )


async def _entries(etcd: Client, layout: Layout) -> list[KeyValue]:
    """All keys of the registry, of one revision."""
    with needing("read", layout.instances, layout.infos):
        instances = await etcd.kv.list(layout.instances)
        infos = await etcd.kv.list(layout.infos, revision=instances.revision)
    return [*instances.kvs, *infos.kvs]


async def _below(etcd: Client, prefix: str) -> list[KeyValue]:
    wanted = KeyRange.prefix(prefix.encode())
    with needing("read", wanted):
        return (await etcd.kv.list(wanted)).kvs


async def ask_leases(etcd: Client, wanted: Iterable[int]) -> dict[int, LeaseTimeToLiveResponse]:
    """What etcd says of the leases."""
    found: dict[int, LeaseTimeToLiveResponse] = {}
    places = trio.CapacityLimiter(LEASES_AT_ONCE)

    async def ask(lease: int) -> None:
        async with places:
            found[lease] = await etcd.leases.time_to_live(lease)

    async with trio.open_nursery() as nursery:
        for lease in wanted:
            nursery.start_soon(ask, lease)
    return found


async def still_there(
    etcd: Client, entries: Sequence[KeyValue], leases: dict[int, LeaseTimeToLiveResponse]
) -> list[KeyValue]:
    """The keys without those that have gone with their leases since they were read."""
    kept = []
    for kv in entries:
        answer = leases.get(kv.lease)
        if answer is None or answer.TTL >= 0:
            kept.append(kv)
        else:
            kept += (await etcd.kv.list(KeyRange.exact(kv.key))).kvs
    return kept


def _readable(findings: Sequence[Finding]) -> Iterator[str]:
    yield from table((one.severity.value, one.kind.value, one.key, one.text) for one in findings)
    if findings:
        yield ""
        yield "What to do:"
        remedies = {one.kind: one.remedy for one in findings}
        yield from table((f"  {kind.value}", remedy) for kind, remedy in remedies.items())
        yield ""
    counts = Counter(one.severity for one in findings)
    told = [counted(counts[severity], severity.value) for severity in Severity if counts[severity]]
    yield f"{', '.join(told) or 'nothing'} found"


def _object(findings: Sequence[Finding]) -> str:
    return json.dumps(
        {
            "counts": Counter(one.severity.value for one in findings),
            "findings": [
                {
                    "severity": one.severity.value,
                    "kind": one.kind.value,
                    "key": one.key,
                    "text": one.text,
                    "remedy": one.remedy,
                }
                for one in findings
            ],
        }
    )


HELP: Final = """\
Look for what is wrong in the registry: records that nobody can read, or that make readers in Go
fail on a whole service; instances that never expire, are late, have the same port or other
credentials than their service; services without instances.
"""

EPILOG: Final = """\
\b
Exit codes: 0 nothing is wrong, but for notes; 1 something is; others: it is not
known.
"""

SUBCOMMAND = Subcommand(options=ServicesDoctorOptions, run=run, help=HELP, epilog=EPILOG)
