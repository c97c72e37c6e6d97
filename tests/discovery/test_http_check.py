"""A request and its answer, whole and byte by byte; also those of broken and hostile servers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.discovery.check_model import HttpTarget
from lochkit.discovery.check_spec import parse_check
from lochkit.discovery.health import MOST_OUTPUT, Outcome
from lochkit.discovery.http_check import MOST_ANSWER, HttpExchange


def target_of(text: str) -> HttpTarget:
    target = parse_check(text).target
    assert isinstance(target, HttpTarget)
    return target


def exchange_of(text: str = "http://h:8080/up") -> HttpExchange:
    exchange = HttpExchange(target_of(text))
    exchange.request()
    return exchange


def answer(data: bytes, text: str = "http://h:8080/up", size: int = 10**6) -> tuple[str, str]:
    """What comes of an answer that is fed in pieces, then ended."""
    exchange = exchange_of(text)
    for at in range(0, len(data), size):
        exchange.receive(data[at : at + size])
    exchange.receive(b"")
    assert exchange.result is not None
    return exchange.result.outcome.value, exchange.result.output


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("http://h:8080/up?x", b"GET /up?x HTTP/1.1\r\nHost: h:8080\r\n"),
        ("http://h", b"GET / HTTP/1.1\r\nHost: h\r\n"),
        ("https://h:443", b"GET / HTTP/1.1\r\nHost: h\r\n"),
        ("http://[::1]:81", b"GET / HTTP/1.1\r\nHost: [::1]:81\r\n"),
        ("http://h host=www.x method=HEAD", b"HEAD / HTTP/1.1\r\nHost: www.x\r\n"),
    ],
)
def test_the_request(text: str, sent: bytes) -> None:
    request = HttpExchange(target_of(text)).request()
    assert request.startswith(sent)
    assert request.endswith(b"\r\nConnection: close\r\n\r\n")


def test_a_request_of_another_method_has_an_empty_body() -> None:
    request = HttpExchange(target_of("http://h method=POST")).request()
    assert request.endswith(b"Content-Length: 0\r\n\r\n")


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfine\n"


@pytest.mark.parametrize("size", [1, 7, 10**6])
@pytest.mark.parametrize(
    ("data", "text", "found"),
    [
        (OK, "http://h", ("pass", "status 200 OK\nfine")),
        (b"HTTP/1.0 200 OK\r\n\r\nold", "http://h", ("pass", "status 200 OK\nold")),
        (
            b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
            "http://h",
            ("pass", "status 200\nab"),
        ),
        (b"HTTP/1.1 100 C\r\n\r\n" + OK, "http://h", ("pass", "status 200 OK\nfine")),
        (b"HTTP/1.1 204 None\r\n\r\n", "http://h", ("pass", "status 204 None")),
        (OK, "http://h method=HEAD", ("pass", "status 200 OK")),
        (OK, "http://h status=401", ("fail", "status 200 OK\nfine")),
        (b"HTTP/1.1 401 No\r\n\r\n", "http://h status=401", ("pass", "status 401 No")),
        (b"HTTP/1.1 429 Many\r\n\r\n", "http://h", ("warning", "status 429 Many")),
        (b"HTTP/1.1 429 Many\r\n\r\n", "http://h warn=none", ("fail", "status 429 Many")),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://x/?secret\r\nContent-Length: 0\r\n\r\n",
            "http://h",
            ("fail", "status 302 Found"),
        ),
    ],
)
def test_answers(data: bytes, text: str, found: tuple[str, str], size: int) -> None:
    if text.endswith("HEAD"):
        data = data.removesuffix(b"fine\n")
    assert answer(data, text, size) == found


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "closed without an answer"),
        (b"SSH-2.0-OpenSSH\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "broken answer"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 20_000, "not HTTP"),
        (b"a" * 20_000, "not HTTP"),
        (b"HTTP/1.1 103 Hint\r\nX: y\r\n\r\n" * 5000, "too much before the answer"),
        (b"\0" * 100, "not HTTP"),
    ],
)
def test_what_is_no_answer(data: bytes, told: str) -> None:
    outcome, output = answer(data, size=500)
    assert outcome == "fail"
    assert told in output


def test_no_more_is_read_than_the_limit_and_the_status_decides() -> None:
    exchange = exchange_of()
    exchange.receive(b"HTTP/1.1 200 OK\r\n\r\n")
    fed = 0
    while exchange.result is None:
        exchange.receive(b"x" * 1000)
        fed += 1000
    assert fed < MOST_ANSWER + 1000
    assert exchange.result.outcome is Outcome.PASS
    assert len(exchange.result.output) == MOST_OUTPUT


def test_what_is_missing_when_it_takes_too_long() -> None:
    exchange = exchange_of()
    assert exchange.cut() == "no answer"
    exchange.receive(b"HTTP/1.1 200 OK\r\n\r\n")
    assert exchange.cut() == "no end of the answer"


@given(st.lists(st.binary(max_size=50), max_size=8), st.booleans())
def test_any_bytes_come_to_a_result(pieces: list[bytes], begun: bool) -> None:
    exchange = exchange_of()
    if begun:
        exchange.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n")
    for piece in (*filter(None, pieces), b""):
        exchange.receive(piece)
    assert exchange.result is not None
