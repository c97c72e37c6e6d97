"""What the package offers, and that the README's words about it are true."""

import textwrap
from pathlib import Path

import pytest
import trio

import lochkit.discovery
from tests.servers.etcd_server import EtcdServer

README = Path(__file__).parents[2] / "README.md"


def test_all_that_is_offered_is_there_and_sorted() -> None:
    offered = lochkit.discovery.__all__
    assert len(offered) == len(set(offered))
    for name in offered:
        assert getattr(lochkit.discovery, name) is not None


@pytest.mark.real_etcd
async def test_the_example_of_the_readme_runs(
    one_etcd: EtcdServer, capsys: pytest.CaptureFixture[str]
) -> None:
    text = README.read_text()
    start = text.index("    from lochkit.discovery import")
    end = text.index("\n\nSubscriptions lose nothing", start)
    source = textwrap.dedent(text[start:end])
    source = source.replace("http://10.0.0.1:2379", one_etcd.endpoint)
    # It would wait for events for ever.
    source = source.replace("async for event in events:", "for event in ():")
    head, _, block = source.partition("\n\n")
    scope: dict[str, object] = {}
    code = f"{head}\nasync def example():\n{textwrap.indent(block, '    ')}\n"
    exec(compile(code, "README.md", "exec"), scope)
    example = scope["example"]
    assert callable(example)
    with trio.fail_after(20):
        await example()
    printed = capsys.readouterr().out
    assert printed == "web1 http://web1:8080/status\n"
