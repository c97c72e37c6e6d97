"""An etcd for measurements, on its own ports and directory, and a client to fill it."""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import trio

from lochkit.etcd import operations as op
from lochkit.etcd.client import Client, open_client
from lochkit.etcd.config import EtcdConfig, parse_endpoints

__all__ = ["etcd_server", "fill", "write_events"]


@contextmanager
def etcd_server() -> Iterator[str]:
    """A server's address as host:port, for as long as the block runs."""
    directory = tempfile.mkdtemp(prefix="lochkit-bench-")
    client, peer = _free_port(), _free_port()
    urls = {"client": f"http://127.0.0.1:{client}", "peer": f"http://127.0.0.1:{peer}"}
    process = subprocess.Popen(
        [
            "etcd",
            f"--data-dir={directory}",
            f"--listen-client-urls={urls['client']}",
            f"--advertise-client-urls={urls['client']}",
            f"--listen-peer-urls={urls['peer']}",
            f"--initial-advertise-peer-urls={urls['peer']}",
            f"--initial-cluster=default={urls['peer']}",
            "--log-level=error",
            "--quota-backend-bytes=4000000000",
        ],
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for_health(urls["client"])
        yield f"127.0.0.1:{client}"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        shutil.rmtree(directory, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_health(url: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=1) as answer:
                if b'"true"' in answer.read():
                    return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("etcd did not start")


def fill(address: str, prefix: str, count: int, value: bytes) -> None:
    """Write `count` keys below `prefix`, 100 in a transaction."""

    async def main() -> None:
        async with open_client(EtcdConfig(endpoints=parse_endpoints([address]))) as etcd:
            for start in range(0, count, 100):
                numbers = range(start, min(start + 100, count))
                await etcd.kv.txn([], [op.put(_key(prefix, n), value) for n in numbers])

    trio.run(main)


def write_events(address: str, prefix: str, count: int, batch: int) -> None:
    """Write `count` events: transactions of `batch` one after another, or single puts 16 at a time.

    The last event is the put of ``<prefix>end``.
    """

    async def single(etcd: Client, numbers: range) -> None:
        for number in numbers:
            await etcd.kv.put(_key(prefix, number % 1000), b"%020d" % number)

    async def main() -> None:
        async with open_client(EtcdConfig(endpoints=parse_endpoints([address]))) as etcd:
            if batch > 1:
                for start in range(0, count - 1, batch):
                    numbers = range(start, min(start + batch, count - 1))
                    value = b"%020d" % start
                    await etcd.kv.txn([], [op.put(_key(prefix, n), value) for n in numbers])
            else:
                async with trio.open_nursery() as nursery:
                    for lane in range(16):
                        nursery.start_soon(single, etcd, range(lane, count - 1, 16))
            await etcd.kv.put(f"{prefix}end".encode(), b"")

    trio.run(main)


def _key(prefix: str, number: int) -> bytes:
    return f"{prefix}key-{number:020d}".encode()
