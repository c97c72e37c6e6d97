"""What an operator can say to ``lochkit dhcp``, and what is refused before anything is done."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lochkit.commands.dhcp_options import DhcpOptions
from lochkit.commands.dhcp_setup import backend_of
from lochkit.commands.dhcp_view_options import BackendKind
from lochkit.errors import ConfigError


@pytest.mark.parametrize("name", ["conf_dir", "hosts_dir"])
def test_a_path_that_dnsmasq_can_not_be_told_is_the_operators(name: str, tmp_path: Path) -> None:
    options = DhcpOptions(
        domain="example.com", backend=BackendKind.DNSMASQ, conf_dir=str(tmp_path), hosts_dir=None
    )
    changes: dict[str, Any] = {name: str(tmp_path / "with a blank")}
    with pytest.raises(ConfigError, match="with a blank"):
        backend_of(replace(options, **changes))
