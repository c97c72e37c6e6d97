"""``lochkit pki show``: what certificates there are, and how long they last."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..options import Subcommand, argument, flag
from ..pki.looking import Found, look
from .output import instant, print_lines, table
from .pki import PkiOptions
from .pki_words import one_word

__all__ = ["SUBCOMMAND", "PkiShowOptions", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PkiShowOptions(PkiOptions):
    """The options of ``lochkit pki show``, as given: see their help."""

    json: bool = flag("--json", help="Print JSON instead.")
    words: tuple[str, ...] = argument(
        "PATH", interspersed=True, help="A certificate, or an authority's directory."
    )

    def __post_init__(self) -> None:
        """Refuse anything but one path.

        Raises:
            ValueError: says so.
        """
        one_word(self.words, "a certificate or an authority", "show PATH")


async def run(options: PkiShowOptions) -> int:
    """Print it; 1 when a certificate has ended, or others can read a key."""
    found = await look(Path(one_word(options.words, "a certificate or an authority", "show PATH")))
    now = time.time()
    if options.json:
        await print_lines([json.dumps([_fields(one, now) for one in found])])
    else:
        await print_lines(_readable(found, now))
    return int(any(one.exposed or one.described.days_left(now) < 0 for one in found))


def _readable(found: Sequence[Found], now: float) -> Iterator[str]:
    yield from table((one.described.name, _state(one, now), str(one.path)) for one in found)
    if len(found) == 1:
        described = found[0].described
        yield from table(
            [
                ("  from", instant(described.begins)),
                ("  until", instant(described.ends)),
                ("  issuer", described.issuer),
                ("  names", ", ".join(described.alternatives)),
                ("  serial", described.serial),
                ("  sha256", described.fingerprint),
            ]
        )


def _state(one: Found, now: float) -> str:
    days = one.described.days_left(now)
    words = ["authority"] if one.described.authority else []
    words.append(f"{days} days left" if days >= 0 else "HAS ENDED")
    if one.described.begins > now:
        words.append("NOT VALID YET")
    if one.exposed:
        words.append("KEY CAN BE READ BY OTHERS")
    return ", ".join(words)


def _fields(one: Found, now: float) -> dict[str, object]:
    described = one.described
    return {
        "path": str(one.path),
        "name": described.name,
        "issuer": described.issuer,
        "authority": described.authority,
        "alternatives": list(described.alternatives),
        "serial": described.serial,
        "sha256": described.fingerprint,
        "begins": described.begins,
        "ends": described.ends,
        "days_left": described.days_left(now),
        "key": one.key,
        "key_exposed": one.exposed,
    }


HELP: Final = """\
Tell what certificates there are in an authority's directory, or what is in one file.
"""

EPILOG: Final = """\
\b
Exit codes:
  0   all is well
  1   a certificate has ended, a key can be read by others, or a file is no
      certificate
  78  there is none
"""

SUBCOMMAND = Subcommand(options=PkiShowOptions, run=run, help=HELP, epilog=EPILOG)
