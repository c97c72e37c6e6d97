"""Single calls: endpoints in turn, retries that are safe, logins, deadlines."""

import pytest
import trio
import trio.testing

from lochkit.etcd.config import Credentials
from lochkit.etcd.errors import (
    AuthFailed,
    ConnectionLost,
    DeadlineExceeded,
    NoLeader,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from lochkit.etcd.kv import KeyValues
from lochkit.etcd.messages import KeyValue, PutResponse, RangeResponse
from lochkit.etcd.prefix import KeyRange
from tests.etcd.grpc_server import Call
from tests.etcd.scripted_etcd import HEADER, Answer, Members, fails, replies, tokens

FOUND = replies(RangeResponse(header=HEADER, kvs=(KeyValue(key=b"k", value=b"v"),), count=1))
PUT = replies(PutResponse(header=HEADER))
ROOT = Credentials(user="root", password="pw")


async def hangs(call: Call) -> None:
    await trio.sleep_forever()


async def breaks(call: Call) -> None:
    await call.server.stream.aclose()


async def test_one_endpoint_is_kept_and_shared(nursery: trio.Nursery) -> None:
    members = Members(nursery, a={"Range": FOUND}, b={"Range": FOUND})
    kv = KeyValues(members.caller())
    async with trio.open_nursery() as asking:
        for _ in range(20):
            asking.start_soon(kv.get, b"k")
    assert members.dialled == ["a"]
    assert members.methods() == [("a", "Range")] * 20


async def test_the_next_endpoint_is_asked_when_one_is_down(nursery: trio.Nursery) -> None:
    members = Members(nursery, a=None, b=None, c={"Range": FOUND})
    found = await KeyValues(members.caller()).get(b"k")
    assert found is not None
    assert found.value == b"v"
    assert members.dialled == ["a", "b", "c"]


async def test_all_down_is_said_of_each_at_the_deadline(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    members = Members(nursery, a=None, b=None)
    with pytest.raises(
        DeadlineExceeded, match=r"a:1: Connection refused; http://b:1: Conn"
    ) as caught:
        await KeyValues(members.caller(timeout=5)).get(b"k")
    assert isinstance(caught.value, Unavailable)
    assert trio.current_time() == pytest.approx(5)
    assert 8 <= len(members.dialled) <= 40  # it backs off between rounds


async def test_a_read_is_repeated_when_the_connection_breaks_under_it(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    members = Members(nursery, a={"Range": breaks}, b={"Range": FOUND})
    assert await KeyValues(members.caller()).get(b"k") is not None
    assert members.methods() == [("a", "Range"), ("b", "Range")]


async def test_a_write_that_may_have_happened_is_not_repeated(nursery: trio.Nursery) -> None:
    members = Members(nursery, a={"Put": breaks}, b={"Put": PUT})
    with pytest.raises(ConnectionLost):
        await KeyValues(members.caller()).put(b"k", b"v")
    assert members.methods() == [("a", "Put")]


async def test_a_write_that_surely_did_not_happen_is_repeated(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    async def refuse(call: Call) -> None:
        call.server.h2.reset_stream(call.stream_id, 7)
        await call.server.flush()
        script["Put"] = PUT

    script: dict[str, Answer] = {"Put": refuse}
    members = Members(nursery, a=None, b=script)
    await KeyValues(members.caller()).put(b"k", b"v")
    assert members.methods() == [("b", "Put"), ("b", "Put")]


async def test_a_member_without_a_leader_is_left(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    members = Members(nursery, a={"Range": fails(14, "etcdserver: no leader")}, b={"Range": FOUND})
    assert await KeyValues(members.caller()).get(b"k") is not None
    assert members.methods() == [("a", "Range"), ("b", "Range")]


async def test_a_hung_endpoint_costs_the_deadline_and_no_more(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    members = Members(nursery, a={"Range": hangs})
    with pytest.raises(DeadlineExceeded, match="no answer to Range within 5 s"):
        await KeyValues(members.caller(timeout=5)).get(b"k")
    assert trio.current_time() == pytest.approx(5)
    await trio.testing.wait_all_tasks_blocked()
    assert members.servers["a"].resets == [1]
    assert members.calls[0][2].headers["grpc-timeout"] == "5000m"


async def test_one_login_serves_all_calls(nursery: trio.Nursery) -> None:
    members = Members(nursery, a={"Range": FOUND, "Authenticate": tokens("t1")})
    kv = KeyValues(members.caller(credentials=ROOT))
    async with trio.open_nursery() as asking:
        for _ in range(5):
            asking.start_soon(kv.get, b"k")
    assert members.methods().count(("a", "Authenticate")) == 1
    assert {call.headers.get("token") for _, m, call in members.calls if m == "Range"} == {"t1"}


async def test_an_expired_token_is_renewed_once_for_all(nursery: trio.Nursery) -> None:
    async def find(call: Call) -> None:
        if call.headers["token"] == "old":
            await fails(16, "etcdserver: invalid auth token")(call)
        else:
            await FOUND(call)

    members = Members(nursery, a={"Range": find, "Authenticate": tokens("old", "new")})
    kv = KeyValues(members.caller(credentials=ROOT))
    async with trio.open_nursery() as asking:
        for _ in range(5):
            asking.start_soon(kv.get, b"k")
    assert members.methods().count(("a", "Authenticate")) == 2


async def test_a_token_that_is_refused_anew_is_an_error(nursery: trio.Nursery) -> None:
    refuse = fails(16, "etcdserver: invalid auth token")
    members = Members(nursery, a={"Range": refuse, "Authenticate": tokens("1", "2", "3")})
    with pytest.raises(Unauthenticated):
        await KeyValues(members.caller(credentials=ROOT)).get(b"k")
    assert members.methods().count(("a", "Range")) == 2


async def test_a_wrong_password_is_said_plainly(nursery: trio.Nursery) -> None:
    refuse = fails(3, "etcdserver: authentication failed, invalid user ID or password")
    members = Members(nursery, a={"Authenticate": refuse})
    with pytest.raises(AuthFailed, match="invalid user ID or password"):
        await KeyValues(members.caller(credentials=ROOT)).get(b"k")


async def test_credentials_do_no_harm_where_nobody_asks_for_them(nursery: trio.Nursery) -> None:
    off = fails(9, "etcdserver: authentication is not enabled")
    members = Members(nursery, a={"Authenticate": off, "Range": FOUND})
    assert await KeyValues(members.caller(credentials=ROOT)).get(b"k") is not None
    assert "token" not in members.calls[-1][2].headers


async def test_answers_are_not_retried(nursery: trio.Nursery) -> None:
    members = Members(nursery, a={"Range": fails(7, "etcdserver: permission denied")})
    with pytest.raises(PermissionDenied):
        await KeyValues(members.caller()).get(b"k")
    assert len(members.calls) == 1


async def test_who_waits_in_a_way_of_its_own_is_told_at_once(nursery: trio.Nursery) -> None:
    members = Members(nursery, a=None, b=None)
    with pytest.raises(Unavailable, match="b:1: Connection refused"):
        await KeyValues(members.caller()).list(KeyRange.prefix(b"/"), persist=False)
    assert members.dialled == ["a", "b"]


async def test_no_leader_anywhere_is_reported_as_such(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    members = Members(nursery, a={"Put": fails(14, "etcdserver: no leader")})
    with pytest.raises(NoLeader):
        await KeyValues(members.caller()).put(b"k", b"v")
