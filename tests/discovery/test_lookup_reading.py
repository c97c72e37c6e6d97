"""What a reading of the store says of a service."""

from hypothesis import given
from hypothesis import strategies as st

from lochkit.discovery.errors import DiscoveryError
from lochkit.discovery.host import Host, Infos
from lochkit.discovery.layout import DEFAULT_LAYOUT, Layout
from lochkit.discovery.lookup import Fault, by_age, read_infos, read_instance, service_of
from lochkit.etcd.messages import KeyValue

from .stored import stored_host, stored_infos


def zero() -> float:
    return 0.0


def test_a_reading_becomes_a_service() -> None:
    found = service_of(
        "web",
        stored_infos("web", {"name": "web", "critical": True}),
        [stored_host("web", "i1", {"name": "h1", "ports": {"http": "80"}}, create=4, lease=9)],
        17,
    )
    assert (found.name, found.revision, found.stale) == ("web", 17, False)
    assert found.infos == Infos(name="web", critical=True)
    assert (found.instances[0].create_revision, found.instances[0].lease) == (4, 9)
    assert found.first() == Host(name="h1", service="web", uuid="i1", ports={"http": "80"})
    assert found.faults == ()


def test_bad_records_harm_nothing_but_themselves() -> None:
    found = service_of(
        "web",
        stored_infos("web", b"junk"),
        [
            stored_host("web", "i1", {"name": "h1", "ports": {"http": 80}}),
            stored_host("web", "i2", b"junk"),
            stored_host("web", "i3/sub", b"[]"),
            stored_host("web", "i4", {"name": "h4", "uuid": "other"}),
            KeyValue(key=b"/services/web/", value=b"{}"),
        ],
        1,
    )
    assert found.infos is None
    assert [host.uuid for host in found.all()] == ["i1", "i4"]
    assert str(found.url(draw=zero)) == "http://h1:80"
    assert found.faults == (
        Fault("/services_infos/web", "the value is not JSON (Expecting value)"),
        Fault("/services/web/i1", "ports.http is a number and should be a string"),
        Fault("/services/web/i2", "the value is not JSON (Expecting value)"),
        Fault("/services/web/i3/sub", "the value is JSON of another kind than an object: a list"),
        Fault("/services/web/i4", "uuid is not that of its key"),
        Fault("/services/web/", "this is not the key of an instance"),
    )


def test_infos_without_a_name_are_those_of_their_key() -> None:
    found = service_of("web", stored_infos("web", {}), [], 1)
    assert found.infos == Infos(name="web")
    assert found.faults == ()


def test_other_services_are_left_out() -> None:
    kvs = [
        stored_host("web2", "i1", {}),
        stored_host("we", "i1", b""),
        stored_host("web", "i2", {}),
    ]
    found = service_of("web", None, kvs, 1)
    assert [host.uuid for host in found.all()] == ["i2"]
    assert found.faults == ()


def test_a_service_whose_name_is_not_utf8_has_its_instances() -> None:
    found = service_of("\\xff", None, [KeyValue(key=b"/services/\xff/i1", value=b"{}")], 1)
    assert [one.uuid for one in found.instances] == ["i1"]


def test_a_namespace_is_its_own() -> None:
    blue = Layout(namespace="/blue")
    ours = KeyValue(key=blue.instance_key("web", "i1"), value=b"{}")
    theirs = stored_host("web", "i2", {})
    infos = KeyValue(key=blue.infos_key("web"), value=b"{}")
    found = service_of("web", infos, [ours, theirs], 1, blue)
    assert [host.uuid for host in found.all()] == ["i1"]
    assert found.infos is not None


def test_a_key_that_is_none_is_told() -> None:
    assert read_instance(KeyValue(key=b"/\xff"), DEFAULT_LAYOUT) == (
        None,
        (Fault("/\\xff", "this is not the key of an instance"),),
    )
    assert read_infos(KeyValue(key=b"/services/web/x")) == (
        None,
        (Fault("/services/web/x", "this is not the key of a service's infos"),),
    )


@given(st.lists(st.tuples(st.binary(max_size=30), st.binary(max_size=30)), max_size=6))
def test_any_reading_is_a_service(pairs: list[tuple[bytes, bytes]]) -> None:
    kvs = [KeyValue(key=b"/services/web/" + key, value=value) for key, value in pairs]
    found = service_of("web", kvs[0] if kvs else None, kvs, 1)
    assert len(found.instances) <= len(kvs)
    try:
        found.url(draw=zero)
    except DiscoveryError as exc:
        assert str(exc)  # noqa: PT017 - whether there is one depends on the bytes


def test_the_first_is_the_oldest_in_any_order_of_the_store() -> None:
    kvs = [stored_host("web", f"i{n}", {"name": f"h{n}"}, create=9 - n) for n in (1, 2, 3)]
    kvs.append(stored_host("web", "i0", {"name": "h0"}, create=6))
    for listed in (kvs, kvs[::-1]):
        found = service_of("web", None, listed, 20)
        assert [host.uuid for host in found.all()] == ["i0", "i3", "i2", "i1"]
        assert found.first().name == "h0"
        assert found.instances == tuple(sorted(found.instances, key=by_age))
