"""Two hosts in memory, and what tests of replication do with them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import trio

from lochkit.io.peer_serve import open_listener
from lochkit.io.peer_tls import ClientSecurity, ServerSecurity
from lochkit.runtime.backoff import Backoff
from lochkit.zfs.capabilities import Capabilities
from lochkit.zfs.host_types import ZfsHost
from lochkit.zfs.local_target import LocalTarget
from lochkit.zfs.permits import Permit
from lochkit.zfs.policy_types import Replication, Selection
from lochkit.zfs.receiver import Receiver
from lochkit.zfs.remote_target import RemoteTarget
from lochkit.zfs.replicator import replicate
from lochkit.zfs.reports import Report
from lochkit.zfs.stream_limits import Retries, StreamLimits
from lochkit.zfs.stream_server import serve_streams
from lochkit.zfs.targets import Target

from ..fakes.zfs_host import OPENZFS, FakeHost

FAST = Retries(most=5, backoff=Backoff(base=0.01, factor=1.5, maximum=0.05))
LIMITS = StreamLimits(connect=5, silent=5, queue=1, answer=10, stall=5, finish=10, settle=5)
EVERYTHING = Selection(roots=("ssd",), recursive=True)
DATA = Selection(roots=("ssd/data",))
TREE = Selection(roots=("ssd/data",), recursive=True)
PERMIT = Permit(client="web1", write=("bulk",))


def wish(**changes: Any) -> Replication:
    """A replication to bulk/data."""
    return replace(Replication(name="job", to="vault", target="bulk/data"), **changes)


def source_host(capabilities: Capabilities = OPENZFS) -> FakeHost:
    """A host with ssd/data, which has no snapshots yet."""
    host = FakeHost("web1", pools=("ssd",), capabilities=capabilities)
    host.state.make("ssd/data")
    return host


def target_host(capabilities: Capabilities = OPENZFS) -> FakeHost:
    """A host with an empty pool."""
    return FakeHost("vault", pools=("bulk",), capabilities=capabilities)


def receiver_of(host: ZfsHost, **changes: Any) -> Receiver:
    """A receiver whose streams nobody watches: those of fakes are not those of ZFS."""
    given = {"limits": LIMITS, "watch": None, "compressions": ()} | changes
    return Receiver(host, **given)


def local(host: ZfsHost) -> Target:
    """The host as a target, without a network."""
    return LocalTarget(receiver_of(host), name="vault")


@asynccontextmanager
async def remote(
    host: ZfsHost,
    *,
    permit: Permit = PERMIT,
    receiver: Receiver | None = None,
    through: Any = None,
    limits: StreamLimits = LIMITS,
) -> AsyncIterator[Target]:
    """The host as a target, over loopback, in plain text.

    Args:
        host: who receives.
        permit: what everybody may do.
        receiver: another one than the usual.
        through: a context manager that is given the port, and gives one to connect to.
        limits: of the client.
    """
    listener = await open_listener("127.0.0.1", 0)
    port = listener.port
    async with trio.open_nursery() as nursery:
        await nursery.start(serve, receiver or receiver_of(host), permit, listener)
        if through is None:
            yield target_at(port, limits)
        else:
            async with through(port) as other:
                yield target_at(other, limits)
        nursery.cancel_scope.cancel()


async def serve(  # noqa: ASYNC128 (serve_streams says that it has started)
    receiver: Receiver,
    permit: Permit | None,
    listener: Any,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve streams in plain text; everybody may do what `permit` says."""
    await serve_streams(
        receiver,
        lambda _: permit,
        listener,
        security=ServerSecurity(),
        task_status=task_status,
    )


def target_at(port: int, limits: StreamLimits = LIMITS) -> Target:
    """A target at a port of this host."""
    return RemoteTarget("127.0.0.1", port, security=ClientSecurity(), name="vault", limits=limits)


async def run(here: FakeHost, target: Target, what: Selection = DATA, /, **changes: Any) -> Report:
    """Replicate with short waits; changes are those of `wish`, or arguments of `replicate`."""
    ours = {"concurrency", "dry_run", "reporter", "retries", "slots", "source", "compressions"}
    given: dict[str, Any] = {"retries": FAST, "compressions": ()}
    given |= {name: changes.pop(name) for name in ours & set(changes)}
    with trio.fail_after(30):
        return await replicate(here, target, wish(**changes), what, **given)
