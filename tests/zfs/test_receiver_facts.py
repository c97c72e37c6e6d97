"""What a receiver knows because it has just looked, and looks that are made together."""

import pytest
import trio

from lochkit.zfs.errors import Failure, ZfsError
from lochkit.zfs.receiver_facts import Facts

from ..fakes.zfs_host import Call, FakeHost


def vault() -> FakeHost:
    host = FakeHost("vault", pools=("bulk",))
    for name in ("bulk/a", "bulk/a/deep", "bulk/b", "bulk/c"):
        host.state.make(name)
    return host


async def test_looks_that_come_during_a_look_are_one(autojump_clock: object) -> None:
    host = vault()

    async def slow(call: Call) -> None:
        await trio.sleep(1)

    host.before = slow
    facts = Facts(host)
    found: dict[str, bool] = {}

    async def look(name: str) -> None:
        dataset = await facts.look(name)
        found[name] = dataset is not None and dataset.name == name

    async with trio.open_nursery() as nursery:
        for name in ("bulk/a", "bulk/b", "bulk/c", "bulk/none", "bulk/b"):
            nursery.start_soon(look, name)
            await trio.sleep(0.01)
    assert found == {"bulk/a": True, "bulk/b": True, "bulk/c": True, "bulk/none": False}
    assert len(host.asked("dataset")) == 2


async def test_a_dataset_and_one_below_it_are_looked_at_apart(autojump_clock: object) -> None:
    host = vault()
    facts = Facts(host)
    async with trio.open_nursery() as nursery:
        for name in ("bulk/b", "bulk/a", "bulk/a/deep"):
            nursery.start_soon(facts.look, name)
    for call in host.asked("dataset"):
        assert not {"bulk/a", "bulk/a/deep"} <= {call.dataset, *call.words}


async def test_whoever_is_cancelled_leaves_the_others_their_look(autojump_clock: object) -> None:
    host = vault()

    async def slow(call: Call) -> None:
        await trio.sleep(1)

    host.before = slow
    facts = Facts(host)
    scope = trio.CancelScope()
    found: list[str] = []

    async def first() -> None:
        with scope:
            await facts.look("bulk/a")

    async def second() -> None:
        dataset = await facts.look("bulk/b")
        assert dataset is not None
        found.append(dataset.name)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(first)
        nursery.start_soon(second)
        await trio.sleep(0.5)
        scope.cancel()
    assert found == ["bulk/b"]


async def test_a_look_that_fails_fails_for_all_who_wanted_it() -> None:
    host = vault()
    host.fail_next("dataset", Failure.UNAVAILABLE, message="no pool")
    facts = Facts(host)
    with pytest.raises(ZfsError, match="no pool"):
        await facts.look("bulk/a")
    assert await facts.look("bulk/a")


async def test_what_was_seen_is_known_for_a_moment(autojump_clock: object) -> None:
    host = vault()
    facts = Facts(host)
    assert facts.known("bulk/a") is None
    await facts.inventory(("bulk/a",), ())
    known = facts.known("bulk/a/deep")
    assert known is not None
    assert known[0] is not None
    assert facts.known("bulk/a/none") == (None,)
    assert facts.known("bulk/b") is None
    facts.changed("bulk/a/deep")
    assert facts.known("bulk/a/deep") is None
    assert facts.known("bulk/a") is not None
    await trio.sleep(31)
    assert facts.known("bulk/a") is None
    await facts.inventory(("bulk/a",), ())
    assert facts.known("bulk/a/deep") is not None
    facts.forget()
    assert facts.known("bulk/a") is None
