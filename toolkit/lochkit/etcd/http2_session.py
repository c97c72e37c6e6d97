"""h2, set up for a client of etcd."""

from typing import Final

import h2.config
import h2.connection
import h2.settings

from .http2_stream import STREAM_WINDOW

__all__ = ["CONNECTION_WINDOW", "new_session"]

CONNECTION_WINDOW: Final = 1 << 24
"""Bytes all streams together may have in flight."""

_DEFAULT_WINDOW: Final = 65_535
_MAX_HEADER_LIST: Final = 1 << 16


def new_session() -> h2.connection.H2Connection:
    """A connection's state, its preface and settings ready to be sent."""
    # Outbound headers are ours and known to be valid; inbound ones are checked.
    session = h2.connection.H2Connection(
        h2.config.H2Configuration(
            client_side=True,
            header_encoding="utf-8",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
    )
    session.local_settings = h2.settings.Settings(
        client=True,
        initial_values={
            h2.settings.SettingCodes.ENABLE_PUSH: 0,
            h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
            h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: _MAX_HEADER_LIST,
        },
    )
    session.initiate_connection()
    session.increment_flow_control_window(CONNECTION_WINDOW - _DEFAULT_WINDOW)
    return session
