"""A registry in a real etcd that tests fill by hand, and ``lochkit services`` run on it."""

import json
import os
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import trio

from lochkit.discovery.host import Host, Infos
from lochkit.discovery.layout import Layout
from lochkit.discovery.records import encode_host, encode_infos
from lochkit.etcd.client import Client
from lochkit.etcd.messages import KeyValue
from lochkit.etcd.prefix import KeyRange
from tests.etcd.real import client_of

__all__ = ["Ran", "RegistryBench", "registry_bench"]

ROOT = Path(__file__).parents[2]
LIMIT = 60


class Ran(NamedTuple):
    """What a mode printed, and what it logged."""

    out: str
    errors: str

    @property
    def object(self) -> Any:
        """What it printed, read as JSON."""
        return json.loads(self.out)


class RegistryBench:
    """A registry below a namespace of its own.

    Args:
        endpoint: the URL of etcd.
        etcd: a client of it, for what is to be written and read by the test itself.
    """

    def __init__(self, endpoint: str, etcd: Client | None = None) -> None:
        self.endpoint = endpoint
        self._etcd = etcd
        self.namespace = f"/test-{uuid.uuid4().hex}"
        self.layout = Layout(namespace=self.namespace)

    @property
    def etcd(self) -> Client:
        """The client."""
        assert self._etcd is not None
        return self._etcd

    def argv(self, *words: str) -> list[str]:
        """The words of a process: the mode's first."""
        mode, *rest = words
        where = ("-e", self.endpoint, "--namespace", self.namespace)
        return [sys.executable, "-m", "lochkit", "services", mode, *where, *rest]

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a process."""
        path = os.pathsep.join(
            [str(ROOT / "toolkit"), *filter(None, [os.environ.get("PYTHONPATH")])]
        )
        return {"PATH": os.environ["PATH"], "PYTHONPATH": path}

    async def ran(
        self,
        *words: str,
        code: int = 0,
        stdin: bytes = b"",
        environ: Mapping[str, str] | None = None,
    ) -> Ran:
        """Run a mode to its end."""
        with trio.fail_after(LIMIT):
            done = await trio.run_process(
                self.argv(*words),
                env={**self.environ, **(environ or {})},
                stdin=stdin,
                capture_stdout=True,
                capture_stderr=True,
                check=False,
            )
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return Ran(done.stdout.decode(), done.stderr.decode())

    async def infos(self, service: str, **facts: Any) -> int:
        """Write what the instances of a service have in common; the revision."""
        record = encode_infos(Infos(name=service, **facts))
        return (await self.etcd.kv.put(self.layout.infos_key(service), record)).header.revision

    async def host(self, service: str, name: str, *, lease: int = 0, **facts: Any) -> str:
        """Write an instance; its id, which is made from its name."""
        known = f"{uuid.uuid5(uuid.NAMESPACE_DNS, name)}-{name}"
        ports = facts.setdefault("ports", {"http": "80"})
        facts = {"private_ports": ports, "private_hostname": name, **facts}
        host = Host(name=name, service=service, uuid=known, **facts)
        await self.etcd.kv.put(
            self.layout.instance_key(service, known), encode_host(host), lease=lease
        )
        return known

    async def lease(self, ttl: int = 600) -> int:
        """A lease that nobody keeps alive."""
        return (await self.etcd.leases.grant(ttl)).ID

    async def keys(self) -> dict[str, KeyValue]:
        """All there is, by the keys without the namespace."""
        found = (await self.etcd.kv.list(KeyRange.prefix(self.namespace.encode()))).kvs
        return {kv.key.decode().removeprefix(self.namespace): kv for kv in found}

    async def record(self, service: str, known: str) -> dict[str, Any]:
        """The record of an instance."""
        found: dict[str, Any] = json.loads(
            (await self.keys())[f"/services/{service}/{known}"].value
        )
        return found


@asynccontextmanager
async def registry_bench(endpoint: str) -> AsyncIterator[RegistryBench]:
    """A registry for as long as the block runs."""
    with trio.fail_after(4 * LIMIT):
        async with client_of(endpoint) as etcd:
            yield RegistryBench(endpoint, etcd)
