"""An etcd of our own: a real one, as a child process, durable, for one host and for a first look.

It keeps its data in a directory (mode 0700) and listens on two unix sockets there and nowhere else:
no port to collide on, nobody but its owner and root can reach it, and the endpoint never changes.
Other tools reach it too:
``etcdctl --endpoints=unix:///var/lib/lochkit/etcd/client:0 get --prefix /``.

It ends with us, in bounded time, even when we are killed with -9. When it ends by itself it is
started again with backoff: same data, same endpoint, so that a client merely reconnects. Of several
processes that want the same directory one runs etcd and the others use it; when that one ends, the
next takes over.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..io.guardian import open_guardian
from ..runtime.backoff import Backoff
from ..runtime.lasting import lasting_nursery
from ..runtime.supervisor import start
from .embedded_binary import find_binary
from .embedded_place import prepare_place
from .embedded_server import STOP, EtcdKeeper

__all__ = ["EmbeddedEtcd", "embedded_etcd"]

BACKOFF: Final = Backoff(base=0.2, maximum=15.0)
START_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedEtcd:
    """An etcd that serves.

    Attributes:
        endpoint: its URL, the same for as long as the data directory has its name.
        data_dir: where its data and its sockets are.
        version: of the program, such as "3.4.23".
    """

    endpoint: str
    data_dir: Path
    version: str


@asynccontextmanager
async def embedded_etcd(
    data_dir: str | None = None,
    *,
    backoff: Backoff = BACKOFF,
    start_seconds: float = START_SECONDS,
) -> AsyncIterator[EmbeddedEtcd]:
    """A real etcd for as long as the block runs; entered when it serves.

    Args:
        data_dir: where it keeps its data; made if it is missing. None is ``etcd`` under systemd's
            $STATE_DIRECTORY, else /var/lib/lochkit/etcd for root, else ``lochkit/etcd`` under
            $XDG_STATE_HOME or ~/.local/state.
        backoff: the waits before it is started again when it has ended by itself.
        start_seconds: how long it may take to be ready.

    Raises:
        ConfigError: there is no program to run, or the directory can not be used.
        ExceptionGroup: what the block raises, since it runs inside a nursery; and of EtcdEnded when
            etcd can not be started at all.
    """
    place = prepare_place(data_dir)
    binary = await find_binary(written_by=place.written_by())
    async with open_guardian(stop_signal=STOP.signal, stop_timeout=STOP.timeout) as guardian:
        keeper = EtcdKeeper(place, binary, guardian, start_seconds=start_seconds)
        async with lasting_nursery() as nursery:
            await start(nursery, keeper, backoff=backoff)
            yield EmbeddedEtcd(
                endpoint=place.endpoint,
                data_dir=place.directory,
                version=binary.version_text,
            )
