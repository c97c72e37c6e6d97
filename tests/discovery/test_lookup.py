"""What is known of a service, and which instance is the answer."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.discovery.errors import (
    BadRecord,
    NoHostFound,
    NoHostFoundOnShard,
    SchemeNotFound,
    ServiceNotFound,
    UnknownScheme,
)
from lochkit.discovery.host import Host, Infos, Instance, State
from lochkit.discovery.lookup import (
    Fault,
    Service,
)

PUBLIC = Infos(
    name="web",
    public=True,
    hostname="web.example.com",
    ports={"http": "80"},
    user="u",
    password="p",
)


def zero() -> float:
    return 0.0


def almost_one() -> float:
    return 1.0 - 2**-53


def fixed(lot: float) -> Callable[[], float]:
    return lambda: lot


def instance(number: int, **host: Any) -> Instance:
    host = {"name": f"h{number}", "ports": {"http": "80"}, **host}
    return Instance(
        service="web",
        uuid=f"i{number}",
        host=Host(service="web", uuid=f"i{number}", **host),
        create_revision=number,
    )


def service(*instances: Instance, infos: Infos | None = None) -> Service:
    return Service(name="web", infos=infos, instances=instances)


ASKED: list[Callable[[Service], object]] = [
    lambda found: found.all(),
    lambda found: found.first(),
    lambda found: found.one(draw=zero),
    lambda found: found.url(draw=zero),
]


@pytest.mark.parametrize("ask", ASKED)
def test_what_was_never_there_is_not_found(ask: Callable[[Service], object]) -> None:
    with pytest.raises(ServiceNotFound, match="service web not found"):
        ask(service())


@pytest.mark.parametrize("ask", ASKED)
@pytest.mark.parametrize("infos", [Infos(name="web"), PUBLIC])
def test_what_was_there_and_is_empty_has_no_host(
    ask: Callable[[Service], object], infos: Infos
) -> None:
    with pytest.raises(NoHostFound, match="no host found for service web"):
        ask(service(infos=infos))


def test_a_service_of_bad_records_is_known() -> None:
    with pytest.raises(NoHostFound, match=r"faults in its records: 1\)"):
        Service(name="web", faults=(Fault("/services/web/x", "not JSON"),)).all()


def test_a_shard_that_nobody_is_on() -> None:
    found = service(instance(1, shard="a"), instance(2, shard="b"), instance(3))
    for ask in (found.all, found.first, lambda shard: found.url(shard=shard, draw=zero)):
        with pytest.raises(NoHostFoundOnShard, match=r"on shard 'c' \(it has a, b\)"):
            ask("c")
    assert found.shards() == ("a", "b")


def test_a_shard_is_its_own_and_none_is_all() -> None:
    found = service(instance(1, shard="a"), instance(2, shard="b"), instance(3))
    assert [host.uuid for host in found.all()] == ["i1", "i2", "i3"]
    assert [host.uuid for host in found.all("b")] == ["i2"]
    assert found.first("b").uuid == found.one("b", draw=zero).uuid == "i2"
    assert str(found.url(shard="b", draw=zero)) == "http://h2:80"


def test_a_shard_of_an_empty_service_is_not_the_reason() -> None:
    with pytest.raises(ServiceNotFound):
        service().all("a")
    with pytest.raises(NoHostFound) as caught:
        service(infos=Infos(name="web")).all("a")
    assert not isinstance(caught.value, NoHostFoundOnShard)


@pytest.mark.parametrize("ask", ASKED)
def test_who_does_not_pass_is_counted(ask: Callable[[Service], object]) -> None:
    states = [State.LEAVING, State.CRITICAL, State.CRITICAL, State.MAINTENANCE]
    found = service(*(instance(n, state=state) for n, state in enumerate(states)))
    counted = "no passing host found for service web: 2 critical, 1 maintenance, 1 leaving$"
    with pytest.raises(NoHostFound, match=counted) as caught:
        ask(found)
    assert not isinstance(caught.value, NoHostFoundOnShard)


def test_who_does_not_pass_is_found_by_who_asks_for_all() -> None:
    found = service(instance(1, state=State.CRITICAL), instance(2, shard="a"))
    assert [host.uuid for host in found.all()] == ["i2"]
    assert [host.uuid for host in found.all(passing=False)] == ["i1", "i2"]
    assert found.first(passing=False).uuid == "i1"
    assert found.one(passing=False, draw=zero).uuid == "i1"
    assert str(found.url(passing=False, draw=zero)) == "http://h1:80"
    only = service(instance(1, state=State.CRITICAL, shard="a"), instance(2))
    with pytest.raises(NoHostFound, match="web on shard 'a': 1 critical"):
        only.all("a")


def test_a_lot_falls_on_each_in_its_share() -> None:
    found = service(instance(1), instance(2, weight=3), instance(3, weight=0))
    drawn = [found.one(draw=fixed(n / 100)).uuid for n in range(100)]
    assert Counter(drawn) == {"i1": 25, "i2": 75}
    evenly = [found.one(weighted=False, draw=fixed(n / 99)).uuid for n in range(99)]
    assert Counter(evenly) == {"i1": 33, "i2": 33, "i3": 33}


def test_weight_zero_is_taken_where_nothing_else_is() -> None:
    found = service(instance(1, weight=0), instance(2, weight=0))
    assert {found.one(draw=draw).uuid for draw in (zero, almost_one)} == {"i1", "i2"}


@given(
    st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=30),
    st.floats(0, 1, exclude_max=True),
    st.booleans(),
)
def test_any_lot_falls_on_somebody(weights: list[int], lot: float, weighted: bool) -> None:
    found = service(*(instance(n, weight=weight) for n, weight in enumerate(weights)))
    for draw in (fixed(lot), zero, almost_one):
        host = found.one(weighted=weighted, draw=draw)
        assert host.weight or not weighted or not any(weights)


def test_a_lot_is_fair() -> None:
    found = service(*(instance(n) for n in range(10)))
    draw = Random(1).random
    counts = Counter(found.one(draw=draw).uuid for _ in range(10_000))
    assert all(850 < counts[f"i{n}"] < 1150 for n in range(10))


def test_a_public_service_is_at_its_own_address() -> None:
    found = service(instance(1, public=True, state=State.CRITICAL), infos=PUBLIC)
    assert found.public
    assert found.url("http", "/x", draw=zero).reveal() == "http://u:p@web.example.com:80/x"
    assert found.url(draw=zero).scheme == "http"
    with pytest.raises(UnknownScheme, match="service web has no port for 'ftp'"):
        found.url("ftp", draw=zero)


def test_a_public_service_and_a_shard_are_an_instance() -> None:
    found = service(instance(1, public=True, shard="a", user="i"), infos=PUBLIC)
    assert found.url("http", "/x", "a", draw=zero).reveal() == "http://i:@h1:80/x"


def test_the_originals_answer_can_be_had() -> None:
    empty = service(infos=PUBLIC)
    assert str(empty.url("http", draw=zero, strict=False)) == "http://u:***@web.example.com:80"
    with pytest.raises(UnknownScheme) as caught:
        empty.url(draw=zero, strict=False)
    assert not isinstance(caught.value, SchemeNotFound)


@pytest.mark.parametrize("infos", [None, Infos(name="web")])
def test_a_private_service_is_at_an_instance(infos: Infos | None) -> None:
    inside = {"private_hostname": "p", "private_ports": {"http": "8080"}}
    found = service(instance(1, **inside), instance(2, **inside), infos=infos)
    assert not found.public
    drawn = [str(found.url("http", "/x", draw=draw)) for draw in (zero, almost_one)]
    assert drawn == ["http://h1:80/x", "http://h2:80/x"]


def test_an_address_is_drawn_by_weight() -> None:
    found = service(instance(1), instance(2, weight=3))
    drawn = Counter(found.url(draw=fixed(n / 100)).host for n in range(100))
    assert drawn == {"h1": 25, "h2": 75}


def test_one_bad_host_is_no_answer_while_there_is_another() -> None:
    bad = instance(1, ports={"http": "x"})
    other = instance(2, ports={"https": "443"})
    for draw in (zero, almost_one, Random(1).random):
        found = service(bad, other, instance(3), replace(bad, uuid="i4"))
        assert str(found.url("http", draw=draw)) == "http://h3:80"
    with pytest.raises(BadRecord):
        service(bad).url(draw=zero)
    with pytest.raises(UnknownScheme, match="has no port for 'ftp'"):
        service(bad, other).url("ftp", draw=zero)
    with pytest.raises(SchemeNotFound):
        service(instance(1, ports=None)).url(draw=zero)


def test_a_service_shows_no_password() -> None:
    found = service(instance(1, password="hunter2"), infos=replace(PUBLIC, password="hunter2"))
    assert "hunter2" not in repr(found)


def test_names_that_anybody_wrote_are_told_in_one_line_and_not_for_ever() -> None:
    evil = "\x1b[31m\r\n\u2028" + "x" * 100_000
    shards = [instance(number, shard=f"{evil}{number}") for number in range(100)]
    with pytest.raises(NoHostFoundOnShard) as missing:
        service(*shards).all("eu" * 100_000)
    ports = {f"{number}{evil}": "80" for number in range(100)}
    with pytest.raises(UnknownScheme) as unknown:
        service(instance(1, ports=ports)).url("s" * 100_000)
    for caught in (missing, unknown):
        text = str(caught.value)
        assert text.isprintable()
        assert "and 90 more" in text or ", 90 more" in text
        assert len(text) < 2000
