"""``lochkit dhcp render``: print the files, or write them to a directory."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import trio

from ..dhcp.documents import Backend
from ..io.durable import Access, replace_file
from ..io.faults import telling
from ..io.folder import FileFolder
from ..options import Subcommand, flag, option
from .dhcp_setup import new_file_access
from .dhcp_source import DhcpReadOptions, tell_left_out, to_the_end, view_of
from .output import Refused, write_pieces

__all__ = ["SUBCOMMAND", "DhcpRenderOptions", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DhcpRenderOptions(DhcpReadOptions):
    """The options of ``lochkit dhcp render``, as given: see their help."""

    only: str | None = option(
        "--only", default=None, metavar="NAME", help="Only the file of this name."
    )
    output: str | None = option(
        "--output",
        "-o",
        default=None,
        metavar="DIRECTORY",
        completes="directory",
        help="Write the files to this directory, instead of printing them.",
    )
    strict: bool = flag("--strict", help="Exit with 1 when an object is left out.")


class _Files(NamedTuple):
    """What is asked for.

    Attributes:
        documents: files of the set, by name.
        hosts: files of the hosts directory, by name.
    """

    documents: Mapping[str, Sequence[bytes]]
    hosts: Mapping[str, bytes]


async def run(options: DhcpRenderOptions) -> int:
    """Print the files, or write them."""

    async def work() -> int:
        view = await view_of(options)
        tell_left_out(view.left_out)
        files = _files(view.wanted.backend, options.only)
        folder = _folder(options)
        if options.output is not None:
            access = new_file_access(options)
            await trio.to_thread.run_sync(_write, Path(options.output), files, folder, access)
        else:
            await write_pieces(_printed(files, folder))
        return 1 if options.strict and view.left_out else 0

    return await to_the_end(work)


def _files(backend: Backend, only: str | None) -> _Files:
    """The files, or the only one that is asked for.

    Raises:
        Refused: there is no file of that name.
    """
    documents = {document.name: document.pieces for document in backend.documents()}
    if only is None:
        return _Files(documents, backend.files())
    if only not in documents:
        raise Refused(f"there is no file {only!r}: --only takes {', '.join(documents)}")
    return _Files({only: documents[only]}, {})


def _folder(options: DhcpRenderOptions) -> str:
    """The name of the hosts directory; of no use when there is none."""
    return Path(options.hosts_dir or "").absolute().name


def _printed(files: _Files, folder: str) -> Iterator[bytes]:
    several = len(files.documents) + len(files.hosts) > 1
    for name, pieces in files.documents.items():
        yield _heading(name) if several else b""
        yield from pieces
    for name, text in sorted(files.hosts.items()):
        yield _heading(f"{folder}/{name}")
        yield text


def _heading(name: str) -> bytes:
    """A line that is a comment to all of the servers."""
    return f"# file: {name}\n".encode()


def _write(directory: Path, files: _Files, folder: str, access: Access) -> None:
    """Write the files below a directory, and those of the hosts directory one below that.

    Raises:
        InstallError: one can not be written.
        ConfigError: it never can.
    """
    with telling("can not create", directory):
        directory.mkdir(parents=True, exist_ok=True)
    for name, pieces in files.documents.items():
        replace_file(directory / name, pieces, access)
    if files.hosts:
        from ..dhcp.dnsmasq import is_host_file

        below = directory / folder
        with telling("can not create", below):
            below.mkdir(exist_ok=True)
        FileFolder(below, is_host_file).sync(files.hosts)


HELP: Final = """\
Print the files as they should be, or write them to a directory. Nothing is installed.

What is left out is told on standard error.
"""

SUBCOMMAND = Subcommand(options=DhcpRenderOptions, run=run, help=HELP)
