"""What the datagrams of sd_notify(3) say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.io.notify_lines import MOST_NOTICE, Notice, parse_notice


@pytest.mark.parametrize(
    ("data", "notice"),
    [
        (b"READY=1", Notice(ready=True)),
        (b"READY=1\nSTATUS=up\n", Notice(ready=True, status="up")),
        (b"RELOADING=1\nMONOTONIC_USEC=1", Notice(reloading=True)),
        (b"STOPPING=1\0", Notice(stopping=True)),
        (b"WATCHDOG=1", Notice(alive=True)),
        (b"WATCHDOG=trigger", Notice(failed=True)),
        (b"WATCHDOG_USEC=1500000", Notice(watchdog_seconds=1.5)),
        (b"EXTEND_TIMEOUT_USEC=2000000", Notice(extend_seconds=2)),
        (b"MAINPID=12", Notice(main_pid=12)),
        (b"STATUS=", Notice(status="")),
        (b"STATUS=a=b\x1b[m\tc", Notice(status="a=b [m c")),
        (b"STATUS=first\nSTATUS=second", Notice(status="first")),
        (b"STATUS=\xff", Notice(status="\ufffd")),
        (b"STATUS=" + "é".encode() * 600, Notice(status="é" * 500)),
        (b"STATUS=a" + "é".encode() * 600, Notice(status="a" + "é" * 499)),
        (b"READY=0\nready=1\nREADY", Notice()),
        (b"MAINPID=-1\nWATCHDOG_USEC=x\nEXTEND_TIMEOUT_USEC=0", Notice()),
        (b"MAINPID=" + b"9" * 400, Notice()),
        (b"READY=1\nX=\0", Notice(ready=True)),
        (b"READY=1\0\nX", Notice()),
        (b"READY=1\nX=" + b"a" * MOST_NOTICE, Notice()),
        (b"", Notice()),
    ],
)
def test_what_is_said(data: bytes, notice: Notice) -> None:
    assert parse_notice(data) == notice


@given(st.binary(max_size=200) | st.text(alphabet="READY=1\nSTU", max_size=40).map(str.encode))
def test_any_bytes_are_read(data: bytes) -> None:
    status = parse_notice(data).status
    assert status is None or status.isprintable()
