"""What an operator can say to ``lochkit dhcp``, and what is refused before anything is done."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lochkit.commands.dhcp_options import DhcpOptions
from lochkit.commands.dhcp_setup import backend_of
from lochkit.commands.dhcp_view_options import BackendKind
from lochkit.errors import ConfigError


@pytest.mark.parametrize(
    ("quiet_time", "max_wait", "waits"),
    [
        (None, None, (0.1, 2.0)),
        (5.0, None, (5.0, 5.0)),
        (0.0, None, (0.0, 2.0)),
        (None, 0.0, (0.0, 0.0)),
        (None, 9.0, (0.1, 9.0)),
        (1.0, 1.5, (1.0, 1.5)),
    ],
)
def test_one_wait_needs_no_other(
    quiet_time: float | None, max_wait: float | None, waits: tuple[float, float]
) -> None:
    options = DhcpOptions(domain="example.com", quiet_time=quiet_time, max_wait=max_wait)
    assert (options.quiet, options.longest_wait) == waits


def test_waits_that_contradict_each_other() -> None:
    with pytest.raises(ValueError, match="shorter than the quiet time"):
        DhcpOptions(domain="example.com", quiet_time=2.0, max_wait=1.0)


@pytest.mark.parametrize("name", ["conf_dir", "hosts_dir"])
def test_a_path_that_dnsmasq_can_not_be_told_is_the_operators(name: str, tmp_path: Path) -> None:
    options = DhcpOptions(
        domain="example.com", backend=BackendKind.DNSMASQ, conf_dir=str(tmp_path), hosts_dir=None
    )
    changes: dict[str, Any] = {name: str(tmp_path / "with a blank")}
    with pytest.raises(ConfigError, match="with a blank"):
        backend_of(replace(options, **changes))
