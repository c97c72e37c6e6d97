"""Inside the VM: replicate the same datasets by several tools in turn, and tell how long they took.

Standard library only; run by `zfs_tools_bench` as ``python3 zfs_tools_inner.py ROUNDS DATASETS``
with the tools in ``site/`` and lochkit's one file beside it. Prints one line of JSON.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

SHARED = Path(__file__).resolve().parent
HERE = Path("/tmp/bench")  # not on the shared folder, whose files are slow to open
ENVIRONMENT = {**os.environ, "LC_ALL": "C", "PYTHONPATH": str(HERE / "site"), "HOME": "/root"}
SOURCE, TARGET = "bsrc", "bdst"
WRITTEN = 64 * 1024  # bytes to each dataset between two snapshots


def run(*words: str) -> str:
    """Run a command; a failure ends the measurement."""
    done = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def loop(_: int, script: str = str(HERE / "loop.sh")) -> None:
    """The bare loop that an operator would write."""
    run("bash", script, SOURCE, f"{TARGET}/loop")


def bzfs(_: int) -> None:
    """What bzfs does by default, between two pools of one host."""
    run(
        "python3", "-m", "bzfs_main.bzfs", f"{SOURCE}/d", f"{TARGET}/bzfs", "--recursive", "--quiet"
    )


def autobackup(_: int) -> None:
    """What zfs-autobackup does by default, with the snapshots that are there."""
    words = ("--no-snapshot", "--other-snapshots", "--strip-path", "2", "--no-progress")
    run("python3", "-m", "zfs_autobackup.ZfsAutobackup", *words, "bench", f"{TARGET}/autobackup")


def lochkit(_: int) -> None:
    """What lochkit does by default, between two pools of one host."""
    run(str(HERE / "lochkit.pyz"), "zfs", "send", "--recursive", f"{SOURCE}/d", f"{TARGET}/lochkit")


TOOLS: dict[str, Callable[[int], None]] = {
    "loop": loop,
    "bzfs": bzfs,
    "zfs-autobackup": autobackup,
    "lochkit": lochkit,
}


def snapshot(number: int, datasets: list[str]) -> None:
    """Write a little to each dataset, and take a snapshot of all."""
    for name in datasets:
        path = Path("/", name, "data")
        path.write_bytes(os.urandom(WRITTEN))
    run("zfs", "snapshot", *(f"{name}@s{number:03}" for name in datasets))


def verify(datasets: list[str], tools: list[str], number: int) -> None:
    """Every tool must have brought the newest snapshot of each dataset."""
    for tool in tools:
        for name in datasets:
            copy = f"{TARGET}/{tool.removeprefix('zfs-')}/{name.rpartition('/')[2]}"
            theirs, ours = (
                run("zfs", "get", "-Hp", "-o", "value", "guid", f"{where}@s{number:03}")
                for where in (copy, name)
            )
            if theirs != ours:
                raise SystemExit(f"{tool}: {copy}@s{number:03} is not the snapshot of the source")


def timed(tool: str, number: int) -> float:
    """Seconds of one run."""
    began = time.monotonic()
    TOOLS[tool](number)
    return time.monotonic() - began


def main() -> None:
    """Measure, and tell."""
    rounds, count = int(sys.argv[1]), int(sys.argv[2])
    shutil.copytree(SHARED, HERE)
    tools = sys.argv[3].split(",") if len(sys.argv) > 3 else list(TOOLS)
    for pool in (SOURCE, TARGET):
        with open(f"/tmp/{pool}", "wb") as file:
            file.truncate(512 << 20)
        run("zpool", "create", "-O", "compression=off", pool, f"/tmp/{pool}")
    run("zfs", "create", f"{SOURCE}/d")
    run("zfs", "set", "autobackup:bench=child", f"{SOURCE}/d")
    datasets = [f"{SOURCE}/d/n{number:02}" for number in range(count)]
    for name in datasets:
        run("zfs", "create", name)
    for tool in tools:
        if tool in ("loop", "zfs-autobackup"):
            run("zfs", "create", f"{TARGET}/{tool.removeprefix('zfs-')}")
    (HERE / "loop.sh").write_text(LOOP)
    snapshot(0, datasets)
    run("zfs", "snapshot", f"{SOURCE}/d@s000")
    for tool in tools:
        TOOLS[tool](0)
    busy: dict[str, list[float]] = {tool: [] for tool in tools}
    idle: dict[str, list[float]] = {tool: [] for tool in tools}
    for number in range(1, rounds + 1):
        snapshot(number, datasets)
        shift = number % len(tools)
        order = tools[shift:] + tools[:shift]  # none is always the first
        for tool in order:
            busy[tool].append(timed(tool, number))
        verify(datasets, tools, number)
        for tool in order:
            if tool != "loop":
                idle[tool].append(timed(tool, number))
    print(json.dumps({"busy": busy, "idle": idle}))


LOOP = """\
# For every dataset: find the newest snapshot there, and send what is newer here.
set -euo pipefail
for name in $(zfs list -H -o name -d 1 "$1/d" | tail -n +2); do
    copy=$2/${name##*/}
    newest=$(zfs list -H -o name -t snapshot -s createtxg "$name" | tail -1)
    base=$(zfs list -H -o name -t snapshot -s createtxg "$copy" 2>/dev/null | tail -1) || true
    if [ -n "$base" ]; then
        zfs send -I "@${base#*@}" "$newest" | zfs receive -u "$copy"
    else
        zfs send "$newest" | zfs receive -u "$copy"
    fi
done
"""

if __name__ == "__main__":
    main()
