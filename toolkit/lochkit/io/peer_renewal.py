"""A server's certificates, which may be renewed while it runs."""

import logging
import os
import ssl

from ..errors import ConfigError
from .peer_tls import Credentials, server_context

__all__ = ["ServerCertificates"]

log = logging.getLogger(__name__)


class ServerCertificates:
    """What a server shows and believes, read again when one of the files has changed.

    Args:
        credentials: where they are.

    Raises:
        ConfigError: they can not be used; only now, at the start.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._seen = self._look()
        self._context = server_context(credentials)

    def context(self) -> ssl.SSLContext:
        """For the next connection; the last good one while the files can not be used."""
        seen = self._look()
        if seen != self._seen:
            self._seen = seen  # so that each state of the files is complained about once
            try:
                self._context = server_context(self._credentials)
                log.info("certificates have been read again: %s", self._credentials.cert)
            except ConfigError as exc:
                log.error("the old certificates stay in use, the new can not be used: %s", exc)
        return self._context

    def _look(self) -> tuple[object, ...]:
        return tuple(
            _state(path)
            for path in (self._credentials.cert, self._credentials.key, self._credentials.ca)
        )


def _state(path: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode
