"""A subcommand with words among which options may stand, for the tests of the command line."""

from dataclasses import dataclass

import trio

from lochkit.options import Subcommand, argument, flag


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleWordsOptions:
    loud: bool = flag("--loud", help="Shout.")
    words: tuple[str, ...] = argument("[NAME]... [-- CMD]", interspersed=True, help="Whom.")


async def run(options: SampleWordsOptions) -> None:
    await trio.lowlevel.checkpoint()
    print(options.words, options.loud)


SUBCOMMAND = Subcommand(options=SampleWordsOptions, run=run, help="Take words.")
