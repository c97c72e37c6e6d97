"""``lochkit services deregister``: take instances out of the registry."""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from ..discovery.errors import ServiceNotFound
from ..discovery.layout import Layout
from ..discovery.permissions import needing
from ..discovery.removal import Removal, orphaned_infos, plan_removals
from ..discovery.showing import instance_named
from ..etcd.client import Client
from ..etcd.kv import Listing
from ..etcd.messages import KeyValue
from ..etcd.prefix import KeyRange
from ..options import Subcommand, flag, words_and_command
from .output import Refused, print_lines, shown
from .registry import layout_of
from .services_options import ServicesOptions, check_name, name_argument
from .services_reading import answered
from .services_removing import holdings_of, remove, remove_infos

__all__ = ["SUBCOMMAND", "ServicesDeregisterOptions", "run"]

log = logging.getLogger(__name__)

USAGE: Final = "lochkit services deregister NAME UUID..., or NAME --all, or [NAME] --orphans"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicesDeregisterOptions(ServicesOptions):
    """The options of ``lochkit services deregister``, as given: see their help."""

    # Not `all`: nothing that is said of other modes is to empty a service here.
    every_instance: bool = flag("--all", help="All instances of the service.")
    orphans: bool = flag(
        "--orphans",
        help="The common record of the service, if it has no instance (any more); without a NAME,"
        " those of all services.",
    )
    dry_run: bool = flag("--dry-run", help="Remove nothing: print what would go.")
    words: tuple[str, ...] = name_argument(
        "[NAME [UUID]...]",
        "The service, and which of its instances: their ids, or the beginnings of them.",
    )

    def __post_init__(self) -> None:
        """Refuse what does not say clearly what is to go.

        Raises:
            ValueError: says what is missing or too much.
        """
        names, command = words_and_command(self.words)
        if command or "--" in self.words:
            raise ValueError(f"no command is run here: {USAGE}")
        if not names and (self.every_instance or not self.orphans):
            raise ValueError(f"name the service: {USAGE}")
        if names:
            check_name(names[0])
        if len(names) > 1 and self.every_instance:
            raise ValueError("--all leaves nothing to choose: leave out the ids")
        if len(names) == 1 and not (self.every_instance or self.orphans):
            raise ValueError(f"say which instances: {USAGE}")

    @property
    def service(self) -> str:
        """The service; empty for all."""
        names, _ = words_and_command(self.words)
        return names[0] if names else ""

    @property
    def instances(self) -> tuple[str, ...]:
        """The ids, or the beginnings of ids."""
        return tuple(words_and_command(self.words)[0][1:])


@dataclass(slots=True)
class _Report:
    """What has gone, or would go.

    Attributes:
        removed: keys of instances, with the lease that was revoked or 0.
        along: keys that went with a lease.
        infos: keys of common records.
        kept: keys of common records that had an instance again.
    """

    removed: list[tuple[bytes, int]] = field(default_factory=list)
    along: list[bytes] = field(default_factory=list)
    infos: list[bytes] = field(default_factory=list)
    kept: list[bytes] = field(default_factory=list)


async def run(options: ServicesDeregisterOptions) -> int:
    """Remove what was named, and print it."""
    layout = layout_of(options)

    async def work(etcd: Client) -> int:
        instances, infos = await _read(etcd, layout, options.service)
        chosen = _chosen(options, layout, instances.kvs)
        plan = plan_removals(chosen, await holdings_of(etcd, chosen), layout)
        report = _Report()
        for removal in plan:
            if not options.dry_run:
                await remove(etcd, removal)
            report.removed += [(kv.key, removal.lease) for kv in removal.chosen]
            report.along += removal.along
        if options.orphans:
            gone = {kv.key for kv in chosen}
            rest = [kv for kv in instances.kvs if kv.key not in gone]
            await _remove_orphans(
                etcd, layout, orphaned_infos(infos, rest, layout), options, report
            )
        await print_lines(
            [_object(report, options)] if options.json else _readable(report, options)
        )
        _tell(plan, options)
        return 0

    return await answered(options, work)


async def _read(etcd: Client, layout: Layout, service: str) -> tuple[Listing, list[KeyValue]]:
    """The keys of instances, and the common records; of one service or of all.

    Raises:
        ServiceNotFound: there is nothing of it.
    """
    wanted = layout.service(service) if service else layout.instances
    infos = KeyRange.exact(layout.infos_key(service)) if service else layout.infos
    with needing("read", wanted, infos):
        instances = await etcd.kv.list(wanted)
        records = (await etcd.kv.list(infos, revision=instances.revision)).kvs
    if service and not instances.kvs and not records:
        raise ServiceNotFound(f"service {service} not found")
    return instances, records


def _chosen(
    options: ServicesDeregisterOptions, layout: Layout, kvs: Sequence[KeyValue]
) -> list[KeyValue]:
    """The keys of the instances that are to go.

    Raises:
        Refused: one that was named is not there, or is not the only one meant.
    """
    if options.every_instance:
        return list(kvs)
    by_uuid = {name.uuid: kv for kv in kvs if (name := layout.parse_instance(kv.key))}
    try:
        named = [instance_named(word, by_uuid) for word in options.instances]
    except ValueError as exc:
        raise Refused(f"service {options.service}: {exc}; nothing was removed") from exc
    return [by_uuid[uuid] for uuid in dict.fromkeys(named)]


async def _remove_orphans(
    etcd: Client,
    layout: Layout,
    orphans: Sequence[KeyValue],
    options: ServicesDeregisterOptions,
    report: _Report,
) -> None:
    for kv in orphans:
        gone = options.dry_run or await remove_infos(etcd, layout, kv)
        (report.infos if gone else report.kept).append(kv.key)


def _readable(report: _Report, options: ServicesDeregisterOptions) -> Iterator[str]:
    gone = "would be removed" if options.dry_run else "removed"
    for key, lease in report.removed:
        yield f"{gone}: {_text(key)}" + (f" (lease {lease:x} revoked)" if lease else "")
    for key in report.along:
        yield f"{gone} with it: {_text(key)}"
    for key in report.infos:
        yield f"{gone}: {_text(key)}"
    for key in report.kept:
        yield f"kept, for it is in use again: {_text(key)}"
    if not (report.removed or report.infos or report.kept):
        yield "there is nothing to remove"


def _object(report: _Report, options: ServicesDeregisterOptions) -> str:
    def texts(keys: Sequence[bytes]) -> list[str]:
        return [key.decode("utf-8", "backslashreplace") for key in keys]

    return json.dumps(
        {
            "dry_run": options.dry_run,
            "instances": [
                {
                    "key": key.decode("utf-8", "backslashreplace"),
                    "lease": f"{lease:x}" if lease else "",
                }
                for key, lease in report.removed
            ],
            "along": texts(report.along),
            "infos": texts(report.infos),
            "kept": texts(report.kept),
        }
    )


def _tell(plan: Sequence[Removal], options: ServicesDeregisterOptions) -> None:
    """Say what the operator may not expect."""
    for removal in plan:
        if removal.shared_with:
            log.warning(
                "its lease keeps other instances alive and stays; what else the instance has"
                " published stays with it",
                extra={"key": _text(removal.chosen[0].key), "others": len(removal.shared_with)},
            )
    if not options.dry_run and any(removal.lease or removal.shared_with for removal in plan):
        log.warning(
            "a registrar that is alive registers its instance anew within seconds: to keep it away,"
            " stop it, or let it go into maintenance"
        )


def _text(key: bytes) -> str:
    return shown(key.decode("utf-8", "backslashreplace"))


HELP: Final = """\
Take instances out of the registry, with everything that hangs on their leases, such as records for
DNS. They are marked as leaving before, so that nobody takes it for a crash.

A registrar that is alive registers its instance anew: this is for what nobody looks after any more.
"""

EPILOG: Final = """\
\b
Exit codes:
  0   removed, or nothing to remove
  1   no such service
  2   wrong usage, or no such instance; then nothing is removed
  75  etcd is away
"""

SUBCOMMAND = Subcommand(options=ServicesDeregisterOptions, run=run, help=HELP, epilog=EPILOG)
