"""What a real DHCP server answers to clients, in a network namespace of its own."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

__all__ = ["Asker", "Offer", "ask_server"]

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """A client that asks for an address.

    Attributes:
        mac: its address.
        network: in which it is.
        architecture: what its firmware says in option 93; None for one that does not boot.
        ipxe: it is iPXE already.
        http: it is UEFI's HTTP boot.
        requests: options that it asks for, besides those that all ask for.
    """

    mac: str
    network: str
    architecture: int | None = None
    ipxe: bool = False
    http: bool = False
    requests: tuple[int, ...] = (66, 67)


class Offer(NamedTuple):
    """What was offered: the fields of the packet, and its options by code."""

    address: str
    server: str
    file: str
    options: dict[int, bytes]

    @property
    def boots(self) -> str:
        """The file's name, from the option if it is there (RFC 2132, 9.5)."""
        option = self.options.get(67)
        return self.file if option is None else option.rstrip(b"\0").decode()


def ask_server(
    argv: Sequence[str], networks: Sequence[str], askers: Sequence[Asker]
) -> list[Offer]:
    """Run the server of `argv` (it serves the card ``srv``) and return what each asker is offered.

    The server's own address is the last but one of the first network; every network has a relay.
    """
    words = ["unshare", "-rn"]
    tried = subprocess.run([*words, "true"], capture_output=True, timeout=10, check=False)
    if tried.returncode:
        pytest.fail("no network namespace can be made: allow it to users, or run the tests as root")
    job = {
        "server": list(argv),
        "networks": list(networks),
        "steps": [asdict(asker) for asker in askers],
    }
    done = subprocess.run(
        [*words, sys.executable, str(Path(__file__).with_name("wire.py"))],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert len(answers) == len(askers), done.stderr[-5000:]
    assert None not in answers, (answers, done.stderr[-5000:])
    return [
        Offer(
            said["address"],
            said["server"],
            said["file"],
            {int(code): bytes.fromhex(text) for code, text in said["options"].items()},
        )
        for said in answers
    ]
