"""What checkers say, as real ones have said it, and what an operator is told."""

import json

import pytest

from lochkit.dhcp.complaints import (
    Complaint,
    complaints,
    describe,
    host_at,
    host_with,
    last_words,
    readable,
)

DHCPD = """\
Internet Systems Consortium DHCP Server 4.4.3-P1
Copyright 2004-2022 Internet Systems Consortium.
All rights reserved.
For info, please visit https://www.isc.org/software/dhcp/
/x/guests.conf line 8: expecting numeric value.
        hardware ethernet "x"
                           ^
/x/main.conf line 1: /x/guests.conf: bad parse.
include "/x/guests.conf"
         ^
Configuration file errors encountered -- exiting

If you think you have received this message due to a bug rather
than a configuration issue please read the section on submitting
bugs on either our web page at www.isc.org or in the README file

exiting.
"""


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (DHCPD, [Complaint("/x/guests.conf", 8, 0, "expecting numeric value.")]),
        (
            "Error encountered: Failed to convert string to address 'nil': Invalid argument"
            " (/k/kea.conf:29:78)",
            [
                Complaint(
                    "/k/kea.conf",
                    29,
                    78,
                    "Failed to convert string to address 'nil': Invalid argument",
                )
            ],
        ),
        (
            "Syntax check failed with: /k/kea.conf:29.78: Invalid character: <",
            [Complaint("/k/kea.conf", 29, 78, "Invalid character: <")],
        ),
        (
            "Syntax check failed with: /k/kea.conf:1.2-9: syntax error, unexpected x",
            [Complaint("/k/kea.conf", 1, 2, "syntax error, unexpected x")],
        ),
        (
            "2026 INFO x\nError encountered: specified reservation '1.2.3.4' is not within it",
            [Complaint("", 0, 0, "specified reservation '1.2.3.4' is not within it")],
        ),
        (
            "\ndnsmasq: bad DHCP host name at line 2 of /tmp/a b\n",
            [Complaint("/tmp/a b", 2, 0, "bad DHCP host name")],
        ),
        ("Segmentation fault", []),
        ("", []),
    ],
)
def test_complaints_are_found(said: str, expected: list[Complaint]) -> None:
    assert complaints(said) == expected


def test_only_a_bad_parse_is_better_than_nothing() -> None:
    assert complaints("/x line 1: /y: bad parse.") == [Complaint("/x", 1, 0, "/y: bad parse.")]


def test_a_sentence_has_the_operators_names_and_no_end_of_complaints() -> None:
    found = [(Complaint("/staged/g", n, 0, "wrong"), f"host {n}") for n in range(1, 6)]
    assert describe(found, {"/staged/g": "guests.conf"}) == (
        "guests.conf line 1 (host 1): wrong; guests.conf line 2 (host 2): wrong;"
        " guests.conf line 3 (host 3): wrong; and 2 more"
    )
    assert describe([(Complaint("", 0, 0, "bad"), None)], {}) == "bad"
    assert describe([(Complaint("", 0, 0, "bad"), "a line")], {}) == "a line: bad"


def test_what_is_always_said_is_left_out_and_much_is_cut() -> None:
    words = last_words(DHCPD.replace("line", "l1ne"))
    assert words.startswith("/x/guests.conf l1ne 8")
    assert words.endswith("-- exiting")
    assert len(last_words("x" * 100_000)) < 3000
    assert last_words("") == ""


def test_nothing_of_a_command_reaches_the_terminal_as_a_control() -> None:
    text = readable(b"a\x1b[31mred\r\n\x00b\xffc\x9b1m\xe2\x80\xae d\ttab")
    assert text.split("\n")[0] == "a?[31mred"
    assert all(letter.isprintable() or letter == "\n" for letter in text)


ISC = b"""\
group guests {
    host one {
        hardware ethernet 1;
    }

    host two {
        fixed-address <nil>;
        x
    }
}
"""


@pytest.mark.parametrize(
    ("line", "host"),
    [(1, None), (2, "host one"), (3, "host one"), (5, None), (7, "host two"), (9, "host two")],
)
def test_the_host_of_a_line_of_dhcpd(line: int, host: str | None) -> None:
    assert host_at(ISC, line) == host


def test_a_line_that_is_not_there_has_no_host() -> None:
    assert host_at(ISC, 100) is None
    assert host_at(b"", 1) is None


RESERVATIONS = [
    {"hw-address": "m1", "ip-address": "a1", "user-context": {"lochkit-id": "id1"}},
    {"hw-address": "m2", "ip-address": "a2"},
    {"hw-address": "m3", "ip-address": "a3", "user-context": {"lochkit-id": "id3"}},
]


@pytest.mark.parametrize("indent", [None, 1])
def test_the_host_of_a_place_in_a_file_of_kea(indent: int | None) -> None:
    text = json.dumps(
        {"Dhcp4": {"a": {}, "subnet4": [{"reservations": RESERVATIONS}]}}, indent=indent
    )
    for value, host in (
        ("a1", "host id1"),
        ("a2", "host m2"),
        ("m3", "host id3"),
        ("a3", "host id3"),
    ):
        offset = text.index(f'"{value}"')
        line, column = text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
        assert host_at(text.encode(), line, column) == host
        assert host_with(text.encode(), f"bad '{value}' here") == host
    assert host_at(text.encode(), 1, 2) is None
    assert host_with(text.encode(), "bad 'none' here") is None
