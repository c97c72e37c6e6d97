"""What a ZFS can do, by the usage that was recorded of each."""

from dataclasses import replace
from pathlib import Path

import pytest

from lochkit.zfs.capabilities import Capabilities
from lochkit.zfs.errors import Failure, ZfsError
from lochkit.zfs.host_types import ReceiveSpec, SendSpec
from lochkit.zfs.model import Bookmark, Snapshot
from lochkit.zfs.probe import has_version, probe

DATA = Path(__file__).parent / "data"
SNAPSHOT = Snapshot("a", 1, 2, 3)
BOOKMARK = Bookmark("a", 1, 2, 3)
LEAST = Capabilities(version="zfs-fuse")


def usage(name: str) -> str:
    return (DATA / f"usage-{name}.txt").read_text()


@pytest.mark.parametrize("version", ["2.1", "2.3"])
def test_openzfs(version: str) -> None:
    told = usage(f"openzfs-{version}")
    assert has_version(told)
    first = f"zfs-{version}.11-1+deb12u1\nzfs-kmod-{version}.11-1+deb12u1\n"
    assert probe(told, first) == Capabilities.everything(f"zfs-{version}.11")
    assert probe(told) == Capabilities.everything("zfs-0")


def test_zfs_fuse() -> None:
    told = usage("zfs-fuse")
    assert not has_version(told)
    assert probe(told) == LEAST


def test_one_in_between() -> None:
    """As OpenZFS 0.7 has it: resumes, compresses, and neither encrypts nor sends raw."""
    told = "\n".join(
        (
            "\tdestroy [-dnpRrv] <filesystem|volume>@<snap>[%<snap>][,...]",
            "\tsnapshot|snap [-r] [-o property=value] ... <filesystem|volume>@<snap> ...",
            "\tbookmark <snapshot> <bookmark>",
            "\tlist [-Hp] [-r|-d max] [-o property[,...]] [-s property]...",
            "\tsend [-DnPpRvLec] [-[iI] snapshot] <snapshot>",
            "\tsend [-nvPe] -t <receive_resume_token>",
            "\treceive [-vnsFu] <filesystem|volume|snapshot>",
            "\treceive [-vnsFu] [-o origin=<snapshot>] [-d | -e] <filesystem>",
            "\treceive -A <filesystem|volume>",
            "\tholds [-r] <snapshot> ...",
        )
    )
    can = probe(told)
    assert can.version == "zfs-0"
    assert can.resume
    assert can.compressed
    assert not can.raw
    assert not can.encryption
    assert not can.receive_properties
    assert not can.list_holds


def test_nothing_is_read_into_nonsense() -> None:
    assert probe("") == LEAST
    assert probe("\t\n\t \nx\n\t    send [-w]\n", "rubbish") == LEAST


@pytest.mark.parametrize(
    "spec",
    [
        SendSpec(dataset="a", to=SNAPSHOT, raw=True),
        SendSpec(dataset="a", to=SNAPSHOT, large_blocks=True),
        SendSpec(dataset="a", to=SNAPSHOT, compressed=True),
        SendSpec(dataset="a", to=SNAPSHOT, embedded=True),
        SendSpec(dataset="a", to=SNAPSHOT, base=BOOKMARK),
        SendSpec(dataset="a", token="1-a-b-c"),
        ReceiveSpec(dataset="a", resumable=True),
        ReceiveSpec(dataset="a", set_properties={"a:b": "c"}),
        ReceiveSpec(dataset="a", exclude_properties=("mountpoint",)),
    ],
)
def test_what_can_not_be_done_is_refused(spec: SendSpec | ReceiveSpec) -> None:
    def check(can: Capabilities) -> None:
        can.checked(spec) if isinstance(spec, SendSpec) else can.checked_receive(spec)

    check(Capabilities.everything("zfs-2.3.2"))
    with pytest.raises(ZfsError, match="a: zfs-fuse can not do this") as caught:
        check(LEAST)
    assert caught.value.failure is Failure.UNSUPPORTED
    assert caught.value.dataset == "a"


def test_what_everyone_can_do() -> None:
    spec = SendSpec(dataset="a", to=SNAPSHOT, base=SNAPSHOT, intermediates=True, properties=True)
    assert LEAST.checked(spec) is spec
    received = ReceiveSpec(dataset="a", rollback=True)
    assert LEAST.checked_receive(received) is received


@pytest.mark.parametrize(
    "spec",
    [
        SendSpec(dataset="a"),
        SendSpec(dataset="a", to=SNAPSHOT, token="1-a-b-c"),
        SendSpec(dataset="a", to=SNAPSHOT, intermediates=True),
        SendSpec(dataset="a", to=SNAPSHOT, base=BOOKMARK, intermediates=True),
    ],
)
def test_what_nobody_can_do(spec: SendSpec) -> None:
    with pytest.raises(ZfsError) as caught:
        Capabilities.everything("zfs-2.3.2").checked(spec)
    assert caught.value.failure is Failure.BAD_REQUEST


def test_every_capability_has_words() -> None:
    for name in Capabilities.__slots__:
        if name != "version":
            LEASTER = replace(LEAST, version="it")
            with pytest.raises(ZfsError, match="it can not do this"):
                LEASTER.need(name)
