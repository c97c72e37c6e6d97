"""A ZfsHost in memory: what two hosts have and do to each other, without pools and without root.

    here = FakeHost("web1", pools=("ssd",))                 # OpenZFS; or capabilities=ZFS_FUSE
    there = FakeHost("vault", pools=("bulk",))
    here.state.make("ssd/pgdata")                           # with its parents
    here.state.snaps("ssd/pgdata", "one", "two", size=5000)  # guids by name; a minute apart
    ... run an engine with `here` and `there`, which are `lochkit.zfs.host_types.ZfsHost` ...
    assert there.state.guids("bulk/pgdata") == here.state.guids("ssd/pgdata")

Arrange with `state` (see `State`): make, snap, snaps, write, mark, clone, tags, move, remove, look.

What was asked of it is in `calls`, a `Call(what, dataset, words)` each; ``host.asked("receive")``
are those of one method.

    there.fail_next("receive", Failure.BUSY)                 # the next one fails at once
    there.fail_next("receive", Failure.OTHER, after=3000)    # dies after so many bytes of snapshots
    here.fail_next("send", Failure.CUT, after=10, times=2)   # the next two end early
    here.fail_next("hold", Failure.MISSING, on="ssd/a")      # the next about this dataset

`before`, an async function, is called with each `Call` before it does anything: sleep there, or
wait for an event, or raise.

Streams go through real pipes, which block as those of a real host do: read and write them in a
thread (``trio.to_thread.run_sync``), not in a task. A test with streams can not use autojump_clock.
What a stream looks like is told in zfs_host_stream; errors of ``zfs send`` and ``zfs receive`` come
out of `finish`, as they do from a real process, whose pipe is closed by then.

As ZFS does it:
- a snapshot's guid is the same on every host, its createtxg is the host's own;
- a full stream onto what exists is refused; with rollback only onto what has no snapshots;
- an incremental stream wants its base on the target, and nothing written there since, in newer
  snapshots or after them; with rollback OpenZFS destroys those, unless they are held;
- an incremental stream for a name that is not there goes to whatever dataset has its base (as
  zfs-fuse does it; OpenZFS 2.1 and 2.3 refuse plain ones, which nobody should count on);
- a cut stream leaves nothing of the snapshot it was at, and all those before; with ``resumable`` a
  resume token, which the source's `read_token` and `send` understand;
- what is received with `raw` and was encrypted has no key there;
- holds and clones keep snapshots from being destroyed; a dataset is received into once at a time.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from lochkit.zfs.capabilities import Capabilities
from lochkit.zfs.host_types import ReceiveSpec, SendSpec

from .zfs_host_commands import OPENZFS, Call, Commands, fault_error
from .zfs_host_ends import FakeReceiving, FakeSending, beside, send_stream
from .zfs_host_receive import Died, Receive

__all__ = ["OPENZFS", "ZFS_FUSE", "Call", "FakeHost"]

ZFS_FUSE = Capabilities(version="zfs-fuse")


class FakeHost(Commands):
    """A ZfsHost in memory; see the top of this module, and `Commands`."""

    @asynccontextmanager
    async def send(self, spec: SendSpec) -> AsyncIterator[FakeSending]:
        """See ZfsHost."""
        fault = await self.begin("send", spec.dataset, spec)
        self.capabilities.checked(spec)
        theirs, ours = os.pipe()
        stream = trio.lowlevel.FdStream(ours)
        sending = FakeSending(theirs)

        async def work() -> None:
            await send_stream(self.state, spec, stream, fault.after if fault else None)
            if fault:
                raise fault_error(fault, spec.dataset)

        try:
            async with beside(work, sending, stream):
                yield sending
        finally:
            sending.close()

    @asynccontextmanager
    async def receive(self, spec: ReceiveSpec) -> AsyncIterator[FakeReceiving]:
        """See ZfsHost."""
        fault = await self.begin("receive", spec.dataset, spec)
        self.capabilities.checked_receive(spec)
        ours, theirs = os.pipe()
        stream = trio.lowlevel.FdStream(ours)
        receiving = FakeReceiving(theirs)

        async def work() -> None:
            most = fault.after if fault else None
            try:
                if fault and not most:
                    raise fault_error(fault, spec.dataset)
                await Receive(self.state, spec, stream, most).run()
            except Died:
                assert fault is not None
                raise fault_error(fault, spec.dataset) from None

        try:
            async with beside(work, receiving, stream):
                yield receiving
        finally:
            receiving.close()
