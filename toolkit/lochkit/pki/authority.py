"""Making an authority, and certificates of it. Nothing that is there is ever overwritten.

In the authority's directory are ``ca.crt`` and ``ca.key``, and for every host a directory of its
name that can be copied to it: ``NAME.crt``, ``NAME.key``, ``ca.crt``. Keys are for their owner
alone, and so are the directories.
"""

import errno
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ..errors import ConfigError
from ..io.durable import random_name, replace_file, sync_directory, sync_file
from ..io.faults import telling
from .openssl import run_openssl
from .requests import (
    CertificateRequest,
    authority_commands,
    authority_config,
    host_commands,
    host_config,
    key_command,
)

__all__ = ["init_authority", "issue_certificate", "renew_certificate"]

_CERT: Final = "ca.crt"
_KEY: Final = "ca.key"
_SERIAL_BITS: Final = 128


async def init_authority(directory: Path, *, title: str, days: int) -> Path:
    """Make an authority.

    Args:
        directory: for it; there is none yet, or an empty one.
        title: its name.
        days: that its certificate is valid for.

    Returns:
        Its certificate.

    Raises:
        ConfigError: the directory is in use, or can not be made.
        OpensslFailed: see there.
    """
    with _making(directory) as (made, work):
        await run_openssl(key_command(str(made / _KEY)))
        config = _written(work / "config", authority_config(title))
        for argv in authority_commands(
            key=str(made / _KEY), config=config, out=str(made / _CERT), days=days
        ):
            await run_openssl(argv)
    return directory / _CERT


async def issue_certificate(
    directory: Path, name: str, *, alternatives: Sequence[str], days: int
) -> Path:
    """Make a key and a certificate for a host.

    Args:
        directory: the authority's.
        name: of the host, checked.
        alternatives: further names and addresses, checked.
        days: that it is valid for.

    Returns:
        The directory to copy to the host.

    Raises:
        ConfigError: there is no authority, or the host has a certificate already.
        OpensslFailed: see there.
    """
    _check_authority(directory)
    if (directory / name / f"{name}.crt").exists():
        raise ConfigError(
            f"{directory / name} is there already, and nothing in it is overwritten;"
            " --renew makes a new certificate for its key"
        )
    with _making(directory / name) as (made, work):
        await run_openssl(key_command(str(made / f"{name}.key")))
        request = _request(name, alternatives, days)
        await _certify(directory, request, made / f"{name}.key", made / f"{name}.crt", work)
        shutil.copyfile(directory / _CERT, made / _CERT)
    return directory / name


async def renew_certificate(
    directory: Path, name: str, *, alternatives: Sequence[str], days: int
) -> Path:
    """Make a new certificate for the key that a host has already; the old one is replaced.

    Args:
        directory: the authority's.
        name: of the host, checked.
        alternatives: further names and addresses, checked; those of the old one are not kept.
        days: that it is valid for.

    Returns:
        The directory of the host.

    Raises:
        ConfigError: there is no authority, or the host has no key.
        OpensslFailed: see there.
    """
    _check_authority(directory)
    key = directory / name / f"{name}.key"
    if not key.is_file():
        raise ConfigError(f"{key} is not there: issue a certificate instead of renewing one")
    with _work(directory) as work:
        made = work / "new.crt"
        await _certify(directory, _request(name, alternatives, days), key, made, work)
        replace_file(directory / name / f"{name}.crt", [made.read_bytes()])
    return directory / name


async def _certify(
    directory: Path, request: CertificateRequest, key: Path, out: Path, work: Path
) -> None:
    config = _written(work / "config", host_config(request))
    made = work / "made.crt"
    for argv in host_commands(
        request,
        key=str(key),
        config=config,
        out=str(made),
        ca=str(directory / _CERT),
        ca_key=str(directory / _KEY),
    ):
        await run_openssl(argv)
    made.rename(out)


def _request(name: str, alternatives: Sequence[str], days: int) -> CertificateRequest:
    serial = secrets.randbits(_SERIAL_BITS) | 1 << _SERIAL_BITS  # never 0, never of another length
    return CertificateRequest(name=name, alternatives=alternatives, days=days, serial=serial)


def _check_authority(directory: Path) -> None:
    for name in (_CERT, _KEY):
        if not (directory / name).is_file():
            raise ConfigError(f"{directory} has no {name}: make an authority (lochkit pki init)")


@contextmanager
def _making(final: Path) -> Iterator[tuple[Path, Path]]:
    """Make a directory of files under another name, and give it its own when all is there.

    Yields:
        Where the files are made, and where what is needed on the way.
    """
    with telling("can not look at", final):
        if final.exists() and (not final.is_dir() or any(final.iterdir())):
            raise _taken(final)
    with _work(final.parent) as work:
        made = work / "made"
        with telling("can not make", made):
            made.mkdir(mode=0o700)
        yield made, work
        _settle(made, final)


@contextmanager
def _work(parent: Path) -> Iterator[Path]:
    work = parent / random_name("pki")
    with telling("can not make", work):
        work.mkdir(mode=0o700)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _settle(made: Path, final: Path) -> None:
    for path in made.iterdir():
        with telling("can not write", path):
            path.chmod(0o600 if path.suffix == ".key" else 0o644)
        sync_file(path)
    sync_directory(made)
    with telling("can not make", final):
        try:
            made.rename(final)  # over an empty directory, too
        except OSError as exc:
            if exc.errno in (errno.ENOTEMPTY, errno.EEXIST):
                raise _taken(final) from exc
            raise
    sync_directory(final.parent)


def _taken(path: Path) -> ConfigError:
    return ConfigError(f"{path} is there already, and nothing in it is overwritten")


def _written(path: Path, text: str) -> str:
    with telling("can not write", path):
        path.write_text(text)
    return str(path)
