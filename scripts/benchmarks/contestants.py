"""Running one client for one measurement, each in a process of its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["Numbers", "etcdctl", "measure", "python_client"]

Numbers = dict[str, Any]
HERE = Path(__file__).parent
TICK = 1 / os.sysconf("SC_CLK_TCK")


def python_client(name: str, *arguments: str) -> list[str]:
    """The command line of one of the Python clients."""
    if name == "lochkit":
        return [sys.executable, "-m", "scripts.benchmarks.client_lochkit", *arguments]
    python = HERE.parents[1] / ".venv" / f"bench-{name}" / "bin" / "python"
    return [str(python), str(HERE / f"client_{name}.py"), *arguments]


def measure(argv: list[str], events: Callable[[], None] | None = None) -> Numbers:
    """Run a client; once it says that it is ready, make the events it waits for."""
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            if events is not None:
                assert process.stdout.readline() == "ready\n", argv
                events()
            answer: Numbers = json.loads(process.stdout.read())
        finally:
            process.kill()
    return answer


class etcdctl:
    """etcdctl under measurement, from outside: it tells nothing of itself."""

    def __init__(self, address: str) -> None:
        self._argv = ["etcdctl", f"--endpoints={address}"]
        self._env = {**os.environ, "ETCDCTL_API": "3"}

    def load(self, prefix: str) -> Numbers:
        """``get --prefix``, its start and its text output included."""
        began = time.perf_counter()
        process = subprocess.Popen(
            [*self._argv, "get", "--prefix", prefix], stdout=subprocess.DEVNULL, env=self._env
        )
        _, _, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = 0
        cpu = usage.ru_utime + usage.ru_stime
        return {"wall": wall, "cpu": cpu, "rss": usage.ru_maxrss / 1024}

    def watch(
        self, prefix: str, events: Callable[[], None] | None, start: int, output: Path
    ) -> Numbers:
        """``watch --prefix`` from when it stands (or, from a revision, from its start)."""
        argv = [*self._argv, "watch", "--prefix", prefix]
        if start:
            argv.append(f"--rev={start}")
        with output.open("wb") as sink:
            process = subprocess.Popen(argv, stdout=sink, env=self._env)
        try:
            base = 0.0
            if events is not None:
                time.sleep(0.7)
                base = _cpu(process.pid)
                events()
            end = f"{prefix}end\n".encode()
            deadline = time.monotonic() + 60
            while end not in _tail(output) and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(0.1)
            return {"cpu": _cpu(process.pid) - base, "rss": _peak(process.pid)}
        finally:
            process.kill()
            process.wait()


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 500))
        return file.read()


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK


def _peak(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0
