"""One installed set of files, its note on the disk, and which sets are kept. Touches no file."""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from os import stat_result
from pathlib import Path
from typing import Any, Final, NamedTuple

__all__ = [
    "NOTE",
    "FileState",
    "Generation",
    "Staged",
    "decode_note",
    "encode_note",
    "generation_name",
    "number_in",
    "too_old",
]

NOTE: Final = ".lochkit.json"
"""Name of the note in each generation's directory."""

_NAME: Final = re.compile(r"gen-([0-9]{6,12})-[0-9a-f]+")


class FileState(NamedTuple):
    """What tells that a file is still the one that was written.

    Attributes:
        size: in bytes.
        mtime_ns: time of the last change, in nanoseconds since the epoch.
        inode: its number.
    """

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, found: stat_result) -> "FileState":
        """Of what the system says of a file."""
        return cls(found.st_size, found.st_mtime_ns, found.st_ino)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """A set of files that is, or was, in force as a whole. Equal when it is the same one.

    Attributes:
        number: goes up from one to the next.
        path: its directory.
        files: what was written, by name; or found to be right, when somebody had touched it. A name
            that is not in it had no file.
        manifest: what whoever installed it has noted with it, as JSON gives it back.
        adopted: whether it was found in place, not handed over to us.
    """

    number: int
    path: Path
    files: Mapping[str, FileState] = field(compare=False)
    manifest: Mapping[str, Any] = field(compare=False)
    adopted: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A set of files that is complete on the disk and not in force.

    Attributes:
        path: its directory.
        files: path of each file, by name.
        states: what was written, by name.
        manifest: as it was given.
        adopted: see `Generation`.
    """

    path: Path
    files: Mapping[str, Path]
    states: Mapping[str, FileState]
    manifest: Mapping[str, Any]
    adopted: bool = False


def generation_name(number: int, unique: str) -> str:
    """Name of a generation's directory.

    Args:
        number: of the generation.
        unique: hexadecimal digits.
    """
    return f"gen-{number:06d}-{unique}"


def number_in(name: str) -> int | None:
    """The number of the generation whose directory has this name; None when it is none."""
    match = _NAME.fullmatch(name)
    return int(match[1]) if match else None


def encode_note(staged: Staged) -> bytes:
    """The note that goes with a set.

    Raises:
        TypeError, ValueError: its manifest can not be written as JSON.
    """
    files = {name: list(state) for name, state in staged.states.items()}
    content = {"files": files, "adopted": staged.adopted, "manifest": dict(staged.manifest)}
    return json.dumps(content, indent=1).encode() + b"\n"


def decode_note(path: Path, content: bytes) -> Generation:
    """The generation that a note tells of.

    Args:
        path: the generation's directory.
        content: of its note.

    Raises:
        ValueError: that is no such note.
    """
    number = number_in(path.name)
    try:
        noted = json.loads(content)
        files = {str(name): _state(state) for name, state in noted["files"].items()}
        manifest, adopted = dict(noted["manifest"]), noted["adopted"] is True
    except (KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise ValueError(f"{path / NOTE} is damaged: {exc!r}") from exc
    if number is None:
        raise ValueError(f"{path} is not the directory of a generation")
    return Generation(number=number, path=path, files=files, manifest=manifest, adopted=adopted)


def _state(noted: object) -> FileState:
    match noted:
        case [int(size), int(mtime_ns), int(inode)]:
            return FileState(size, mtime_ns, inode)
    raise TypeError(noted)


def too_old(numbers: Iterable[int], keep: int, needed: Collection[int]) -> list[int]:
    """Which generations to remove.

    Args:
        numbers: of all there are.
        keep: how many of the newest stay.
        needed: those that stay in any case; they count among `keep` when they are new enough.

    Returns:
        Their numbers, the oldest first.
    """
    ordered = sorted(set(numbers))
    old = ordered[: max(0, len(ordered) - keep)]
    return [number for number in old if number not in needed]
