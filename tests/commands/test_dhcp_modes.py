"""The modes of ``lochkit dhcp`` that install nothing, on snapshots; the real checkers judge."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from lochkit import logs
from lochkit.__main__ import main
from lochkit.commands import dhcp_check, dhcp_diff
from lochkit.commands.dhcp_source import to_the_end
from lochkit.dhcp.check_run import Outcome, Verdict
from lochkit.dhcp.status import Quarantined, Status
from lochkit.etcdwatch.formats import Format, layout_for
from lochkit.io.lockfile import LockFile
from tests.dhcp.hosts import GOLDEN
from tests.dhcp.servers import dhcp_server

ROOT = Path(__file__).parents[2]
SNAPSHOT = GOLDEN / "etcd-keys.json"
VIEW = ["--domain", "example.com", "--from-file", str(SNAPSHOT)]
WEB, HALF = "04b1d7aa-93c5-4f6e-9d21-7c5be1f0a101", "f27d3b84-0c59-4a6e-8e97-91b2d8c6f404"
HALF_KEY = f"/lochness/guests/{HALF}/metadata"


@pytest.fixture(autouse=True)
def _logs() -> Iterator[None]:
    yield
    logs.setup()  # not to the stderr that pytest captured for this test


class Ran:
    """What a run printed and returned."""

    def __init__(self, code: int, out: bytes, errors: bytes) -> None:
        self.code = code
        self.out = out.decode()
        self.errors = errors.decode()

    @property
    def object(self) -> Any:
        """The output as JSON."""
        return json.loads(self.out)


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes]) -> Any:
    def run(mode: str, *words: str) -> Ran:
        code = main(["dhcp", mode, *words])
        return Ran(code, *capfdbinary.readouterr())

    return run


def process(*words: str, **given: Any) -> subprocess.CompletedProcess[bytes]:
    """Run a mode in a process of its own."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "toolkit")}
    argv = [sys.executable, "-m", "lochkit", "dhcp", *words]
    return subprocess.run(argv, env=environ, check=False, timeout=60, **given)


# -- render ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["hypervisors.conf", "guests.conf"])
def test_render_prints_one_file_as_the_original_wrote_it(run: Any, name: str) -> None:
    ran = run("render", *VIEW, "--only", name)
    assert ran.code == 0
    assert ran.out == (GOLDEN / name).read_text()
    assert HALF_KEY in ran.errors
    assert ran.errors.count("left out") == 1


def test_render_prints_all_files_below_their_names(run: Any) -> None:
    parts = [f"# file: {name}\n{(GOLDEN / name).read_text()}" for name in NAMES]
    assert run("render", *VIEW).out == "".join(parts)


NAMES = ("hypervisors.conf", "guests.conf")


@pytest.mark.parametrize("backend", ["isc", "kea", "dnsmasq"])
def test_render_writes_to_a_directory(run: Any, tmp_path: Path, backend: str) -> None:
    place = tmp_path / "a" / "b"
    assert run("render", *VIEW, "-b", backend, "-o", str(place)).code == 0
    shown = run("render", *VIEW, "-b", backend).out
    names = {path.name for path in place.iterdir()}
    assert len(names) == {"isc": 2, "kea": 1, "dnsmasq": 3}[backend]
    for name in names:
        content = (place / name).read_text()
        assert content in shown
        assert run("render", *VIEW, "-b", backend, "--only", name).out == content


def test_render_writes_a_hosts_directory(run: Any, tmp_path: Path) -> None:
    words = [*VIEW, "-b", "dnsmasq", "--hosts-dir", "/srv/dhcp-hosts"]
    assert run("render", *words, "-o", str(tmp_path)).code == 0
    hosts = {path.name: path.read_text() for path in (tmp_path / "dhcp-hosts").iterdir()}
    assert len(hosts) == 4
    assert hosts[f"guests-{WEB}"].startswith("02:1a:4f:c3:77:01,")
    assert {path.name for path in tmp_path.iterdir()} == {
        *("dhcp-hosts", "dnsmasq.conf", "dnsmasq.opts")
    }
    out = run("render", *words).out
    assert f"# file: dhcp-hosts/guests-{WEB}\n{hosts[f'guests-{WEB}']}" in out


def test_render_can_be_strict(run: Any, tmp_path: Path) -> None:
    assert run("render", *VIEW, "--strict").code == 1
    assert run("render", *VIEW[:-1], str(without_half(tmp_path)), "--strict").code == 0


def without_half(tmp_path: Path) -> Path:
    """A snapshot in which all is well."""
    texts = json.loads(SNAPSHOT.read_text())
    del texts[HALF_KEY]
    layout = layout_for(Format.YAML)
    for key, text in texts.items():
        layout.put(key, text)
    path = tmp_path / "snapshot.yaml"
    path.write_bytes(b"".join(layout.document().chunks))
    return path


def test_render_says_which_files_there_are(run: Any) -> None:
    ran = run("render", *VIEW, "--only", "nonsense")
    assert ran.code == 2
    assert "hypervisors.conf, guests.conf" in ran.errors
    assert ran.out == ""


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "No such file"), (b"[]", "not an object"), (b'{"/x/y": ""}', "--prefix")],
)
def test_a_snapshot_that_is_none_is_the_operators(
    run: Any, tmp_path: Path, content: bytes | None, words: str
) -> None:
    path = tmp_path / "snapshot"
    if content is not None:
        path.write_bytes(content)
    ran = run("render", "-d", "example.com", "--from-file", str(path))
    assert ran.code == 78
    assert f"{path}: " in ran.errors
    assert words in ran.errors


def test_render_reads_standard_input() -> None:
    words = ("render", "-d", "example.com", "--from-file", "-", "--only", "guests.conf")
    with SNAPSHOT.open("rb") as file:
        ran = process(*words, stdin=file, capture_output=True)
    assert ran.returncode == 0
    assert ran.stdout == (GOLDEN / "guests.conf").read_bytes()


def test_output_that_can_not_be_written_is_told() -> None:
    with open("/dev/full", "wb") as full:
        ran = process("render", *VIEW, stdout=full, stderr=subprocess.PIPE)
    assert ran.returncode == 1
    assert b"the output can not be written: No space left" in ran.stderr
    reading, writing = os.pipe()
    os.close(reading)
    ran = process("render", *VIEW, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert ran.returncode == 141
    assert b"Broken" not in ran.stderr


def test_render_names_what_it_can_not_write(run: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = run("render", *VIEW, "-o", str(tmp_path / "file" / "x"))
    assert ran.code == 78
    assert str(tmp_path / "file" / "x") in ran.errors


def test_a_hosts_directory_is_for_dnsmasq(run: Any) -> None:
    ran = run("render", *VIEW, "--hosts-dir", "/x")
    assert ran.code == 2
    assert "--backend dnsmasq" in ran.errors


# -- check -----------------------------------------------------------------------------------------

SERVERS = {"isc": "dhcpd", "kea": "kea-dhcp4", "dnsmasq": "dnsmasq"}


@pytest.mark.parametrize("backend", SERVERS)
def test_check_asks_the_real_checker(run: Any, tmp_path: Path, backend: str) -> None:
    dhcp_server(SERVERS[backend])
    words = [*VIEW, "-b", backend, "-c", str(tmp_path)]
    ran = run("check", *words)
    assert ran.code == 0, ran.out
    lines = ran.out.splitlines()
    assert lines[0].startswith(f"{backend}: accepted")
    assert lines[1:] == [
        "served: 2 hypervisors, 2 guests",
        "left out: 1 no-address, 1 unplaced",
        f"{HALF_KEY}  no-address  it has no IP address",
    ]
    assert list(tmp_path.iterdir()) == []
    report = run("check", *words, "--json").object
    assert report["outcome"] == "accepted"
    assert report["left_out"] == {"no-address": 1, "unplaced": 1}
    assert [one["key"] for one in report["quarantined"]] == [HALF_KEY]


def test_check_tells_what_is_rejected(run: Any, tmp_path: Path) -> None:
    dhcp_server("dhcpd")
    main_config = tmp_path / "dhcpd.conf"
    main_config.write_text("nonsense here;\n")
    words = [*VIEW, "-c", str(tmp_path), "--main-config", str(main_config)]
    ran = run("check", *words)
    assert ran.code == 1
    assert ran.out.startswith("isc: rejected: ")
    assert str(main_config) in ran.out
    assert run("check", *words, "--json").object["outcome"] == "rejected"
    assert [path.name for path in tmp_path.iterdir()] == ["dhcpd.conf"]
    assert run("check", *words[:-1], str(tmp_path / "none")).code == 78


def test_check_without_a_checker(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class NoChecker:
        async def check(self, *_: object) -> Verdict:
            await trio.lowlevel.checkpoint()
            return Verdict(outcome=Outcome.SKIPPED, text="dhcpd is not installed\n\x1b[2J")

    monkeypatch.setattr(dhcp_check, "server_checker", lambda *_: NoChecker())
    ran = run("check", *VIEW, "-c", "/nonexistent")
    assert ran.code == 0
    assert ran.out.startswith("isc: skipped: dhcpd is not installed\n  \\x1b[2J\n")
    assert run("check", *VIEW, "--require-check").code == 1


# -- diff ------------------------------------------------------------------------------------------


def test_diff_says_what_would_change(run: Any, tmp_path: Path) -> None:
    words = [*VIEW, "-c", str(tmp_path)]
    ran = run("diff", *words)
    assert ran.code == 1
    assert ran.out.startswith(f"--- /dev/null\n+++ {tmp_path}/hypervisors.conf\twanted\n@@ -0,0 ")
    for name in NAMES:
        shutil.copy(GOLDEN / name, tmp_path)
    ran = run("diff", *words)
    assert ran.code == 0
    assert ran.out == ""
    before = (GOLDEN / "guests.conf").read_text()
    (tmp_path / "guests.conf").write_text(before.replace("10.20.0.37", "10.20.0.38"))
    ran = run("diff", *words)
    assert ran.code == 1
    assert ran.out.count("\n-") == ran.out.count("\n+") - 1 == 1
    changed = [line.split()[-1] for line in ran.out.splitlines()[2:] if line[0] in "+-"]
    assert changed == ["10.20.0.38;", "10.20.0.37;"]


def test_diff_has_colours_on_a_terminal(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dhcp_diff, "has_colours", lambda: True)
    assert run("diff", *VIEW, "-c", str(tmp_path)).out.startswith("\x1b[1m--- /dev/null\x1b[0m\n")


def test_diff_looks_into_a_hosts_directory(run: Any, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    words = [*VIEW, "-b", "dnsmasq", "-c", str(tmp_path), "--hosts-dir", str(hosts)]
    assert run("render", *words, "-o", str(tmp_path)).code == 0
    assert run("diff", *words).out == ""
    (hosts / f"guests-{WEB}").unlink()
    (hosts / f"guests-{HALF}").write_text("stale\n")
    (hosts / "foreign").write_text("not ours\n")
    ran = run("diff", *words)
    assert ran.code == 1
    assert f"--- /dev/null\n+++ {hosts}/guests-{WEB}\twanted\n@@ -0,0 +1 @@\n+02:1a" in ran.out
    assert f"--- {hosts}/guests-{HALF}\tinstalled\n+++ /dev/null\n@@ -1 +0,0 @@\n-stale" in ran.out
    assert "foreign" not in ran.out
    shutil.rmtree(hosts)
    assert run("diff", *words).out.count("+++") == 4


def test_diff_of_what_can_not_be_read_is_no_difference(run: Any, tmp_path: Path) -> None:
    (tmp_path / "hypervisors.conf").mkdir()
    ran = run("diff", *VIEW, "-c", str(tmp_path))
    assert ran.code == 78
    assert f"{tmp_path}/hypervisors.conf: Is a directory" in ran.errors


# -- status ----------------------------------------------------------------------------------------

STATUS = Status(
    pid=os.getpid(),
    backend="isc",
    written=1795258847.0,
    revision=42,
    hypervisors=2,
    guests=3,
    left_out={"bad-mac": 2, "unplaced": 5},
    quarantined=(Quarantined(key="/k\x1b", reason="bad-mac", text="no MAC", first_seen=1e9),),
    generation=7,
    installed_hosts=5,
    last_apply=1795258847.0,
    in_step=True,
)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = tmp_path / ".lochkit"
    path.mkdir()
    return path


@pytest.fixture
def lock(state: Path) -> Iterator[LockFile]:
    held = LockFile(state / "lock")
    held.acquire()
    yield held
    held.release()


def report(state: Path, **given: Any) -> None:
    (state / "status.json").write_bytes(replace(STATUS, **given).to_json())


@pytest.mark.usefixtures("lock")
def test_status_of_a_daemon_that_is_well(run: Any, tmp_path: Path, state: Path) -> None:
    report(state, last_apply=time.time() - 5)
    ran = run("status", "-c", str(tmp_path))
    assert ran.code == 0
    lines = [line.split("  ") for line in ran.out.splitlines()]
    told = {line[0].strip(): line[-1].strip() for line in lines}
    assert told["daemon"] == f"running, process {os.getpid()}, for isc"
    assert told["in step"] == "yes"
    assert told["etcd"] == "revision 42"
    assert told["served"] == "2 hypervisors, 3 guests"
    assert told["left out"] == "2 bad-mac, 5 unplaced"
    assert told["installed"] == "generation 7, 5 hosts"
    assert told["last apply"].endswith("(5 s ago)")
    assert ran.out.endswith(
        "\nNot served:\n/k\\x1b  bad-mac  since 2001-09-09 01:46:40Z  no MAC\n... and 1 more\n"
    )
    told = run("status", "-c", str(tmp_path), "--json").object
    assert told["well"] is told["running"] is told["reporting"] is True
    assert told["quarantined"][0]["key"] == "/k\x1b"


@pytest.mark.usefixtures("lock")
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"etcd": "nobody listens"}, "away: nobody listens"),
        ({"in_step": False, "last_error": "no room", "last_error_at": 0.0}, "no room"),
        ({"generation": 0, "in_step": False, "last_apply": None}, "never"),
        ({"pid": 1}, "starting; what follows is of process 1 before it"),
    ],
)
def test_status_of_a_daemon_that_is_not(
    run: Any, tmp_path: Path, state: Path, given: dict[str, Any], words: str
) -> None:
    report(state, **given)
    ran = run("status", "-c", str(tmp_path))
    assert ran.code == 1
    assert words in ran.out
    assert run("status", "-c", str(tmp_path), "--json").object["well"] is False


def test_status_of_a_daemon_that_does_not_run(run: Any, tmp_path: Path, state: Path) -> None:
    ran = run("status", "-c", str(tmp_path))
    assert ran.code == 1
    assert ran.out == f"the daemon is not running, and none has reported in {state} yet\n"
    report(state)
    for _ in range(2):
        ran = run("status", "--state-dir", str(state))
        assert ran.code == 1
        assert "not running" in ran.out
        lock = LockFile(state / "lock")  # looking does not take it
        lock.acquire()
        lock.release()
    told = run("status", "--state-dir", str(state), "--json").object
    assert told["running"] is False
    assert told["in_step"] is True


@pytest.mark.usefixtures("lock")
def test_status_of_a_daemon_that_has_not_reported_yet(run: Any, tmp_path: Path) -> None:
    assert "is starting" in run("status", "-c", str(tmp_path)).out
    assert run("status", "-c", str(tmp_path), "--json").object == {
        "well": False,
        "running": True,
        "reporting": False,
    }


def test_a_status_that_is_none(run: Any, tmp_path: Path, state: Path) -> None:
    (state / "status.json").write_text("{")
    ran = run("status", "-c", str(tmp_path))
    assert ran.code == 78
    assert f"{state}/status.json: " in ran.errors


# -- audit -----------------------------------------------------------------------------------------


def test_audit_of_what_fits(run: Any, tmp_path: Path) -> None:
    ran = run("audit", "--from-file", str(without_half(tmp_path)))
    assert ran.code == 0
    assert ran.out == "no faults found\n"


def test_audit_of_what_does_not(run: Any) -> None:
    ran = run("audit", "--from-file", str(SNAPSHOT))
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert [line.split()[:2] for line in lines[:-1]] == [
        ["left-out", HALF_KEY],
        ["mirror", HALF_KEY],
    ]
    assert lines[-1] == "2 faults found"
    told = run("audit", "--from-file", str(SNAPSHOT), "--json").object
    assert told["counts"] == {"left-out": 1, "mirror": 1}
    assert {finding["where"] for finding in told["findings"]} == {HALF_KEY}


def test_audit_compares_leases(run: Any, tmp_path: Path) -> None:
    leases = tmp_path / "dnsmasq.leases"
    leases.write_text("0 02:00:00:00:00:99 10.20.0.99 evil\x1b *\n")
    words = ["--from-file", str(without_half(tmp_path)), "--leases", str(leases)]
    ran = run("audit", *words)
    assert ran.code == 0
    assert "unknown-lease  10.20.0.99  leased to 02:00:00:00:00:99 ('evil\\x1b')" in ran.out
    assert ran.out.endswith("no faults found, and 1 that may be none\n")
    more = tmp_path / "more"
    more.write_text("0 02:00:00:00:00:99 10.20.0.37 * *\nhalf a li")
    ran = run("audit", *words, "--leases", str(more))
    assert ran.code == 1
    assert "leased-to-other  10.20.0.37" in ran.out
    assert "1 fault found" in ran.out
    assert "could not be understood" in ran.errors


def test_audit_reads_all_parts_of_keas_file(run: Any, tmp_path: Path) -> None:
    head = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,"
    head += "state,user_context\n"
    row = "10.20.0.{0},02:00:00:00:00:99,,{1},4102444800,1,0,0,,0,\n"
    leases = tmp_path / "leases.csv"
    leases.write_text(head + row.format(37, 0))
    (tmp_path / "leases.csv.2").write_text(head + row.format(37, 7200) + row.format(38, 7200))
    ran = run("audit", "--from-file", str(without_half(tmp_path)), "--leases", str(leases))
    assert ran.out.splitlines()[0].startswith("unknown-lease  10.20.0.38")
    assert "10.20.0.37" not in ran.out


@pytest.mark.parametrize("content", [None, "nonsense\n"])
def test_leases_that_are_none(run: Any, tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "leases"
    if content is not None:
        path.write_text(content)
    ran = run("audit", "--from-file", str(SNAPSHOT), "--leases", str(path))
    assert ran.code == 78
    assert f"{path}: " in ran.errors


# -- all of them -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["render", "check", "diff", "audit"])
def test_they_say_that_etcd_is_away(run: Any, mode: str) -> None:
    words = [] if mode == "audit" else ["-d", "example.com"]
    ran = run(mode, *words, "-e", "http://127.0.0.1:1", "--request-timeout", "1")
    assert ran.code == 75
    assert "127.0.0.1:1" in ran.errors
    assert ran.out == ""


@pytest.mark.parametrize("mode", ["render", "check", "diff", "audit", "status"])
def test_they_have_help(run: Any, mode: str) -> None:
    ran = run(mode, "--help")
    assert ran.code == 0
    assert "--json" in ran.out or mode in ("render", "diff")


def test_who_is_stopped_gives_no_answer(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    argv = [sys.executable, "-m", "lochkit", "dhcp", "check", "-d", "x", "--from-file", str(fifo)]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "toolkit")}
    with subprocess.Popen(argv, env=environ) as child, fifo.open("wb"):
        child.terminate()  # it has opened it, and waits
        assert child.wait(10) == 143


def test_work_tells_its_code() -> None:
    async def work() -> int:
        await trio.lowlevel.checkpoint()
        return 7

    assert trio.run(to_the_end, work) == 7
