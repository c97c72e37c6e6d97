"""The roster: what each change of a key comes to, and that nothing is lost in any history."""

from hypothesis import given
from hypothesis import strategies as st

from lochkit.discovery.events import Cause, Kind
from lochkit.discovery.host import State
from lochkit.discovery.lookup import service_of
from lochkit.discovery.roster import Roster
from lochkit.etcd.messages import KeyValue
from lochkit.etcd.model import Appeared, KeyChange, Origin, Step
from tests.discovery.registry_words import Kept, host_key, host_value, infos_key, step, words

A = host_key("web/a")
INFOS = infos_key("web")
JUNK = b"10.0.0.1:80"


def kv(key: bytes, revision: int, value: bytes, *, created: int = 0, lease: int = 7) -> KeyValue:
    return KeyValue(
        key=key,
        create_revision=created or revision,
        mod_revision=revision,
        value=value,
        lease=lease,
    )


def roster_with(*kvs: KeyValue) -> Roster:
    roster = Roster()
    changes = Appeared({one.key: one for one in kvs})
    roster.take(Step(revision=5, changes=changes, origin=Origin.LISTED))
    return roster


def test_an_instance_comes_changes_and_goes() -> None:
    roster = Roster()
    old = kv(A, 2, host_value("one"))
    new = kv(A, 3, host_value("two"), created=2)
    came = roster.take(step(2, (A, None, old))).events
    changed = roster.take(step(3, (A, old, new))).events
    gone = roster.take(step(4, (A, new, None))).events
    assert words([*came, *changed, *gone]) == ["new web/a", "changed web/a", "down web/a expired"]
    assert [event.revision for event in (*came, *changed, *gone)] == [2, 3, 4]
    assert changed[0].previous == came[0].host
    assert changed[0].host == gone[0].host
    assert changed[0].host is not None
    assert changed[0].host.name == "two"
    assert roster.names() == []


def test_the_cause_is_told_by_the_last_record() -> None:
    leaving = host_value(lochkit={"state": "leaving"})
    for last, cause in (
        (kv(A, 2, host_value()), Cause.EXPIRED),
        (kv(A, 2, host_value(), lease=0), Cause.REMOVED),
        (kv(A, 2, leaving), Cause.LEFT),
        (kv(A, 2, leaving, lease=0), Cause.LEFT),
    ):
        (event,) = roster_with(last).take(step(6, (A, last, None))).events
        assert event.cause is cause
        assert event.host is not None
        assert (event.host.state is State.LEAVING) is (cause is Cause.LEFT)


def test_a_key_made_anew_is_another_instance() -> None:
    old, new = kv(A, 2, host_value()), kv(A, 9, host_value())
    outcome = roster_with(old).take(step(9, (A, old, new), origin=Origin.RESYNCED))
    assert words(outcome.events) == ["down web/a expired ~", "new web/a ~"]


def test_who_repeats_itself_has_changed_nothing_but_is_known_by_its_new_lease() -> None:
    old = kv(A, 2, host_value())
    new = kv(A, 6, host_value(), created=2, lease=0)
    roster = roster_with(old)
    assert roster.take(step(6, (A, old, new))).events == ()
    assert roster.service("web").instances[0].mod_revision == 6
    assert words(roster.take(step(7, (A, new, None))).events) == ["down web/a removed"]


def test_junk_is_told_once_and_takes_nobody_down() -> None:
    roster = Roster()
    good, bad = kv(A, 2, host_value("good")), kv(A, 3, JUNK, created=2)
    worse, well = kv(A, 4, b"[]", created=2), kv(A, 5, host_value("well"), created=2)
    roster.take(step(2, (A, None, good)))
    outcome = roster.take(step(3, (A, good, bad)))
    assert outcome.events == ()
    assert [fault.key for fault in outcome.faults] == ["/services/web/a"]
    assert roster.take(step(4, (A, bad, worse))) == ((), ())
    service = roster.service("web")
    assert service.first().name == "good"
    assert len(service.faults) == 1
    outcome = roster.take(step(5, (A, worse, well)))
    assert words(outcome.events) == ["changed web/a"]
    assert outcome.events[0].previous == service.first()
    assert roster.service("web").faults == ()
    assert len(roster.take(step(6, (A, well, kv(A, 6, JUNK, created=2)))).faults) == 1


def test_junk_that_was_never_a_host_comes_and_goes_unheard() -> None:
    roster = Roster()
    bad = kv(A, 2, JUNK)
    outcome = roster.take(step(2, (A, None, bad)))
    assert outcome.events == ()
    assert len(outcome.faults) == 1
    assert roster.names() == ["web"]
    assert roster.take(step(3, (A, bad, None))) == ((), ())
    assert roster.names() == []


def test_junk_under_a_key_made_anew_is_the_end_of_the_old_instance() -> None:
    good, bad = kv(A, 2, host_value()), kv(A, 6, JUNK)
    outcome = roster_with(good).take(step(6, (A, good, bad)))
    assert words(outcome.events) == ["down web/a expired"]
    assert len(outcome.faults) == 1


def test_infos_come_change_turn_bad_and_go() -> None:
    roster = Roster()
    values = (b'{"name":"web","critical":false}', b'{"name":"web","critical":true}', JUNK, b"x")
    kvs = [kv(INFOS, number, value, created=2) for number, value in enumerate(values, start=2)]
    told, faults = [], 0
    for old, new in zip((None, *kvs), (*kvs, None), strict=True):
        outcome = roster.take(step(9, (INFOS, old, new)))
        told += [event.infos.critical if event.infos else None for event in outcome.events]
        faults += len(outcome.faults)
    assert told == [False, True, None]
    assert faults == 1
    assert roster.names() == []


def test_infos_that_are_written_again_as_they_were_are_no_news() -> None:
    old, new = (kv(INFOS, number, b'{"name":"web"}', created=2) for number in (2, 3))
    assert roster_with(old).take(step(6, (INFOS, old, new))) == ((), ())


def test_a_service_with_the_same_beginning_and_foreign_keys_stay_apart() -> None:
    roster = roster_with(
        kv(A, 2, host_value()),
        kv(host_key("web2/b"), 3, host_value()),
        kv(b"/services/lonely", 3, host_value()),
        kv(b"/elsewhere/web/c", 4, host_value()),
    )
    assert roster.names() == ["web", "web2"]
    assert [one.uuid for one in roster.service("web").instances] == ["a"]


def test_what_is_present_is_told_infos_first_and_then_by_age() -> None:
    roster = roster_with(
        kv(A, 9, host_value(), created=8),
        kv(host_key("web/z"), 3, host_value()),
        kv(INFOS, 4, b"{}"),
        kv(host_key("db/1"), 4, JUNK),
    )
    assert words(roster.present(["web"])) == ["infos web ~", "new web/z ~", "new web/a ~"]
    assert roster.present() == roster.present(["web"])
    assert roster.present(["nobody"]) == []


def test_a_service_is_made_once_until_it_changes_and_can_be_called_stale() -> None:
    old = kv(A, 2, host_value())
    roster = roster_with(old)
    assert roster.service("web") is roster.service("web")
    assert roster.service("web", stale=True).stale
    assert not roster.service("web").stale
    assert roster.service("nobody", stale=True).stale
    roster.take(step(6, (A, old, None)))
    assert roster.service("web").instances == ()


def test_only_a_new_list_takes_the_revision_back() -> None:
    roster = roster_with(kv(A, 2, host_value()))
    roster.take(step(3, origin=Origin.WATCHED))
    assert roster.revision == 5
    roster.take(step(3, origin=Origin.RESYNCED))
    assert roster.revision == 3


KEYS = (*map(host_key, ("web/a", "web/b", "db/c")), INFOS)
VALUES = (None, host_value("x"), host_value("y"), host_value("x", lochkit={"weight": 3}), JUNK)
WRITES = st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(VALUES)), max_size=40)


def _history(writes: list[tuple[bytes, bytes | None]]) -> list[dict[bytes, KeyValue]]:
    """The state of the store at each revision."""
    states: list[dict[bytes, KeyValue]] = [{}]
    for revision, (key, value) in enumerate(writes, start=2):
        state = dict(states[-1])
        before = state.pop(key, None)
        if value is not None:
            created = before.create_revision if before else revision
            state[key] = kv(key, revision, value, created=created)
        states.append(state)
    return states


@given(WRITES, st.data())
def test_any_history_in_any_pieces_leads_to_the_truth(
    writes: list[tuple[bytes, bytes | None]], data: st.DataObject
) -> None:
    """Applied one by one, merged or compared; each perhaps twice."""
    states = _history(writes)
    roster, kept, at = Roster(), Kept(), 0
    while at < len(states) - 1:
        to = data.draw(st.integers(at + 1, len(states) - 1))
        changes = {}
        for key in states[at].keys() | states[to].keys():
            old, new = states[at].get(key), states[to].get(key)
            if old != new:
                changes[key] = KeyChange(key, old, new)
        origin = data.draw(st.sampled_from((Origin.WATCHED, Origin.RESYNCED)))
        piece = Step(revision=to + 1, changes=changes, origin=origin)
        for event in roster.take(piece).events:
            assert event.synthetic is (origin is Origin.RESYNCED)
            kept.take(event)
        if data.draw(st.booleans()):
            assert roster.take(piece) == ((), ())
        at = to
        if data.draw(st.booleans()):
            _compare(roster, kept, states[at])
    _compare(roster, kept, states[-1])


def _compare(roster: Roster, kept: Kept, state: dict[bytes, KeyValue]) -> None:
    """What is known is what a reading would say, but for the last good record of what is bad."""
    hosts = {}
    for name in roster.names():
        service = roster.service(name)
        read = service_of(name, state.get(infos_key(name)), state.values(), 0)
        assert service.infos == read.infos
        assert sorted(service.faults) == sorted(read.faults)
        good = {one.uuid: one for one in read.instances}
        for one in service.instances:
            hosts[name, one.uuid] = one.host
            assert host_key(f"{name}/{one.uuid}") in state
            assert good.pop(one.uuid, one).host == one.host
        assert not good
        assert kept.infos.get(name) == service.infos
    assert kept.hosts == hosts
    assert set(roster.names()) == {
        "web" if key == INFOS else key.split(b"/")[2].decode() for key in state
    }


def test_a_first_list_is_told_too() -> None:
    roster = Roster()
    changes = Appeared({A: kv(A, 2, host_value())})
    outcome = roster.take(Step(revision=5, changes=changes, origin=Origin.LISTED))
    assert [event.kind for event in outcome.events] == [Kind.NEW]
    assert roster.revision == 5
