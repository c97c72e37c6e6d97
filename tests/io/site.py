"""A configuration directory with two files that are installed as one set."""

import os
from collections.abc import Mapping
from pathlib import Path

from lochkit.io.generations import Generation, GenerationStore

NAMES = ("a.conf", "b.conf")


class Site:
    """A configuration directory, and a store in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root = path / ".lochkit"
        self.targets = {name: path / name for name in NAMES}
        self.store = self.another()

    def another(self, keep: int = 3) -> GenerationStore:
        return GenerationStore(self.root, self.targets, keep)

    def install(
        self, a: bytes | None, b: bytes | None, manifest: Mapping[str, object] | None = None
    ) -> Generation:
        pieces = [None if content is None else [content] for content in (a, b)]
        staged = self.store.stage(dict(zip(NAMES, pieces, strict=True)), manifest or {})
        return self.store.commit(staged)

    def read(self) -> tuple[bytes | None, ...]:
        paths = self.targets.values()
        return tuple(path.read_bytes() if path.exists() else None for path in paths)

    def edit(self, name: str, content: bytes) -> None:
        """Write into the file in place, later than anything that was installed."""
        self.targets[name].write_bytes(content)
        later = self.targets[name].stat().st_mtime_ns + 10**9
        os.utime(self.targets[name], ns=(later, later))

    def reopen(self) -> None:
        self.store.close()
        self.store = self.another()
        self.store.open()

    def sets(self) -> list[int]:
        return [generation.number for generation in self.store.generations]
