"""The command line: names the subcommands, and turns argv into the work to do.

To add a subcommand, write ``commands/NAME.py`` and one line in :data:`SUBCOMMANDS`::

    @dataclass(frozen=True, slots=True, kw_only=True)
    class GreetOptions:
        name: tuple[str, ...] = option("--name", default=("world",), help="Whom to greet.")
        loud: bool = flag("--loud/--quiet", help="Shout.")
        etcd: EtcdOptions = shared(EtcdOptions, "etcd")

    async def run(options: GreetOptions) -> int | None: ...

    SUBCOMMAND = Subcommand(options=GreetOptions, run=run, help="Greet somebody.")

That gives ``lochkit greet --name X --loud``, ``LOCHKIT_GREET_NAME``, and the checked table
``[greet]`` of the configuration file. See :mod:`lochkit.options` for what a field may say.

Nothing that is imported here, or by what is imported here, is heavy: listing the subcommands
imports none of them, and the configuration file's machinery is imported when there is a file.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import asyncclick as click

from . import __version__, logs
from .cli_command import LazyCommand
from .cli_options import (
    CONTEXT_SETTINGS,
    ENV_PREFIX,
    collect,
    default_map,
    parameters,
)
from .completion import completion
from .errors import ConfigError, LochkitError
from .etcd_options import EtcdOptions
from .peer_options import PeerOptions

__all__ = ["SUBCOMMANDS", "invoke", "tables"]


class Entry(NamedTuple):
    """A subcommand: the module that exports ``SUBCOMMAND``, and its line in ``lochkit --help``."""

    module: str
    short_help: str


SUBCOMMANDS: Final[Mapping[str, Entry]] = {
    "etcdwatch": Entry(
        "lochkit.commands.etcdwatch", "Run a command whenever a part of etcd changes."
    ),
    "dhcp": Entry(
        "lochkit.commands.dhcp", "Keep a DHCP server's configuration true to what is in etcd."
    ),
    "register": Entry(
        "lochkit.commands.register", "Register a service for as long as it is up and well."
    ),
    "pki": Entry("lochkit.commands.pki", "Make certificates with which hosts know each other."),
    "zfs": Entry("lochkit.commands.zfs", "Snapshots, retention and replication of ZFS, by hand."),
    "services": Entry("lochkit.commands.services", "Find services, and look after their registry."),
    "zfs-agent": Entry(
        "lochkit.commands.zfs_agent",
        "Own the ZFS datasets of a host: snapshots, retention, replication.",
    ),
    "zfs-director": Entry(
        "lochkit.commands.zfs_director",
        "Have the agents of all hosts do what one policy wants.",
    ),
}

SHARED_TABLES: Final[Mapping[str, type[Any]]] = {
    "log": logs.LogOptions,
    "etcd": EtcdOptions,
    "tls": PeerOptions,
}
"""The tables of the configuration file that are not a subcommand's own."""

FAULT: Final = "lochkit.config.fault"

EPILOG: Final = """\
\b
Exit codes:
  0      done, or stopped as asked by TERM or HUP
  1      failed
  2      wrong usage
  75     failed for now; later it may succeed
  78     the configuration, a file or the host must be changed first
  130    interrupted (INT)
  128+n  a command that was run was killed by signal n
Where a command is run, its own exit code may be passed on.
"""


def tables() -> dict[str, Callable[[], type[Any]]]:
    """Return the tables a configuration file may have, each with what finds its options class."""
    found: dict[str, Callable[[], type[Any]]] = {
        name: partial(_itself, cls) for name, cls in SHARED_TABLES.items()
    }
    found |= {command.name or "": partial(_options_of, command) for command in _lazy_commands()}
    return found


async def invoke(argv: Sequence[str]) -> int:
    """Parse ``argv`` and do what it says.

    Returns:
        The exit code. Wrong usage has been reported and is 2.

    Raises:
        LochkitError: bare or in a group; not yet reported.
    """
    try:
        action = await _group().main(list(argv), prog_name="lochkit", standalone_mode=False)
    except click.ClickException as exc:
        exc.show()
        return exc.exit_code
    except click.Abort:
        return 130
    except OSError as exc:  # so far there was nothing to do but to write
        raise LochkitError(f"the output can not be written: {exc.strerror or exc}") from exc
    if isinstance(action, int):  # --help, --version: all has been said
        return action
    return await action() or 0


def _group() -> click.Group:
    """Build the group anew: asyncclick's commands hold state, and tests run several."""
    config = click.Option(
        ["--config"],
        metavar="FILE",
        type=click.Path(dir_okay=False),
        envvar=f"{ENV_PREFIX}_CONFIG",
        is_eager=True,  # its values are the defaults of all that follow
        expose_value=False,
        callback=_load_config,
        help="Configuration file (TOML).",
    )
    group = click.Group(
        "lochkit",
        params=[config, *parameters(logs.LogOptions)],
        callback=click.pass_context(_set_up_logs),
        help="Deployment glue for small networks, all of it following etcd.",
        epilog=EPILOG,
        context_settings=CONTEXT_SETTINGS,
        commands=[*_lazy_commands(), completion],
    )
    click.version_option(__version__, prog_name="lochkit", message="%(prog)s %(version)s")(group)
    return group


def _lazy_commands() -> list[LazyCommand]:
    return [
        LazyCommand(name, entry.module, entry.short_help) for name, entry in SUBCOMMANDS.items()
    ]


def _load_config(ctx: click.Context, param: click.Parameter, path: str | None) -> None:
    """Make the file's values the defaults of our options and, through ``obj``, of all others."""
    del param
    if path is None or ctx.resilient_parsing:
        return
    from . import config  # heavy, and most calls have no file

    try:
        ctx.obj = config.load(path, tables())
    except ConfigError as exc:
        ctx.meta[FAULT] = exc  # raised once it is known how to log it
    else:
        ctx.default_map = default_map(logs.LogOptions, "log", ctx.obj)


def _set_up_logs(ctx: click.Context, **_: Any) -> None:
    logs.setup(collect(ctx, logs.LogOptions))
    if FAULT in ctx.meta:
        raise ctx.meta[FAULT]


def _itself(cls: type[Any]) -> type[Any]:
    return cls


def _options_of(command: LazyCommand) -> type[Any]:
    options: type[Any] = command.load().options
    return options
