"""Fixtures of the tests of what touches the disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .site import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site whose store is open."""
    site = Site(tmp_path)
    site.store.open()
    yield site
    site.store.close()
