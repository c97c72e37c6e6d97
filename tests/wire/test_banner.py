"""The first line: what is let in, and how the rest is told why not."""

import pytest

from lochkit.wire.banner import (
    BANNER_LIMIT,
    REFUSAL_LIMIT,
    check_answer,
    check_banner,
    encode_banner,
    encode_refusal,
    is_banner_so_far,
)
from lochkit.wire.faults import WireFault


def test_a_banner_is_readable() -> None:
    assert encode_banner("streams") == b"lochkit-zfs 1 streams\n"
    assert len(encode_banner("streams")) <= BANNER_LIMIT


@pytest.mark.parametrize("service", ["streams", "orders"])
def test_what_is_asked_for_is_agreed_to(service: str) -> None:
    check_banner(encode_banner(service), service)
    assert check_answer(encode_banner(service), service) is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"lochkit-zfs 2 streams\n", "version 1"),
        (b"lochkit-zfs 01 streams\n", "version 1"),
        (b"lochkit-zfs 1 orders\n", "port for streams, not for 'orders'"),
        (b"lochkit-zfs 1 streams", "a banner was expected"),
        (b"lochkit-zfs 1\n", "a banner was expected"),
        (b"lochkit-zfs 1 streams now\n", "a banner was expected"),
        (b"lochkit-zfs \xff \x1b[2J\n", "version 1"),
        (b"GET / HTTP/1.1\r\n", "a banner of lochkit was expected"),
        (b"", "a banner of lochkit was expected"),
        (b"\x16\x03\x01", "the other end speaks TLS"),
        (b"\x15", "the other end speaks TLS"),
    ],
)
def test_what_is_no_banner_is_refused(line: bytes, said: str) -> None:
    for check in (check_banner, check_answer):
        with pytest.raises(WireFault, match=said) as caught:
            check(line, "streams")
        assert str(caught.value).isprintable()


def test_a_refusal_tells_why_in_one_line() -> None:
    line = encode_refusal("there are 64\nconnections \u2014 come later")
    assert line == b"lochkit-zfs refused: there are 64 connections ? come later\n"
    assert check_answer(line, "streams") == "there are 64 connections ? come later"


def test_a_refusal_is_never_too_long() -> None:
    line = encode_refusal("x" * 1000)
    assert len(line) == REFUSAL_LIMIT
    assert line.endswith(b"x\n")


def test_a_refusal_can_not_play_with_a_terminal() -> None:
    assert check_answer(b"lochkit-zfs refused: \x1b[2J\x9bhello\n", "streams") == "?[2J?hello"


@pytest.mark.parametrize(
    ("line", "possible"),
    [
        (b"", True),
        (b"loch", True),
        (b"lochkit-zfs 1 str", True),
        (b"lochkit-zfs anything", True),
        (b"L", False),
        (b"\x16", False),
        (b"lochkit-zfs \0", False),
    ],
)
def test_garbage_is_known_by_its_first_byte(line: bytes, possible: bool) -> None:
    assert is_banner_so_far(line) is possible
