"""What went wrong in the program that this replaces, each as a test that it would fail.

Numbered as in the description of that program. More about each is in the tests of the part that
does better; here is the whole, on a real etcd, from outside.
"""

import json
import logging
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import trio

from lochkit.__main__ import main
from lochkit.discovery import (
    Host,
    InvalidName,
    Kind,
    Layout,
    NoHostFound,
    Phase,
    RegisterOptions,
    Registrar,
    Registration,
    State,
    config_from_environment,
    get,
    host_url,
    register,
    subscribe,
)
from lochkit.errors import ConfigError
from lochkit.etcd.client import open_client
from lochkit.etcd.config import Credentials
from lochkit.etcd.prefix import KeyRange
from tests.discovery.registry_bench import Bench
from tests.etcd.real import client_of, config_of, until
from tests.servers.binaries import Binaries
from tests.servers.cut_proxy import CutProxy
from tests.servers.etcd_server import ROOT_PASSWORD, EtcdServer, ServerOptions

pytestmark = pytest.mark.real_etcd
LIMIT = 40
PORTS = {"http": "8080"}
PRIVATE = Host(name="a.internal", ports=PORTS, user="u", password="p")
PUBLIC = Host(name="web.example.com", ports=PORTS, user="u", password="p", public=True)


@pytest.fixture
async def bench(one_etcd: EtcdServer) -> AsyncIterator[Bench]:
    with trio.fail_after(LIMIT):
        async with client_of(one_etcd.endpoint) as etcd:
            yield Bench(etcd)


async def test_1_a_stop_deregisters(bench: Bench) -> None:
    async with trio.open_nursery() as nursery:
        registrar = Registrar(bench.etcd, layout=bench.layout)
        await nursery.start(registrar.run)
        here = [await registrar.add("web", PRIVATE) for _ in range(400)]
        for registration in here:
            await registration.wait_ready()
        assert len(await bench.values()) == 400
        nursery.cancel_scope.cancel()  # as the original was told to stop
    assert await bench.values() == []


@pytest.mark.parametrize("value", [None, b"junk", b"[]"])
async def test_2_no_deletion_and_no_junk_blanks_credentials(
    bench: Bench, value: bytes | None
) -> None:
    async with register(bench.etcd, "web", PUBLIC, layout=bench.layout) as here:
        await here.wait_ready()
        if value is None:
            await bench.etcd.kv.delete(KeyRange.exact(bench.layout.infos_key("web")))
        else:
            await bench.put_infos(value)
        await trio.sleep(1.5)
        assert here.credentials.password == "p"
        [record] = await bench.values()
        assert (record["user"], record["password"]) == ("u", "p")
        if value is None:
            infos = await bench.infos()
            assert infos is not None
            assert infos["password"] == "p"


async def test_3_a_private_instance_takes_nothing_from_a_public_service(bench: Bench) -> None:
    async with register(bench.etcd, "web", PUBLIC, layout=bench.layout) as here:
        await here.wait_ready()
        before = await bench.infos()
        async with register(bench.etcd, "web", PRIVATE, layout=bench.layout) as there:
            await there.wait_ready()
            await trio.sleep(0.5)
            assert await bench.infos() == before
            assert here.credentials.password == "p"


async def test_4_a_bad_record_harms_nobody_else(bench: Bench) -> None:
    async with register(bench.etcd, "web", PRIVATE, layout=bench.layout) as here:
        await here.wait_ready()
        for name, value in {"a": b'{"name":"x","ports":{"http":80}}', "b": b"junk"}.items():
            await bench.etcd.kv.put(bench.layout.instance_key("web", name), value)
        await bench.etcd.kv.put(bench.layout.instance_key("web", "c/d"), b"{}")
        service = await get(bench.etcd, "web", layout=bench.layout)
        assert service.first().uuid == here.uuid
        assert {host.name for host in service.all()} == {"a.internal", "x", ""}
        assert len(service.faults) == 2


async def test_5_infos_without_a_name(bench: Bench) -> None:
    async with register(bench.etcd, "web", PRIVATE, layout=bench.layout) as here:
        await here.wait_ready()
        await bench.put_infos(b'{"critical":true}')
        service = await get(bench.etcd, "web", layout=bench.layout)
        assert [host.uuid for host in service.all()] == [here.uuid]


async def test_6_a_private_service_has_its_credentials(bench: Bench) -> None:
    async with register(bench.etcd, "web", PRIVATE, layout=bench.layout) as here:
        await here.wait_ready()
        assert (here.credentials.user, here.credentials.password) == ("u", "p")


async def test_7_an_etcd_that_is_away_at_first_is_told_and_waited_for(
    debian_etcd: Binaries, caplog: pytest.LogCaptureFixture
) -> None:
    with trio.fail_after(LIMIT):
        async with EtcdServer.run(debian_etcd) as server:
            server.kill()
            async with (
                client_of(server.endpoint) as etcd,
                register(etcd, "web", PRIVATE) as here,
            ):
                await until(10, lambda: bool(here.status.last_error))
                assert "refused" in here.status.last_error
                assert any(
                    record.levelno >= logging.WARNING and "refused" in record.getMessage()
                    for record in caplog.records
                )
                await server.start()
                await here.wait_ready()


async def test_8_a_hung_endpoint_costs_no_registration(one_etcd: EtcdServer) -> None:
    with trio.fail_after(LIMIT):
        async with CutProxy.run("127.0.0.1", one_etcd.port) as proxy:
            layout = Layout(namespace=f"/weak-{uuid4().hex}")
            phases: list[Phase] = []
            async with (
                open_client(config_of(proxy.url, one_etcd.endpoint)) as etcd,
                register(
                    etcd,
                    "web",
                    PRIVATE,
                    layout=layout,
                    on_change=lambda status: phases.append(status.phase),
                ) as here,
            ):
                await here.wait_ready()
                proxy.black_hole()
                await trio.sleep(6.5)  # longer than the lease lives
                assert phases == [Phase.READY]


async def test_9_no_change_of_credentials_is_missed_while_cut_off(one_etcd: EtcdServer) -> None:
    with trio.fail_after(LIMIT):
        async with (
            CutProxy.run("127.0.0.1", one_etcd.port) as proxy,
            client_of(proxy.url) as etcd,
            client_of(one_etcd.endpoint) as other,
        ):
            bench, outside = Bench(etcd), Bench(other)
            outside.layout = bench.layout
            async with register(etcd, "web", PUBLIC, layout=bench.layout) as here:
                await here.wait_ready()
                proxy.cut()
                proxy.refuse()
                infos = await outside.infos()
                assert infos is not None
                await outside.put_infos(json.dumps(infos | {"password": "new"}).encode())
                await trio.sleep(0.5)
                proxy.heal()
                await until(10, lambda: here.credentials.password == "new")
                assert here.credentials.password == "new"


async def test_10_a_subscription_outlives_an_outage(debian_etcd: Binaries) -> None:
    with trio.fail_after(LIMIT):
        async with (
            EtcdServer.run(debian_etcd) as server,
            client_of(server.endpoint) as etcd,
            subscribe(etcd, "web") as events,
        ):
            server.kill()
            assert (await anext(events)).kind is Kind.STALE
            await server.start()
            assert (await anext(events)).kind is Kind.FRESH
            async with register(etcd, "web", PRIVATE) as here:
                while (event := await anext(events)).kind is Kind.INFOS:
                    pass
                assert (event.kind, event.uuid) == (Kind.NEW, here.uuid)


async def test_11_it_is_told_when_a_registration_is_lost_and_back(bench: Bench) -> None:
    phases: list[Phase] = []

    def changed(registration: Registration) -> bool:
        return registration.ready and Phase.LOST in phases

    async with register(
        bench.etcd,
        "web",
        PRIVATE,
        layout=bench.layout,
        on_change=lambda status: phases.append(status.phase),
    ) as here:
        await here.wait_ready()
        uuid = here.uuid
        await bench.etcd.leases.revoke(here.status.lease_id)
        await until(10, lambda: changed(here))
        assert phases == [Phase.READY, Phase.LOST, Phase.READY]
        assert here.uuid == uuid
        assert len(await bench.values()) == 1


def test_12_urls_are_encoded_and_keep_their_secret() -> None:
    host = Host(name="2001:db8::1", ports={"http": "80"}, user="a@b", password="p:/?#")
    url = host_url(host, "http", "/x")
    assert url.reveal() == "http://a%40b:p%3A%2F%3F%23@[2001:db8::1]:80/x"
    assert "p:/?" not in f"{url}{url!r}{host!r}"
    assert "%2F" not in f"{url}{url!r}{host!r}"


async def test_12_etcd_asks_for_a_login(debian_etcd: Binaries) -> None:
    with trio.fail_after(LIMIT):
        async with EtcdServer.run(debian_etcd, ServerOptions(auth=True)) as server:
            root = Credentials(user="root", password=ROOT_PASSWORD)
            async with (
                open_client(config_of(server.endpoint, credentials=root)) as etcd,
                register(etcd, "web", PRIVATE) as here,
            ):
                await here.wait_ready()


async def test_13_a_heartbeat_writes_nothing(bench: Bench) -> None:
    options = RegisterOptions(ttl=2)
    async with register(bench.etcd, "web", PRIVATE, layout=bench.layout, options=options) as here:
        await here.wait_ready()
        key = bench.layout.instance_key("web", here.uuid)
        before = await bench.etcd.kv.get(key)
        await trio.sleep(4)
        after = await bench.etcd.kv.get(key)
        assert before == after
        assert before is not None
        assert before.version == 1


async def test_14_health_maintenance_weight_and_what_else_there_is_to_say(bench: Bench) -> None:
    said = {"weight": 3, "tags": ("blue",), "meta": {"rack": "4"}, "version": "2", "zone": "n"}
    host = Host(name="a.internal", ports=PORTS, **said)  # type: ignore[arg-type]
    async with register(bench.etcd, "web", host, layout=bench.layout) as here:
        await here.wait_ready()
        found = (await get(bench.etcd, "web", layout=bench.layout)).first()
        assert {name: getattr(found, name) for name in said} == said
        for state in (State.CRITICAL, State.MAINTENANCE):
            here.set_state(state)
            with trio.fail_after(5):
                while (await bench.values())[0].get("lochkit", {}).get("state") != state.value:  # noqa: ASYNC110 (real servers tell no trio.Event)
                    await trio.sleep(0.02)
            service = await get(bench.etcd, "web", layout=bench.layout)
            with pytest.raises(NoHostFound, match=state.value):
                service.first()
            assert service.first(passing=False).uuid == here.uuid


async def test_15_a_public_address_without_a_living_host_is_no_answer(bench: Bench) -> None:
    async with register(bench.etcd, "web", PUBLIC, layout=bench.layout) as here:
        await here.wait_ready()
        service = await get(bench.etcd, "web", layout=bench.layout)
        assert str(service.url("http")) == "http://u:***@web.example.com:8080"
    service = await get(bench.etcd, "web", layout=bench.layout)
    with pytest.raises(NoHostFound):
        service.url("http")


def test_16_a_bad_environment_is_an_error_and_no_panic() -> None:
    for environ in (
        {"ETCD_HOSTS": "http:// x"},
        {"ETCD_HOST": "tcp://10.0.0.1:2379"},
        {"ETCD_TLS_CERT": "/x"},
        {"ETCD_CACERT": "?", "ETCD_TLS_INMEMORY": "true"},
    ):
        with pytest.raises(ConfigError, match="ETCD_"), config_from_environment(environ):
            pass


def test_16_an_authority_alone_is_tls_too() -> None:
    with config_from_environment({"ETCD_HOSTS": "a:1 , b", "ETCD_CACERT": "/ca"}) as config:
        assert [str(endpoint) for endpoint in config.endpoints] == ["https://a:1", "https://b:2379"]


async def test_16_registries_stand_beside_each_other(bench: Bench, one_etcd: EtcdServer) -> None:
    async with client_of(one_etcd.endpoint) as second:
        other = Bench(second)
        async with (
            register(bench.etcd, "web", PRIVATE, layout=bench.layout) as here,
            register(second, "web", PRIVATE, layout=other.layout) as there,
        ):
            await here.wait_ready()
            await there.wait_ready()
            assert [record["uuid"] for record in await bench.values()] == [here.uuid]
            assert [record["uuid"] for record in await other.values()] == [there.uuid]


@pytest.mark.parametrize("name", ["a/b", "", "_hidden", "a b", "ä", "x" * 200, "../x"])
async def test_17_a_name_that_would_not_be_found_is_refused(bench: Bench, name: str) -> None:
    with pytest.raises(InvalidName):
        async with register(bench.etcd, name, PRIVATE, layout=bench.layout):
            pass
    assert (await bench.etcd.kv.list(KeyRange.prefix(bench.layout.namespace.encode()))).kvs == []


def test_18_there_is_a_command(one_etcd: EtcdServer, capfd: pytest.CaptureFixture[str]) -> None:
    namespace = f"/weak-{uuid4().hex}"
    words = ["services", "list", "--json", "-e", one_etcd.endpoint, "--namespace", namespace]
    assert main(words) == 0
    assert json.loads(capfd.readouterr().out) is not None
