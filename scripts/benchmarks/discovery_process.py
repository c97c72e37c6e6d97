"""A process that holds registrations, holds them the naive way, or subscribes: what is measured.

    python -m scripts.benchmarks.discovery_process hold|naive|subscribe|churn ADDRESS COUNT

It says ``ready``, works until a line comes on standard input, and ends with one line of JSON;
``churn`` ends by itself.
"""

import resource
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import trio

from lochkit.discovery.events import Kind
from lochkit.discovery.host import Host
from lochkit.discovery.layout import DEFAULT_LAYOUT
from lochkit.discovery.records import encode_host
from lochkit.discovery.register_options import RegisterOptions
from lochkit.discovery.registrar import Registrar
from lochkit.discovery.registration_status import Phase, Status
from lochkit.discovery.subscription import follow
from lochkit.etcd.client import Client, open_client
from lochkit.etcd.config import EtcdConfig, parse_endpoints

from .measured import Clock, ready, report

__all__ = ["SERVICES", "host", "service_of", "uuid_of"]

PATIENT = RegisterOptions(stop_within=60)  # all leave at the same time in the end
SERVICES = 20
HEARTBEAT = 4.0
LANES = 64
SETTLE = 8.0  # seconds until what began together has found its rhythm


def host(number: int) -> Host:
    """An instance of middling size."""
    return Host(
        name=f"node-{number}.example.com",
        ports={"http": str(8000 + number % 1000), "metrics": "9100"},
        user="app",
        password=f"secret-{number:08d}",
        private_hostname=f"node-{number}.internal",
        meta={"rack": f"r{number % 40}"},
        tags=("blue",),
    )


def uuid_of(number: int) -> str:
    """An instance's id, the same in each process."""
    return f"00000000-0000-4000-8000-{number:012x}-node-{number}.internal"


def service_of(number: int) -> str:
    """The service of an instance."""
    return f"service-{number % SERVICES}"


async def _measure(**more: object) -> None:
    """Report what the time between now and the next line of standard input costs."""
    clock = Clock()
    ready()
    await trio.to_thread.run_sync(sys.stdin.readline)
    report(clock, **more)


async def hold(etcd: Client, count: int) -> None:
    """Registrations of one registrar."""
    changes: list[Phase] = []

    def note(status: Status) -> None:
        changes.append(status.phase)

    async with trio.open_nursery() as nursery:
        registrar = Registrar(etcd)
        await nursery.start(registrar.run)
        began = time.perf_counter()
        bare = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        held = [
            await registrar.add(service_of(number), host(number), options=PATIENT, on_change=note)
            for number in range(count)
        ]
        for registration in held:
            await registration.wait_ready()
        took = time.perf_counter() - began
        await trio.sleep(SETTLE)
        changes.clear()
        await _measure(start=took, bare=bare, changes=changes)
        nursery.cancel_scope.cancel()


async def naive(etcd: Client, count: int) -> None:
    """What the original did: each instance writes its whole record every four seconds. Here it has
    not even a lease to renew besides, which it would need with this etcd."""

    async def beat(number: int) -> None:
        service = service_of(number)
        key = DEFAULT_LAYOUT.instance_key(service, uuid_of(number))
        record = replace(host(number), service=service, uuid=uuid_of(number))
        await trio.sleep(number / count * HEARTBEAT)
        while True:
            await etcd.kv.put(key, encode_host(record))
            await trio.sleep(HEARTBEAT)

    async with trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(beat, number)
        await trio.sleep(SETTLE)
        await _measure()
        nursery.cancel_scope.cancel()


async def subscribe(etcd: Client, count: int) -> None:
    """Subscribers to one service, each a task of its own that notes when it heard what."""
    heard: dict[str, list[float]] = {}

    async def listen(task_status: trio.TaskStatus[None]) -> None:
        async with directory.subscribe(service_of(0), kinds=(Kind.DOWN,)) as events:
            task_status.started()
            async for event in events:
                heard.setdefault(event.uuid, []).append(time.monotonic())

    async with follow(etcd) as directory, trio.open_nursery() as nursery:
        for _ in range(count):
            await nursery.start(listen)
        await _measure(heard=heard)
        nursery.cancel_scope.cancel()


async def churn(etcd: Client, count: int) -> None:
    """Register and deregister, again and again, many at a time."""
    numbers = iter(range(count))

    async def lane(registrar: Registrar) -> None:
        for number in numbers:
            here = await registrar.add(service_of(number), host(number))
            await here.wait_ready()
            await here.deregister()

    async with trio.open_nursery() as nursery:
        registrar = Registrar(etcd)
        await nursery.start(registrar.run)
        clock = Clock()
        async with trio.open_nursery() as lanes:
            for _ in range(LANES):
                lanes.start_soon(lane, registrar)
        report(clock)
        nursery.cancel_scope.cancel()


MODES: dict[str, Callable[[Client, int], Awaitable[None]]] = {
    "hold": hold,
    "naive": naive,
    "subscribe": subscribe,
    "churn": churn,
}


async def main(*argv: str) -> None:
    """Connect, and do as told."""
    mode, address, count = argv
    async with open_client(EtcdConfig(endpoints=parse_endpoints([address]))) as etcd:
        await MODES[mode](etcd, int(count))


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
