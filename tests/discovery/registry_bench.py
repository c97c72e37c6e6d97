"""A registry in a real etcd, as it looks from outside."""

import json
from typing import Any
from uuid import uuid4

from lochkit.discovery import Layout
from lochkit.etcd.client import Client

__all__ = ["Bench"]


class Bench:
    """A registry below a namespace of its own."""

    def __init__(self, etcd: Client) -> None:
        self.etcd = etcd
        self.layout = Layout(namespace=f"/weak-{uuid4().hex}")

    async def values(self, service: str = "web") -> list[dict[str, Any]]:
        """The records of the instances."""
        found = await self.etcd.kv.list(self.layout.service(service))
        return [json.loads(kv.value) for kv in found.kvs]

    async def infos(self) -> dict[str, Any] | None:
        """What the instances have in common."""
        kv = await self.etcd.kv.get(self.layout.infos_key("web"))
        return None if kv is None else json.loads(kv.value)

    async def put_infos(self, value: bytes) -> None:
        """Write it by hand."""
        await self.etcd.kv.put(self.layout.infos_key("web"), value)
