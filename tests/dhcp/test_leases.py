"""What Kea, dnsmasq and dhcpd write and answer is read as leases, whatever else there is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.dhcp.leases import Lease, LeaseError, leases_of_answer, read_leases

NOW = 1795260000.0
MAC = "02:1a:4f:c3:77:0"

# As kea-dhcp4 2.2.0 wrote it: two leases, of which one never ends, and one that was deleted.
KEA4 = b"""\
address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context
10.20.0.37,02:1a:4f:c3:77:01,,7200,1795266047,1,0,0,web&#x2c1.example.com.,0,
10.20.0.38,02:1a:4f:c3:77:02,,4294967295,6090226142,1,0,0,,0,
10.20.0.39,02:1a:4f:c3:77:03,,7200,1795266047,1,0,0,,0,
10.20.0.39,02:1a:4f:c3:77:03,,0,1795258847,1,0,0,,0,
"""
# As kea-dhcp6 2.2.0 wrote it: the last is a prefix.
KEA6 = b"""\
address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len,fqdn_fwd,fqdn_rev,hostname,hwaddr,state,user_context,hwtype,hwaddr_source
fd00::5,00:03:00:01:02:1a:4f:c3:77:01,7200,1795266068,1,7200,0,7,128,0,0,,,0,,,
fd00::6,00:03:00:01:02:1a:4f:c3:77:02,7200,1795266068,1,7200,0,7,128,0,0,,02:1a:4f:c3:77:09,0,,1,0
fd00:1::,00:03:00:01:02:1a:4f:c3:77:01,7200,1795266068,1,7200,2,7,64,0,0,,,0,,,
"""
# The arguments of lease4-get-all and lease6-get-all, from the same.
ANSWER4 = json.loads("""{ "leases": [
    { "cltt": 1795258847, "fqdn-fwd": false, "fqdn-rev": false, "hostname": "web,1.example.com.",
      "hw-address": "02:1a:4f:c3:77:01", "ip-address": "10.20.0.37", "state": 0, "subnet-id": 1,
      "valid-lft": 7200 },
    { "cltt": 1795258847, "fqdn-fwd": false, "fqdn-rev": false, "hostname": "",
      "hw-address": "02:1a:4f:c3:77:02", "ip-address": "10.20.0.38", "state": 0, "subnet-id": 1,
      "valid-lft": 4294967295 },
    { "cltt": 1795258847, "fqdn-fwd": false, "fqdn-rev": false, "hostname": "",
      "hw-address": "02:1a:4f:c3:77:04", "ip-address": "10.20.0.40", "state": 1, "subnet-id": 1,
      "valid-lft": 7200 } ] }""")
ANSWER6 = json.loads("""{ "leases": [
    { "cltt": 1795258868, "duid": "00:03:00:01:02:1a:4f:c3:77:01", "hostname": "", "iaid": 7,
      "ip-address": "fd00::5", "preferred-lft": 7200, "state": 0, "subnet-id": 1,
      "type": "IA_NA", "valid-lft": 7200 },
    { "cltt": 1795258868, "duid": "00:03:00:01:02:1a:4f:c3:77:02", "hostname": "", "iaid": 7,
      "hw-address": "02:1a:4f:c3:77:09", "ip-address": "fd00::6", "preferred-lft": 7200,
      "state": 0, "subnet-id": 1, "type": "IA_NA", "valid-lft": 7200 },
    { "cltt": 1795258868, "duid": "00:03:00:01:02:1a:4f:c3:77:01", "hostname": "", "iaid": 7,
      "ip-address": "fd00:1::", "preferred-lft": 7200, "prefix-len": 64, "state": 0,
      "subnet-id": 1, "type": "IA_PD", "valid-lft": 7200 } ] }""")
V4 = [
    Lease("10.20.0.37", MAC + "1", 1795266047, "web,1.example.com"),
    Lease("10.20.0.38", MAC + "2", None, ""),
]
V6 = [
    Lease("fd00::5", MAC + "1", 1795266068, ""),
    Lease("fd00::6", "02:1a:4f:c3:77:09", 1795266068, ""),
]
DNSMASQ = b"""\
1795266047 02:1a:4f:c3:77:01 10.20.0.37 web-1 01:02:1a:4f:c3:77:01
0 02:1a:4f:c3:77:02 10.20.0.38 * *
1795250000 02:1a:4f:c3:77:03 10.20.0.39 * *
1795266047 20-02:1a:4f:c3:77:01 10.20.0.40 * *
duid 00:01:00:01:30:aa:bb:cc:02:00:00:00:00:01
1795266068 12345 fd00::5 * 00:01:00:01:30:aa:bb:cc:02:1a:4f:c3:77:01
1795266068 T12345 fd00::6 db-1 00:02:00:00:ab:11
"""
DHCPD = b"""\
# The format of this file is documented in the dhcpd.leases(5) manual page.
# This lease file was written by isc-dhcp-4.4.3-P1
authoring-byte-order little-endian;
server-duid "\\000\\001}\\000";

lease 10.20.0.37 {
  starts 6 2026/11/21 11:00:47;
  ends 6 2026/11/21 13:00:47;
  cltt 6 2026/11/21 11:00:47;
  binding state active;
  next binding state free;
  rewind binding state free;
  hardware ethernet 02:1A:4f:c3:77:01;
  uid "\\001\\002\\032O\\303w\\001";
  client-hostname "web-1";
}
lease 10.20.0.38 {
  ends never;
  binding state active;
  hardware ethernet 02:1a:4f:c3:77:02;
}
lease 10.20.0.39 {
  ends epoch 1795266047; # Sat Nov 21 13:00:47 2026
  binding state active;
  hardware ethernet 02:1a:4f:c3:77:03;
}
lease 10.20.0.39 {
  ends epoch 1795266047;
  binding state free;
  hardware ethernet 02:1a:4f:c3:77:03;
}
lease 10.20.0.40 {
  ends 6 2026/99/21 13:00:47;
  binding state active;
}
lease 10.20.0.41 {
  ends never;
  binding st"""


@pytest.mark.parametrize(
    ("content", "leases", "unread"),
    [
        (KEA4, V4, 0),
        (KEA6, V6, 0),
        (json.dumps({"arguments": ANSWER4, "result": 0}).encode(), V4, 0),
        (json.dumps([{"arguments": ANSWER4, "result": 0}]).encode(), V4, 0),
        (json.dumps(ANSWER6).encode(), V6, 0),
        (
            DNSMASQ,
            [
                Lease("10.20.0.37", MAC + "1", 1795266047, "web-1"),
                Lease("10.20.0.38", MAC + "2", None, ""),
                Lease("10.20.0.40", None, 1795266047, ""),
                Lease("fd00::5", MAC + "1", 1795266068, ""),
                Lease("fd00::6", None, 1795266068, "db-1"),
            ],
            0,
        ),
        (DHCPD, [V4[0]._replace(hostname="web-1"), V4[1]], 2),
        (b"", [], 0),
        (b"\n \n", [], 0),
        (KEA4 + b"10.20.0.40,02:1a:4f", V4, 1),
        (KEA4 + b"10.20.0.999,,,7200,1795266047,1,0,0,,0,\n", V4, 1),
        (b"duid 00:01\n1795266047 x\n1795266047 x y z\nx y z a\n", [], 3),
        (b"authoring-byte-order little-endian;\n", [], 0),
    ],
)
def test_what_servers_write(content: bytes, leases: list[Lease], unread: int) -> None:
    found = read_leases([content], NOW)
    assert found.active == leases
    assert found.unread == unread


def test_what_has_expired_is_left_out() -> None:
    assert read_leases([KEA4], 1795266047.0).active == V4[1:]
    assert read_leases([DNSMASQ], 2e9).active == [Lease("10.20.0.38", MAC + "2", None, "")]


def test_a_later_file_is_newer() -> None:
    header, rows = KEA4.split(b"\n", 1)
    deleted = header + b"\n10.20.0.37,02:1a:4f:c3:77:01,,0,1795266047,1,0,0,,0,\n"
    assert read_leases([KEA4, deleted], NOW).active == V4[1:]
    assert read_leases([deleted, KEA4], NOW).active == V4
    assert rows


@pytest.mark.parametrize("arguments", [ANSWER4, ANSWER6])
def test_what_kea_answers(arguments: dict[str, Any]) -> None:
    assert leases_of_answer(arguments, NOW).active == (V4 if arguments is ANSWER4 else V6)


def test_kea_may_answer_nothing_or_nonsense() -> None:
    assert leases_of_answer(None, NOW) == ([], 0)
    assert leases_of_answer({"leases": [5, {}, {"ip-address": []}]}, NOW) == ([], 3)
    nonsense: list[Any] = [{}, [], {"leases": None}, "text"]
    for arguments in nonsense:
        with pytest.raises(LeaseError):
            leases_of_answer(arguments, NOW)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"hello world\n", "not the leases of"),
        (b"\xff\xfe\n", "not the leases of"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"{}", "no list"),
        (b"[1, 2]", "no list"),
    ],
)
def test_anything_else_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(LeaseError, match=words):
        read_leases([content], NOW)


@given(
    st.sampled_from([KEA4, KEA6, DNSMASQ, DHCPD]),
    st.lists(st.tuples(st.integers(0, 1000), st.binary(max_size=4)), max_size=6),
    st.integers(0, 1000),
)
def test_damaged_files_do_no_harm(
    content: bytes, damages: list[tuple[int, bytes]], end: int
) -> None:
    first, _, rest = content.partition(b"\n")
    for place, junk in damages:
        rest = rest[:place] + junk + rest[place + len(junk) :]
    read_leases([first + b"\n" + rest[:end]], NOW)
