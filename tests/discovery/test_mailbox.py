"""The mailbox: all events in order while there is room, and never a wrong sum beyond."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.discovery.events import Cause, Event, Kind
from lochkit.discovery.host import Host, Infos
from lochkit.discovery.mailbox import Mailbox
from tests.discovery.registry_words import Kept, words

UUIDS = ("a", "b", "c")


class Teller:
    """Makes events that fit each other.

    Attributes:
        hosts: who is there.
        told: how many events were made.
    """

    def __init__(self) -> None:
        self.hosts: dict[str, Host] = {}
        self.infos: Infos | None = None
        self.stale = False
        self.told = 0

    def tell(self, word: str) -> Event | None:
        """``+a``, ``-a``, ``*a`` (changed), ``*a=x`` (to that name), ``i``, ``!`` (stale or
        fresh); None when that can not be now."""
        self.told += 1
        verb, uuid, name = word[0], word[1:2], word[3:] or f"{self.told}"
        before = self.hosts.get(uuid)
        match verb:
            case "+" if before is None:
                self.hosts[uuid] = Host(name=name, service="web", uuid=uuid)
                return self._event(Kind.NEW, uuid)
            case "-" if before is not None:
                event = self._event(Kind.DOWN, uuid, cause=Cause.EXPIRED)
                del self.hosts[uuid]
                return event
            case "*" if before is not None and before.name != name:
                self.hosts[uuid] = Host(name=name, service="web", uuid=uuid)
                return self._event(Kind.CHANGED, uuid, previous=before)
            case "i":
                self.infos = None if self.infos else Infos(name="web")
                return Event(kind=Kind.INFOS, service="web", infos=self.infos)
            case "!":
                self.stale = not self.stale
                return Event(kind=Kind.STALE if self.stale else Kind.FRESH, service="")
        return None

    def _event(
        self, kind: Kind, uuid: str, *, previous: Host | None = None, cause: Cause | None = None
    ) -> Event:
        host = self.hosts[uuid]
        return Event(
            kind=kind,
            service="web",
            uuid=uuid,
            host=host,
            previous=previous,
            cause=cause,
            revision=self.told,
        )


def filled(text: str, *, room: int = 1, kinds: tuple[Kind, ...] = tuple(Kind)) -> Mailbox:
    """A mailbox with the events of ``text``; the first, ``!``, fills a room of 1."""
    mailbox, teller = Mailbox(kinds, room=room), Teller()
    for word in text.split():
        event = teller.tell(word)
        assert event is not None, word
        mailbox.put(event)
    return mailbox


def emptied(mailbox: Mailbox) -> list[Event]:
    events = []
    while (event := mailbox.take()) is not None:
        events.append(event)
    assert len(mailbox) == 0
    return events


def test_all_is_told_in_order_while_there_is_room() -> None:
    mailbox = filled("+a *a -a +b i !", room=6)
    told = words(emptied(mailbox))
    assert told == ["new web/a", "changed web/a", *words_of("-a +b i !")]
    assert mailbox.merged == 0


def words_of(text: str) -> list[str]:
    table = {"+": "new web/{}", "-": "down web/{} expired", "*": "changed web/{}"}
    table |= {"i": "infos web", "!": "stale", "?": "fresh"}
    return [table[word[0]].format(word[1:2]) for word in text.split()]


@pytest.mark.parametrize(
    ("room", "told", "sum_"),
    [
        (1, "! +a -a", "!"),
        (1, "! +a -a +a", "! +a"),
        (1, "! +a *a *a", "! +a"),
        (1, "+a *a *a", "+a *a"),
        (1, "+a *a=x *a=y *a=x", "+a *a"),
        (3, "+a=x *a=y *a=x", "+a *a *a"),
        (2, "+a=x ! *a=y *a=x", "+a !"),
        (1, "+a *a -a", "+a -a"),
        (2, "+a ! -a +a", "+a ! -a +a"),
        (2, "+a ! -a +a *a", "+a ! -a +a"),
        (2, "+a ! -a +a -a", "+a ! -a"),
        (2, "+a ! -a +a -a +a -a +a", "+a ! -a +a"),
        (1, "! +a +b *a -b", "! +a"),
        (2, "+b ! +a -b *a", "+b ! +a -b"),
        (1, "+a i i", "+a i"),
        (1, "+a ! !", "+a"),
        (1, "! !", "! ?"),
        (1, "! ! !", "!"),
        (1, "! ! +a ! !", "! +a ?"),
    ],
)
def test_what_finds_no_room_is_added_up(room: int, told: str, sum_: str) -> None:
    assert words(emptied(filled(told, room=room))) == words_of(sum_)


def test_a_sum_of_changes_has_the_first_and_the_last_record() -> None:
    events = emptied(filled("+a=one ! *a=two *a=three", room=2))
    assert events[-1].previous == Host(name="one", service="web", uuid="a")
    assert events[-1].host == Host(name="three", service="web", uuid="a")
    assert events[-1].revision == 4


def test_only_what_is_wanted_is_told_and_takes_room() -> None:
    mailbox = filled("+a *a -a +b *b *b -b +c", room=2, kinds=(Kind.DOWN,))
    assert words(emptied(mailbox)) == words_of("-a -b")
    # Who comes and goes while there is no room is not told as come.
    mailbox = filled("+a +b -b +c", room=1, kinds=(Kind.NEW,))
    assert words(emptied(mailbox)) == words_of("+a +c")
    assert mailbox.merged == 2


def test_after_a_sum_there_is_room_again() -> None:
    mailbox, teller = filled("! +a", room=1), Teller()
    assert words(emptied(mailbox)) == words_of("! +a")
    for word in ("+b", "*b"):
        event = teller.tell(word)
        assert event is not None
        mailbox.put(event)
        assert emptied(mailbox) == [event]
    assert mailbox.merged == 0


def test_there_is_room_for_one_at_least() -> None:
    with pytest.raises(ValueError, match="room"):
        Mailbox(room=0)


WORDS = st.sampled_from(
    [f"{verb}{uuid}" for verb in "+-*" for uuid in UUIDS]
    + [f"*{uuid}={name}" for uuid in UUIDS for name in "xy"]
    + ["i", "!"]
)
TAKE = st.just("take")


@given(st.lists(st.one_of(WORDS, WORDS, TAKE), max_size=80), st.integers(1, 6))
def test_however_slow_what_is_told_leads_to_the_truth(script: list[str], room: int) -> None:
    mailbox, teller, kept = Mailbox(room=room), Teller(), Kept()
    for word in script:
        if word == "take":
            taken = mailbox.take()
            if taken is not None:
                kept.take(taken)
        elif (event := teller.tell(word)) is not None:
            mailbox.put(event)
        # Each instance may go and come again; the infos and the standing are one each.
        assert len(mailbox) <= room + 2 * len(UUIDS) + 2
    for event in emptied(mailbox):
        kept.take(event)
    assert kept.hosts == {("web", uuid): host for uuid, host in teller.hosts.items()}
    assert kept.infos.get("web") == teller.infos
    assert kept.stale is teller.stale


@given(st.lists(WORDS, max_size=60), st.integers(1, 6))
def test_what_came_back_is_fresh_only_after_what_happened_before(
    script: list[str], room: int
) -> None:
    """FRESH promises that what happened in the outage was told."""
    mailbox, teller = Mailbox(room=room), Teller()
    for word in ["!", *script]:
        if word != "!" or not teller.told:
            event = teller.tell(word)
            if event is not None:
                mailbox.put(event)
    fresh = teller.tell("!")
    assert fresh is not None
    mailbox.put(fresh)
    truth = dict(teller.hosts)
    kept = Kept()
    for event in emptied(mailbox):
        kept.take(event)
        if event.kind is Kind.FRESH:
            assert kept.hosts == {("web", uuid): host for uuid, host in truth.items()}
            break
    assert not kept.stale


@pytest.mark.parametrize(("first", "second"), [(False, True), (True, False), (False, False)])
def test_a_sum_with_something_that_was_found_out_is_found_out(first: bool, second: bool) -> None:
    mailbox, teller = Mailbox(room=1), Teller()
    for word, synthetic in (("+b", False), ("+a", first), ("*a", second)):
        event = teller.tell(word)
        assert event is not None
        mailbox.put(replace(event, synthetic=synthetic))
    assert [event.synthetic for event in emptied(mailbox)] == [False, first or second]
