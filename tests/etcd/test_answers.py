"""Reading answers: the unreadable is the server's fault, and the collector is left as found."""

import gc
from collections.abc import Iterator

import pytest

from lochkit.etcd.answers import read_answer
from lochkit.etcd.errors import ProtocolError
from lochkit.etcd.messages import KeyValue, RangeResponse
from lochkit.etcd.wire import decode, encode

SMALL = encode(RangeResponse(kvs=(KeyValue(b"k", 1, 1, 1, b"v", 0),)))
LARGE = encode(RangeResponse(kvs=tuple(KeyValue(b"k%d" % n, 1, 1, 1, b"", 0) for n in range(9000))))


@pytest.fixture(params=[True, False], ids=["collecting", "not collecting"])
def collecting(request: pytest.FixtureRequest) -> Iterator[bool]:
    before = gc.isenabled()
    wanted = bool(request.param)
    (gc.enable if wanted else gc.disable)()
    yield wanted
    (gc.enable if before else gc.disable)()


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
def test_an_answer_is_what_it_encodes(body: bytes, collecting: bool) -> None:
    assert read_answer(RangeResponse, body) == decode(RangeResponse, body)
    assert gc.isenabled() is collecting


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
def test_half_an_answer_is_the_servers_fault(body: bytes, collecting: bool) -> None:
    with pytest.raises(ProtocolError, match="cannot be read"):
        read_answer(RangeResponse, body[:-1])
    assert gc.isenabled() is collecting


def test_a_large_answer_is_read_without_a_search_for_cycles() -> None:
    searches: list[str] = []

    def heard(phase: str, info: dict[str, int]) -> None:
        searches.append(phase)

    gc.collect()
    gc.callbacks.append(heard)
    try:
        page = decode(RangeResponse, LARGE)
        assert searches, "without the pause there would be nothing to see"
        del page
        gc.collect()
        searches.clear()
        page = read_answer(RangeResponse, LARGE)
    finally:
        gc.callbacks.remove(heard)
    # One may follow at once, when the collector is back and finds much that is new.
    assert searches.count("start") <= 1
    assert len(page.kvs) == 9000
