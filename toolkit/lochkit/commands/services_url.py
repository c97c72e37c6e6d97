"""``lochkit services url``: where a service is reached."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..discovery.lookup import Service
from ..discovery.reading import get
from ..discovery.showing import instance_named
from ..discovery.url import Url, host_url, private_url
from ..etcd.client import Client
from ..options import Subcommand, flag, option
from .output import Refused, print_lines
from .registry import layout_of
from .services_options import RevealingOptions, name_argument, one_name
from .services_reading import answered

__all__ = ["SUBCOMMAND", "ServicesUrlOptions", "run", "url_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicesUrlOptions(RevealingOptions):
    """The options of ``lochkit services url``, as given: see their help."""

    scheme: str | None = option(
        "--scheme",
        default=None,
        default_text="http, else https",
        metavar="NAME",
        help="Which of its ports.",
    )
    path: str | None = option("--path", default=None, metavar="TEXT", help="What follows the port.")
    shard: str | None = option(
        "--shard", default=None, metavar="NAME", help="An instance of this shard, even if public."
    )
    private: bool = flag(
        "--private", help="An instance, at its private hostname and port, even if public."
    )
    instance: str | None = option(
        "--instance",
        default=None,
        metavar="UUID",
        help="This instance, whatever its shard and state: its id, or the beginning of it.",
    )
    # Not `passing`: what is shown elsewhere is not to decide here where traffic goes.
    any_state: bool = flag(
        "--all", help="Draw also from instances that are critical, in maintenance or leaving."
    )
    words: tuple[str, ...] = name_argument("NAME", "The service.")

    def __post_init__(self) -> None:
        """Refuse anything but one name.

        Raises:
            ValueError: says so.
        """
        one_name(self.words, "url NAME")


async def run(options: ServicesUrlOptions) -> int:
    """Print the URL."""
    name = one_name(options.words, "url NAME")

    async def work(etcd: Client) -> int:
        service = await get(etcd, name, layout=layout_of(options))
        found = url_of(service, options, random.random)
        url = found.reveal() if options.with_credentials else found.without_credentials()
        await print_lines([json.dumps({"service": name, "url": url}) if options.json else url])
        return 0

    return await answered(options, work)


def url_of(service: Service, options: ServicesUrlOptions, draw: Callable[[], float]) -> Url:
    """The URL that is asked for.

    Raises:
        DiscoveryError: there is none.
        Refused: there is no such instance.
    """
    scheme, path, shard = options.scheme or "", options.path or "", options.shard or ""
    passing = not options.any_state
    at = private_url if options.private else host_url
    if options.instance is not None:
        hosts = {one.uuid: one.host for one in service.instances}
        try:
            host = hosts[instance_named(options.instance, hosts)]
        except ValueError as exc:
            raise Refused(f"service {service.name}: {exc}") from exc
        return at(host, scheme, path)
    if options.private:
        return at(service.one(shard, passing, draw=draw), scheme, path)
    return service.url(scheme, path, shard, draw=draw, passing=passing)


HELP: Final = """\
Print the URL of a service: the public one of a public service, else that of an instance, drawn by
lot and weight from those that want work.

User and password are in it only with --with-credentials.
"""

EPILOG: Final = """\
\b
Exit codes:
  0   printed
  1   no such service, no instance that wants work, or no port for the scheme
  2   wrong usage, or no such instance
  75  etcd is away
"""

SUBCOMMAND = Subcommand(options=ServicesUrlOptions, run=run, help=HELP, epilog=EPILOG)
