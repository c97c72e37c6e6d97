"""The sender's verdict."""

import json

import pytest

from lochkit.wire.faults import WireFault
from lochkit.wire.frames import TRAILER_LIMIT
from lochkit.wire.trailer import Trailer, decode_trailer, encode_trailer


@pytest.mark.parametrize(
    "trailer",
    [Trailer(ok=True, bytes=0), Trailer(ok=False, bytes=2**63, error="cannot send 'a/b'")],
)
def test_what_is_sent_is_received(trailer: Trailer) -> None:
    assert decode_trailer(encode_trailer(trailer)) == trailer


def test_a_long_error_is_cut_and_fits() -> None:
    data = encode_trailer(Trailer(ok=False, bytes=1, error="\u20ac" * 100_000))
    assert len(data) <= TRAILER_LIMIT
    assert decode_trailer(data).error == "\u20ac" * 4096


@pytest.mark.parametrize(
    "changed",
    [
        {"Ok": 1},
        {"Ok": None},
        {"Bytes": "1"},
        {"Bytes": True},
        {"Bytes": 1.0},
        {"Bytes": -1},
        {"Error": None},
        {"Error": ["x"]},
    ],
)
def test_another_type_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(WireFault, match="verdict"):
        decode_trailer(json.dumps({"Ok": True, "Bytes": 1, "Error": "", **changed}).encode())


@pytest.mark.parametrize("missing", ["Ok", "Bytes", "Error"])
def test_nothing_may_be_missing(missing: str) -> None:
    message = {"Ok": True, "Bytes": 1, "Error": ""}
    del message[missing]
    with pytest.raises(WireFault, match="verdict"):
        decode_trailer(json.dumps(message).encode())
