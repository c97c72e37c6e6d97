"""The control socket, against servers that misbehave by name: one typed error, in time."""

import json
from pathlib import Path

import pytest
import trio

from lochkit.dhcp.kea_socket import (
    Answer,
    KeaError,
    KeaGarbled,
    KeaRefused,
    KeaSocket,
    KeaUnreachable,
)
from lochkit.errors import TransientError

from .kea_server import Misbehaviour, fake_kea, misbehaving_kea

CEILING = 10


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kea.sock"


async def test_a_command_and_its_answer(path: Path) -> None:
    answers = {"version-get": {"result": 0, "text": "2.2.0", "arguments": {"extended": "x"}}}
    with trio.fail_after(CEILING):
        async with fake_kea(path, lambda name, _: answers.get(name, {"result": 2})) as asked:
            socket = KeaSocket(path)
            answer = await socket.command("version-get")
            assert answer == Answer(result=0, text="2.2.0", arguments={"extended": "x"})
            assert answer.ok
            assert (await socket.command("other", {"a": [1]})).unsupported
            assert await socket.demand("version-get") == {"extended": "x"}
            with pytest.raises(KeaRefused, match="refuses other: result 2") as caught:
                await socket.demand("other")
            assert caught.value.answer.unsupported
    assert asked[:2] == [("version-get", None), ("other", {"a": [1]})]


async def test_a_document_goes_in_pieces(path: Path) -> None:
    text = json.dumps({"Dhcp4": {"subnet4": ["x" * 1000] * 5000}}).encode()
    pieces = [text[begin : begin + 70_000] for begin in range(0, len(text), 70_000)]
    with trio.fail_after(CEILING):
        async with fake_kea(path, lambda *_: {"result": 0}) as asked:
            assert (await KeaSocket(path).command_with("config-set", pieces)).ok
    assert asked == [("config-set", json.loads(text))]


async def test_the_list_of_a_control_agent_is_taken(path: Path) -> None:
    async def behave(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b'[{"result": 3, "text": "none"}]')

    with trio.fail_after(CEILING):
        async with misbehaving_kea(path, behave):
            assert (await KeaSocket(path).command("x")).empty


async def test_an_answer_may_come_byte_by_byte(path: Path) -> None:
    async def behave(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        for letter in b'{"result": 0, "text": "slow"}':
            await stream.send_all(bytes([letter]))

    with trio.fail_after(CEILING):
        async with misbehaving_kea(path, behave):
            assert (await KeaSocket(path).command("x")).text == "slow"


async def never_reads(stream: trio.SocketStream) -> None:
    await trio.sleep_forever()


async def never_answers(stream: trio.SocketStream) -> None:
    while await stream.receive_some():
        pass
    await trio.sleep_forever()


async def never_ends(stream: trio.SocketStream) -> None:
    await stream.receive_some()
    await stream.send_all(b'{"result": 0}')
    await trio.sleep_forever()


async def half_an_answer(stream: trio.SocketStream) -> None:
    await stream.receive_some()
    await stream.send_all(b'{"result": 0, "te')


async def no_answer(stream: trio.SocketStream) -> None:
    await stream.receive_some()


async def closes_at_once(stream: trio.SocketStream) -> None:
    await trio.lowlevel.checkpoint()


async def says(text: bytes, stream: trio.SocketStream) -> None:
    await stream.receive_some()
    await stream.send_all(text)


def speaker(text: bytes) -> Misbehaviour:
    return lambda stream: says(text, stream)


async def floods(stream: trio.SocketStream) -> None:
    await stream.receive_some()
    while True:
        await stream.send_all(b"[" * 65536)


@pytest.mark.parametrize("size", [10, 5_000_000])
@pytest.mark.parametrize(
    ("behave", "error"),
    [
        (never_reads, KeaUnreachable),
        (never_answers, KeaUnreachable),
        (never_ends, KeaUnreachable),
        (half_an_answer, KeaGarbled),
        (no_answer, KeaUnreachable),
        (closes_at_once, KeaUnreachable),
        (floods, KeaGarbled),
        (speaker(b"HTTP/1.1 200 OK\r\n\r\n"), KeaGarbled),
        (speaker(b"[" * 100_000), KeaGarbled),
        (speaker(b"\xff\xfe\x00"), KeaGarbled),
        (speaker(b"null"), KeaGarbled),
        (speaker(b"[]"), KeaGarbled),
        (speaker(b"{}"), KeaGarbled),
        (speaker(b'{"result": true}'), KeaGarbled),
        (speaker(b'{"result": "0"}'), KeaGarbled),
        (speaker(b'{"result": 0, "text": 5}'), KeaGarbled),
        (speaker(b'{"result": ' + b"9" * 5000 + b"}"), KeaGarbled),
    ],
)
async def test_whatever_a_server_does_is_a_typed_error_in_time(
    path: Path, behave: Misbehaviour, error: type[KeaError], size: int
) -> None:
    if size > 10 and error is KeaGarbled and behave is not floods:
        error = KeaError  # it may have closed before it has heard everything
    with trio.fail_after(CEILING):
        async with misbehaving_kea(path, behave):
            socket = KeaSocket(path, timeout=0.3, limit=1_000_000)
            with pytest.raises(error) as caught:
                await socket.command_with("config-set", [b"x" * size])
    assert str(path) in str(caught.value)
    assert isinstance(caught.value, TransientError)


async def test_an_answer_before_everything_was_heard_is_an_answer(path: Path) -> None:
    async def behave(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b'{"result": 1, "text": "too much"}')

    with trio.fail_after(CEILING):
        async with misbehaving_kea(path, behave):
            answer = await KeaSocket(path).command_with("config-set", [b" " * 5_000_000])
    assert answer == Answer(result=1, text="too much")


async def test_nobody_listens(path: Path) -> None:
    with pytest.raises(KeaUnreachable, match="nobody listens"):
        await KeaSocket(path).command("x")
    await trio.Path(path).write_text("a plain file")
    with pytest.raises(KeaUnreachable, match="nobody listens"):
        await KeaSocket(path).command("x")
    with pytest.raises(KeaUnreachable, match="can not reach"):
        await KeaSocket(path.parent / ("x" * 200)).command("x")
