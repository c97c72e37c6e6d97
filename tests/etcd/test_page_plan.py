"""Pages: where they end, how large they are, and what is done with what cannot be scanned."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.etcd.messages import KeyValue, RangeResponse, ResponseHeader
from lochkit.etcd.page_plan import PageEnd, PagePlan, page_end
from lochkit.etcd.prefix import KeyRange
from lochkit.etcd.wire import decode, encode
from lochkit.etcd.wire_errors import DecodeError

numbers = st.integers(0, 2**63 - 1)
key_values = st.builds(
    KeyValue,
    key=st.binary(min_size=1, max_size=200),
    create_revision=numbers,
    mod_revision=numbers,
    version=numbers,
    value=st.binary(max_size=300),
    lease=numbers,
)
pages = st.builds(
    RangeResponse,
    header=st.builds(ResponseHeader, cluster_id=numbers, revision=numbers, raft_term=numbers),
    kvs=st.lists(key_values, max_size=8).map(tuple),
    more=st.booleans(),
    count=st.integers(0, 1 << 40),
)


def told(page: RangeResponse) -> PageEnd:
    return PageEnd(page.kvs[-1].key if page.kvs else b"", page.more, len(page.kvs))


@given(pages)
def test_the_end_found_is_the_end_decoded(page: RangeResponse) -> None:
    assert page_end(encode(page)) == told(page)


@given(pages, st.data())
def test_damage_is_left_to_the_decoder_or_means_the_same(
    page: RangeResponse, data: st.DataObject
) -> None:
    """What the scan makes of damaged bytes is never something the decoder then contradicts."""
    body = bytearray(encode(page))
    for _ in range(data.draw(st.integers(1, 4))):
        if body:
            body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    found = page_end(bytes(body))
    try:
        decoded = decode(RangeResponse, bytes(body))
    except DecodeError:
        return  # and reading the page will say so
    if found is not None and found.keys and not repeats_its_key(bytes(body)):
        assert (found.more, found.keys) == told(decoded)[1:]


def repeats_its_key(body: bytes) -> bool:
    """Whether protobuf would let a later field of the same key override the first."""
    return decode(RangeResponse, body).kvs[-1].key != (page_end(body) or PageEnd(b"", False, 0))[0]


def test_pages_aim_at_megabytes_and_go_on_behind_the_last_key() -> None:
    plan = PagePlan(KeyRange.prefix(b"/"))
    assert plan.request().limit == 2000
    plan.took(PageEnd(b"/k", True, 2000), 2000 * 100)
    assert (plan.request().key, plan.request().limit) == (b"/k\0", 10_000)
    plan.took(PageEnd(b"/l", True, 10), 10 << 20)
    assert plan.request().limit == 3
    plan.took(PageEnd(b"/m", False, 3), 100)
    assert plan.done


@pytest.mark.parametrize("end", [PageEnd(b"", False, 0), PageEnd(b"", True, 0)])
def test_an_empty_page_is_the_last(end: PageEnd) -> None:
    plan = PagePlan(KeyRange.prefix(b"/"))
    plan.took(end, 20)
    assert plan.done


def test_a_page_that_is_too_large_is_asked_for_in_smaller_ones() -> None:
    plan = PagePlan(KeyRange.prefix(b"/"))
    limits = [plan.request().limit]
    while plan.shrink():
        limits.append(plan.request().limit)
    assert limits == [2000, 125, 7, 1]
