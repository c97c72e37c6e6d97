"""Many watches on one stream, against a scripted server."""

from collections.abc import Callable

import pytest

from lochkit.etcd.calls import RpcStream
from lochkit.etcd.errors import (
    Compacted,
    ConnectionLost,
    EtcdError,
    PermissionDenied,
    ProtocolError,
    Unauthenticated,
    WatchCanceled,
    WatchOverflow,
)
from lochkit.etcd.messages import (
    Event,
    KeyValue,
    WatchCreateRequest,
    WatchRequest,
    WatchResponse,
)
from lochkit.etcd.watch import Watch, WatchStream, refusal
from lochkit.etcd.wire import decode, encode
from tests.etcd.scripted_etcd import HEADER


class ScriptedPort:
    """Stands for the connection under a stream: keeps what is sent, counts credit."""

    def __init__(self) -> None:
        self.sent: list[WatchRequest] = []
        self.credit = 0
        self.resets = 0

    def send(self, stream: object, *bodies: bytes, end: bool = False) -> None:
        self.sent += [decode(WatchRequest, body) for body in bodies]

    def consumed(self, stream: object, size: int) -> None:
        self.credit += size

    def reset(self, stream: object) -> None:
        self.resets += 1


class Bench:
    """A watch stream with the test in the server's place."""

    def __init__(self, limit: int = 1 << 26) -> None:
        self.ends: list[EtcdError] = []
        self.port = ScriptedPort()
        self.stream = WatchStream("token", limit=limit, on_end=self.ends.append)
        rpc = RpcStream(self.port, self.stream.on_message, self.stream.on_end)
        rpc.opened(object())  # type: ignore[arg-type]
        self.rpc = rpc
        self.stream.run_on(rpc)
        self.said = 0

    def say(self, **fields: object) -> None:
        body = encode(WatchResponse(header=HEADER, **fields))  # type: ignore[arg-type]
        self.said += len(body)
        self.rpc.message(body)

    def watch(self, watch_id: int) -> Watch:
        watch = self.stream.add(WatchCreateRequest(key=b"k%d" % watch_id))
        self.say(watch_id=watch_id, created=True)
        return watch


def event(key: bytes, revision: int, value: bytes = b"v") -> Event:
    return Event(kv=KeyValue(key=key, mod_revision=revision, value=value))


async def test_responses_reach_their_own_watch() -> None:
    bench = Bench()
    one, two = bench.watch(0), bench.watch(1)
    await one.created()
    await two.created()
    assert two.header == HEADER
    bench.say(watch_id=1, events=(event(b"b", 11),))
    bench.say(watch_id=0, events=(event(b"a", 12),))
    assert (await one.receive()).events == (event(b"a", 12),)
    assert (await two.receive()).events == (event(b"b", 11),)
    assert bench.port.credit == bench.said


async def test_watches_are_numbered_by_us_and_never_zero() -> None:
    """A refusal of etcd 3.5 would otherwise silence the watch that is really number 0."""
    bench = Bench()
    for _ in range(3):
        bench.stream.add(WatchCreateRequest(key=b"k"))
    asked = [request.create_request for request in bench.port.sent]
    assert [request and request.watch_id for request in asked] == [1, 2, 3]


async def test_credit_is_returned_only_when_a_response_is_received() -> None:
    bench = Bench()
    watch = bench.watch(0)
    created = bench.port.credit
    bench.say(watch_id=0, events=(event(b"a", 11),))
    assert bench.port.credit == created
    await watch.receive()
    assert bench.port.credit == bench.said


async def test_fragments_are_joined() -> None:
    bench = Bench()
    watch = bench.watch(0)
    for number in range(3):
        bench.say(watch_id=0, fragment=number < 2, events=(event(b"%d" % number, 11),))
    whole = await watch.receive()
    assert [each.kv.key for each in whole.events] == [b"0", b"1", b"2"]
    assert not whole.fragment


async def test_a_notice_for_all_watches_reaches_all() -> None:
    bench = Bench()
    watches = [bench.watch(number) for number in range(3)]
    watches[0].request_progress()
    assert bench.port.sent[-1].progress_request is not None
    bench.say(watch_id=-1)
    for watch in watches:
        assert (await watch.receive()).watch_id == -1


@pytest.mark.parametrize(
    ("watch_id", "reason", "compact_revision", "kind"),
    [
        (-1, "rpc error: code = Unauthenticated desc = invalid auth token", 0, Unauthenticated),
        (0, "rpc error: code = PermissionDenied desc = permission denied", 0, PermissionDenied),
        (0, "mvcc: required revision has been compacted", 99, Compacted),
        (0, "", 99, Compacted),
        (0, "something new", 0, WatchCanceled),
    ],
)
async def test_created_and_canceled_in_one_breath_is_a_refusal(
    watch_id: int, reason: str, compact_revision: int, kind: type[EtcdError]
) -> None:
    """A client that looked at `created` alone would wait for ever."""
    bench = Bench()
    bystander = bench.watch(0)
    watch = bench.stream.add(WatchCreateRequest(key=b"k"))
    bench.say(
        watch_id=watch_id,
        created=True,
        canceled=True,
        cancel_reason=reason,
        compact_revision=compact_revision,
    )
    with pytest.raises(kind):
        await watch.created()
    bench.say(watch_id=0, events=(event(b"a", 11),))
    assert (await bystander.receive()).events


async def test_a_compaction_later_on_ends_that_watch_after_what_it_had() -> None:
    bench = Bench()
    watch = bench.watch(0)
    bench.say(watch_id=0, events=(event(b"a", 11),))
    bench.say(watch_id=0, canceled=True, compact_revision=50)
    assert (await watch.receive()).events
    with pytest.raises(Compacted) as caught:
        await watch.receive()
    assert caught.value.compact_revision == 50


async def test_the_end_of_the_stream_ends_every_watch() -> None:
    bench = Bench()
    watch = bench.watch(0)
    pending = bench.stream.add(WatchCreateRequest(key=b"p"))
    bench.rpc.ended(ConnectionLost("cut"))
    for waiting in (watch.receive, pending.created):
        with pytest.raises(ConnectionLost, match="cut"):
            await waiting()
    assert bench.stream.over
    assert len(bench.ends) == 1


async def test_a_stream_that_ended_while_it_was_opened_fails_its_first_watch() -> None:
    bench = Bench()
    bench.rpc.ended(ConnectionLost("cut"))
    watch = bench.stream.add(WatchCreateRequest(key=b"k"))
    with pytest.raises(ConnectionLost, match="cut"):
        await watch.created()
    bench.stream.remove(watch)


async def test_a_removed_watch_is_canceled_and_the_last_takes_the_stream_along() -> None:
    bench = Bench()
    one, two = bench.watch(4), bench.watch(5)
    bench.say(watch_id=4, events=(event(b"a", 11),))
    bench.stream.remove(one)
    cancel = bench.port.sent[-1].cancel_request
    assert cancel is not None
    assert cancel.watch_id == 4
    assert bench.port.credit == bench.said  # what it left unread is not held against the stream
    bench.say(watch_id=4, events=(event(b"a", 12),))  # on its way when the cancel was
    assert bench.port.resets == 0
    bench.stream.remove(two)
    assert bench.port.resets == 1
    assert bench.ends == []


async def test_a_watch_given_up_before_its_answer_keeps_its_place_in_the_order() -> None:
    bench = Bench()
    bench.watch(0)
    given_up = bench.stream.add(WatchCreateRequest(key=b"x"))
    wanted = bench.stream.add(WatchCreateRequest(key=b"y"))
    bench.stream.remove(given_up)
    bench.say(watch_id=1, created=True)
    bench.say(watch_id=2, created=True)
    await wanted.created()
    assert wanted.watch_id == 2
    cancel = bench.port.sent[-1].cancel_request
    assert cancel is not None
    assert cancel.watch_id == 1


async def test_one_of_many_that_is_not_read_is_cut_off_and_the_others_go_on() -> None:
    bench = Bench()
    slow, quick = bench.watch(0), bench.watch(1)
    for number in range(30):
        bench.say(watch_id=0, events=(event(b"a", 11 + number, bytes(100_000)),))
        bench.say(watch_id=1, events=(event(b"b", 11 + number),))
        await quick.receive()
    with pytest.raises(WatchOverflow):
        await slow.receive()
    assert bench.port.credit == bench.said


async def test_the_only_watch_may_be_as_slow_as_it_likes() -> None:
    bench = Bench()
    watch = bench.watch(0)
    for number in range(60):
        bench.say(watch_id=0, events=(event(b"a", 11 + number, bytes(100_000)),))
    for _ in range(60):
        await watch.receive()


@pytest.mark.parametrize(
    "speak",
    [
        lambda bench: bench.rpc.message(b"\xff\xff\xff"),
        lambda bench: bench.say(watch_id=9, created=True),
    ],
)
async def test_a_server_that_talks_nonsense_ends_the_stream(
    speak: Callable[[Bench], None],
) -> None:
    bench = Bench()
    watch = bench.watch(0)
    speak(bench)
    with pytest.raises(ProtocolError):
        await watch.receive()
    assert bench.stream.over


def test_every_refusal_has_its_error() -> None:
    assert isinstance(refusal(WatchResponse(cancel_reason="no")), WatchCanceled)
