"""What the command of ``lochkit services watch`` is told."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.commands.services_news import Batch, News, View, document, environment
from lochkit.discovery.events import Cause, Event, Kind
from lochkit.discovery.host import Host, Infos, Instance, State
from lochkit.discovery.lookup import Service
from lochkit.discovery.showing import Selection

HOST = Host(name="app1", service="web", ports={"http": "80"}, user="u", password="s3cr3t")
NEW = Event(kind=Kind.NEW, service="web", uuid="a-1", host=HOST, revision=5)
DOWN = Event(kind=Kind.DOWN, service="web", uuid="a-1", host=HOST, cause=Cause.EXPIRED, revision=6)
STALE = Event(kind=Kind.STALE, service="")
WEB = Service(
    name="web",
    infos=Infos(name="web"),
    instances=(
        Instance(service="web", uuid="a-1", host=HOST),
        Instance(service="web", uuid="b-1", host=replace(HOST, state=State.CRITICAL)),
    ),
    revision=6,
)
VIEW = View(services={"web": WEB, "db": Service(name="db")}, revision=6, stale=False)


@pytest.mark.parametrize(
    ("batch", "kind"),
    [
        (Batch(start=True), "start"),
        (Batch(events=(DOWN,)), "down"),
        (Batch(events=(STALE,)), "stale"),
        (Batch(events=(NEW, DOWN)), "several"),
        (Batch(start=True, events=(NEW,)), "several"),
        (Batch(events=(NEW,), dropped=1), "several"),
    ],
)
def test_what_it_is_called(batch: Batch, kind: str) -> None:
    assert batch.kind == kind
    assert environment(VIEW, batch)["LOCHKIT_EVENT"] == kind


def test_the_environment_of_one_event() -> None:
    assert environment(VIEW, Batch(events=(DOWN,))) == {
        "LOCHKIT_EVENT": "down",
        "LOCHKIT_SERVICE": "web",
        "LOCHKIT_UUID": "a-1",
        "LOCHKIT_CAUSE": "expired",
        "LOCHKIT_REVISION": "6",
        "LOCHKIT_STALE": "",
    }
    assert environment(replace(VIEW, stale=True), Batch(events=(STALE,)))["LOCHKIT_STALE"] == "1"


def test_the_environment_of_several_tells_what_they_have_in_common() -> None:
    other = replace(DOWN, uuid="b-1")
    told = environment(VIEW, Batch(events=(DOWN, other)))
    assert (told["LOCHKIT_SERVICE"], told["LOCHKIT_UUID"]) == ("web", "")
    assert told["LOCHKIT_CAUSE"] == "expired"
    assert environment(VIEW, Batch(events=(NEW, DOWN)))["LOCHKIT_CAUSE"] == ""


@given(st.text(max_size=5), st.sampled_from([1, 2000]))
def test_no_name_is_too_odd_for_the_environment(name: str, times: int) -> None:
    event = replace(NEW, service=name * times, uuid=f"\0{name}")
    for word in environment(VIEW, Batch(events=(event,))).values():
        assert "\0" not in word
        assert "\n" not in word
        assert len(word) <= 8 * 1024


def test_the_document_has_the_whole_view() -> None:
    found = json.loads(document(VIEW, Batch(events=(DOWN,)), Selection(), secrets=False))
    assert (found["revision"], found["stale"], found["event"]) == (6, False, "down")
    web = found["services"]["web"]
    assert [one["state"] for one in web["instances"]] == ["passing", "critical"]
    assert found["services"]["db"]["instances"] == []
    [event] = found["events"]
    assert (event["kind"], event["uuid"], event["cause"]) == ("down", "a-1", "expired")
    assert found["events_dropped"] == 0


def test_the_document_has_what_is_selected_only() -> None:
    content = document(VIEW, Batch(start=True), Selection(passing=True), secrets=False)
    assert len(json.loads(content)["services"]["web"]["instances"]) == 1


@pytest.mark.parametrize("secrets", [False, True])
def test_passwords_are_in_the_document_if_asked_for(secrets: bool) -> None:
    content = document(VIEW, Batch(events=(NEW,)), Selection(), secrets=secrets)
    assert (b"s3cr3t" in content) is secrets


def test_news_are_taken_once() -> None:
    news = News(start=True)
    assert news
    news.add(NEW)
    assert news.take() == Batch(start=True, events=(NEW,))
    assert not news
    assert News(start=False).take() == Batch()


def test_what_is_given_back_comes_first() -> None:
    news = News(start=True)
    news.add(NEW)
    failed = news.take()
    news.add(DOWN)
    news.give_back(failed)
    assert news.take() == Batch(start=True, events=(NEW, DOWN))


def numbered(number: int) -> Event:
    return replace(NEW, revision=number)


@given(st.lists(st.sampled_from(["add", "fail", "run"]), max_size=60), st.integers(1, 5))
def test_no_event_is_lost_or_doubled_but_for_the_oldest_which_are_counted(
    steps: list[str], most: int
) -> None:
    news, told, dropped, number = News(start=False, most=most), [], 0, 0
    for step in [*steps, "run"]:
        if step == "add":
            news.add(numbered(number))
            number += 1
            continue
        batch = news.take()
        assert len(batch.events) <= most
        if step == "fail":
            news.give_back(batch)
        else:
            told += [event.revision for event in batch.events]
            dropped += batch.dropped
    assert len(told) + dropped == number
    assert told == sorted(set(told))
    assert not told or told[-1] == number - 1
