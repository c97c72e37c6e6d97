"""Errors: their exit codes, and the flattening of groups."""

import pytest

from lochkit.errors import CommandFailed, ConfigError, LochkitError, TransientError, leaves


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LochkitError(), 1),
        (ConfigError(), 78),
        (TransientError(), 75),
        (CommandFailed("x", exit_code=143), 143),
    ],
)
def test_exit_codes(error: LochkitError, code: int) -> None:
    assert error.exit_code == code


def test_leaves_flattens_groups_in_order() -> None:
    a, b, c = KeyError(), TypeError(), KeyboardInterrupt()
    group = BaseExceptionGroup("", [ExceptionGroup("", [a, b]), c])
    assert list(leaves(group)) == [a, b, c]
    assert list(leaves(a)) == [a]
