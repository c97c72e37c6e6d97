"""Streams whose messages nobody waits for: read some at a time, at no price for other calls."""

import trio
import trio.testing

from tests.etcd.grpc_server import Call, connect


async def test_answers_nobody_waits_for_are_read_together_and_others_at_once(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    async def handle(call: Call) -> None:
        await call.begin()
        if call.path == "/once":
            await call.send(b"answer")
            await call.end()
            return
        for number in range(100):
            await trio.sleep(0.001)
            await call.send(b"%d" % number)
        await trio.sleep_forever()

    connection, _ = connect(nursery, handle, whole=False)
    times: list[float] = []
    rpc = await connection.open_stream(
        "/many", (), on_message=lambda _: times.append(trio.current_time()), patient=True
    )
    await trio.sleep(0.05)
    began = trio.current_time()
    assert await connection.unary("/once", b"", ()) == b"answer"
    assert trio.current_time() == began
    await trio.sleep(1)
    assert len(times) == 100
    assert len(set(times)) < 12
    rpc.close()
