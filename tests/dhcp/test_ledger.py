"""What is left out and since when; the status file; the guards of an installation."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.dhcp.ledger import Entry, Ledger
from lochkit.dhcp.model import Problem, Reason
from lochkit.dhcp.pacing import Pacing
from lochkit.dhcp.shrink import ShrinkGuard
from lochkit.dhcp.status import Quarantined, Status, remembered

BAD_MAC = Problem(Reason.BAD_MAC, "'x' is no MAC address")
WORSE_MAC = Problem(Reason.BAD_MAC, "'y' is no MAC address")
NO_MAC = Problem(Reason.NO_MAC, "it has none")
UNPLACED = Problem(Reason.UNPLACED, "on no hypervisor")


def test_a_reason_is_told_once_and_keeps_its_time_while_it_stays() -> None:
    ledger = Ledger()
    assert ledger.note({"/g": BAD_MAC}, 10) == [("/g", BAD_MAC)]
    assert ledger.note({"/g": WORSE_MAC}, 20) == []
    assert ledger.entries == {"/g": Entry(WORSE_MAC, 10)}
    assert ledger.note({"/g": NO_MAC}, 30) == [("/g", NO_MAC)]
    assert ledger.entries == {"/g": Entry(NO_MAC, 30)}
    assert ledger.note({"/g": None}, 40) == []
    assert ledger.entries == {}
    assert ledger.note({"/g": NO_MAC}, 50) == [("/g", NO_MAC)]


def test_a_guest_that_is_not_placed_is_counted_and_no_fault() -> None:
    ledger = Ledger()
    assert ledger.note({"/g": UNPLACED, "/h": NO_MAC}, 1) == [("/h", NO_MAC)]
    assert ledger.counts() == {"no-mac": 1, "unplaced": 1}
    assert [key for key, _ in ledger.faults()] == ["/h"]


def test_the_time_of_an_earlier_process_is_kept_for_the_same_reason_only() -> None:
    ledger = Ledger({"/a": Entry(BAD_MAC, 1), "/b": Entry(BAD_MAC, 1), "/c": Entry(BAD_MAC, 1)})
    assert ledger.note({"/a": WORSE_MAC, "/b": NO_MAC}, 9) == [("/b", NO_MAC)]
    assert {key: entry.first_seen for key, entry in ledger.entries.items()} == {"/a": 1, "/b": 9}
    ledger.note({"/c": None}, 9)
    ledger.note({"/c": BAD_MAC}, 10)
    assert ledger.entries["/c"].first_seen == 10  # it was well in between


STATUS = Status(
    pid=1,
    backend="isc",
    written=2.5,
    left_out={"bad-mac": 1},
    quarantined=(Quarantined(key="/é", reason="bad-mac", text='"', first_seen=1.5),),
    last_error="no",
)


def test_a_status_survives_its_file() -> None:
    assert Status.from_json(STATUS.to_json()) == STATUS
    assert remembered(STATUS) == {"/é": Entry(Problem(Reason.BAD_MAC, '"'), 1.5)}
    strange = Quarantined(key="/x", reason="of-a-later-version", text="", first_seen=1)
    assert remembered(dataclasses.replace(STATUS, quarantined=(strange,))) == {}


def test_a_status_can_name_a_path_that_is_no_text() -> None:
    named = dataclasses.replace(STATUS, last_error="can not write /etc/\udcff")
    assert Status.from_json(named.to_json()) == named


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pid", "1"),
        ("written", None),
        ("last_apply", "x"),
        ("last_error", 1),
        ("left_out", []),
        ("left_out", {"bad-mac": "1"}),
        ("quarantined", 7),
        ("quarantined", [{"key": "/a", "reason": [], "text": "", "first_seen": 1}]),
        ("quarantined", [{"key": "/a", "reason": "bad-mac", "text": "", "first_seen": "1"}]),
    ],
)
def test_a_status_with_something_else_in_it_is_refused(name: str, value: object) -> None:
    fields = json.loads(STATUS.to_json()) | {name: value}
    with pytest.raises(ValueError, match="not a status file"):
        Status.from_json(json.dumps(fields).encode())


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"{", b'{"pid": 1}', b"\xff", b"[" * 10**5])
def test_what_is_no_status_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Status.from_json(content)


@pytest.mark.parametrize(
    ("before", "after", "guard", "refused"),
    [
        (0, 0, ShrinkGuard(), False),
        (0, 9, ShrinkGuard(), False),
        (1, 0, ShrinkGuard(), True),
        (1, 0, ShrinkGuard(allow_empty=True), False),
        (100, 0, ShrinkGuard(max_percent=100), True),
        (100, 0, ShrinkGuard(max_percent=0, allow_empty=True), False),
        (100, 50, ShrinkGuard(), False),
        (100, 49, ShrinkGuard(), True),
        (100, 99, ShrinkGuard(max_percent=0), True),
        (100, 100, ShrinkGuard(max_percent=0), False),
        (100, 1, ShrinkGuard(max_percent=100), False),
        (100, 300, ShrinkGuard(max_percent=0), False),
    ],
)
def test_too_many_hosts_gone_at_once(
    before: int, after: int, guard: ShrinkGuard, refused: bool
) -> None:
    assert (guard.refusal(before, after) is not None) is refused


@given(st.floats(0.001, 10), st.floats(1, 1000))
def test_a_burst_makes_few_generations(seconds: float, burst: float) -> None:
    pacing = Pacing(limit=2.0)
    elapsed, generations = 0.0, 0
    while elapsed < burst:
        elapsed += pacing.pause + seconds
        pacing.installed(seconds, in_a_row=generations > 0)
        generations += 1
    assert generations <= 8 + burst / 2
    assert pacing.pause <= 2.0


def test_a_change_by_itself_waits_no_longer_than_the_last_one_took() -> None:
    pacing = Pacing(limit=2.0)
    assert pacing.pause == 0
    pacing.installed(0.5, in_a_row=False)
    pacing.installed(0.5, in_a_row=True)
    assert pacing.pause == 2.0
    pacing.installed(0.01, in_a_row=False)
    assert pacing.pause == 0.01
