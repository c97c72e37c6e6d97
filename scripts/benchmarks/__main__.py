"""Entry point of `scripts/bench`."""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .dhcp_bench import bench_dhcp
from .discovery_bench import bench_discovery
from .etcd_bench import bench_etcd
from .etcdwatch_bench import bench_etcdwatch
from .verdict import Figure
from .zfs_bench import bench_zfs

BENCHMARKS: Mapping[str, Callable[..., tuple[dict[str, object], list[Figure]]]] = {
    "etcd": bench_etcd,
    "etcdwatch": bench_etcdwatch,
    "dhcp": bench_dhcp,
    "discovery": bench_discovery,
    "zfs": bench_zfs,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one benchmark, print its tables and verdicts."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("what", choices=list(BENCHMARKS))
    parser.add_argument("parts", nargs="*", help="of zfs: which parts of it (all)")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (default 3)")
    parser.add_argument("--json", type=Path, help="write all numbers to this file")
    parser.add_argument("--strict", action="store_true", help="exit 1 if a figure is missed")
    options = parser.parse_args(argv)
    if options.parts and options.what != "zfs":
        parser.error(f"{options.what} has no parts")
    numbers, figures = BENCHMARKS[options.what](options.rounds, *options.parts)
    print()
    for figure in figures:
        print(figure)
    if options.json is not None:
        options.json.write_text(json.dumps(numbers, indent=1) + "\n")
    return int(options.strict and not all(figure.met for figure in figures))


if __name__ == "__main__":
    raise SystemExit(main())
