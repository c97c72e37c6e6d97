"""Where the password of a service comes from, and where the service itself finds it."""

import json
import secrets
from pathlib import Path
from typing import Any, Final

from ..discovery.host import Credentials
from ..discovery.names import check_text
from ..errors import ConfigError
from ..io.durable import Access, access_of, replace_file
from ..options import option

__all__ = [
    "generated_password",
    "password_fd_option",
    "password_file_option",
    "read_password",
    "write_credentials",
]

_MOST_BYTES: Final = 4096
_RANDOM_BYTES: Final = 24


def password_file_option(section: str) -> Any:
    """Declare the field of the password's file, typed as `option` is."""
    return option(
        "--service-password-file",
        default=None,
        metavar="FILE",
        completes="file",
        section=section,
        help="File that holds the password; the last line end is not part of it.",
    )


def password_fd_option(section: str) -> Any:
    """Declare the field of the password's descriptor, typed as `option` is."""
    return option(
        "--service-password-fd",
        default=None,
        minimum=0,
        metavar="NUMBER",
        section=section,
        help="Open descriptor from which the password is read.",
    )


def read_password(file: str | None, descriptor: int | None) -> str | None:
    """The password in a file or behind a descriptor, without its last line end; None for neither.

    Raises:
        ConfigError: it can not be read, or is no password.
    """
    if file is None and descriptor is None:
        return None
    place = f"password file {file}" if file is not None else f"descriptor {descriptor}"
    try:
        with open(file if file is not None else int(descriptor or 0), "rb") as source:
            content = source.read(_MOST_BYTES + 1)
    except OSError as exc:
        raise ConfigError(f"{place}: {exc.strerror or exc}") from exc
    if len(content) > _MOST_BYTES:
        raise ConfigError(f"{place}: longer than {_MOST_BYTES} bytes")
    try:
        password = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ConfigError(f"{place}: not UTF-8 text") from None
    if not password:
        raise ConfigError(f"{place}: it is empty")
    check_text(f"the password of {place}", password)
    return password


def generated_password() -> str:
    """A password that nobody can guess, of characters that need no escape in a URL."""
    return secrets.token_urlsafe(_RANDOM_BYTES)


def write_credentials(path: Path, credentials: Credentials) -> None:
    """Put them into a file, all at once. Blocks.

    A new file can be read by its owner only. One that is there keeps its owner and mode, so that
    the service may run as another user.

    Raises:
        InstallError: it could not be written.
        ConfigError: there can be no such file, or everybody could read it.
    """
    found = access_of(path)
    if found is not None and found.mode & 0o007:
        raise ConfigError(f"{path}: everybody may read or write it; chmod o= it first")
    record = {"user": credentials.user, "password": credentials.password}
    text = json.dumps(record, ensure_ascii=False) + "\n"
    replace_file(path, [text.encode()], Access(0o600))
