"""lochkit as a client under measurement; the protocol is that of `etcd_bench`."""

import sys
from functools import partial

import trio

from lochkit.etcd.client import Client, open_client
from lochkit.etcd.config import EtcdConfig, parse_endpoints
from lochkit.etcd.follow import Follower
from lochkit.etcd.messages import WatchCreateRequest
from lochkit.etcd.model import Keyspace, Step
from lochkit.etcd.prefix import KeyRange

from .measured import Clock, ready, report


async def load(etcd: Client, prefix: bytes) -> None:
    """Read everything into a dictionary."""
    await etcd.verify()
    clock = Clock()
    found = {kv.key: kv for kv in (await etcd.kv.list(KeyRange.prefix(prefix))).kvs}
    report(clock, count=len(found))


async def watch(etcd: Client, prefix: bytes, start: int) -> None:
    """Take in events until the one that ends them."""
    await etcd.verify()
    wanted = KeyRange.prefix(prefix)
    request = WatchCreateRequest(key=wanted.key, range_end=wanted.range_end, start_revision=start)
    end, count = prefix + b"end", 0
    clock = Clock()
    async with etcd.watch(request) as watch:
        if not start:
            ready()
            clock = Clock()
        while True:
            events = (await watch.receive()).events
            count += len(events)
            if events and events[-1].kv.key == end:
                break
    report(clock, count=count)


async def follow(etcd: Client, prefix: bytes) -> None:
    """The whole watcher: steps through a channel into a state of one's own."""
    send, receive = trio.open_memory_channel[Step](0)
    state, end = Keyspace(), prefix + b"end"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Follower(etcd, [KeyRange.prefix(prefix)], send).run)
        state.apply(await receive.receive())
        await trio.sleep(0.3)
        ready()
        clock = Clock()
        while end not in state.entries:
            state.apply(await receive.receive())
        nursery.cancel_scope.cancel()
    report(clock, count=len(state.entries))


async def latency(etcd: Client, prefix: bytes, count: int) -> None:
    """One call after another."""
    clock = Clock()
    puts, gets = [], []
    for _ in range(count):
        began = clock.now()
        await etcd.kv.put(prefix + b"k", b"v")
        puts.append(clock.now() - began)
        began = clock.now()
        await etcd.kv.get(prefix + b"k")
        gets.append(clock.now() - began)
    report(clock, count=count, puts=puts, gets=gets)


async def main(address: str, what: str, prefix: str, number: str) -> None:
    """Do what is asked for."""
    async with open_client(EtcdConfig(endpoints=parse_endpoints([address]))) as etcd:
        match what:
            case "load":
                await load(etcd, prefix.encode())
            case "watch":
                await watch(etcd, prefix.encode(), int(number))
            case "follow":
                await follow(etcd, prefix.encode())
            case "latency":
                await latency(etcd, prefix.encode(), int(number))


if __name__ == "__main__":
    trio.run(partial(main, *sys.argv[1:]))
