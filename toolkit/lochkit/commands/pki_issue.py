"""``lochkit pki issue``: make a key and a certificate for a host."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..options import Subcommand, argument, flag, option
from ..pki.authority import issue_certificate, renew_certificate
from ..pki.requests import check_alternative, check_name
from .output import print_lines
from .pki import PkiOptions
from .pki_words import the_words

__all__ = ["SUBCOMMAND", "PkiIssueOptions", "run"]

USAGE: Final = "issue DIRECTORY NAME"


@dataclass(frozen=True, slots=True, kw_only=True)
class PkiIssueOptions(PkiOptions):
    """The options of ``lochkit pki issue``, as given: see their help."""

    san: tuple[str, ...] = option(
        "--san",
        default=(),
        metavar="NAME_OR_ADDRESS",
        check=check_alternative,
        help="A further name or address for the certificate; may be repeated. lochkit itself looks "
        "at NAME alone.",
    )
    days: int = option(
        "--days",
        default=825,
        minimum=1,
        maximum=36_500,
        metavar="N",
        help="How long it is valid.",
    )
    renew: bool = flag(
        "--renew", help="Make a new certificate for the key that the host has already."
    )
    words: tuple[str, ...] = argument(
        "DIRECTORY NAME", interspersed=True, help="The authority, and the host's name."
    )

    def __post_init__(self) -> None:
        """Refuse anything but an authority and a name.

        Raises:
            ValueError: says so.
        """
        check_name(the_words(self.words, 2, "an authority and a host", USAGE)[1])


async def run(options: PkiIssueOptions) -> int:
    """Make it."""
    directory, name = the_words(options.words, 2, "an authority and a host", USAGE)
    make = renew_certificate if options.renew else issue_certificate
    made = await make(Path(directory), name, alternatives=options.san, days=options.days)
    await print_lines(
        [
            f"{'renewed' if options.renew else 'made'}: {made / name}.crt",
            f"copy {made} to {name}; who runs lochkit there must be able to read it, nobody else",
        ]
    )
    return 0


HELP: Final = """\
Make a private key and a certificate for a host, in a directory that can be copied to it.

The name is what other hosts know it by, and give their permissions to. A key that is there is never
overwritten.
"""

SUBCOMMAND = Subcommand(options=PkiIssueOptions, run=run, help=HELP)
