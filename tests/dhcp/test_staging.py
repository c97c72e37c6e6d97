"""Which files are copied for a check, and what the copies read."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.dhcp.staging import Dnsmasq, Plan, plan_dnsmasq, plan_isc

MAIN = "/etc/dhcp/dhcpd.conf"
GUESTS = "/etc/dhcp/guests.conf"
STAGED = {"guests.conf": "/etc/dhcp/.new/guests.conf"}


class FakePlace:
    """A machine with these files, of which the last are ours."""

    def __init__(self, files: Mapping[str, str], ours: Mapping[str, str]) -> None:
        self.files = files
        self.ours = ours

    def read(self, path: str) -> bytes | None:
        return self.files[path].encode() if path in self.files else None

    def name_of(self, path: str) -> str | None:
        return self.ours.get(path)

    def names_in(self, directory: str) -> Sequence[str] | None:
        inside = [path for path in (*self.files, *self.ours) if path.startswith(directory + "/")]
        return [path.removeprefix(directory + "/") for path in inside] or None


def isc(files: Mapping[str, str], *, main: str | None = MAIN) -> tuple[Plan, dict[str, str]]:
    place = FakePlace(files, {GUESTS: "guests.conf"})
    plan = plan_isc(main, STAGED, "/check", place)
    return plan, {copy.path: copy.content.decode() for copy in plan.copies}


def isc_main(text: str) -> str:
    plan, copies = isc({MAIN: text})
    assert plan.reached == {"guests.conf"}
    return copies[plan.root]


def test_an_include_of_ours_reads_the_staged_file() -> None:
    assert isc_main('authoritative;\ninclude "/etc/dhcp/guests.conf";\n') == (
        'authoritative;\ninclude "/etc/dhcp/.new/guests.conf";\n\n'
    )


@pytest.mark.parametrize(
    "text",
    [
        'INCLUDE "/etc/dhcp/guests.conf";',
        'include"/etc/dhcp/guests.conf";',
        'include # why\n "/etc/dhcp/guests.conf";',
        'include "etc/dhcp/guests.conf";',
        'group { include "/etc/dhcp/guests.conf"; }',
        'option x "a\\"b"; include "/etc/dhcp/guests.conf";',
    ],
)
def test_however_it_is_written(text: str) -> None:
    assert '"/etc/dhcp/.new/guests.conf"' in isc_main(text)


@pytest.mark.parametrize(
    "text",
    [
        '# include "/etc/dhcp/guests.conf";',
        'option x "include \\"/etc/dhcp/guests.conf\\";";',
        'my-include "/etc/dhcp/guests.conf";',
        "",
    ],
)
def test_what_only_looks_like_an_include_stays_and_ours_is_added(text: str) -> None:
    plan, copies = isc({MAIN: text})
    assert plan.reached == frozenset()
    assert copies[plan.root] == f'{text}\ninclude "/etc/dhcp/.new/guests.conf";\n'


def test_without_a_main_file_ours_are_checked_by_themselves() -> None:
    plan, copies = isc({}, main=None)
    assert list(copies.values()) == ['\ninclude "/etc/dhcp/.new/guests.conf";\n']
    assert plan.root in copies


def test_only_files_on_the_way_to_ours_are_copied() -> None:
    files = {
        MAIN: 'include "/a.conf"; include "/b.conf"; include "/gone.conf"; include "c/d.conf";',
        "/a.conf": 'include "/a2.conf";',
        "/a2.conf": f'include "{GUESTS}";',
        "/b.conf": "authoritative;",
        "/c/d.conf": "",
    }
    plan, copies = isc(files)
    by_original = {copy.original: copy for copy in plan.copies}
    assert set(by_original) == {MAIN, "/a.conf", "/a2.conf"}
    main = copies[plan.root]
    assert f'include "{by_original["/a.conf"].path}"; include "/b.conf";' in main
    assert 'include "/gone.conf"; include "/c/d.conf";' in main
    assert by_original["/a2.conf"].content.decode() == f'include "{STAGED["guests.conf"]}";'


def test_a_file_on_the_way_that_is_included_twice_is_copied_once() -> None:
    plan, copies = isc(
        {MAIN: 'include "/a"; include "/a"; include "/b";', "/a": f'include "{GUESTS}";', "/b": ""}
    )
    assert len(copies) == 2
    assert (
        copies[plan.root].count(f'"{plan.copies[1].path}"')
        + copies[plan.root].count(f'"{plan.copies[0].path}"')
        == 2
    )


def test_a_file_found_after_ours_is_not_taken_for_one_on_the_way() -> None:
    plan, _ = isc({MAIN: f'include "{GUESTS}"; include "/b";', "/b": "x;"})
    assert [copy.original for copy in plan.copies] == [MAIN]


def test_circles_and_endless_chains_end() -> None:
    plan, _ = isc({MAIN: 'include "/a";', "/a": 'include "/b";', "/b": 'include "/a";'})
    assert len(plan.copies) == 1
    chain = {f"/{n}": f'include "/{n + 1}";' for n in range(2000)}
    assert isc({MAIN: 'include "/0";', **chain})[0].reached == frozenset()


def test_lines_keep_their_numbers() -> None:
    text = f'a;\n\ninclude\n\n"{GUESTS}"\n;\nb;\n'
    assert isc_main(text).count("\n") == text.count("\n") + 1


def test_bytes_that_are_no_text_survive() -> None:
    class Raw(FakePlace):
        def read(self, path: str) -> bytes | None:
            return b'# \xff\xfe\ninclude "/\xe9";' if path == MAIN else None

    plan = plan_isc(MAIN, STAGED, "/check", Raw({}, {}))
    assert plan.copies[0].content.startswith(b'# \xff\xfe\ninclude "/\xe9";')


@given(st.text(alphabet='include "/;#\\\n{}guestsconf.', max_size=60))
def test_any_text_gives_a_plan_that_changes_nothing_else(text: str) -> None:
    plan, copies = isc({MAIN: text})
    if not plan.reached and "include" not in text:
        assert copies[plan.root].startswith(text)
    assert STAGED["guests.conf"] in copies[plan.root]


# --- dnsmasq ---

CONF = "/var/lib/dnsmasq/dnsmasq.conf"
OURS = {CONF: "dnsmasq.conf", "/var/lib/dnsmasq/dnsmasq.hosts": "dnsmasq.hosts"}
NEW = {"dnsmasq.conf": "/new/dnsmasq.conf", "dnsmasq.hosts": "/new/dnsmasq.hosts"}
OUR_TEXT = "port=0\ndhcp-hostsfile=/x\n dhcp-optsfile = /y\ndhcp-hostsdir=/z\ndhcp-range=1.2.3.0\n"


def dnsmasq(
    files: Mapping[str, str], main: str | None = "/etc/dnsmasq.conf"
) -> tuple[Plan, dict[str, str]]:
    place = FakePlace({"/new/dnsmasq.conf": OUR_TEXT, **files}, OURS)
    plan = plan_dnsmasq(main, NEW, "/check", place, Dnsmasq("dnsmasq.conf", [b"dhcp-host=x"]))
    return plan, {copy.path: copy.content.decode() for copy in plan.copies}


def test_files_that_are_read_later_are_left_out_and_their_lines_put_in() -> None:
    plan, copies = dnsmasq({}, None)
    assert copies["/check/ours.conf"] == "port=0\n\n\n\ndhcp-range=1.2.3.0\n"
    assert copies["/check/lines.conf"] == "dhcp-host=x\n"
    assert copies[plan.root].split() == [
        "conf-file=/check/ours.conf",
        "conf-file=/check/lines.conf",
    ]


@pytest.mark.parametrize(
    "line",
    [f"conf-file={CONF}", f'  conf-file = "{CONF}"  # ours', "conf-dir=/var/lib/dnsmasq,*.conf"],
)
def test_ours_is_found_where_it_is_included(line: str) -> None:
    plan, copies = dnsmasq({"/etc/dnsmasq.conf": f"domain=x\n{line}\nbogus-priv\n"})
    assert plan.reached == {"dnsmasq.conf"}
    assert copies[plan.root].split() == [
        *("domain=x", "conf-file=/check/ours.conf", "bogus-priv"),
        "conf-file=/check/lines.conf",
    ]


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("conf-dir=/var/lib/dnsmasq", ["a", "b.bak", "ours", "z.conf"]),
        ("conf-dir=/var/lib/dnsmasq,.bak", ["a", "ours", "z.conf"]),
        ("conf-dir=/var/lib/dnsmasq,.bak,*.conf", ["ours", "z.conf"]),
    ],
)
def test_a_directory_with_ours_is_read_as_dnsmasq_reads_it(line: str, read: list[str]) -> None:
    directory = "/var/lib/dnsmasq/"
    names = ["z.conf", "a", "b.bak", ".hidden", "c~", "#d#"]
    plan, copies = dnsmasq({"/etc/dnsmasq.conf": line, **{directory + name: "" for name in names}})
    found = [word.removeprefix("conf-file=") for word in copies[plan.root].split()][:-1]
    found = [path for path in found if not path.endswith("dnsmasq.hosts")]
    assert found == ["/check/ours.conf" if name == "ours" else directory + name for name in read]


def test_a_directory_that_holds_the_file_that_names_it_does_not_read_it_twice() -> None:
    main = "/var/lib/dnsmasq/main.conf"
    plan, copies = dnsmasq({main: "conf-dir=/var/lib/dnsmasq,*.conf"}, main)
    assert copies[plan.root].split() == [
        "conf-file=/check/ours.conf",
        "conf-file=/check/lines.conf",
    ]


def test_other_files_stay_and_ours_comes_last() -> None:
    main = "#conf-file=/none\nconf-file=/etc/other\nconf-dir=/etc/dnsmasq.d\n"
    plan, copies = dnsmasq({"/etc/dnsmasq.conf": main, "/etc/dnsmasq.d/x": ""})
    assert copies[plan.root].startswith(main)
    assert copies[plan.root].endswith("\nconf-file=/check/ours.conf\nconf-file=/check/lines.conf\n")


@pytest.mark.parametrize(
    ("directory", "written"),
    [("/c\udcff", b"/c\xff"), ('/a "b"', b'/a \\"b\\"'), ("/a\\b", b"/a\\\\b")],
)
def test_a_path_of_ours_can_be_any(directory: str, written: bytes) -> None:
    staged = {"guests.conf": f"{directory}/guests.conf"}
    plan = plan_isc(None, staged, "/check", FakePlace({}, {}))
    assert plan.copies[0].content == b'\ninclude "%s/guests.conf";\n' % written
