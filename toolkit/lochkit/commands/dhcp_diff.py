"""``lochkit dhcp diff``: the files as they should be against those on disk."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ..dhcp.diff import DiffLine, coloured, unified_diff
from ..dhcp.documents import Backend
from ..errors import ConfigError
from ..options import Subcommand
from .dhcp_setup import targets_of
from .dhcp_source import DhcpReadOptions, tell_left_out, to_the_end, view_of
from .output import has_colours, print_lines

__all__ = ["SUBCOMMAND", "run"]


async def run(options: DhcpReadOptions) -> int:
    """Print the difference; 1 when there is one."""

    async def work() -> int:
        view = await view_of(options)
        tell_left_out(view.left_out)
        paint = coloured if has_colours() else _plain
        found = False

        def lines() -> Iterator[str]:
            nonlocal found
            for line in _differences(view.wanted.backend, options):
                found = True
                yield paint(line)

        await print_lines(lines())
        return 1 if found else 0

    return await to_the_end(work)


def _plain(line: DiffLine) -> str:
    return line.text


def _differences(backend: Backend, options: DhcpReadOptions) -> Iterator[DiffLine]:
    """Yield the diff of every file, in a thread.

    Raises:
        ConfigError: a file can not be read.
    """
    targets = targets_of(options)
    for document in backend.documents():
        yield from _difference(targets[document.name], b"".join(document.pieces))
    if options.hosts_dir is not None:
        yield from _folder(Path(options.hosts_dir).absolute(), backend)


def _folder(directory: Path, backend: Backend) -> Iterator[DiffLine]:
    """Yield the diff of every file of a host."""
    from ..dhcp.dnsmasq import is_host_file

    wanted = backend.files()
    try:
        there = {path.name for path in directory.iterdir() if is_host_file(path.name)}
    except FileNotFoundError:
        there = set()
    except OSError as exc:
        raise ConfigError(f"{directory}: {exc.strerror or exc}") from exc
    for name in sorted(there | wanted.keys()):
        yield from _difference(directory / name, wanted.get(name))


def _difference(path: Path, wanted: bytes | None) -> Iterator[DiffLine]:
    try:
        installed = path.read_bytes()
    except FileNotFoundError:
        installed = None
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror or exc}") from exc
    # After a tab, where patch does not look for the name.
    yield from unified_diff(installed, wanted, (f"{path}\tinstalled", f"{path}\twanted"))


HELP: Final = """\
Compare the files as they should be with those on disk, as a unified diff.

It has colours on a terminal, unless NO_COLOR is set. What is left out is told on standard error.
"""

EPILOG: Final = """\
\b
Exit codes: 0 the files are right, 1 they are not, others: it is not known.
"""

SUBCOMMAND = Subcommand(options=DhcpReadOptions, run=run, help=HELP, epilog=EPILOG)
