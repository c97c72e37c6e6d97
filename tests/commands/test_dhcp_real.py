"""``lochkit dhcp`` beside a real etcd that is killed, cut and compacted, and real checkers."""

import json
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trio

from lochkit.commands.dhcp_options import MAX_WAIT
from lochkit.etcd import operations as op
from lochkit.etcd.client import Client
from lochkit.etcd.prefix import KeyRange
from tests.dhcp.servers import dhcp_server
from tests.etcd.real import client_of, until
from tests.servers.binaries import Binaries
from tests.servers.cut_proxy import CutProxy
from tests.servers.etcd_cluster import EtcdCluster
from tests.servers.etcd_server import EtcdServer
from tests.servers.workspace import workspace

from .dhcping import dhcping, guest, hypervisor, key_of, rendered, subnet

pytestmark = pytest.mark.real_etcd
LIMIT = 120
GOLDEN = Path(__file__).parents[1] / "dhcp" / "golden"


@pytest.fixture
async def server(etcd_binary: Binaries) -> AsyncIterator[EtcdServer]:
    async with EtcdServer.run(etcd_binary) as running:
        yield running


@pytest.fixture
async def plain_server(debian_etcd: Binaries) -> AsyncIterator[EtcdServer]:
    """For tests of what happens to files: which etcd tells of the hosts is all one to them."""
    async with EtcdServer.run(debian_etcd) as running:
        yield running


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory where to sync takes no time."""
    with workspace() as path:
        yield path


async def put(etcd: Client, kind: str, number: int, value: str) -> None:
    await etcd.kv.put(key_of(kind, number).encode(), value.encode())


async def small_cluster(server: EtcdServer, guests: int = 3) -> None:
    """A hypervisor, a subnet and some guests."""
    async with client_of(server.endpoint) as etcd:
        await put(etcd, "hypervisors", 1, hypervisor(1))
        await put(etcd, "subnets", 1, subnet(1))
        for number in range(1, guests + 1):
            await put(etcd, "guests", number, guest(number))


async def test_the_golden_data_is_the_golden_bytes_and_dhcpd_accepts_them(
    server: EtcdServer, tmp_path: Path
) -> None:
    golden = {name: (GOLDEN / name).read_text() for name in ("hypervisors.conf", "guests.conf")}
    main = tmp_path / "dhcpd.conf"
    networks = ("192.168.100.0 netmask 255.255.255.0", "10.20.0.0 netmask 255.255.255.0")
    includes = "".join(f'include "{tmp_path}/conf/{name}";\n' for name in golden)
    main.write_text("".join(f"subnet {one} {{ }}\n" for one in networks) + includes)
    dhcp_server("dhcpd")
    options = ("--etcd", server.endpoint, "--require-check", "--main-config", str(main))
    with trio.fail_after(LIMIT):
        async with dhcping(tmp_path, *options) as dhcp:
            for key, value in json.loads((GOLDEN / "etcd-keys.json").read_text()).items():
                await server.ctl("put", key, value)
            await dhcp.has(golden)
            left_out = {"no-address": 1, "unplaced": 1}
            await until(15, lambda: dhcp.status().left_out == left_out and dhcp.status().in_step)
            status = dhcp.status()
            assert (status.hypervisors, status.guests, status.in_step) == (2, 2, True)
            assert status.left_out == left_out
            assert "ISC has ended its dhcpd" in dhcp.errors
            assert "does not include" not in dhcp.errors


async def test_an_empty_store_is_the_empty_groups(server: EtcdServer, tmp_path: Path) -> None:
    names = ("hypervisors.conf", "guests.conf")
    async with dhcping(tmp_path, "--etcd", server.endpoint, domain="ex") as dhcp:
        await dhcp.has({name: (GOLDEN / "empty" / name).read_text() for name in names})


async def test_every_kind_of_event(server: EtcdServer, tmp_path: Path) -> None:
    """Creation, update, deletion, a destroyed guest's folder, an expired lease, a whole prefix."""
    await small_cluster(server)
    options = ("--etcd", server.endpoint, "--max-shrink", "100", "--quiet-time", "0")
    with trio.fail_after(LIMIT):
        async with dhcping(tmp_path, *options) as dhcp, client_of(server.endpoint) as etcd:

            async def is_true() -> None:
                await dhcp.has(rendered(await server.dump("/lochness/")))

            await is_true()
            await put(etcd, "guests", 9, guest(9))
            await is_true()
            await put(etcd, "guests", 9, guest(9, address=3000))
            await is_true()
            await server.ctl("del", "--prefix", key_of("guests", 9).removesuffix("metadata"))
            await is_true()
            assert "000000000009" not in dhcp.files()["guests.conf"]
            lease = await etcd.leases.grant(2)
            await etcd.kv.put(key_of("guests", 8).encode(), guest(8).encode(), lease=lease.ID)
            await is_true()
            await until(15, lambda: "000000000008" not in dhcp.files()["guests.conf"])
            await is_true()
            await server.ctl("del", key_of("subnets", 1))
            await is_true()
            assert "host" not in dhcp.files()["guests.conf"]
            await until(5, lambda: dhcp.status().left_out == {"unknown-subnet": 3})
            await put(etcd, "subnets", 1, subnet(1))
            await is_true()
            await server.ctl("del", "--prefix", "/lochness/guests")
            await is_true()


@pytest.mark.slow
async def test_what_changes_no_host_is_no_work(server: EtcdServer, tmp_path: Path) -> None:
    await small_cluster(server)
    mark = tmp_path / "reloads"
    command = f'{sys.executable} -c \'open("{mark}", "a").write("x")\''
    options = ("--etcd", server.endpoint, "--quiet-time", "0", "--reload-command", command)
    with trio.fail_after(LIMIT):
        async with dhcping(tmp_path, *options) as dhcp, client_of(server.endpoint) as etcd:
            await until(20, lambda: mark.exists() and mark.read_text() == "x")
            before = dhcp.generation
            stamps = [os.stat(dhcp.conf / name).st_mtime_ns for name in dhcp.files()]
            await trio.sleep(1.5)  # the status has been told
            written = os.stat(dhcp.conf / ".lochkit" / "status.json").st_mtime_ns
            stem = key_of("hypervisors", 1).removesuffix("metadata")
            for number in range(20):
                await server.ctl("put", f"{stem}heartbeat", f"{number}")
                await server.ctl("put", f"{stem}config/x", f"{number}")
                resources = {"available_resources": {"memory": number, "disk": 1, "cpu": 1}}
                await put(etcd, "hypervisors", 1, hypervisor(1, **resources))
            await server.ctl("put", "/lochness/subnets/x/addresses/10.1.0.9", "y")
            await trio.sleep(1)
            assert dhcp.generation == before
            assert [os.stat(dhcp.conf / name).st_mtime_ns for name in dhcp.files()] == stamps
            assert mark.read_text() == "x"
            assert os.stat(dhcp.conf / ".lochkit" / "status.json").st_mtime_ns == written


async def test_a_restart_finds_the_files_right_and_disturbs_nobody(
    server: EtcdServer, tmp_path: Path
) -> None:
    await small_cluster(server)
    mark = tmp_path / "reloads"
    command = f'{sys.executable} -c \'open("{mark}", "a").write("x")\''
    options = ("--etcd", server.endpoint, "--reload-command", command)
    for _ in range(2):
        async with dhcping(tmp_path, *options) as dhcp:
            await dhcp.has(rendered(await server.dump("/lochness/")))
            await until(20, lambda: mark.exists())
            await dhcp.tells()
            await trio.sleep(0.5)
            assert dhcp.generation == 1
            dhcp.process.terminate()
            assert await dhcp.ends() == 0
    assert mark.read_text() == "x"
    assert sorted(path.name for path in (tmp_path / "conf").iterdir()) == [
        ".lochkit",
        "guests.conf",
        "hypervisors.conf",
    ]


async def test_bad_objects_harm_only_themselves(server: EtcdServer, tmp_path: Path) -> None:
    await small_cluster(server)
    bad = {
        "/lochness/guests/nonsense/metadata": "{}",
        key_of("guests", 50): "{",
        key_of("guests", 51): guest(51, mac="x"),
        key_of("guests", 52): guest(52, ip="10.2.0.1"),
        key_of("guests", 53): guest(1),
        key_of("guests", 54): guest(54, address=257),  # that of guest 1
        key_of("hypervisors", 55): hypervisor(55, metadata={"boot.ipxe": '"; } evil'}),
        key_of("subnets", 56): '{"cidr":"10.9.0.0/16","gateway":"10.8.0.1"}',
    }
    good = rendered(await server.dump("/lochness/"))
    for key, value in bad.items():
        await server.ctl("put", key, value)
    async with dhcping(tmp_path, "--etcd", server.endpoint) as dhcp:
        await dhcp.has(good)
        await until(5, lambda: len(dhcp.status().quarantined) == len(bad))
        found = {item.key: item.reason for item in dhcp.status().quarantined}
        assert found == dict(
            zip(
                bad,
                [
                    *("bad-id", "malformed", "bad-mac", "outside-subnet", "bad-id"),
                    *("duplicate-address", "unsafe-text", "gateway-outside"),
                ],
                strict=True,
            )
        )
        for key in bad:
            await server.ctl("del", key)
        await until(10, lambda: not dhcp.status().left_out)
        assert not dhcp.status().left_out


async def test_kill_cut_and_compaction_end_in_the_true_files(
    server: EtcdServer, tmp_path: Path
) -> None:
    rng = random.Random(1)
    await small_cluster(server)
    with trio.fail_after(LIMIT):
        async with (
            CutProxy.run("127.0.0.1", server.port) as proxy,
            dhcping(tmp_path, "--etcd", proxy.url, "--quiet-time=0.05", "--max-shrink=100") as dhcp,
        ):
            for _ in range(6):
                async with client_of(server.endpoint) as etcd:
                    for number in range(40):
                        one = rng.randrange(2, 40)
                        if rng.random() < 0.3:
                            await etcd.kv.delete(KeyRange.exact(key_of("guests", one).encode()))
                        else:
                            address = 300 + one * 200 + number
                            await put(etcd, "guests", one, guest(one, address=address))
                    match rng.randrange(3):
                        case 0:
                            proxy.cut_after(rng.randrange(2000))
                        case 1:
                            proxy.refuse()
                            newest = (await etcd.kv.put(b"/c/d", b"")).header.revision
                            await etcd.kv.compact(newest)
                        case _:
                            server.kill()
                            await server.start()
                proxy.heal()
            await dhcp.has(rendered(await server.dump("/lochness/")))


@pytest.mark.slow
async def test_a_lost_leader_and_a_lost_member(debian_etcd: Binaries, tmp_path: Path) -> None:
    with trio.fail_after(LIMIT):
        async with EtcdCluster.run(debian_etcd) as cluster:
            options = ("--etcd", ",".join(cluster.endpoints), "--max-shrink", "100")
            async with dhcping(tmp_path, *options) as dhcp:
                await small_cluster(cluster.members[0])
                await dhcp.has(rendered(await cluster.members[0].dump("/lochness/")))
                leader = await cluster.leader()
                leader.kill()
                [survivor, _] = [one for one in cluster.members if one is not leader]
                for number in range(10, 30):
                    with trio.fail_after(20):
                        while True:
                            try:
                                await survivor.ctl("put", key_of("guests", number), guest(number))
                                break
                            except AssertionError:  # etcdctl: no leader yet
                                await trio.sleep(0.2)
                await dhcp.has(rendered(await survivor.dump("/lochness/")))
                await leader.start()
                await small_cluster(leader, guests=5)
                await dhcp.has(rendered(await leader.dump("/lochness/")))


@pytest.mark.slow
async def test_kill_9_at_any_moment_leaves_a_whole_set(
    plain_server: EtcdServer, memory: Path
) -> None:
    """Both files change in every generation; whatever is killed, they are of the same one."""
    rng, server = random.Random(7), plain_server
    await small_cluster(server, guests=1)
    options = ("--etcd", server.endpoint, "--quiet-time=0", "--max-wait=0", "--no-check")
    generations, lives = 0, 0
    with trio.fail_after(2 * LIMIT):
        async with client_of(server.endpoint) as etcd:
            number = 2
            while generations < 200 or lives < 12:
                lives += 1
                async with dhcping(memory, *options) as dhcp:
                    first = dhcp.generation
                    enough = first + rng.randint(1, 30)
                    # Every fourth is killed while it starts, the others at work.
                    within = rng.uniform(0.2, 0.8) if lives % 4 == 0 else LIMIT
                    deadline = trio.current_time() + within
                    while dhcp.generation < enough and trio.current_time() < deadline:
                        number = number % 60_000 + 1
                        last = {"ip": f"192.168.{number >> 8}.{number & 255}"}
                        both = [
                            (key_of("hypervisors", 1), hypervisor(1, **last)),
                            (key_of("guests", 1), guest(1, address=number)),
                        ]
                        await _txn(etcd, both)
                        await trio.sleep(0.01)
                    await trio.sleep(rng.uniform(0.0, 0.03))
                    dhcp.process.kill()
                    await dhcp.ends()
                    generations += dhcp.generation - first
                    files = dhcp.files()
                    if dhcp.generation:
                        assert _address(files["guests.conf"]) == _address(files["hypervisors.conf"])
                        assert all(text.endswith("\n\n}\n") for text in files.values())
            async with dhcping(memory, *options) as dhcp:
                await dhcp.has(rendered(await server.dump("/lochness/")))
                kept = [path.name for path in (dhcp.conf / ".lochkit").iterdir()]
                assert len(kept) < 15, kept


async def _txn(etcd: Client, pairs: list[tuple[str, str]]) -> None:
    await etcd.kv.txn([], [op.put(key.encode(), value.encode()) for key, value in pairs])


def _address(text: str) -> str:
    """The last two numbers of the only address in a file."""
    [line] = [line for line in text.splitlines() if "fixed-address" in line]
    return ".".join(line.strip(" ;").split(".")[-2:])


async def test_the_checker_refuses_what_the_operator_broke_until_it_is_mended(
    server: EtcdServer, tmp_path: Path
) -> None:
    dhcp_server("dhcpd")
    main = tmp_path / "dhcpd.conf"
    main.write_text("nonsense")
    await small_cluster(server)
    options = ("--etcd", server.endpoint, "--main-config", str(main))
    async with dhcping(tmp_path, *options) as dhcp:
        await until(20, lambda: "rejected" in dhcp.errors)
        assert dhcp.files() == {}
        await until(5, lambda: str(main) in (dhcp.status().last_error or ""))
        assert not dhcp.status().in_step
        main.write_text(f'include "{tmp_path}/conf/hypervisors.conf";')
        dhcp.process.send_signal(signal.SIGHUP)
        await dhcp.has(rendered(await server.dump("/lochness/")))
        await until(5, lambda: "in step again" in dhcp.errors)


async def test_a_directory_that_comes_late(server: EtcdServer, tmp_path: Path) -> None:
    await small_cluster(server)
    missing = tmp_path / "late"
    options = ("--etcd", server.endpoint, "--conf-dir", str(missing))
    async with dhcping(tmp_path, *options) as dhcp:
        await until(20, lambda: str(missing) in dhcp.errors)
        assert dhcp.process.poll() is None
        missing.mkdir()
        await until(20, lambda: (missing / "guests.conf").exists())
        assert (missing / "guests.conf").exists()


async def test_two_daemons_do_not_share_files(server: EtcdServer, tmp_path: Path) -> None:
    async with dhcping(tmp_path, "--etcd", server.endpoint) as first:
        await until(20, lambda: first.generation == 1)
        (tmp_path / "second").mkdir()
        options = ("--etcd", server.endpoint, "--conf-dir", str(first.conf))
        async with dhcping(tmp_path / "second", *options) as second:
            assert await second.ends() == 75
            assert str(first.process.pid) in second.errors


@pytest.mark.parametrize("hold", [False, True])
async def test_once(server: EtcdServer, tmp_path: Path, hold: bool) -> None:
    await small_cluster(server)
    options = ("--etcd", server.endpoint, "--once", "--no-check")
    async with dhcping(tmp_path, *options) as dhcp:
        assert await dhcp.ends() == 0, dhcp.errors
        assert dhcp.files() == rendered(await server.dump("/lochness/"))
    if hold:
        await server.ctl("del", "--prefix", "/lochness/guests")
        before = dhcp.files()
        async with dhcping(tmp_path, *options) as dhcp:
            assert await dhcp.ends() == 1
            assert "--max-shrink" in dhcp.errors
            assert dhcp.files() == before


async def test_once_tells_some_of_many_faults_and_clears_up_after_who_was_killed(
    server: EtcdServer, tmp_path: Path
) -> None:
    for number in range(30):
        await server.ctl("put", f"/lochness/guests/{number}/metadata", "{")
    state = tmp_path / "conf" / ".lochkit"
    state.mkdir(parents=True)
    for name in ("status.json", "kea-subnet-ids.json"):
        (state / f".{name}.lochkit-2aac6ad814f0").write_text("half")
    async with dhcping(tmp_path, "--etcd", server.endpoint, "--once", "--no-check") as dhcp:
        assert await dhcp.ends() == 0, dhcp.errors
        assert dhcp.errors.count("left out") == 21
        assert "10 more objects are left out" in dhcp.errors
    assert list(state.glob(".*.lochkit-*")) == []


async def test_once_without_etcd_is_75(tmp_path: Path) -> None:
    options = ("--etcd", "http://127.0.0.1:1", "--once", "--request-timeout", "2")
    async with dhcping(tmp_path, *options) as dhcp:
        assert await dhcp.ends() == 75
        assert dhcp.files() == {}


@pytest.mark.slow
async def test_a_burst_is_a_handful_of_generations(server: EtcdServer, tmp_path: Path) -> None:
    await small_cluster(server)
    async with dhcping(tmp_path, "--etcd", server.endpoint) as dhcp:
        await until(20, lambda: dhcp.generation == 1)
        began = trio.current_time()
        async with client_of(server.endpoint) as etcd:
            for number in range(1000):
                await put(
                    etcd, "guests", number % 50 + 1, guest(number % 50 + 1, address=number + 2)
                )
        await dhcp.has(rendered(await server.dump("/lochness/")))
        # None waits longer than --max-wait, so that a burst that takes long is in more of them.
        assert dhcp.generation <= 8 + (trio.current_time() - began) / MAX_WAIT


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_cleanly(
    server: EtcdServer, tmp_path: Path, number: signal.Signals
) -> None:
    async with dhcping(tmp_path, "--etcd", server.endpoint) as dhcp:
        await until(20, lambda: dhcp.generation == 1)
        dhcp.process.send_signal(number)
        assert await dhcp.ends(5) == (130 if number is signal.SIGINT else 0)
