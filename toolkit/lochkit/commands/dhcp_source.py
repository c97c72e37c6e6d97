"""What the modes of ``lochkit dhcp`` have in common: the objects, read once, and what they make."""

import gc
import logging
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import trio

from .. import logs
from ..dhcp.layout import Layout
from ..dhcp.model import Problem
from ..dhcp.reading import read_step
from ..dhcp.snapshot import SnapshotError, read_snapshot
from ..dhcp.wanted import Wanted
from ..errors import ConfigError
from ..etcd.messages import KeyValue
from ..etcd.model import Appeared, Origin, Step
from ..etcd_options import EtcdOptions
from ..options import option, shared
from ..runtime.signals import STOP_WITHIN, run_until_stopped
from .dhcp_setup import backend_of, layout_of
from .dhcp_view_options import BackendKind, DhcpViewOptions
from .store import open_store

__all__ = [
    "DhcpReadOptions",
    "Source",
    "View",
    "from_file_option",
    "read_everything",
    "tell_left_out",
    "to_the_end",
    "view_of",
]

log = logging.getLogger(__name__)

_STDIN: Final = "-"


def from_file_option() -> Any:
    """Declare the field of options that names a snapshot; typed as `option` is."""
    return option(
        "--from-file",
        default=None,
        metavar="FILE",
        completes="file",
        section="Where the objects come from",
        help="Read the objects from a snapshot instead of etcd: JSON or YAML, as keys and values,"
        " as etcdctl get --prefix -w json prints them, or as etcdwatch does. - is standard input.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DhcpReadOptions(DhcpViewOptions):
    """What every mode that renders knows."""

    from_file: str | None = from_file_option()
    etcd: EtcdOptions = shared(EtcdOptions, "etcd")

    def __post_init__(self) -> None:
        """Refuse what can not be meant together.

        Raises:
            ValueError: says what.
        """
        if self.hosts_dir is not None and self.backend is not BackendKind.DNSMASQ:
            raise ValueError("--hosts-dir is for --backend dnsmasq")


class Source(Protocol):
    """Where the objects come from."""

    @property
    def from_file(self) -> str | None:
        """The snapshot; None for etcd."""
        ...

    @property
    def etcd(self) -> EtcdOptions:
        """How to reach etcd."""
        ...


class View(NamedTuple):
    """What there is to be configured.

    Attributes:
        wanted: rendered by the backend of the options.
        left_out: keys of objects that are not served and should be, and why.
    """

    wanted: Wanted
    left_out: list[tuple[str, Problem]]


async def to_the_end(work: Callable[[], Awaitable[int]]) -> int:
    """Do something that takes its time, unless a signal asks for the end; the exit code."""
    logs.default_level("warning")
    codes: list[int] = []

    async def body() -> None:
        codes.append(await work())

    # There is nothing to collect in what is made once; to look for it takes as long as to make it.
    gc.disable()
    try:
        stopped_by = await run_until_stopped(body, stop_within=STOP_WITHIN)
    finally:
        gc.enable()
    # Not a clean end as that of a daemon: it has been asked something, and gives no answer.
    return codes[0] if stopped_by is None else 128 + stopped_by


async def view_of(options: DhcpReadOptions) -> View:
    """Read the objects and render them.

    Raises:
        ConfigError: a file or an option can not be used.
        EtcdError: etcd can not be reached, or refuses.
    """
    layout = layout_of(options)
    wanted = Wanted(layout, backend_of(options))
    if options.from_file is None:
        async with open_store(options.etcd) as store:
            step = await read_step(store, layout)
    else:
        entries = await _snapshot(options.from_file, layout)
        step = Step(revision=0, changes=Appeared(entries), origin=Origin.LISTED)
    return View(wanted, sorted(wanted.take(step, 0.0)))


async def read_everything(source: Source, layout: Layout) -> Mapping[bytes, KeyValue]:
    """All keys of hypervisors, guests and subnets, not only the objects, at one revision.

    Raises:
        ConfigError: a file or an option can not be used.
        EtcdError: etcd can not be reached, or refuses.
    """
    if source.from_file is not None:
        return await _snapshot(source.from_file, layout)
    found: dict[bytes, KeyValue] = {}
    revision = 0
    async with open_store(source.etcd) as store:
        for wanted in layout.ranges():
            listing = await store.list_range(wanted, revision=revision)
            revision = revision or listing.revision
            found |= {kv.key: kv for kv in listing.kvs}
    return found


def tell_left_out(left_out: list[tuple[str, Problem]]) -> None:
    """Say what is not in the files."""
    for key, problem in left_out:
        log.warning("left out: %s", problem.text, extra={"key": key})


async def _snapshot(path: str, layout: Layout) -> dict[bytes, KeyValue]:
    def read() -> bytes:
        return sys.stdin.buffer.read() if path == _STDIN else Path(path).read_bytes()

    try:
        # A pipe that nobody writes to must not hold up our end.
        content = await trio.to_thread.run_sync(read, abandon_on_cancel=True)
        return read_snapshot(content, layout)
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror or exc}") from exc
    except SnapshotError as exc:
        raise ConfigError(f"{path}: {exc}") from exc
