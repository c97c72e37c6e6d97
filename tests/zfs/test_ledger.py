"""What is remembered of orders, over restarts and within bounds."""

from pathlib import Path

import pytest

from lochkit.errors import ConfigError
from lochkit.io.faults import InstallError
from lochkit.zfs.errors import Failure
from lochkit.zfs.ledger import Ledger
from lochkit.zfs.ledger_entry import (
    LARGEST_ENTRY,
    BadEntry,
    LedgerEntry,
    digest_of,
    encode_entry,
    read_entry,
)
from lochkit.zfs.orders import Action, Order, OrderResult, OrderStatus


def order(uuid: str = "a", **more: object) -> Order:
    return Order(uuid=uuid, action=Action.TAKE, dataset="a/b", snapshot_name="x", **more)  # type: ignore[arg-type]


def done(uuid: str = "a", **details: object) -> OrderResult:
    return OrderResult(uuid=uuid, is_success=True, status=OrderStatus.DONE, details=details)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def opened(directory: Path, **more: object) -> Ledger:
    ledger = Ledger(directory / "orders", **more)  # type: ignore[arg-type]
    await ledger.open()
    return ledger


async def test_an_order_and_its_end_survive_a_restart(tmp_path: Path) -> None:
    ledger = await opened(tmp_path, clock=Clock())
    await ledger.begin(order(), "director")
    begun = (await opened(tmp_path, clock=Clock())).find("a")
    assert begun is not None
    assert (begun.client, begun.result) == ("director", None)
    assert begun.digest == digest_of(order())
    result = done(Taken=["a/b@x"])
    await ledger.end(result)
    again = await opened(tmp_path, clock=Clock())
    found = again.find("a")
    assert found is not None
    assert found.result == result
    assert again.find("b") is None


async def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    ledger = await opened(tmp_path)
    await ledger.begin(order(), "director")
    assert (tmp_path / "orders").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "orders" / "a.json").stat().st_mode & 0o777 == 0o600


async def test_it_remembers_so_many_and_forgets_the_ended_ones_first(tmp_path: Path) -> None:
    clock = Clock()
    ledger = await opened(tmp_path, most=3, clock=clock)
    for number, uuid in enumerate("abcde"):
        clock.now = 1000.0 + number
        await ledger.begin(order(uuid), "x")
        if uuid in "bd":
            await ledger.end(done(uuid))
    files = sorted(path.name for path in (tmp_path / "orders").iterdir())
    assert len(ledger) == 3
    assert files == ["a.json", "c.json", "e.json"]
    assert ledger.find("b") is None


async def test_it_remembers_for_so_long(tmp_path: Path) -> None:
    clock = Clock()
    ledger = await opened(tmp_path, keep=100.0, clock=clock)
    await ledger.begin(order("old"), "x")
    clock.now = 1101.0
    await ledger.begin(order("new"), "x")
    assert ledger.find("old") is None
    clock.now = 2000.0
    assert len(await opened(tmp_path, keep=100.0, clock=clock)) == 0
    assert list((tmp_path / "orders").iterdir()) == []


async def test_what_says_nothing_is_removed(tmp_path: Path) -> None:
    directory = tmp_path / "orders"
    directory.mkdir()
    (directory / "garbage.json").write_bytes(b"\x00{")
    (directory / "huge.json").write_bytes(b" " * (2 * LARGEST_ENTRY + 1))
    (directory / ".a.json.lochkit-abc").write_bytes(b"begun by one who was killed")
    other = LedgerEntry(uuid="other", digest="", client="", begun=1.0)
    (directory / "a.json").write_bytes(encode_entry(other))
    ledger = await opened(tmp_path)
    assert len(ledger) == 0
    assert list(directory.iterdir()) == []


async def test_a_result_that_is_too_long_is_remembered_without_its_details(
    tmp_path: Path,
) -> None:
    ledger = await opened(tmp_path)
    await ledger.begin(order(), "x")
    await ledger.end(done(Destroyed=["a/b@x" * 10] * 20_000))
    found = (await opened(tmp_path)).find("a")
    assert found is not None
    assert found.result is not None
    assert found.result.is_success
    assert set(found.result.details) == {"LeftOut"}
    assert (tmp_path / "orders" / "a.json").stat().st_size < LARGEST_ENTRY


async def test_an_order_that_can_not_be_written_is_not_known(tmp_path: Path) -> None:
    ledger = await opened(tmp_path)
    (tmp_path / "orders").rmdir()
    with pytest.raises(InstallError):
        await ledger.begin(order(), "x")
    assert ledger.find("a") is None


async def test_a_directory_that_can_not_be_one_is_told(tmp_path: Path) -> None:
    (tmp_path / "orders").write_text("a file")
    with pytest.raises((ConfigError, InstallError), match="orders"):
        await opened(tmp_path)


def test_any_other_word_is_another_order() -> None:
    orders = [order(), order(recursive=True), order(job="x"), order("b"), order(exclude=("a",))]
    assert len({digest_of(one) for one in orders}) == len(orders)


def test_a_failure_is_remembered_as_it_was() -> None:
    result = OrderResult(
        uuid="a",
        is_success=False,
        status=OrderStatus.FAILED,
        error="held",
        failure=Failure.HELD,
    )
    entry = LedgerEntry(uuid="a", digest="d", client="c", begun=1.5, ended=2.5, result=result)
    assert read_entry(encode_entry(entry)) == entry


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"1", b'{"Begun": "x"}', b'{"Result": {"Type": "progress"}}', b'{"Result": 1}'],
)
def test_what_is_no_entry_is_told(content: bytes) -> None:
    with pytest.raises(BadEntry):
        read_entry(content)
