"""The layers, held by the imports: who may know whom, and what a pure module may not know at all.

A new module is pure and belongs to its package unless it is named in a table here. Naming it is a
decision; forgetting to name it fails a test.
"""

import ast
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import pytest

SOURCE = Path(__file__).parents[1] / "toolkit"

# What no pure (L1) module may import: the outside world, clocks and dice.
WORLD = (
    *("asyncio", "fcntl", "http", "multiprocessing", "os", "pty", "random", "resource", "secrets"),
    *("select", "selectors", "shutil", "signal", "socket", "ssl", "subprocess", "tempfile"),
    *("threading", "time", "trio", "trio_websocket", "urllib.request"),
)

# What of it is only data.
ONLY_DATA = ("signal.Signals",)

# The modules that are not pure (L2 to L4), by pattern.
EFFECTFUL = (
    "lochkit.__main__",
    "lochkit.cli",
    "lochkit.cli_command",
    "lochkit.cli_options",
    "lochkit.completion",
    "lochkit.config",
    "lochkit.logs",
    "lochkit.commands.*",
    "lochkit.io.*",
    "lochkit.runtime.debounce",
    "lochkit.runtime.lasting",
    "lochkit.runtime.signals",
    "lochkit.runtime.supervisor",
    "lochkit.etcd.auth",
    "lochkit.etcd.caller",
    "lochkit.etcd.calls",
    "lochkit.etcd.client",
    "lochkit.etcd.cluster",
    "lochkit.etcd.connection",
    "lochkit.etcd.dial",
    "lochkit.etcd.embedded",
    "lochkit.etcd.embedded_binary",
    "lochkit.etcd.embedded_place",
    "lochkit.etcd.embedded_server",
    "lochkit.etcd.follow",
    "lochkit.etcd.keepalive",
    "lochkit.etcd.keepalive_lease",
    "lochkit.etcd.kv",
    "lochkit.etcd.leases",
    "lochkit.etcd.link",
    "lochkit.etcd.showing",
    "lochkit.etcd.store",
    "lochkit.etcd.watch",
    "lochkit.etcdwatch.launch",
    "lochkit.etcdwatch.runner",
    "lochkit.discovery",
    "lochkit.discovery.calls",
    "lochkit.discovery.checks",
    "lochkit.discovery.child",
    "lochkit.discovery.directory",
    "lochkit.discovery.farewell",
    "lochkit.discovery.feed",
    "lochkit.discovery.holding",
    "lochkit.discovery.key_watch",
    "lochkit.discovery.monitor",
    "lochkit.discovery.published_watch",
    "lochkit.discovery.reading",
    "lochkit.discovery.registrar",
    "lochkit.discovery.registration",
    "lochkit.discovery.registration_status",
    "lochkit.discovery.subscription",
    "lochkit.discovery.surroundings",
    "lochkit.discovery.ttl_file",
    "lochkit.discovery.watching",
    "lochkit.pki.authority",
    "lochkit.pki.looking",
    "lochkit.pki.openssl",
    "lochkit.dhcp.applier",
    "lochkit.dhcp.check_run",
    "lochkit.dhcp.checker",
    "lochkit.dhcp.handover",
    "lochkit.dhcp.kea_live",
    "lochkit.dhcp.kea_socket",
    "lochkit.dhcp.keeper",
    "lochkit.dhcp.reading",
    "lochkit.dhcp.reload",
    "lochkit.dhcp.reporter",
    "lochkit.dhcp.systemd",
    "lochkit.zfs.agent",
    "lochkit.zfs.agent_board",
    "lochkit.zfs.agent_chore",
    "lochkit.zfs.agent_chores",
    "lochkit.zfs.agent_jobs",
    "lochkit.zfs.agent_notes",
    "lochkit.zfs.agent_policy",
    "lochkit.zfs.agent_prune_target",
    "lochkit.zfs.agent_publishing",
    "lochkit.zfs.agent_pusher",
    "lochkit.zfs.agent_settings",
    "lochkit.zfs.agent_site",
    "lochkit.zfs.agent_targets",
    "lochkit.zfs.compression",
    "lochkit.zfs.director",
    "lochkit.zfs.director_board",
    "lochkit.zfs.director_books",
    "lochkit.zfs.director_desk",
    "lochkit.zfs.director_rule",
    "lochkit.zfs.election",
    "lochkit.zfs.election_store",
    "lochkit.zfs.policy_feed",
    "lochkit.zfs.host",
    "lochkit.zfs.host_core",
    "lochkit.zfs.host_destroy",
    "lochkit.zfs.host_inventory",
    "lochkit.zfs.host_program",
    "lochkit.zfs.host_streams",
    "lochkit.zfs.ledger",
    "lochkit.zfs.local_target",
    "lochkit.zfs.locks",
    "lochkit.zfs.order_client",
    "lochkit.zfs.order_desk",
    "lochkit.zfs.order_server",
    "lochkit.zfs.order_work",
    "lochkit.zfs.policy_files",
    "lochkit.zfs.processes",
    "lochkit.zfs.receiver",
    "lochkit.zfs.receiver_facts",
    "lochkit.zfs.receiver_session",
    "lochkit.zfs.remote_session",
    "lochkit.zfs.remote_target",
    "lochkit.zfs.replicator",
    "lochkit.zfs.replicator_look",
    "lochkit.zfs.replicator_work",
    "lochkit.zfs.stream_faults",
    "lochkit.zfs.stream_intake",
    "lochkit.zfs.stream_join",
    "lochkit.zfs.stream_server",
    "lochkit.zfs.targets",
    "lochkit.zfs.tidy",
    "lochkit.zfs.publisher",
)

# Lower layers know nothing of upper ones: what each may import of lochkit besides itself.
MAY_KNOW: Mapping[str, tuple[str, ...]] = {
    "lochkit": (),
    "lochkit.errors": (),
    "lochkit.options": (),
    "lochkit.etcd_options": ("lochkit.options",),
    "lochkit.logs": ("lochkit.options",),
    "lochkit.peer_options": ("lochkit.options",),
    "lochkit.config": ("lochkit.errors", "lochkit.options"),
    "lochkit.runtime": ("lochkit.errors",),
    "lochkit.wire": ("lochkit.errors",),
    "lochkit.io": ("lochkit.errors", "lochkit.wire"),
    "lochkit.pki": ("lochkit.errors", "lochkit.io"),
    "lochkit.etcd": ("lochkit.errors", "lochkit.etcd_options", "lochkit.io", "lochkit.runtime"),
    "lochkit.etcdwatch": ("lochkit.errors", "lochkit.etcd", "lochkit.io", "lochkit.runtime"),
    "lochkit.dhcp": ("lochkit.errors", "lochkit.etcd", "lochkit.io", "lochkit.runtime"),
    "lochkit.discovery": ("lochkit.errors", "lochkit.etcd", "lochkit.io", "lochkit.runtime"),
    "lochkit.zfs": (
        "lochkit.errors",
        "lochkit.etcd",
        "lochkit.io",
        "lochkit.runtime",
        "lochkit.wire",
    ),
    "lochkit.commands": (
        "lochkit.dhcp",
        "lochkit.discovery",
        "lochkit.errors",
        "lochkit.etcd",
        "lochkit.etcd_options",
        "lochkit.etcdwatch",
        "lochkit.io",
        "lochkit.logs",
        "lochkit.options",
        "lochkit.peer_options",
        "lochkit.pki",
        "lochkit.runtime",
        "lochkit.wire",
        "lochkit.zfs",
    ),
    "lochkit.cli_options": ("lochkit.options",),
    "lochkit.cli_command": ("lochkit.cli_options", "lochkit.options"),
    "lochkit.completion": (),
    "lochkit.cli": (
        "lochkit.__version__",
        "lochkit.cli_command",
        "lochkit.cli_options",
        "lochkit.completion",
        "lochkit.config",
        "lochkit.errors",
        "lochkit.etcd_options",
        "lochkit.logs",
        "lochkit.peer_options",
    ),
    "lochkit.__main__": ("lochkit.cli", "lochkit.errors", "lochkit.logs"),
}

KNOW_CLICK = ("lochkit.cli", "lochkit.cli_command", "lochkit.cli_options", "lochkit.completion")


class Module(NamedTuple):
    """A module's name and source."""

    name: str
    is_package: bool
    source: str

    @property
    def tree(self) -> ast.Module:
        """The source read: by the test, for to read all would take every worker seconds."""
        return _parse(self.source)


@lru_cache(maxsize=1)
def _parse(source: str) -> ast.Module:
    return ast.parse(source)


def modules() -> list[Module]:
    found = []
    for path in sorted((SOURCE / "lochkit").rglob("*.py")):
        parts = list(path.relative_to(SOURCE).with_suffix("").parts)
        if is_package := parts[-1] == "__init__":
            parts.pop()
        found.append(Module(".".join(parts), is_package, path.read_text()))
    return found


def imports(module: Module) -> Iterator[str]:
    """Yield the full name of everything imported, but for types only."""
    for node in _at_run_time(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = module.name.split(".")
                above = above[: len(above) - node.level + module.is_package]
                base = ".".join([*above, base] if base else above)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _at_run_time(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from _at_run_time(child)


def is_pure(name: str) -> bool:
    return not any(fnmatchcase(name, pattern) for pattern in EFFECTFUL)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def faults(module: Module, everything: frozenset[str]) -> Iterator[str]:
    """Yield every import of ``module`` that its layer forbids."""
    layer = max((key for key in MAY_KNOW if within(module.name, key)), key=len)
    for name in imports(module):
        if within(name, "lochkit"):
            own = module.name if layer == "lochkit" else layer
            if not any(within(name, known) for known in (own, *MAY_KNOW[layer])):
                yield f"{module.name} knows {name}"
            target = name if name in everything else name.rpartition(".")[0]
            if is_pure(module.name) and not is_pure(target):
                yield f"{module.name} is pure and {target} is not"
        elif name in ONLY_DATA:
            continue
        elif is_pure(module.name) and any(within(name, world) for world in WORLD):
            yield f"{module.name} is pure and imports {name}"
        elif within(name, "asyncclick") and module.name not in KNOW_CLICK:
            yield f"{module.name} imports {name}"
    for node in ast.walk(module.tree):
        called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        if called.endswith("trio.run") and module.name != "lochkit.__main__":
            yield f"{module.name} calls trio.run"


MODULES = modules()
NAMES = frozenset(module.name for module in MODULES)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_a_module_knows_only_what_its_layer_may(module: Module) -> None:
    assert list(faults(module, NAMES)) == []


@pytest.mark.parametrize(
    ("name", "source", "fault"),
    [
        ("lochkit.etcd.model", "import trio", "is pure and imports trio"),
        ("lochkit.etcd.model", "def f():\n    from os import path", "is pure and imports os.path"),
        ("lochkit.etcd.model", "import socket as s", "is pure and imports socket"),
        ("lochkit.etcd.model", "from urllib import request", "imports urllib.request"),
        ("lochkit.etcd.model", "from .client import Client", "lochkit.etcd.client is not"),
        ("lochkit.etcd.model", "from . import client", "lochkit.etcd.client is not"),
        ("lochkit.etcd.model", "from ..runtime import signals", "lochkit.runtime.signals is not"),
        ("lochkit.etcd.client", "from ..etcdwatch import tree", "knows lochkit.etcdwatch.tree"),
        ("lochkit.etcd.client", "from lochkit.commands.x import y", "knows lochkit.commands.x.y"),
        ("lochkit.runtime.signals", "import lochkit.etcd.client", "knows lochkit.etcd.client"),
        ("lochkit.runtime.signals", "import trio\ntrio.run(f)", "calls trio.run"),
        ("lochkit.commands.etcdwatch", "from asyncclick import echo", "imports asyncclick.echo"),
        ("lochkit.commands.etcdwatch", "from ..cli import invoke", "knows lochkit.cli.invoke"),
        ("lochkit.errors", "from . import logs", "knows lochkit.logs"),
    ],
)
def test_what_is_forbidden_is_found(name: str, source: str, fault: str) -> None:
    module = Module(name, is_package=False, source=source)
    everything = frozenset({"lochkit.etcd.client", "lochkit.runtime.signals"})
    assert any(fault in found for found in faults(module, everything))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("lochkit.etcd.model", "from signal import Signals\nfrom urllib import parse"),
        ("lochkit.etcd.model", "import json\nfrom collections.abc import Mapping"),
        (
            "lochkit.etcd.model",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n  import trio",
        ),
        ("lochkit.etcd.client", "import trio, ssl\nfrom ..runtime.signals import run"),
        ("lochkit.__main__", "import trio\nfrom . import cli\ntrio.run(cli.invoke)"),
    ],
)
def test_what_is_allowed_is_not_found(name: str, source: str) -> None:
    module = Module(name, is_package=False, source=source)
    everything = frozenset({"lochkit.runtime.signals", "lochkit.cli"})
    assert list(faults(module, everything)) == []


def test_the_tables_name_only_what_is_there() -> None:
    stale = [
        pattern for pattern in EFFECTFUL if not any(fnmatchcase(name, pattern) for name in NAMES)
    ]
    assert [*stale, *(name for name in (*MAY_KNOW, *KNOW_CLICK) if name not in NAMES)] == []
