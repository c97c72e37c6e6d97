"""The keys of agents and directors in etcd."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lochkit.zfs.layout import CursorKey, InventoryKey, Layout, OrderKey

LAYOUT = Layout()

WORDS = st.text("ab/%. é:-_\x00~", min_size=1, max_size=12)


def test_keys_are_what_the_table_says() -> None:
    assert LAYOUT.agent("web1") == b"/lochkit/zfs/agent/web1"
    assert LAYOUT.inventory("web1", "ssd/pg") == b"/lochkit/zfs/inventory/web1/ssd%2Fpg"
    assert LAYOUT.inventory("web1", "ssd/pg", 2) == b"/lochkit/zfs/inventory/web1/ssd%2Fpg/2"
    assert LAYOUT.policy("pg") == b"/lochkit/zfs/policy/pg"
    assert LAYOUT.order("web1", "u-1") == b"/lochkit/zfs/order/web1/u-1"
    assert LAYOUT.result("u-1") == b"/lochkit/zfs/result/u-1"
    cursor = CursorKey("pg", "web1", "vault", "ssd/pg")
    assert LAYOUT.cursor(cursor) == b"/lochkit/zfs/cursor/pg/web1/vault/ssd%2Fpg"
    assert LAYOUT.leader() == b"/lochkit/zfs/director/leader"


@settings(max_examples=30, deadline=None)
@given(WORDS, WORDS, WORDS, WORDS, st.integers(0, 10**6))
def test_every_key_is_read_back(a: str, b: str, c: str, d: str, page: int) -> None:
    layout = Layout(f"/{c.strip('/')}")
    assert layout.agent_of(layout.agent(a)) == a
    assert layout.inventory_of(layout.inventory(a, b, page)) == InventoryKey(a, b, page)
    assert layout.policy_of(layout.policy(a)) == a
    assert layout.order_of(layout.order(a, b)) == OrderKey(a, b)
    assert layout.result_of(layout.result(a)) == a
    assert layout.cursor_of(layout.cursor(CursorKey(a, b, c, d))) == CursorKey(a, b, c, d)
    assert layout.inventories(a).contains(layout.inventory(a, b, page))
    assert layout.inventories().contains(layout.inventory(a, b, page))
    assert layout.agents().contains(layout.agent(a))
    assert layout.cursors(a).contains(layout.cursor(CursorKey(a, b, c, d)))


@settings(max_examples=20, deadline=None)
@given(WORDS, WORDS, WORDS)
def test_a_host_has_no_part_in_the_range_of_another(a: str, b: str, dataset: str) -> None:
    assert LAYOUT.inventories(a).contains(LAYOUT.inventory(b, dataset)) == (a == b)
    assert LAYOUT.orders(a).contains(LAYOUT.order(b, "x")) == (a == b)


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"/lochkit/zfs/agent/",
        b"/lochkit/zfs/agent/a/b",
        b"/lochkit/zfs/agentx/a",
        b"/other/agent/a",
        b"/lochkit/zfs/agent/a%2",
        b"/lochkit/zfs/agent/%61",  # never written so: two keys would be one host
        b"/lochkit/zfs/agent/a b",
    ],
)
def test_other_keys_are_no_agents(key: bytes) -> None:
    assert LAYOUT.agent_of(key) is None


@pytest.mark.parametrize("page", [b"x", b"-1", b"1" * 9, b"1%30"])
def test_other_keys_are_no_pages(page: bytes) -> None:
    assert LAYOUT.inventory_of(b"/lochkit/zfs/inventory/h/d/" + page) is None
