"""The keys of the registry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lochkit.discovery.layout import DEFAULT_LAYOUT, Layout

from .stored import UUID4

BLUE = Layout(namespace="/blue")


def test_the_keys_are_the_originals() -> None:
    assert DEFAULT_LAYOUT.instance_key("web", UUID4) == f"/services/web/{UUID4}".encode()
    assert DEFAULT_LAYOUT.infos_key("web") == b"/services_infos/web"


def test_a_namespace_is_in_front_of_all_keys() -> None:
    assert BLUE.instance_key("web", "x") == b"/blue/services/web/x"
    assert BLUE.infos_key("web") == b"/blue/services_infos/web"
    assert BLUE.parse_instance(b"/blue/services/web/x") == ("web", "x")
    assert BLUE.parse_infos(b"/blue/services_infos/web") == "web"


@pytest.mark.parametrize("layout", [DEFAULT_LAYOUT, BLUE])
def test_a_range_holds_its_keys_and_no_others(layout: Layout) -> None:
    web, web2, infos = (
        layout.instance_key("web", "x"),
        layout.instance_key("web2", "x"),
        layout.infos_key("web"),
    )
    held = [layout.service("web").contains(key) for key in (web, web2, infos)]
    assert held == [True, False, False]
    assert [layout.instances.contains(key) for key in (web, web2, infos)] == [True, True, False]
    assert [layout.infos.contains(key) for key in (web, web2, infos)] == [False, False, True]


def test_namespaces_are_apart() -> None:
    key = BLUE.instance_key("web", "x")
    assert not DEFAULT_LAYOUT.instances.contains(key)
    assert not Layout(namespace="/blu").instances.contains(key)
    assert DEFAULT_LAYOUT.parse_instance(key) is None


@pytest.mark.parametrize(
    "key",
    [
        *(b"", b"/services", b"/services/", b"/services/web", b"/services/web/", b"/services//x"),
        *(b"services/web/x", b"/services_infos/web", b"/blue/services/web/x", b"/servicesx/web/x"),
    ],
)
def test_what_is_no_key_of_an_instance(key: bytes) -> None:
    assert DEFAULT_LAYOUT.parse_instance(key) is None


@pytest.mark.parametrize("key", [b"", b"/services_infos", b"/services_infos/", b"/services/web/x"])
def test_what_is_no_key_of_infos(key: bytes) -> None:
    assert DEFAULT_LAYOUT.parse_infos(key) is None


def test_the_rest_of_a_deeper_key_is_the_id() -> None:
    assert DEFAULT_LAYOUT.parse_instance(b"/services/web/a/b/") == ("web", "a/b/")


def test_a_key_that_is_not_text_is_shown_as_it_is() -> None:
    assert DEFAULT_LAYOUT.parse_instance(b"/services/w\xffb/x") == ("w\\xffb", "x")


names = st.text(
    st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="/"), min_size=1, max_size=20
)


@given(names, names, st.sampled_from([DEFAULT_LAYOUT, BLUE]))
def test_names_are_found_again_in_their_keys(service: str, uuid: str, layout: Layout) -> None:
    key = layout.instance_key(service, uuid)
    assert layout.parse_instance(key) == (service, uuid)
    assert layout.service(service).contains(key)
    assert layout.parse_infos(layout.infos_key(service)) == service


@given(st.binary(max_size=40))
def test_any_key_is_parsed_or_is_none(key: bytes) -> None:
    for layout in (DEFAULT_LAYOUT, Layout(namespace="/\u00fc")):
        for begun in (key, b"/services/" + key, b"/services_infos/" + key):
            layout.parse_instance(begun)
            layout.parse_infos(begun)
