"""``lochkit services show``: everything about one service."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ..discovery.errors import ServiceNotFound
from ..discovery.lookup import Service
from ..discovery.reading import get
from ..discovery.showing import REDACTED, address, instance_rows, service_fields
from ..etcd.client import Client
from ..options import Subcommand
from .output import print_lines, table
from .registry import layout_of
from .services_options import InstancesOptions, name_argument, one_name
from .services_reading import answered

__all__ = ["SUBCOMMAND", "ServicesShowOptions", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicesShowOptions(InstancesOptions):
    """The options of ``lochkit services show``, as given: see their help."""

    words: tuple[str, ...] = name_argument("NAME", "The service.")

    def __post_init__(self) -> None:
        """Refuse anything but one name.

        Raises:
            ValueError: says so.
        """
        one_name(self.words, "show NAME")


async def run(options: ServicesShowOptions) -> int:
    """Print the service."""
    name = one_name(options.words, "show NAME")

    async def work(etcd: Client) -> int:
        service = await get(etcd, name, layout=layout_of(options))
        if service.infos is None and not service.instances and not service.faults:
            raise ServiceNotFound(f"service {name} not found")
        if options.json:
            fields = service_fields(service, options.selection, secrets=options.with_credentials)
            await print_lines([json.dumps(fields)])
        else:
            await print_lines(_readable(service, options))
        return 0

    return await answered(options, work)


def _readable(service: Service, options: ServicesShowOptions) -> Iterator[str]:
    yield from table(_facts(service, options.with_credentials))
    yield ""
    yield from table(instance_rows(options.selection.instances(service)))
    if service.faults:
        yield ""
        yield "Faulty records:"
        yield from table((fault.key, fault.text) for fault in service.faults)


def _facts(service: Service, secrets: bool) -> Iterator[tuple[str, str]]:
    infos = service.infos
    yield "service", service.name
    if infos is None:
        yield "common record", "none that can be read"
        return
    yield "critical", "yes" if infos.critical else "no"
    yield "public", address(infos.hostname, infos.ports) if infos.public else "no"
    if infos.user or infos.password:
        password = infos.password if secrets else REDACTED
        yield "credentials", f"user {infos.user}, password {password}"


HELP: Final = """\
Show a service: its public address and credentials, its instances, and what is wrong with their
records.
"""

EPILOG: Final = """\
\b
Exit codes: 0 shown, 1 the registry knows no such service, 75 etcd is away.
"""

SUBCOMMAND = Subcommand(options=ServicesShowOptions, run=run, help=HELP, epilog=EPILOG)
