"""Logging in to etcd: one token for all calls, renewed when the server no longer knows it."""

import logging

import trio

from ..errors import ConfigError
from .answers import read_answer
from .config import Credentials
from .connection import Connection, Metadata
from .dial import read_password_file
from .errors import AuthFailed, StatusCode, Unavailable
from .messages import AuthenticateRequest, AuthenticateResponse
from .wire import encode

__all__ = ["Login", "token_metadata"]

log = logging.getLogger(__name__)

_AUTHENTICATE = "/etcdserverpb.Auth/Authenticate"


def token_metadata(token: str | None) -> Metadata:
    """What tells etcd who is calling."""
    return () if token is None else (("token", token),)


class Login:
    """The token of one user.

    etcd's simple tokens are known to every member and expire when unused (5 minutes by default);
    JWTs expire however much they are used. Open watches outlive their token; every other call then
    fails with ``Unauthenticated``, upon which the caller says `forget` and asks again.

    Args:
        credentials: who to log in as; None never logs in.
    """

    def __init__(self, credentials: Credentials | None) -> None:
        self._credentials = credentials
        self._token: str | None = None
        self._known = credentials is None
        self._asking = trio.Lock()

    @property
    def can_renew(self) -> bool:
        """Whether a refused token can be replaced by a new one."""
        return self._credentials is not None

    def forget(self, token: str | None) -> None:
        """The server refused `token`: get another before the next call, unless a task has."""
        if self._credentials is not None and self._token == token:
            self._token, self._known = None, False

    async def token(self, connection: Connection) -> str | None:
        """The token to send, None for none; logs in first where needed.

        The caller sets the time limit.

        Raises:
            AuthFailed: etcd does not accept user and password.
            EtcdError: the login did not get through.
        """
        if not self._known:
            async with self._asking:
                if not self._known:
                    self._token = await self._log_in(connection)
                    self._known = True
        return self._token

    async def _log_in(self, connection: Connection) -> str | None:
        credentials = self._credentials
        assert credentials is not None  # otherwise nothing is ever unknown
        password = credentials.password
        if password is None and credentials.password_file is not None:
            # Read anew each time: that is how a changed password reaches a running daemon.
            # A file that is just being replaced is a fault that time heals.
            try:
                password = await trio.to_thread.run_sync(
                    read_password_file, credentials.password_file
                )
            except ConfigError as error:
                raise Unavailable(str(error)) from error
        request = AuthenticateRequest(name=credentials.user, password=password or "")
        try:
            answer = await connection.unary(_AUTHENTICATE, encode(request), ())
        except AuthFailed as error:
            if error.code == StatusCode.FAILED_PRECONDITION:
                log.warning("etcd has authentication switched off; going on without a login")
                return None
            raise
        return read_answer(AuthenticateResponse, answer).token
