"""`scripts/bench zfs`, part relay: a stream between two agents, beside socat moving the same."""

import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trio

from lochkit.pki.authority import init_authority, issue_certificate

from .contestants import Numbers
from .verdict import Figure

__all__ = ["bench_relay"]

SIZE = 1_500_000_000
NAMES = ("server", "client")


def bench_relay(rounds: int) -> tuple[dict[str, object], list[Figure]]:
    """Measure; the numbers, and what was promised."""
    found: dict[str, list[Numbers]] = {"plain": [], "tls": [], "two": [], "two tls": []}
    rival: dict[str, list[float]] = {"plain": [], "tls": []}
    if shutil.which("socat") is None:
        raise SystemExit("socat is needed to compare with (Debian: apt install socat)")
    with tempfile.TemporaryDirectory() as name:
        trio.run(_make_certificates, Path(name))
        name = str(Path(name, "pki"))
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", flush=True)
            for kind, directory in (("plain", None), ("tls", name)):
                rival[kind].append(_socat(directory))
                found[kind].append(_ours(directory))
                two = "two" if directory is None else "two tls"
                found[two].append(_ours(directory, count=2))
    _show(found, rival)
    return {"lochkit": found, "socat": rival}, list(_figures(found, rival))


def _show(found: dict[str, list[Numbers]], rival: dict[str, list[float]]) -> None:
    for kind, seconds in rival.items():
        ours = statistics.median(one["seconds"] for one in found[kind])
        theirs = statistics.median(seconds)
        print(
            f"{kind:6} lochkit {SIZE / ours / 1e9:.2f} GB/s, socat {SIZE / theirs / 1e9:.2f} GB/s"
        )


def _figures(found: dict[str, list[Numbers]], rival: dict[str, list[float]]) -> Iterator[Figure]:
    for kind, seconds in rival.items():
        pairs = zip(seconds, found[kind], strict=True)
        ratio = statistics.median(ours["seconds"] / theirs for theirs, ours in pairs)
        # 0.9 of its rate is 1 / 0.9 of its time.
        yield Figure(name=f"{kind}: time beside socat's", measured=ratio, limit=1 / 0.9)
    runs = [one for many in found.values() for one in many]
    yield Figure(
        name="memory of a transfer, either end",
        measured=max(max(one["memory"], one["memory of receiver"]) for one in runs),
        limit=32,
        unit="MB",
    )
    for kind in ("two", "two tls"):
        unfair = statistics.median(max(one["shares"]) / min(one["shares"]) for one in found[kind])
        yield Figure(name=f"{kind} at once: the faster's rate", measured=unfair, limit=1.5)


# -- ours


def _ours(directory: str | None, *, count: int = 1) -> Numbers:
    secured = [directory] if directory else []
    argv = [sys.executable, "-m", "scripts.benchmarks.zfs_relay_process"]
    pipe = subprocess.PIPE
    receiver = subprocess.Popen(
        [*argv, "receive", *secured], stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
    )
    with receiver:
        assert receiver.stdout is not None
        port = receiver.stdout.readline().strip()
        done = subprocess.run(
            [*argv, "send", port, str(SIZE // count), str(count), *secured],
            stdout=pipe, text=True, check=True,
        )  # fmt: skip
        said, _ = receiver.communicate("")
    numbers: Numbers = json.loads(done.stdout)
    numbers["memory of receiver"] = json.loads(said)["memory"]
    return numbers


# -- socat


def _socat(directory: str | None) -> float:
    """Seconds that it takes from the start of the source to the end of the sink."""
    port = _free_port()
    if directory is None:
        listen, connect = f"TCP-LISTEN:{port},bind=127.0.0.1", f"TCP:127.0.0.1:{port}"
    else:
        files = f"cert={{0}}.crt,key={{0}}.key,cafile={directory}/ca.crt"
        server, client = (files.format(f"{directory}/{name}/{name}") for name in NAMES)
        listen = f"OPENSSL-LISTEN:{port},bind=127.0.0.1,{server}"
        connect = f"OPENSSL:127.0.0.1:{port},commonname=server,{client}"
    # Blocks that suit it: with its own, of 8 KiB, it is slower.
    block = ["-u", "-b", str(1 << 16)]
    pipe = subprocess.PIPE
    with (
        _started(["socat", *block, listen, "-"], stdout=pipe) as receiver,
        _started(["cat"], stdin=receiver.stdout, stdout=subprocess.DEVNULL) as sink,
    ):
        _await_listening(port)
        began = time.perf_counter()
        with (
            _started(["head", "-c", str(SIZE), "/dev/zero"], stdout=pipe) as source,
            _started(["socat", *block, "-", connect], stdin=source.stdout) as sender,
        ):
            assert receiver.stdout is not None
            assert source.stdout is not None
            receiver.stdout.close()
            source.stdout.close()
            assert sender.wait() == 0
        assert sink.wait() == 0
        return time.perf_counter() - began


@contextmanager
def _started(argv: Sequence[str], **pipes: Any) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(argv, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _await_listening(port: int) -> None:
    """Look for it among the kernel's sockets: to connect would take the one connection there is."""
    wanted = f"0100007F:{port:04X} 00000000:0000 0A"
    while wanted not in Path("/proc/net/tcp").read_text():
        time.sleep(0.01)


async def _make_certificates(directory: Path) -> None:
    await init_authority(directory / "pki", title="bench", days=1)
    for name in NAMES:
        await issue_certificate(directory / "pki", name, alternatives=(), days=1)
