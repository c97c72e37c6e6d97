"""``lochkit pki init``: make an authority."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..options import Subcommand, argument, option
from ..pki.authority import init_authority
from ..pki.requests import check_title
from .output import print_lines
from .pki import PkiOptions
from .pki_words import one_word

__all__ = ["SUBCOMMAND", "PkiInitOptions", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PkiInitOptions(PkiOptions):
    """The options of ``lochkit pki init``, as given: see their help."""

    title: str = option(
        "--title",
        default="lochkit",
        metavar="NAME",
        check=check_title,
        help="The authority's name, as its certificates show it.",
    )
    days: int = option(
        "--days",
        default=3650,
        minimum=1,
        maximum=36_500,
        metavar="N",
        help="How long its certificate is valid.",
    )
    words: tuple[str, ...] = argument(
        "DIRECTORY", interspersed=True, help="Where to make it; there is none yet, or an empty one."
    )

    def __post_init__(self) -> None:
        """Refuse anything but one directory.

        Raises:
            ValueError: says so.
        """
        one_word(self.words, "a directory", "init DIRECTORY")


async def run(options: PkiInitOptions) -> int:
    """Make it."""
    directory = Path(one_word(options.words, "a directory", "init DIRECTORY"))
    certificate = await init_authority(directory, title=options.title, days=options.days)
    await print_lines(
        [
            f"authority made: {certificate}",
            f"whoever can read {directory / 'ca.key'} can be any host: keep it to yourself",
        ]
    )
    return 0


HELP: Final = """\
Make a certificate authority: a key, and a certificate that it signed itself.

Nothing is overwritten: the directory must not be there yet, or be empty.
"""

SUBCOMMAND = Subcommand(options=PkiInitOptions, run=run, help=HELP)
