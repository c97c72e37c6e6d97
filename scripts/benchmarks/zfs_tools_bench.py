"""lochkit beside bzfs, zfs-autobackup and a bare shell loop, on the same pools of real OpenZFS.

All of it runs in the virtual machine of scripts/zfsvm, which is emulated: ratios mean something,
seconds nothing.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Final

from .verdict import Figure

__all__ = ["bench_tools"]

ROOT: Final = Path(__file__).resolve().parents[2]
TOOLS: Final = ("bzfs==1.25.0", "zfs-autobackup==3.3", "colorama==0.4.6")
DATASETS: Final = 20
LIMIT_SECONDS: Final = 3000


def bench_tools(rounds: int) -> tuple[dict[str, object], list[Figure]]:
    """Replicate 20 datasets with one small increment each, and then with nothing to do."""
    subprocess.run([ROOT / "scripts/zfsvm/build", "--if-missing", "backports"], check=True)
    subprocess.run([ROOT / "build.sh"], check=True, stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory(prefix="lochkit-bench-") as name:
        share = Path(name)
        shutil.copy(ROOT / "dist/lochkit.pyz", share)
        shutil.copy(Path(__file__).with_name("zfs_tools_inner.py"), share)
        shutil.copytree(_site(), share / "site")
        numbers = _measure(share, rounds)
    return {**numbers}, _figures(numbers)


def _site() -> Path:
    """The other tools, in a place of their own."""
    site = ROOT / ".venv/bench-zfs-tools"
    if not (site / "ready").exists():
        shutil.rmtree(site, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--no-deps", "--target", str(site), *TOOLS], check=True)
        (site / "ready").touch()
    return site


def _measure(share: Path, rounds: int) -> dict[str, dict[str, list[float]]]:
    run = [str(ROOT / "scripts/zfsvm/run"), "--zfs", "backports", "--share", str(share)]
    inner = ["python3", "zfs_tools_inner.py", str(rounds), str(DATASETS)]
    done = subprocess.run(
        [*run, "--mem", "2048", "--timeout", str(LIMIT_SECONDS), "--", *inner],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, dict[str, list[float]]] = json.loads(done.stdout.splitlines()[-1])
    return found


def _figures(numbers: dict[str, dict[str, list[float]]]) -> list[Figure]:
    busy = {tool: median(times) for tool, times in numbers["busy"].items()}
    idle = {tool: median(times) for tool, times in numbers["idle"].items() if times}
    print(f"{'':16}{'one increment':>16}{'of the loop':>13}{'nothing to do':>16}{'of bzfs':>9}")
    for tool, seconds in busy.items():
        line = f"{tool:16}{seconds:14.2f} s{seconds / busy['loop']:12.2f}x"
        if tool in idle:
            line += f"{idle[tool]:14.2f} s{idle[tool] / idle['bzfs']:8.2f}x"
        print(line)
    return [
        Figure(
            name=f"{DATASETS} datasets, one small increment each / bare loop",
            measured=busy["lochkit"] / busy["loop"],
            limit=1.3,
        ),
        Figure(
            name=f"{DATASETS} datasets, nothing to do / bzfs",
            measured=idle["lochkit"] / idle["bzfs"],
            limit=0.25,
        ),
    ]
