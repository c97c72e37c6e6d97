"""`scripts/bench discovery`: what registrations cost, how soon their end is heard, and churn."""

import json
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import trio

from lochkit.discovery.layout import DEFAULT_LAYOUT
from lochkit.discovery.records import encode_host
from lochkit.etcd.client import Client, open_client
from lochkit.etcd.config import EtcdConfig, parse_endpoints
from lochkit.etcd.prefix import KeyRange

from .contestants import Numbers
from .discovery_process import SERVICES, host, service_of, uuid_of
from .server import etcd_server
from .verdict import Figure

__all__ = ["bench_discovery"]

REGISTRATIONS = 2_000
SECONDS = 20.0
SUBSCRIBERS = 200
DOWNS = 50
CYCLES = 50_000


def bench_discovery(rounds: int) -> tuple[dict[str, object], list[Figure]]:
    """Measure; the numbers, and what was promised."""
    holds, naives, delays = [], [], []
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", flush=True)
        holds.append(_steady("hold"))
        naives.append(_steady("naive"))
        delays += _downs()
    churn = _churn()
    _show(holds, naives, delays, churn)
    numbers: dict[str, object] = {"hold": holds, "naive": naives, "down": delays, "churn": churn}
    return numbers, _figures(holds, delays, churn)


# -- processes under measurement


@contextmanager
def _process(mode: str, address: str, count: int) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-m", "scripts.benchmarks.discovery_process", mode, address]
    pipe = subprocess.PIPE
    with subprocess.Popen([*argv, str(count)], stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _measure(mode: str, address: str, count: int, meanwhile: Callable[[], None]) -> Numbers:
    """What a process says of the time that `meanwhile` takes."""
    with _process(mode, address, count) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", mode
        meanwhile()
        process.stdin.write("\n")
        process.stdin.flush()
        answer: Numbers = json.loads(process.stdout.read())
    return answer


# -- the steady state


def _steady(mode: str) -> Numbers:
    """What holding registrations costs, and how much etcd writes for it.

    A write is a proposal that etcd's members agreed on: a put, a grant of a lease, anything that
    goes to all disks.
    """
    written: list[float] = []
    with etcd_server() as address:

        def meanwhile() -> None:
            before = _proposals(address)
            time.sleep(SECONDS)
            written.append(_proposals(address) - before)

        found = _measure(mode, address, REGISTRATIONS, meanwhile)
    assert not found.get("changes"), found["changes"]  # nothing was lost
    return {
        "writes": written[0] / SECONDS,
        "cpu": 100 * found["cpu"] / found["wall"],
        "rss": found["rss"],
        "start": found.get("start", 0.0),
        "bare": found.get("bare", 0.0),
    }


def _proposals(address: str) -> float:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    name = "etcd_server_proposals_committed_total "
    [line] = [line for line in text.splitlines() if line.startswith(name)]
    return float(line.split()[1])


# -- hearing of an end


def _downs() -> list[float]:
    """Seconds from sending each DELETE to each subscriber's hearing of it."""
    sent: dict[str, float] = {}
    with etcd_server() as address:
        _run(address, _write_instances)
        meanwhile = partial(_run, address, partial(_delete_instances, sent=sent))
        found = _measure("subscribe", address, SUBSCRIBERS, meanwhile)
    heard: dict[str, list[float]] = found["heard"]
    assert heard.keys() == sent.keys()
    assert all(len(times) == SUBSCRIBERS for times in heard.values()), "each hears each once"
    return [time - sent[uuid] for uuid, times in heard.items() for time in times]


def _run(address: str, work: Callable[[Client], Any]) -> Any:
    async def main() -> Any:
        async with open_client(EtcdConfig(endpoints=parse_endpoints([address]))) as etcd:
            return await work(etcd)

    return trio.run(main)


async def _write_instances(etcd: Client) -> None:
    """Those that will end are of one service; among many others."""
    for number in range(DOWNS * SERVICES):
        service, uuid = service_of(number), uuid_of(number)
        record = encode_host(replace(host(number), service=service, uuid=uuid))
        await etcd.kv.put(DEFAULT_LAYOUT.instance_key(service, uuid), record)


async def _delete_instances(etcd: Client, sent: dict[str, float]) -> None:
    await trio.sleep(0.5)
    for number in range(0, DOWNS * SERVICES, SERVICES):
        uuid = uuid_of(number)
        sent[uuid] = time.monotonic()
        await etcd.kv.delete(KeyRange.exact(DEFAULT_LAYOUT.instance_key(service_of(number), uuid)))
        await trio.sleep(0.05)
    await trio.sleep(0.5)


# -- coming and going


@dataclass(frozen=True, slots=True, kw_only=True)
class _Left:
    """What is in the store after all have gone."""

    instances: int
    leases: int
    other: int
    infos: int


async def _left(etcd: Client) -> _Left:
    everything = await etcd.list_range(KeyRange.prefix(b"/"))
    layout = DEFAULT_LAYOUT
    infos = [kv for kv in everything.kvs if layout.parse_infos(kv.key) is not None]
    instances = [kv for kv in everything.kvs if layout.parse_instance(kv.key) is not None]
    return _Left(
        instances=len(instances),
        leases=len(await etcd.leases.list()),
        other=len(everything.kvs) - len(infos) - len(instances),
        infos=len(infos),
    )


def _churn() -> Numbers:
    with etcd_server() as address:
        with _process("churn", address, CYCLES) as process:
            assert process.stdout is not None
            found: Numbers = json.loads(process.stdout.read())
        left: _Left = _run(address, _left)
    return {
        "rate": CYCLES / found["wall"],
        "cpu": found["cpu"],
        "rss": found["rss"],
        "left": left.instances + left.leases + left.other,
        "infos": left.infos,
    }


# -- what is said of it


def _median(numbers: list[Numbers], key: str) -> float:
    return statistics.median(float(each[key]) for each in numbers)


def _show(holds: list[Numbers], naives: list[Numbers], delays: list[float], churn: Numbers) -> None:
    print(f"\n{REGISTRATIONS} registrations of one process, over {SECONDS:g} s (medians)")
    for name, numbers in (("lochkit", holds), ("a put each 4 s", naives)):
        writes, cpu, rss = (_median(numbers, key) for key in ("writes", "cpu", "rss"))
        print(f"  {name:16} {writes:6.1f} writes/s  {cpu:6.2f} % of a core  {rss:5.0f} MB")
    print(f"  all in the registry after {_median(holds, 'start'):.2f} s")
    each = (_median(holds, "rss") - _median(holds, "bare")) * 1024 / REGISTRATIONS
    print(f"  {each:.1f} kB for each, above {_median(holds, 'bare'):.0f} MB")
    ordered = sorted(delays)
    p99, last = ordered[len(ordered) * 99 // 100], ordered[-1]
    print(f"\nfrom sending a DELETE to hearing of it, {SUBSCRIBERS} subscribers, ms")
    print(f"  median {statistics.median(ordered) * 1e3:.2f}", end="")
    print(f", p99 {p99 * 1e3:.2f}, longest {last * 1e3:.2f}")
    print(f"\n{CYCLES} registrations that come and go")
    print(f"  {churn['rate']:.0f} cycles/s, {churn['cpu'] / CYCLES * 1e6:.0f} us cpu each", end="")
    print(f", {churn['rss']:.0f} MB, left over: {churn['left']} keys and leases", end="")
    print(f" ({churn['infos']} services are known, as they should be)")


def _figures(holds: list[Numbers], delays: list[float], churn: Numbers) -> list[Figure]:
    """What was promised."""
    what = f"{REGISTRATIONS} registrations"
    down = statistics.median(delays) * 1e3
    return [
        Figure(
            name=f"{what}, steady state",
            measured=_median(holds, "writes"),
            limit=0,
            unit="writes/s",
        ),
        Figure(name=f"{what}, of a core", measured=_median(holds, "cpu"), limit=3, unit="%"),
        Figure(name=f"{what}, memory", measured=_median(holds, "rss"), limit=120, unit="MB"),
        Figure(
            name=f"down to {SUBSCRIBERS} subscribers, median", measured=down, limit=50, unit="ms"
        ),
        Figure(
            name=f"left after {CYCLES} cycles", measured=churn["left"], limit=0, unit="keys, leases"
        ),
        Figure(
            name="services not known after that",
            measured=abs(churn["infos"] - SERVICES),
            limit=0,
            unit="services",
        ),
    ]
