"""Command lines of zfs: what they look like, and what never gets into them."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lochkit.zfs import argv
from lochkit.zfs.errors import BadName
from lochkit.zfs.host_types import ReceiveSpec, SendSpec
from lochkit.zfs.model import Bookmark, Snapshot

A, B = Snapshot("a", 1, 1, 1), Snapshot("b", 2, 2, 2)
MARK = Bookmark("mark", 1, 1, 1)
TOKEN = "1-a6f6260a4-b8-789c6360"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (argv.snapshot_words(["t/a@s", "t/b@s"], {}), "snapshot t/a@s t/b@s"),
        (argv.snapshot_words(["t@s"], {"l:u": "a b"}), "snapshot -o l:u=a b t@s"),
        (argv.destroy_words("t/a", ["x"], defer=False), "destroy t/a@x"),
        (argv.destroy_words("t/a", ["x", "y"], defer=True), "destroy -d t/a@x,y"),
        (argv.bookmark_words("t/a@s", "m"), "bookmark t/a@s t/a#m"),
        (argv.destroy_bookmark_words("t/a#m"), "destroy t/a#m"),
        (argv.hold_words("lochkit:j", ["t@a", "t@b"]), "hold lochkit:j t@a t@b"),
        (argv.release_words("x", ["t@a"]), "release x t@a"),
        (argv.holds_words(["t@a"]), "holds -H t@a"),
        (argv.rollback_words("t@a", destroy_newer=True), "rollback -r t@a"),
        (argv.rollback_words("t@a", destroy_newer=False), "rollback t@a"),
        (argv.create_words("t/a", {"canmount": "noauto"}), "create -o canmount=noauto t/a"),
        (argv.rename_words("t/a@x", "y"), "rename t/a@x t/a@y"),
        (argv.rename_dataset_words("t/a", "t/b/c"), "rename t/a t/b/c"),
        (argv.abort_words("t/a"), "receive -A t/a"),
        (argv.token_words(TOKEN), f"send -n -P -t {TOKEN}"),
        (argv.origins_words(["t"]), "list -H -r -t filesystem,volume -o name,origin t"),
        (argv.get_words(["guid", "l:p"], ["t"]), "get -H -p -r -o name,property,value guid,l:p t"),
        (
            argv.list_words(["name", "guid"], ["t/a"], alone=True),
            "list -H -p -d 1 -t filesystem,volume,snapshot,bookmark -o name,guid t/a",
        ),
        (argv.send_words(SendSpec(dataset="t/a", to=B)), "send t/a@b"),
        (argv.send_words(SendSpec(dataset="t/a", to=B, base=A)), "send -i t/a@a t/a@b"),
        (
            argv.send_words(SendSpec(dataset="t", to=B, base=A, intermediates=True)),
            "send -I t@a t@b",
        ),
        (argv.send_words(SendSpec(dataset="t", to=B, base=MARK)), "send -i t#mark t@b"),
        (
            argv.send_words(
                SendSpec(
                    *(), dataset="t", to=B, raw=True, properties=True, large_blocks=True,
                    compressed=True, embedded=True,
                ),
                estimate=True,
            ),
            "send -n -P -w -p -L -c -e t@b",
        ),
        (argv.send_words(SendSpec(dataset="t", token=TOKEN, raw=True)), f"send -t {TOKEN}"),
        (argv.receive_words(ReceiveSpec(dataset="t/a")), "receive -u t/a"),
        (
            argv.receive_words(
                ReceiveSpec(
                    *(), dataset="t/a", resumable=True, rollback=True,
                    set_properties={"readonly": "on"}, exclude_properties=("mountpoint",),
                )
            ),
            "receive -u -s -F -o readonly=on -x mountpoint t/a",
        ),
    ],
)  # fmt: skip
def test_lines(words: argv.Words, line: str) -> None:
    assert " ".join(words) == line


BAD = ("", "-r", "a b@", "t/../x", "t/%recv", "t//x", "/t", "t/", "t\n", "t\0", "t/-F,x", "t@x@y")


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize(
    "make",
    [
        lambda name: argv.create_words(name, {}),
        lambda name: argv.abort_words(name),
        lambda name: argv.receive_words(ReceiveSpec(dataset=name)),
        lambda name: argv.send_words(SendSpec(dataset=name, to=A)),
        lambda name: argv.list_words(["name"], [name]),
        lambda name: argv.get_words(["guid"], [name]),
        lambda name: argv.roots_of([name]),
        lambda name: argv.rename_dataset_words("t/a", name),
        lambda name: argv.rename_dataset_words(name, "t/a"),
        lambda name: argv.snapshot_words([name + "@s"], {}),
        lambda name: argv.destroy_words(name, ["s"], defer=False),
        lambda name: argv.destroy_bookmark_words(name + "#s"),
        lambda name: argv.hold_words("tag", [name + "@s"]),
    ],
)
def test_bad_names_of_datasets(make: Callable[[str], object], name: str) -> None:
    with pytest.raises(BadName):
        make(name)


@pytest.mark.parametrize("name", ["", "a,b", "a%b", "-d", "x@y", "x#y", "x/y", "..", "a\tb", "\n"])
@pytest.mark.parametrize(
    "make",
    [
        lambda name: argv.destroy_words("t", ["ok", name], defer=False),
        lambda name: argv.bookmark_words("t@s", name),
        lambda name: argv.rename_words("t@s", name),
        lambda name: argv.release_words("tag", ["t@" + name]),
        lambda name: argv.rollback_words("t@" + name, destroy_newer=True),
        lambda name: argv.send_words(SendSpec(dataset="t", to=Snapshot(name, 1, 1, 1))),
        lambda name: argv.send_words(SendSpec(dataset="t", to=A, base=Bookmark(name, 1, 1, 1))),
    ],
)
def test_bad_names_of_snapshots(make: Callable[[str], object], name: str) -> None:
    with pytest.raises(BadName):
        make(name)


@pytest.mark.parametrize(
    "make",
    [
        lambda: argv.hold_words("-r", ["t@s"]),
        lambda: argv.hold_words("a b", ["t@s"]),
        lambda: argv.create_words("t", {"-o": "x"}),
        lambda: argv.create_words("t", {"a=b": "x"}),
        lambda: argv.create_words("t", {"a:b": "x\0y"}),
        lambda: argv.create_words("t", {"a:b": "x" * 8192}),
        lambda: argv.list_words(["name,guid"], []),
        lambda: argv.list_words(["-t"], []),
        lambda: argv.receive_words(ReceiveSpec(dataset="t", exclude_properties=("-F",))),
        lambda: argv.token_words("-R"),
        lambda: argv.token_words("1-a-b-c d"),
        lambda: argv.token_words(""),
        lambda: argv.rename_dataset_words("one/a", "two/a"),
        lambda: argv.snapshot_words(["one@s", "two@s"], {}),
        lambda: argv.snapshot_words(["one"], {}),
        lambda: argv.destroy_bookmark_words("one@s"),
        lambda: argv.send_words(SendSpec(dataset="t")),
    ],
)
def test_other_bad_words(make: Callable[[], object]) -> None:
    with pytest.raises(BadName):
        make()


def test_roots() -> None:
    names = ["t/b", "t/a/x", "t/a", "t/a", "t/ab", "t/a-b", "u"]
    assert argv.roots_of(names) == ["t/a", "t/a-b", "t/ab", "t/b", "u"]
    assert argv.roots_of([]) == []


@settings(max_examples=50)
@given(
    names=st.lists(st.text("abé", min_size=1, max_size=9), max_size=40),
    most=st.integers(1, 9),
    most_bytes=st.integers(1, 40),
)
def test_batches_keep_all_names_in_order(names: list[str], most: int, most_bytes: int) -> None:
    groups = list(argv.batches(names, most=most, most_bytes=most_bytes))
    assert [name for group in groups for name in group] == names
    for group in groups:
        assert 0 < len(group) <= most
        assert len(group) == 1 or sum(len(one.encode()) + 1 for one in group) <= most_bytes


def test_batches_fit_on_a_command_line() -> None:
    names = [f"tank/{'x' * 200}@{number:05}" for number in range(3000)]
    groups = list(argv.batches(names))
    assert all(sum(len(name) + 1 for name in group) <= 64 * 1024 for group in groups)
    assert len(groups) < 15
