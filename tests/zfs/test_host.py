"""The host with a script in place of zfs: what it asks for, and what it makes of the answers."""

from itertools import pairwise
from pathlib import Path

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from lochkit.zfs.errors import BadName, Failure, ZfsError, ZfsUnavailable
from lochkit.zfs.host import ProgramHost, open_host
from lochkit.zfs.host_inventory import Rows
from lochkit.zfs.host_types import ReceiveSpec, SendSpec, ZfsHost
from lochkit.zfs.model import Snapshot

DATA = Path(__file__).parent / "data"


class Scripted:
    """A program in place of zfs, and what it was asked."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._log = place / "log"

    async def open(self, cases: str = "", *, usage: str = "openzfs-2.3") -> ProgramHost:
        """A host on it.

        Args:
            cases: of a shell's ``case "$*" in``.
            usage: which of the recorded ones.
        """
        program = self._place / "zfs"
        program.write_text(
            "#!/bin/sh\n"
            f"printf '%s\\n' \"$*\" >>{self._log}\n"
            'case "$*" in\n'
            f"'') cat {DATA}/usage-{usage}.txt >&2; exit 2;;\n"
            "version) echo zfs-2.3.2-1; echo zfs-kmod-2.3.2-1;;\n"
            f"{cases}\n"
            '*) echo "unexpected: $*" >&2; exit 9;;\n'
            "esac\n"
        )
        program.chmod(0o755)
        host = await open_host(zfs=str(program), timeout=20.0, stream_end_timeout=20.0)
        self._log.write_text("")
        return host

    def asked(self) -> list[str]:
        """The command lines since it was opened."""
        return self._log.read_text().splitlines()


@pytest.fixture
def zfs(tmp_path: Path) -> Scripted:
    return Scripted(tmp_path)


async def test_it_is_a_host(zfs: Scripted) -> None:
    host: ZfsHost = await zfs.open()
    assert host.capabilities.version == "zfs-2.3.2"
    assert host.capabilities.resume


async def test_a_zfs_without_version_is_not_asked_for_it(zfs: Scripted, tmp_path: Path) -> None:
    host = await zfs.open("version) exit 1;;", usage="zfs-fuse")
    assert host.capabilities.version == "zfs-fuse"


async def test_no_program_and_no_daemon(tmp_path: Path) -> None:
    with pytest.raises(ZfsUnavailable):
        await open_host(zfs="no-such-zfs")
    dead = tmp_path / "zfs"
    dead.write_text(
        "#!/bin/sh\necho 'internal error: failed to initialize ZFS library' >&2\nexit 1"
    )
    dead.chmod(0o755)
    with pytest.raises(ZfsUnavailable, match="zfs-fuse running") as caught:
        await open_host(zfs=str(dead))
    assert caught.value.exit_code == 75


async def test_an_inventory_is_one_command(zfs: Scripted) -> None:
    host = await zfs.open(f"'list -H -p -r '*) cat {DATA}/list-openzfs-2.3.tsv;;")
    found = await host.inventory()
    assert list(found.datasets) == ["here", "here/a", "here/clone", "here/place"]
    (line,) = zfs.asked()
    assert line.startswith("list -H -p -r -t filesystem,volume,snapshot,bookmark -o name,guid,")
    assert line.endswith(",lochkit:placeholder")


async def test_roots_within_others_are_not_asked_for_twice(zfs: Scripted) -> None:
    host = await zfs.open("'list -H -p -r '*) echo \"cannot open 'u': dataset does not exist\" >&2;"
                          " exit 1;;")  # fmt: skip
    assert not (await host.inventory(["t/a/b", "u", "t/a"])).datasets
    (line,) = zfs.asked()
    assert line.endswith(" t/a u")
    with pytest.raises(BadName):
        await host.inventory(["-r"])
    with pytest.raises(BadName):
        await host.dataset("a@b")
    assert len(zfs.asked()) == 1


async def test_zfs_fuse_is_asked_for_origins_too(zfs: Scripted) -> None:
    cases = (
        f"'get -H -p -r '*) cat {DATA}/get-zfs-fuse.tsv;;\n"
        "'list -H -r -t filesystem,volume -o name,origin here')"
        " printf 'here\\t-\\nhere/clone\\there/a@s3\\n';;"
    )
    host = await zfs.open(cases, usage="zfs-fuse")
    found = await host.inventory(["here/a", "here/clone"])
    assert found.datasets["here/a"].snapshots[2].clones == ("here/clone",)
    assert len(zfs.asked()) == 2


@pytest.mark.parametrize(
    ("says", "failure"),
    [
        ("echo \"cannot open 'here': I/O error\" >&2; exit 1", Failure.OTHER),
        ("echo 'internal error: out of memory' >&2; exit 1", Failure.LIMIT),
        ("exit 1", Failure.OTHER),
        ("printf 'here\\tsomething\\n'", Failure.OTHER),
        ("yes | tr -d '\\n'", Failure.OTHER),
        ("kill -9 $$", Failure.STOPPED),
    ],
)
async def test_inventories_that_go_wrong(zfs: Scripted, says: str, failure: Failure) -> None:
    host = await zfs.open(f"'list '*) {says};;")
    with trio.fail_after(20), pytest.raises(ZfsError) as caught:
        await host.inventory(["here"])
    assert caught.value.failure is failure


async def test_output_without_end_is_not_collected(zfs: Scripted) -> None:
    host = await zfs.open("'holds '*) yes;;")
    with trio.fail_after(20), pytest.raises(ZfsError, match="prints without end"):
        await host.holds(["here@a"])


def destroying(*stubborn: str) -> str:
    """Cases of a zfs that destroys nothing together with these."""
    cases = [
        f"'destroy here@'*{name}*) echo \"cannot destroy snapshot here@{name}: it's being held.\" "
        ">&2; exit 1;;"
        for name in stubborn
    ]
    return "\n".join((*cases, "'destroy '*) ;;"))


async def test_many_snapshots_are_destroyed_by_few_commands(zfs: Scripted) -> None:
    host = await zfs.open(destroying())
    names = [f"s{number:04}" for number in range(1500)]
    await host.destroy("here", [*names, *names])
    asked = zfs.asked()
    assert len(asked) == 2
    destroyed = [name for line in asked for name in line.partition("@")[2].split(",")]
    assert destroyed == names


async def test_one_that_is_held_keeps_few_others_busy(zfs: Scripted) -> None:
    host = await zfs.open(destroying("s13", "s40"))
    names = [f"s{number:02}" for number in range(64)]
    with pytest.raises(ZfsError) as caught:
        await host.destroy("here", names)
    assert (caught.value.failure, caught.value.dataset) == (Failure.HELD, "here@s13")
    asked = zfs.asked()
    assert len(asked) <= 2 * 2 * 6 + 1
    fine = [
        line
        for line in asked
        if "s13" not in line.split("@")[1] and "s40" not in line.split("@")[1]
    ]
    destroyed = sorted(name for line in fine for name in line.partition("@")[2].split(","))
    assert destroyed == sorted({*names} - {"s13", "s40"})


async def test_zfs_fuse_destroys_one_by_one(zfs: Scripted) -> None:
    host = await zfs.open("'destroy here@'?) ;;", usage="zfs-fuse")
    await host.destroy("here", ["a", "b"])
    assert zfs.asked() == ["destroy here@a", "destroy here@b"]


async def test_a_failure_of_all_is_told_at_once(zfs: Scripted) -> None:
    host = await zfs.open("'destroy '*) echo 'cannot destroy snapshots: permission denied' >&2;"
                          " exit 1;;")  # fmt: skip
    with pytest.raises(ZfsError) as caught:
        await host.destroy("here", ["a", "b", "c"])
    assert caught.value.failure is Failure.DENIED
    assert len(zfs.asked()) == 1


async def test_snapshots_of_a_pool_are_taken_at_once(zfs: Scripted) -> None:
    host = await zfs.open("'snapshot '*) ;;")
    many = [f"here/{number}@s" for number in range(3000)]
    await host.take(many, properties={"a:b": "c"})
    assert zfs.asked() == ["snapshot -o a:b=c " + " ".join(many)]


async def test_holds_are_tolerant_of_what_is_fine_only(zfs: Scripted) -> None:
    cases = """
'hold t here@a here@b') echo "cannot hold snapshot 'here@a': tag already exists on this dataset" >&2
    exit 1;;
'hold t here@a here@c') echo "cannot hold snapshot 'here@a': tag already exists on this dataset" >&2
    echo "cannot hold snapshot 'here@c': dataset does not exist" >&2; exit 1;;
'hold t here@d') exit 1;;
'release t here@a here@c') echo "cannot release hold from snapshot 'here@a': no such tag" >&2
    echo "cannot release hold from snapshot 'here@c': dataset does not exist" >&2; exit 1;;
'release t here@d') echo 'cannot release: permission denied' >&2; exit 1;;
"""
    host = await zfs.open(cases)
    await host.hold("t", ["here@a", "here@b"])
    await host.release("t", ["here@a", "here@c"])
    await host.hold("t", [])
    for doing, failure in (
        (host.hold("t", ["here@a", "here@c"]), Failure.MISSING),
        (host.hold("t", ["here@d"]), Failure.OTHER),
        (host.release("t", ["here@d"]), Failure.DENIED),
    ):
        with pytest.raises(ZfsError) as caught:
            await doing
        assert caught.value.failure is failure
        assert "tag already" not in str(caught.value)


@pytest.mark.parametrize(("holds", "failure"), [("1", Failure.HELD), ("0", Failure.BUSY)])
async def test_what_is_held_is_told_from_what_is_busy(
    zfs: Scripted, holds: str, failure: Failure
) -> None:
    """OpenZFS 2.1 and zfs-fuse call both busy."""
    rest = "\\t-" * 7
    cases = (
        "'destroy here@a'|'rollback -r here@z')"
        ' echo "cannot destroy snapshot here@a: dataset is busy" >&2; exit 1;;\n'
        f"'list -H -p -d 1 '*) printf 'here\\t1\\t1\\t1\\t-\\t-\\t-\\t-\\tfilesystem{rest[3:]}"
        f"\\nhere@z\\t2\\t2\\t1\\t0\\t-\\t-\\toff{rest}"
        f"\\nhere@a\\t3\\t3\\t1\\t{holds}\\t-\\t-\\toff{rest}\\n';;"
    )
    host = await zfs.open(cases)
    for doing in (host.destroy("here", ["a"]), host.rollback("here@z", destroy_newer=True)):
        with pytest.raises(ZfsError) as caught:
            await doing
        assert caught.value.failure is failure


async def test_a_bookmark_of_another_snapshot_is_in_the_way(zfs: Scripted) -> None:
    cases = """
'bookmark '*) echo "cannot create bookmark 'here#m': bookmark exists" >&2; exit 1;;
'get -H -p -o name,value guid here@a here#m') printf 'here@a\\t1\\nhere#m\\t1\\n';;
'get -H -p -o name,value guid here@b here#m') printf 'here@b\\t2\\nhere#m\\t1\\n';;
"""
    host = await zfs.open(cases)
    await host.bookmark("here@a", "m")
    with pytest.raises(ZfsError) as caught:
        await host.bookmark("here@b", "m")
    assert caught.value.failure is Failure.EXISTS


async def test_placeholders_and_sizes(zfs: Scripted) -> None:
    cases = """
'create -o canmount=noauto -o lochkit:placeholder=here/a here/a') ;;
'create -o canmount=off here/b') ;;
'send -n -P here@a') printf 'full\\there@a\\t10\\nsize\\t10\\n';;
"""
    host = await zfs.open(cases)
    await host.create("here/a", {"lochkit:placeholder": "on"})
    await host.create("here/b", {"canmount": "off"})
    spec = SendSpec(dataset="here", to=Snapshot("a", 1, 1, 1))
    assert await host.estimate(spec) == 10


async def test_requests_that_make_no_sense_start_nothing(zfs: Scripted) -> None:
    host = await zfs.open()
    with pytest.raises(ZfsError):
        host.send(SendSpec(dataset="here"))
    with pytest.raises(BadName):
        async with host.receive(ReceiveSpec(dataset="here/../x")):
            pass
    assert zfs.asked() == []


@settings(max_examples=60)
@given(
    lines=st.lists(st.text("aé\t", max_size=5), max_size=8),
    cuts=st.lists(st.integers(0, 60), max_size=6),
)
def test_rows_come_out_whole_however_they_come(lines: list[str], cuts: list[int]) -> None:
    data = "".join(line + "\n" for line in lines).encode()
    found: list[str] = []
    rows = Rows(found.extend)
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for begin, end in pairwise(places):
        rows.take(data[begin:end])
    assert found == lines


def test_a_row_has_an_end() -> None:
    def read() -> None:
        rows = Rows(lambda _: None)
        for _ in range(20):
            rows.take(b"x" * 100_000)

    with pytest.raises(ZfsError, match="row of more than"):
        read()
