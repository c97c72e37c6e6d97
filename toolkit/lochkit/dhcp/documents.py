"""What a backend hands over to be installed, and what every backend can do. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from .model import Group, Problem, Update

__all__ = ["Backend", "Document", "LineSource"]


class Document(NamedTuple):
    """The content of one file, in pieces: to join 22 MB for each change costs more than to write.

    Attributes:
        name: of the file in the set, such as ``guests.conf``; not a path.
        pieces: the content, to be written one after another. Never changed once handed over.
        stamp: goes up whenever the content may have changed; equal stamps of one backend mean equal
            content.
        marker: what begins each host in it, so that hosts can be counted in a file found on disk.
    """

    name: str
    pieces: Sequence[bytes]
    stamp: int
    marker: bytes


class Backend(Protocol):
    """One kind of DHCP server. It keeps what it has rendered: a change renders one host."""

    @property
    def hosts(self) -> int:
        """How many hosts are written."""
        ...

    @property
    def refused(self) -> Mapping[tuple[Group, str], Problem]:
        """Hosts (group and id) that this kind of server can not serve, and why."""
        ...

    def update(self, update: Update) -> None:
        """Take in what is different."""
        ...

    def documents(self) -> tuple[Document, ...]:
        """The whole set as it is now; the same names every time, in the same order."""
        ...

    def take_files(self) -> dict[str, bytes | None]:
        """The files of the hosts directory that changed since this was last called: name and
        content, None for one to remove; always empty for a backend without such a directory."""
        ...

    def files(self) -> Mapping[str, bytes]:
        """All files of the hosts directory as they are now."""
        ...


@runtime_checkable
class LineSource(Protocol):
    """A backend whose server's checker does not look into all of the files."""

    def lines_to_check(self) -> Sequence[bytes]:
        """What changed since lines were last accepted, as it is now: lines without ends."""
        ...

    def lines_accepted(self) -> None:
        """Take note that the lines to check, as they are now, need not be checked any more."""
        ...
