"""Responses that come in pieces."""

from hypothesis import given
from hypothesis import strategies as st

from lochkit.etcd.fragments import FragmentJoiner
from lochkit.etcd.messages import Event, KeyValue, ResponseHeader, WatchResponse


def events(count: int) -> tuple[Event, ...]:
    return tuple(Event(kv=KeyValue(key=b"%d" % number, mod_revision=7)) for number in range(count))


def pieces_of(whole: WatchResponse, sizes: list[int]) -> list[WatchResponse]:
    """`whole` in pieces of these sizes and one that holds the rest, as the server cuts it."""
    pieces, start = [], 0
    for size in sizes:
        part = whole.events[start : start + size]
        start += size
        if start >= len(whole.events):
            break
        pieces.append(WatchResponse(header=whole.header, watch_id=3, fragment=True, events=part))
    rest = whole.events[sum(len(piece.events) for piece in pieces) :]
    return [*pieces, WatchResponse(header=whole.header, watch_id=3, events=rest)]


@given(
    counts=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    sizes=st.lists(st.integers(1, 3), max_size=9),
    notices=st.lists(st.booleans(), min_size=40, max_size=40),
)
def test_what_was_cut_is_joined(counts: list[int], sizes: list[int], notices: list[bool]) -> None:
    """However it was cut, whatever came before it, and with progress notices in between."""
    joiner = FragmentJoiner()
    for count in counts:
        header = ResponseHeader(cluster_id=1, revision=count)
        whole = WatchResponse(header=header, watch_id=3, events=events(count))
        pieces = pieces_of(whole, sizes)
        for piece in pieces[:-1]:
            assert joiner.add(piece) is None
            if notices.pop():
                assert joiner.add(WatchResponse(header=header, watch_id=-1)) is None
        assert joiner.add(pieces[-1]) == whole


def test_what_came_whole_is_passed_on_as_it_is() -> None:
    joiner = FragmentJoiner()
    for response in (WatchResponse(events=events(2)), WatchResponse(watch_id=-1)):
        assert joiner.add(response) is response
