"""The state machine of a registration, against a store where anything may happen in any order.

Whatever is lost, doubled, late, or done by others: once it is quiet the store holds what it should,
on one lease, and it took few writes to get there.
"""

import json
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from lochkit.discovery.host import Credentials, Host, State
from lochkit.discovery.layout import DEFAULT_LAYOUT
from lochkit.discovery.tenure import Tenure
from lochkit.discovery.writing import Action, Sighting, found_instead, transaction
from lochkit.etcd.messages import KeyValue, TxnResponse
from tests.fakes.lease_state import LeaseState

HOST = Host(name="a", service="web", uuid="u-a", ports={"http": "80"}, private_hostname="a")
OWN, INFOS, WORD = b"/services/web/u-a", b"/services_infos/web", b"/word"


class World:
    """One tenure, the store, and what is on its way between them."""

    def __init__(self, host: Host, *, takeover: bool = False) -> None:
        self.store = LeaseState()
        self.tenure = Tenure(host, DEFAULT_LAYOUT, takeover=takeover)
        self.tenure.published = {WORD: b"1"}
        self.now = 0.0
        self.told = 0
        self.leases = 0
        self.writes = 0

    def grant(self) -> None:
        self.leases += 1
        self.store.living[self.leases] = 0.0
        self.tenure.granted(self.leases)

    def write(self, *, arrives: bool = True, answered: bool = True) -> None:
        tenure, store = self.tenure, self.store
        writing = tenure.writing()
        tenure.sent(writing)
        if not arrives:
            return
        if writing.lease not in store.living:
            tenure.lease_lost()
            return
        self.writes += 1
        compare, success, failure = transaction(writing, OWN, INFOS)
        succeeded = all(map(store.holds, compare))
        responses = store.do(success if succeeded else failure)
        if not answered:
            return
        if succeeded:
            tenure.committed(writing, store.revision, self.now)
        else:
            answer = TxnResponse(header=store.header(), responses=tuple(responses))
            tenure.refused(found_instead(answer, self.now))

    def watch(self, count: int = 1) -> None:
        """Tell the next events."""
        for event in self.store.history[self.told : self.told + count]:
            kv = event.kv if event.kv.version else None
            seen = Sighting(event.kv.mod_revision, kv, heard=self.now)
            if event.kv.key == OWN:
                self.tenure.saw_own(seen)
            elif event.kv.key == INFOS:
                self.tenure.saw_infos(seen)
        self.told = min(self.told + count, len(self.store.history))

    def read(self) -> None:
        """Read both keys, as after an interruption."""
        self.now += 1
        for key, tell in ((OWN, self.tenure.saw_own), (INFOS, self.tenure.saw_infos)):
            tell(Sighting(self.store.revision, self.store.state.get(key), self.now, self.now))
        self.told = len(self.store.history)

    def settle(self) -> int:
        """Let everything be told and done; how many writes that took."""
        before = self.writes
        for _ in range(40):
            self.now += 1
            if self.tenure.lease and self.tenure.lease not in self.store.living:
                self.tenure.lease_lost()
            self.watch(1000)
            match self.tenure.next():
                case Action.GRANT:
                    self.grant()
                case Action.WRITE | Action.MEND:
                    self.write()
                case Action.REST:
                    if self.told == len(self.store.history):
                        return self.writes - before
        raise AssertionError("it never rests")

    def check(self) -> None:
        tenure, state = self.tenure, self.store.state
        record = json.loads(state[OWN].value)
        assert state[OWN].lease == tenure.lease in self.store.living
        assert record.get("user", "") == tenure.host.user
        assert record.get("password", "") == tenure.host.password
        assert (WORD in state) == tenure.host.in_rotation
        assert WORD not in state or state[WORD].lease == tenure.lease
        assert INFOS in state


RECORDS = (
    *(b"", b"junk", b"{}", b'{"name":"web","critical":true,"note":1}'),
    *(b'{"public":true,"user":"o","password":"1"}', b'{"public":true,"user":"o","password":"2"}'),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.booleans(), st.booleans()),
        st.tuples(st.just("watch"), st.integers(1, 3)),
        st.tuples(st.just("read")),
        st.tuples(st.just("infos"), st.sampled_from(RECORDS)),
        st.tuples(st.just("own"), st.sampled_from(RECORDS), st.booleans()),
        st.tuples(st.sampled_from(("drop infos", "drop own", "end lease", "lose lease"))),
        st.tuples(st.just("state"), st.sampled_from(list(State)[:3])),
        st.tuples(st.just("weight"), st.integers(0, 3)),
        st.tuples(st.just("bring"), st.sampled_from("xyz")),
        st.tuples(st.just("replaced")),
    ),
    max_size=25,
)


def do(world: World, step: tuple[object, ...]) -> None:
    tenure, store = world.tenure, world.store
    match step:
        case ("write", bool(arrives), bool(answered)):
            if tenure.next() is Action.GRANT:
                world.grant()
            elif tenure.next() is not Action.REST:
                world.write(arrives=arrives, answered=answered)
        case ("watch", int(count)):
            world.watch(count)
        case ("read",):
            world.read()
        case ("infos", bytes(value)):
            store.commit([(INFOS, value, 0)], [])
        case ("own", bytes(value), bool(leased)):
            lease = tenure.lease if leased and tenure.lease in store.living else 0
            store.commit([(OWN, value, lease)], [])
        case ("drop infos",):
            store.commit([], [INFOS])
        case ("drop own",):
            store.commit([], [OWN])
        case ("end lease",):
            if tenure.lease in store.living:
                store.end_lease(tenure.lease)
        case ("lose lease",):
            tenure.lease_lost()
        case ("state", State() as state):
            tenure.want(replace(tenure.host, state=state), brings=False)
        case ("weight", int(weight)):
            tenure.want(replace(tenure.host, weight=weight), brings=False)
        case ("bring", str(word)):
            tenure.want(replace(tenure.host, user=word, password=word), brings=True)
        case ("replaced",):  # another store, empty, with lower revisions
            store.state.clear()
            store.living.clear()
            store.history.clear()
            store.revision = 1
            world.told = 0
            world.read()


@settings(max_examples=400, deadline=None)
@given(STEPS, st.booleans(), st.booleans(), st.booleans())
def test_it_ends_well(
    steps: list[tuple[object, ...]], public: bool, brings: bool, takeover: bool
) -> None:
    user = "me" if brings else ""
    world = World(replace(HOST, public=public, user=user, password=user), takeover=takeover)
    for step in steps:
        world.now += 1
        do(world, step)
    world.settle()
    world.check()
    held = world.tenure.host.credentials
    infos = world.store.state[INFOS].value
    if public and json.loads(infos or b"{}" if infos != b"junk" else b"{}").get("public"):
        assert json.loads(infos).get("user", "") == held.user
    if not public:
        brought = [str(step[1]) for step in steps if step[0] == "bring"]
        assert held.user == (brought or [user])[-1]
    # From here on nothing is written any more; and one flip is one write.
    assert world.settle() == 0
    world.tenure.want(replace(world.tenure.host, state=State.LEAVING), brings=False)
    assert world.settle() == 1


def test_a_plain_start_is_one_write() -> None:
    world = World(HOST)
    assert world.settle() == 1
    assert world.store.state.keys() == {OWN, INFOS, WORD}


def test_a_start_beside_others_is_one_write_when_they_were_seen() -> None:
    world = World(replace(HOST, public=True))
    there = {"name": "web", "hostname": "a", "ports": {"http": "80"}, "public": True}
    value = json.dumps(there | {"user": "o", "password": "1"}).encode()
    world.store.commit([(INFOS, value, 0)], [])
    world.watch()
    assert world.settle() == 1
    assert world.tenure.host.credentials == Credentials("o", "1")


def test_a_write_that_arrives_late_does_no_harm() -> None:
    world = World(HOST)
    world.settle()
    tenure = world.tenure
    tenure.want(replace(tenure.host, state=State.CRITICAL), brings=False)
    late = transaction(tenure.writing(), OWN, INFOS)
    tenure.sent(tenure.writing())
    tenure.want(replace(tenure.host, state=State.PASSING), brings=False)
    tenure.want(replace(tenure.host, weight=5), brings=False)
    world.settle()
    assert not all(map(world.store.holds, late.compare))


def test_what_was_given_up_is_remembered() -> None:
    world = World(HOST)
    world.settle()
    world.tenure.lease_lost()
    assert world.tenure.strays == {1}
    assert not world.tenure.standing
    world.settle()
    assert world.store.state[OWN].lease == 2
    assert world.store.state[WORD].lease == 2


def test_a_leaving_instance_writes_no_infos() -> None:
    world = World(HOST)
    world.settle()
    world.tenure.leave()
    world.store.commit([], [INFOS])
    assert world.settle() == 1
    assert world.tenure.said_leaving
    assert world.store.state.keys() == {OWN}
    assert isinstance(world.store.state[OWN], KeyValue)
