"""The straight line takes what etcd writes, and nothing that is anything else."""

import pytest

from lochkit.etcd.messages import Event, EventType, KeyValue, ResponseHeader
from lochkit.etcd.wire import encode
from lochkit.etcd.wire_keyvalues import straight_event, straight_header, straight_key_value

NUMBERS = [1, 127, 128, 2**14 - 1, 2**14, 2**21 - 1, 2**21, 2**28 - 1, 2**28, 2**63 - 1]
SIZES = [0, 1, 127, 128, 2**14 - 1, 2**14, 2**21 - 1]
HEADER = ResponseHeader(cluster_id=2**64 - 1, member_id=300, revision=70_000, raft_term=2)
KEY_VALUE = KeyValue(b"key", 5_000, 70_000, 300, b"value" * 50, 2**62)
DELETED = KeyValue(b"key", 0, 70_000)
LINES = [
    (straight_key_value, KEY_VALUE),
    (straight_key_value, KEY_VALUE._replace(lease=0)),
    (straight_key_value, KEY_VALUE._replace(lease=0, value=b"")),
    (straight_key_value, DELETED),
    (straight_event, Event(EventType.PUT, KEY_VALUE)),
    (straight_event, Event(EventType.PUT, KEY_VALUE, KEY_VALUE)),
    (straight_event, Event(EventType.DELETE, DELETED)),
    (straight_event, Event(EventType.DELETE, DELETED, KEY_VALUE)),
    (straight_header, HEADER),
]


@pytest.mark.parametrize(("line", "message"), LINES)
@pytest.mark.parametrize("around", [b"", b"\x30\x01", b"\x18\x01\x20\x02", b"\xff" * 12])
def test_the_layouts_of_etcd_go_straight(line, message, around) -> None:  # type: ignore[no-untyped-def]
    raw = encode(message)
    data = around + raw + around
    assert line(data, len(around), len(around) + len(raw)) == message


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_of_any_length_go_straight(number: int) -> None:
    for message in (
        KEY_VALUE._replace(create_revision=number, mod_revision=number),
        KEY_VALUE._replace(mod_revision=number, lease=0),
        KEY_VALUE._replace(version=number),
        KEY_VALUE._replace(lease=number),
        DELETED._replace(mod_revision=number),
    ):
        raw = encode(message)
        assert straight_key_value(raw, 0, len(raw)) == message
    header = ResponseHeader(cluster_id=number, member_id=1, revision=number, raft_term=number)
    raw = encode(header)
    assert straight_header(raw, 0, len(raw)) == header


@pytest.mark.parametrize("size", SIZES)
def test_keys_and_values_of_any_length_go_straight(size: int) -> None:
    for message in (
        KEY_VALUE._replace(key=b"k" * max(1, size)),
        KEY_VALUE._replace(value=b"v" * size),
    ):
        if not message.value:
            message = message._replace(lease=0)  # etcd's order has no gap: no lease without a value
        raw = encode(message)
        assert straight_key_value(raw, 0, len(raw)) == message
        raw = encode(Event(EventType.PUT, message))
        assert straight_event(raw, 0, len(raw)) == Event(EventType.PUT, message)


@pytest.mark.parametrize(("line", "message"), LINES)
def test_a_wrong_end_is_never_straight(line, message) -> None:  # type: ignore[no-untyped-def]
    """One byte early or late is noticed, whether the buffer goes on behind the end or not."""
    raw = encode(message)
    assert line(raw, 0, len(raw)) == message
    for end in range(len(raw)):
        shorter = line(raw, 0, end)
        assert shorter is None or encode(shorter) == raw[:end]
        cut = line(raw[:end], 0, end)
        assert cut == shorter
    assert line(raw + b"\x00", 0, len(raw) + 1) is None


@pytest.mark.parametrize(
    "message",
    [
        KEY_VALUE._replace(mod_revision=-1),
        KEY_VALUE._replace(create_revision=-1),
        KEY_VALUE._replace(lease=-(2**63)),
        KEY_VALUE._replace(key=b""),
        KEY_VALUE._replace(version=0),
        KEY_VALUE._replace(create_revision=0, mod_revision=0),
        KeyValue(),
        Event(EventType.PUT, KeyValue()),
        Event(2, KEY_VALUE),
    ],
)
def test_what_etcd_does_not_write_is_left_to_the_table(message: KeyValue | Event) -> None:
    raw = encode(message)
    line = straight_event if isinstance(message, Event) else straight_key_value
    assert line(raw, 0, len(raw)) is None
