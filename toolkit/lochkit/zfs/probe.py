"""What a ``zfs`` can do, by what it prints of itself: its usage, and ``zfs version``.

The usage is printed by the program alone, before any pool is looked at: so one command tells nearly
everything, from zfs-fuse 0.7 on. What a *pool* can do besides (its features) shows when it is used.
"""

import re
from typing import Final

from .capabilities import Capabilities

__all__ = ["has_version", "probe"]

_VERSION: Final = re.compile(r"^zfs-(\d+(?:\.\d+)*)", re.MULTILINE)
_LETTERS: Final = re.compile(r"\[-([A-Za-z]+)\]")


def probe(usage: str, version: str = "") -> Capabilities:
    """What it can do.

    Args:
        usage: what ``zfs`` without arguments prints.
        version: what ``zfs version`` prints; empty where it does not know that.
    """
    told = _commands(usage)
    send, receive = told.get("send", ""), told.get("receive", "")
    letters = _letters(send)
    bookmarks = "bookmark" in told
    return Capabilities(
        version=_version(version, told),
        parsable_list="p" in _letters(told.get("list", "")) and bookmarks,
        bookmarks=bookmarks,
        resume="-t <receive_resume_token>" in send and "receive -A" in receive,
        raw="w" in letters,
        large_blocks="L" in letters,
        compressed="c" in letters,
        embedded="e" in letters,
        estimate={"n", "P"} <= letters,
        receive_properties="-o <property>=" in receive and "-x <property>" in receive,
        many_snapshots=bool(re.search(r"> \.\.\.$", told.get("snapshot", ""), re.MULTILINE)),
        destroy_lists="[,...]" in told.get("destroy", ""),
        list_holds="H" in _letters(told.get("holds", "")),
        # Older than bookmarks, and the usage does not tell.
        written=bookmarks,
        encryption="load-key" in told,
    )


def has_version(usage: str) -> bool:
    """Whether there is a ``zfs version``."""
    return "version" in _commands(usage)


def _commands(usage: str) -> dict[str, str]:
    """The lines of each command; a line that is further in goes on with the one before."""
    told: dict[str, str] = {}
    name = ""
    for line in usage.splitlines():
        if not line.startswith("\t"):
            continue
        text = line[1:]
        if text and not text.startswith((" ", "\t")):
            name = text.split()[0]
        if name:
            told[name] = f"{told.get(name, '')}{text.rstrip()}\n"
    return told


def _letters(text: str) -> set[str]:
    return {letter for found in _LETTERS.findall(text) for letter in found}


def _version(version: str, told: dict[str, str]) -> str:
    if found := _VERSION.search(version):
        return f"zfs-{found[1]}"
    return "zfs-0" if "bookmark" in told else "zfs-fuse"
