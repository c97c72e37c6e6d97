"""``lochkit pki``: a small authority, and certificates for hosts."""

from dataclasses import dataclass
from typing import Final

from ..options import Mode, Subcommand
from .output import Refused

__all__ = ["SUBCOMMAND", "PkiOptions", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PkiOptions:
    """What every mode knows: nothing."""


async def run(_: PkiOptions) -> int:
    """Say what there is to choose from.

    Raises:
        Refused: always.
    """
    raise Refused(f"a mode is needed: one of {', '.join(_MODES)}")


HELP: Final = """\
Make a small certificate authority, and certificates with which hosts know each other.

The authority is a directory: keep it where no host's software can read it. For every host there is
a directory in it, with all that is to be copied to that host. The openssl program does the work.
"""

_MODES: Final = {
    "init": ("pki_init", "Make an authority."),
    "issue": ("pki_issue", "Make a key and a certificate for a host."),
    "show": ("pki_show", "Tell what certificates there are, and how long they last."),
}

SUBCOMMAND = Subcommand(
    options=PkiOptions,
    run=run,
    help=HELP,
    modeless="tell that one is needed",
    modes={
        name: Mode(module=f"lochkit.commands.{module}", short_help=text)
        for name, (module, text) in _MODES.items()
    },
)
