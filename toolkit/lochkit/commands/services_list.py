"""``lochkit services list``: which services there are."""

import json
from typing import Final

from ..discovery.reading import catalog
from ..discovery.showing import service_fields, service_rows
from ..etcd.client import Client
from ..options import Subcommand
from .output import print_lines, table
from .registry import layout_of
from .services_options import InstancesOptions
from .services_reading import answered

__all__ = ["SUBCOMMAND", "run"]


async def run(options: InstancesOptions) -> int:
    """Print the services."""

    async def work(etcd: Client) -> int:
        found = await catalog(etcd, layout_of(options))
        shown = options.selection
        services = [
            service
            for _, service in sorted(found.items())
            if shown.instances(service) or not (shown.passing or shown.shard)
        ]
        if options.json:
            fields = {
                one.name: service_fields(one, shown, secrets=options.with_credentials)
                for one in services
            }
            await print_lines([json.dumps({"services": fields})])
        else:
            await print_lines(table(service_rows(services, shown)))
        return 0

    return await answered(options, work)


HELP: Final = """\
List the services of the registry: how many instances of each want work, how many do not, and the
address of those that have a public one.

With --passing or --shard, only services that have such an instance.
"""

SUBCOMMAND = Subcommand(options=InstancesOptions, run=run, help=HELP)
