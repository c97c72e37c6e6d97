"""The checkers, with scripts in the place of servers: whatever they do, there is a verdict."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
import trio

from lochkit.dhcp.checker import (
    AllCheckers,
    DnsmasqChecker,
    IscChecker,
    KeaChecker,
    Outcome,
    Verdict,
    find_server,
)
from lochkit.errors import TransientError
from lochkit.io.guardian_child import stat_of

CEILING = 15
Script = Callable[[str], str]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Write a command that does what a shell script says."""

    def write(text: str) -> str:
        path = tmp_path / "server"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)

    return write


@pytest.fixture
def staged(tmp_path: Path) -> dict[str, Path]:
    directory = tmp_path / "conf" / ".new"
    directory.mkdir(parents=True)
    files = {name: directory / name for name in ("hypervisors.conf", "guests.conf")}
    for name, path in files.items():
        path.write_text(f"# {name}\n")
    return files


def runs(path: Path) -> bool:
    """Whether the process whose id is in a file is there, and not merely waiting to be reaped."""
    try:
        return stat_of(path.read_text().strip())[0] != "Z"
    except OSError:
        return False


async def isc(
    binary: str, staged: Mapping[str, Path], *, main: Path | None = None, timeout: float = 5
) -> Verdict:
    targets = {name: path.parent.parent / name for name, path in staged.items()}
    checker = IscChecker(main, targets, timeout=timeout, binary=binary)
    before = sorted(os.listdir(staged["guests.conf"].parent))
    with trio.fail_after(CEILING):
        verdict = await checker.check(staged)
    assert sorted(os.listdir(staged["guests.conf"].parent)) == before
    return verdict


async def test_exit_code_0_is_acceptance(script: Script, staged: dict[str, Path]) -> None:
    assert await isc(script("exit 0"), staged) == Verdict(outcome=Outcome.ACCEPTED)


async def test_dhcpd_is_given_a_copy_beside_the_staged_files(
    script: Script, staged: dict[str, Path], tmp_path: Path
) -> None:
    main = tmp_path / "conf" / "dhcpd.conf"
    main.write_text(f'authoritative;\ninclude "{tmp_path}/conf/guests.conf";\n')
    binary = script(
        f'echo "$@" > {tmp_path}/args; cat "$4" > {tmp_path}/seen; pwd >> {tmp_path}/args'
    )
    verdict = await isc(binary, staged, main=main)
    *words, copy, where = (tmp_path / "args").read_text().split()
    assert words == ["-4", "-t", "-cf"]
    assert Path(copy).is_relative_to(staged["guests.conf"].parent)
    assert where == "/"
    seen = (tmp_path / "seen").read_text()
    assert seen.startswith(f'authoritative;\ninclude "{staged["guests.conf"]}";\n')
    assert f'include "{staged["hypervisors.conf"]}";' in seen
    assert verdict.outcome is Outcome.ACCEPTED
    assert f'add: include "{tmp_path}/conf/hypervisors.conf";' in verdict.text


async def test_links_and_generations_lead_to_ours(
    script: Script, staged: dict[str, Path], tmp_path: Path
) -> None:
    """Ours is ours by whatever path the operator includes it."""
    conf = tmp_path / "conf"
    (conf / "store" / "gen").mkdir(parents=True)
    for name in staged:
        (conf / "store" / "gen" / name).write_text("old")
        (conf / name).symlink_to(f"store/gen/{name}")
    (tmp_path / "link").symlink_to(conf)
    main = conf / "dhcpd.conf"
    main.write_text(
        f'include "{tmp_path}/link/guests.conf";include "{conf}/store/gen/../gen/hypervisors.conf";'
    )
    assert await isc(script("true"), staged, main=main) == Verdict(outcome=Outcome.ACCEPTED)


async def test_a_main_file_that_is_not_there_is_as_none(
    script: Script, staged: dict[str, Path], tmp_path: Path
) -> None:
    assert (await isc(script("true"), staged, main=tmp_path / "none")).text == ""


async def test_a_rejection_names_our_file_line_and_host(
    script: Script, staged: dict[str, Path]
) -> None:
    staged["guests.conf"].write_text("group guests {\n  host abc {\n    nonsense\n  }\n}\n")
    binary = script(f'echo "{staged["guests.conf"]} line 3: semicolon expected." >&2; exit 1')
    assert await isc(binary, staged) == Verdict(
        outcome=Outcome.REJECTED,
        text="server rejects it: guests.conf line 3 (host abc): semicolon expected.",
    )


async def test_a_rejection_names_the_operators_own_file(
    script: Script, staged: dict[str, Path], tmp_path: Path
) -> None:
    main = tmp_path / "conf" / "dhcpd.conf"
    main.write_text("nonsense")
    verdict = await isc(script('echo "$4 line 1: what?" >&2; exit 1'), staged, main=main)
    assert verdict.text == f"server rejects it: {main} line 1: what?"


async def test_a_rejection_that_says_nothing_known(script: Script, staged: dict[str, Path]) -> None:
    verdict = await isc(script("echo Oops; exit 9"), staged)
    assert verdict == Verdict(
        outcome=Outcome.REJECTED, text="server rejects it (exit code 9): Oops"
    )


async def test_one_that_hangs_rejects_and_leaves_nothing(
    script: Script, staged: dict[str, Path], tmp_path: Path
) -> None:
    binary = script(f"trap '' TERM; sleep 60 & echo $! > {tmp_path}/pid; echo slow; wait")
    verdict = await isc(binary, staged, timeout=0.3)
    assert verdict.outcome is Outcome.REJECTED
    assert verdict.text == "server hangs: its check did not end within 0.3 s; it said: slow"
    with trio.fail_after(5):
        while runs(tmp_path / "pid"):  # noqa: ASYNC110
            await trio.sleep(0.01)


async def test_one_that_crashes_rejects(script: Script, staged: dict[str, Path]) -> None:
    verdict = await isc(script("kill -SEGV $$"), staged)
    assert verdict.outcome is Outcome.REJECTED
    assert "was killed by SIGSEGV" in verdict.text


async def test_a_flood_of_words_is_cut(script: Script, staged: dict[str, Path]) -> None:
    verdict = await isc(script("yes complaint | head -c 5000000; exit 1"), staged)
    assert verdict.outcome is Outcome.REJECTED
    assert len(verdict.text) < 4000


async def test_one_that_is_missing_or_can_not_be_run_is_skipped(
    script: Script, staged: dict[str, Path]
) -> None:
    missing = await isc("no-such-dhcpd", staged)
    assert missing == Verdict(
        outcome=Outcome.SKIPPED, text="not checked: no-such-dhcpd is not installed"
    )
    binary = script("")
    await trio.Path(binary).write_text("#!/no/such/interpreter\n")
    assert (await isc(binary, staged)).outcome is Outcome.SKIPPED


async def test_no_room_for_the_copies_is_a_matter_of_time(
    script: Script, staged: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(TransientError, match="make room"):
        await isc(script("true"), staged)


async def test_a_cancelled_check_leaves_nothing(script: Script, staged: dict[str, Path]) -> None:
    with trio.move_on_after(0.2):
        await isc(script("sleep 60"), staged)
    assert sorted(os.listdir(staged["guests.conf"].parent)) == sorted(staged)


async def test_dnsmasq_is_given_many_lines_in_several_runs(script: Script, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    conf = tmp_path / "new" / "dnsmasq.conf"
    conf.write_text("port=0\ndhcp-hostsfile=/x\n")
    binary = script(
        'dir=$(dirname "$3"); cat "$dir/ours.conf" "$dir/lines.conf" | wc -l'
        f" >> {tmp_path}/seen; grep -q bad $dir/lines.conf || exit 0;"
        ' echo "dnsmasq: bad DHCP host name at line 2 of $dir/lines.conf" >&2; exit 1'
    )
    checker = DnsmasqChecker(None, {}, binary=binary)
    lines = [b"dhcp-host=%d" % number for number in range(12_000)]
    with trio.fail_after(CEILING):
        good = await checker.check({"dnsmasq.conf": conf}, lines)
        lines[5001] = b"dhcp-host=bad"
        bad = await checker.check({"dnsmasq.conf": conf}, lines)
    assert good == Verdict(outcome=Outcome.ACCEPTED)
    assert bad.text == "server rejects it: dhcp-host=bad: bad DHCP host name"
    assert (tmp_path / "seen").read_text().split() == ["5002", "5000", "2000", "5002", "5000"]


class Says:
    """A checker that has made up its mind."""

    def __init__(self, outcome: Outcome, text: str = "") -> None:
        self.verdict = Verdict(outcome=outcome, text=text)
        self.asked = 0

    async def check(self, staged: Mapping[str, Path], lines: Sequence[bytes] = ()) -> Verdict:
        self.asked += 1
        await trio.lowlevel.checkpoint()
        return self.verdict


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ("AA", Outcome.ACCEPTED),
        ("AS", Outcome.SKIPPED),
        ("SA", Outcome.SKIPPED),
        ("SR", Outcome.REJECTED),
        ("RA", Outcome.REJECTED),
        ("", Outcome.ACCEPTED),
    ],
)
async def test_all_have_to_accept(outcomes: str, expected: Outcome) -> None:
    words = {outcome.value[0].upper(): outcome for outcome in Outcome}
    checkers = [Says(words[letter], letter) for letter in outcomes]
    verdict = await AllCheckers(checkers).check({})
    assert verdict.outcome is expected
    assert verdict.text == ("R" if expected is Outcome.REJECTED else "; ".join(outcomes))
    assert outcomes != "RA" or checkers[1].asked == 0


async def test_kea_is_asked_without_the_lock_of_running_servers(
    script: Script, tmp_path: Path
) -> None:
    (tmp_path / "kea-dhcp6.conf").write_text("{}")
    binary = script(f'echo "$@" $KEA_LOCKFILE_DIR > {tmp_path}/seen')
    verdict = await KeaChecker(6, binary=binary).check(
        {"kea-dhcp6.conf": tmp_path / "kea-dhcp6.conf"}
    )
    assert verdict == Verdict(outcome=Outcome.ACCEPTED)
    assert (tmp_path / "seen").read_text() == f"-t {tmp_path}/kea-dhcp6.conf none\n"


def test_servers_are_found_where_only_root_has_them_on_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert find_server("no-such-server") is None
    monkeypatch.delenv("PATH")
    assert find_server("sh") is not None
