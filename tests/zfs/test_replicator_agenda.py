"""What is next, of several datasets that are to be sent."""

from lochkit.zfs.replication_agenda import Agenda


def agenda(**entries: tuple[int, str | None]) -> Agenda:
    found = Agenda()
    for name, (urgency, after) in entries.items():
        found.add(name, urgency=urgency, after=after)
    return found


def test_what_has_waited_longest_goes_first() -> None:
    todo = agenda(a=(30, None), b=(10, None), c=(20, None), d=(10, None))
    assert [todo.take(0) for _ in range(5)] == ["b", "d", "c", "a", None]
    assert not todo.finished


def test_what_has_had_a_turn_waits_like_the_others() -> None:
    todo = agenda(a=(10, None), b=(20, None))
    assert todo.take(0) == "a"
    todo.put_back("a", urgency=30)
    assert [todo.take(0), todo.take(0)] == ["b", "a"]


def test_children_follow_the_first_stream_of_their_parent() -> None:
    todo = agenda(top=(90, None), child=(10, "top"), deep=(5, "child"))
    assert todo.take(0) == "top"
    assert todo.take(0) is None
    todo.begun("top")
    assert todo.take(0) == "child"
    assert todo.take(0) is None
    todo.done("child")
    assert todo.take(0) == "deep"
    todo.done("deep")
    todo.done("top")
    assert todo.finished


def test_children_of_what_never_began_are_given_up() -> None:
    todo = agenda(top=(1, None), child=(2, "top"), deep=(3, "child"), other=(4, None))
    assert todo.take(0) == "top"
    assert todo.failed("top") == ["child", "deep"]
    assert todo.take(0) == "other"
    todo.done("other")
    assert todo.finished


def test_children_of_what_failed_later_go_on() -> None:
    todo = agenda(top=(1, None), child=(2, "top"))
    todo.take(0)
    todo.begun("top")
    todo.put_back("top", urgency=1)
    todo.take(0)
    assert todo.failed("top") == []
    assert todo.take(0) == "child"


def test_a_parent_that_is_not_on_the_agenda_is_there() -> None:
    assert agenda(child=(1, "elsewhere")).take(0) == "child"


def test_what_was_put_off_comes_when_it_is_time() -> None:
    todo = agenda(a=(1, None))
    todo.take(0)
    todo.put_back("a", urgency=1, not_before=5.0)
    assert todo.take(4.9) is None
    assert todo.wakes(4.9) == 5.0
    assert not todo.finished
    assert todo.take(5.0) == "a"
    assert todo.wakes(5.0) is None


def test_those_that_could_be_taken_are_told() -> None:
    todo = agenda(a=(3, None), b=(1, None), c=(2, "a"))
    assert todo.ready(0, most=9) == ["b", "a"]
    assert todo.ready(0, most=1) == ["b"]
