"""`scripts/bench etcd`: load, follow, latency."""

import multiprocessing
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path

from .contestants import Numbers, etcdctl, measure, python_client
from .server import etcd_server, fill, write_events
from .verdict import Figure

__all__ = ["bench_etcd"]

KEYS = 100_000
VALUE = b"0123456789" * 30
EVENTS = 20_000
CALLS = 1000
PYTHONS = ("lochkit", "aetcd", "etcd3")

Results = dict[str, dict[str, list[Numbers]]]


def bench_etcd(rounds: int) -> tuple[dict[str, object], list[Figure]]:
    """Measure everything `rounds` times, interleaved; the numbers, and what was promised."""
    results: Results = defaultdict(lambda: defaultdict(list))
    with etcd_server() as address, tempfile.TemporaryDirectory() as scratch:
        fill(address, "/load/", KEYS, VALUE)
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", flush=True)
            _load(results["load"], address)
            _watch(results, address, number, Path(scratch) / "out")
            for name in PYTHONS:
                argv = python_client(name, address, "latency", "/lat/", str(CALLS))
                results["latency"][name].append(measure(argv))
    _print(results)
    return dict(results), _figures(results)


def _load(results: dict[str, list[Numbers]], address: str) -> None:
    results["etcdctl"].append(etcdctl(address).load("/load/"))
    for name in PYTHONS:
        numbers = measure(python_client(name, address, "load", "/load/", "0"))
        assert numbers["count"] == KEYS, numbers
        results[name].append(numbers)


def _watch(results: Results, address: str, number: int, output: Path) -> None:
    """Live transactions of 50, live single puts, and catching up with what is past."""
    for kind, batch in (("live, 50 a transaction", 50), ("live, single puts", 1)):
        prefix = f"/watch/{batch}/{number}/"
        for name in ("etcdctl", *PYTHONS, "lochkit follow"):
            own = f"{prefix}{name.replace(' ', '-')}/"
            events = _in_a_process(partial(write_events, address, own, EVENTS, batch))
            if name == "etcdctl":
                numbers = etcdctl(address).watch(own, events, 0, output)
            else:
                client, _, what = name.partition(" ")
                argv = python_client(client, address, what or "watch", own, "0")
                numbers = measure(argv, events)
            results[kind][name].append(numbers)
    prefix = f"/watch/past/{number}/"
    write_events(address, prefix, EVENTS, 50)
    kind = "catching up"
    results[kind]["etcdctl"].append(etcdctl(address).watch(prefix, None, 1, output))
    for name in PYTHONS:
        argv = python_client(name, address, "watch", prefix, "1")
        results[kind][name].append(measure(argv))


def _in_a_process(work: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        process = multiprocessing.get_context("spawn").Process(target=work)
        process.start()
        process.join()
        assert process.exitcode == 0

    return run


def _median(numbers: list[Numbers], key: str) -> float:
    return statistics.median(float(each[key]) for each in numbers)


def _print(results: Results) -> None:
    print(f"\nload of {KEYS} keys of {len(VALUE)} bytes (medians; Python without its start)")
    base = results["load"]["etcdctl"]
    for name, numbers in results["load"].items():
        wall, cpu, rss = (_median(numbers, key) for key in ("wall", "cpu", "rss"))
        ratio = wall / _median(base, "wall")
        print(f"  {name:16} {wall:6.3f} s  {ratio:5.2f} x etcdctl  {cpu:6.3f} s cpu  {rss:5.0f} MB")
    for kind in ("live, 50 a transaction", "live, single puts", "catching up"):
        print(f"\nfollow {EVENTS} events: {kind}")
        base = results[kind]["etcdctl"]
        for name, numbers in results[kind].items():
            cpu, rss = _median(numbers, "cpu"), _median(numbers, "rss")
            ratio = cpu / _median(base, "cpu")
            each = cpu / EVENTS * 1e6
            print(f"  {name:16} {each:6.1f} us cpu/event  {ratio:5.2f} x etcdctl  {rss:5.0f} MB")
    print(f"\n{CALLS} calls, one after another, ms: p50/p99")
    for name, runs in results["latency"].items():
        texts = []
        for what in ("puts", "gets"):
            times = sorted(time * 1000 for run in runs for time in run[what])
            texts.append(f"{what} {times[len(times) // 2]:.2f}/{times[len(times) * 99 // 100]:.2f}")
        print(f"  {name:16} {'  '.join(texts)}")


def _figures(results: Results) -> list[Figure]:
    """The promises of the client."""

    def ratio(kind: str, key: str, other: str, ours: str = "lochkit") -> float:
        return _median(results[kind][ours], key) / _median(results[kind][other], key)

    figures = [
        Figure(name="load, wall / etcdctl", measured=ratio("load", "wall", "etcdctl"), limit=1.5),
        Figure(name="load, memory / etcdctl", measured=ratio("load", "rss", "etcdctl"), limit=1),
        Figure(name="load, wall / aetcd", measured=ratio("load", "wall", "aetcd"), limit=1.2),
        Figure(name="load, memory / aetcd", measured=ratio("load", "rss", "aetcd"), limit=1),
        Figure(name="load, wall / etcd3", measured=ratio("load", "wall", "etcd3"), limit=1),
        Figure(name="load, memory / etcd3", measured=ratio("load", "rss", "etcd3"), limit=1),
    ]
    limits = (("etcdctl", 1.3), ("aetcd", 1.0), ("etcd3", 1.0))
    for kind in ("live, 50 a transaction", "live, single puts", "catching up"):
        for other, limit in limits:
            measured = ratio(kind, "cpu", other)
            figures.append(Figure(name=f"{kind}, cpu / {other}", measured=measured, limit=limit))
    return figures
