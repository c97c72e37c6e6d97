"""A subcommand with an option of every kind, for the tests of the command line and the file."""

import enum
from dataclasses import dataclass
from typing import Literal

import trio

from lochkit.etcd_options import EtcdOptions
from lochkit.options import Mode, Subcommand, argument, flag, option, shared


class OnBusy(enum.Enum):
    QUEUE = "queue"
    RESTART = "restart"


def begins_with_slash(path: str) -> None:
    if not path.startswith("/"):
        raise ValueError("must begin with '/'")


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleOptions:
    path: tuple[str, ...] = option(
        "--path", "-d", default=("/",), check=begins_with_slash, help="Where."
    )
    format: Literal["json", "yaml"] = option("--format", "-f", default="json", help="How.")
    on_busy: OnBusy = option("--on-busy", default=OnBusy.QUEUE, help="When busy.")
    quiet_time: float = option("--quiet-time", "--settle", default=1.0, minimum=0, help="Seconds.")
    min_keys: int | None = option("--min-keys", default=None, minimum=0, help="Keys.")
    stable: bool = flag("--stable/--no-stable", default=True, help="Wait for quiet.")
    once: bool = flag("--once", "-1", help="One run.")
    command: tuple[str, ...] = argument("CMD [ARG]...", required=True, help="What to run.")
    etcd: EtcdOptions = shared(EtcdOptions, "etcd")

    def __post_init__(self) -> None:
        if self.once and self.min_keys == 0:
            raise ValueError("--once makes no sense with --min-keys 0")


async def run(options: SampleOptions) -> int:
    await trio.lowlevel.checkpoint()
    print(options)
    return 3


SUBCOMMAND = Subcommand(
    options=SampleOptions,
    run=run,
    help="Do as the sample does.\n\nAnd more.",
    epilog="The end.",
    modes={"look": Mode(module="tests.sample_mode", short_help="Look only.")},
)
