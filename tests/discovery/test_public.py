"""What the package offers, and that the README's words about it are true."""

import textwrap
from pathlib import Path
from typing import Any

import pytest
import trio

import lochkit.discovery
from lochkit.etcd.client import open_client
from tests.etcd.real import config_of
from tests.servers.etcd_server import EtcdServer

README = Path(__file__).parents[2] / "README.md"


def test_all_that_is_offered_is_there_and_sorted() -> None:
    offered = lochkit.discovery.__all__
    assert len(offered) == len(set(offered))
    for name in offered:
        assert getattr(lochkit.discovery, name) is not None


def snippet(first: str) -> str:
    """The README's code that begins with this line."""
    text = README.read_text()
    start = text.index(f"    {first}")
    lines = []
    for line in text[start:].splitlines():
        if line and not line.startswith("    "):
            break
        lines.append(line)
    return textwrap.dedent("\n".join(lines))


@pytest.mark.real_etcd
async def test_the_example_of_the_readme_runs(
    one_etcd: EtcdServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETCD_HOSTS", one_etcd.endpoint)
    source, _, rest = snippet("import trio").partition("trio.run(main)")
    assert not rest.strip()
    # It would wait for events for ever.
    source = source.replace("async for event in events:", "for event in [await anext(events)]:")
    scope: dict[str, Any] = {}
    exec(compile(source, "README.md", "exec"), scope)
    with trio.fail_after(20):
        await scope["main"]()
    first, second = capsys.readouterr().out.splitlines()
    assert first == "web1 http://web1:8080/status"
    assert second.startswith("Kind.")


@pytest.mark.real_etcd
async def test_the_example_of_many_runs(one_etcd: EtcdServer) -> None:
    block = snippet("async with open_client(config) as etcd, trio.open_nursery()")
    assert "..." in block
    block = block.replace("...", "found.append(directory.service('web')); raise Enough")
    scope: dict[str, Any] = {
        **vars(lochkit.discovery),
        "trio": trio,
        "open_client": open_client,
        "config": config_of(one_etcd.endpoint),
        "names": ("a", "b"),
        "found": [],
        "Enough": Enough,
    }
    exec(
        compile(f"async def example():\n{textwrap.indent(block, '    ')}", "README.md", "exec"),
        scope,
    )
    with trio.fail_after(20), pytest.RaisesGroup(Enough, flatten_subgroups=True):
        await scope["example"]()
    assert isinstance(scope["found"][0], lochkit.discovery.Service)


class Enough(Exception):
    """Ends an example that would go on."""
