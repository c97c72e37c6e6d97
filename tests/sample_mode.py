"""A mode of the sample, with an option of the sample's, a shared one and one of its own."""

from dataclasses import dataclass

import trio

from lochkit.etcd_options import EtcdOptions
from lochkit.options import Subcommand, option, shared


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleModeOptions:
    quiet_time: float = option("--quiet-time", "--settle", default=1.0, minimum=0, help="Seconds.")
    colour: str = option("--colour", default="none", help="Its own.")
    etcd: EtcdOptions = shared(EtcdOptions, "etcd")


async def run(options: SampleModeOptions) -> int:
    await trio.lowlevel.checkpoint()
    print(options)
    return 4


SUBCOMMAND = Subcommand(options=SampleModeOptions, run=run, help="Look at it only.")
