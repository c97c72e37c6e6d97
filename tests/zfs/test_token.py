"""What zfs says of resume tokens, as recorded on OpenZFS 2.3."""

import pytest

from lochkit.zfs.errors import Failure, ZfsError
from lochkit.zfs.plan_types import ResumeToken
from lochkit.zfs.token import parse_token

FULL = """resume token contents:
nvlist version: 0
	object = 0x80
	offset = 0x0
	bytes = 0x2ca3c8
	toguid = 0x6b9410d888687df
	toname = here/a@s2
	largeblockok = 1
	embedok = 1
	compressok = 1
full	here/a@s2	4926792
size	4926792
"""
INCREMENTAL = """resume token contents:
nvlist version: 0
	fromguid = 0x641dc2ce4e3c623c
	object = 0x3
	offset = 0xa0000
	bytes = 0xc1138
	toguid = 0xbcc165501637b793
	toname = here/a@s 2 with blank
"""


def test_a_full_stream_with_its_flags() -> None:
    assert parse_token("1-a-b-c", FULL) == ResumeToken(
        token="1-a-b-c",
        to_guid=0x6B9410D888687DF,
        to_name="here/a@s2",
        received=0x2CA3C8,
        compressed=True,
        large_blocks=True,
        embedded=True,
    )


def test_an_incremental_stream_without_any() -> None:
    assert parse_token("t", INCREMENTAL) == ResumeToken(
        token="t",
        to_guid=0xBCC165501637B793,
        to_name="here/a@s 2 with blank",
        from_guid=0x641DC2CE4E3C623C,
        received=0xC1138,
    )


def test_a_raw_stream() -> None:
    assert parse_token("t", INCREMENTAL + "\trawok = 1\n").raw
    assert not parse_token("t", INCREMENTAL + "\trawok = 0\n").raw


@pytest.mark.parametrize(
    "output",
    ["", "resume token contents:\n", "\ttoname = a@b\n", "\ttoguid = x\n\ttoname = a@b\n"],
)
def test_what_says_nothing(output: str) -> None:
    with pytest.raises(ZfsError, match="says nothing") as caught:
        parse_token("1-" + "a" * 100, output)
    assert caught.value.failure is Failure.BAD_REQUEST
    assert "a" * 60 not in str(caught.value)
