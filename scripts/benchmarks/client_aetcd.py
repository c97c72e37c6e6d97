"""aetcd (PyPI) as a client under measurement; runs in a venv of its own."""

import asyncio
import sys

import aetcd  # type: ignore[import-not-found]  # not in our lock: it has its own venv
from measured import Clock, ready, report  # type: ignore[import-not-found]

NO_LIMIT = {"grpc.max_receive_message_length": -1}


async def main(address: str, what: str, prefix: str, number: str) -> None:
    """Do what is asked for."""
    host, port = address.split(":")
    start = prefix.encode()
    async with aetcd.Client(host, int(port), options=NO_LIMIT) as etcd:
        await etcd.get(b"warm")
        clock = Clock()
        if what == "load":
            found = {kv.key: kv for kv in await etcd.get_prefix(start)}
            report(clock, count=len(found))
        elif what == "watch":
            count = 0
            watch = await etcd.watch_prefix(start, start_revision=int(number) or None)
            if not int(number):
                ready()
                clock = Clock()
            async for event in watch:
                count += 1
                if event.kv.key == start + b"end":
                    break
            report(clock, count=count)
        else:
            puts, gets = [], []
            for _ in range(int(number)):
                began = clock.now()
                await etcd.put(start + b"k", b"v")
                puts.append(clock.now() - began)
                began = clock.now()
                await etcd.get(start + b"k")
                gets.append(clock.now() - began)
            report(clock, count=int(number), puts=puts, gets=gets)


asyncio.run(main(*sys.argv[1:]))
