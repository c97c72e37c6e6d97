"""What an operator can say to ``lochkit services`` in all of its modes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..discovery.showing import Selection
from ..options import argument, flag, option, words_and_command
from .registry import RegistryOptions, check_utf8

__all__ = [
    "SHOWN",
    "InstancesOptions",
    "RevealingOptions",
    "ServicesOptions",
    "check_name",
    "name_argument",
    "one_name",
]

SHOWN: Final = "What is shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicesOptions(RegistryOptions):
    """What every mode knows."""

    json: bool = flag("--json", section=SHOWN, help="Print JSON instead.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RevealingOptions(ServicesOptions):
    """What every mode knows that could show passwords."""

    with_credentials: bool = flag(
        "--with-credentials", section=SHOWN, help="Show passwords, too, instead of ***."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class InstancesOptions(RevealingOptions):
    """What every mode knows that shows instances."""

    passing: bool = flag(
        "--passing/--all",
        default=False,
        section=SHOWN,
        help="Only instances that want work; or those that are critical, in maintenance or leaving,"
        " too.",
    )
    shard: str | None = option(
        "--shard",
        default=None,
        metavar="NAME",
        section=SHOWN,
        help="Only instances of this shard.",
    )

    @property
    def selection(self) -> Selection:
        """Which instances are shown."""
        return Selection(shard=self.shard or "", passing=self.passing)


def name_argument(metavar: str, help: str) -> Any:
    """Declare the field of the words: a service, and perhaps more; typed as `argument` is."""
    return argument(metavar, interspersed=True, help=help)


def one_name(words: Sequence[str], usage: str) -> str:
    """The only word of a command line.

    Raises:
        ValueError: there is none, or more than one, or one that is no service's name.
    """
    names, command = words_and_command(tuple(words))
    if command or "--" in words or len(names) != 1:
        raise ValueError(f"name one service: lochkit services {usage}")
    check_name(names[0])
    return names[0]


def check_name(name: str) -> None:
    """Refuse what can not be a service in any key; what merely should not be one can be looked at,
    and removed.

    Raises:
        ValueError: says so.
    """
    check_utf8(name)
    if not name or "/" in name:
        raise ValueError(f"{name[:200]!r} can not be the name of a service")
