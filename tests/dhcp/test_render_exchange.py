"""What clients are really offered by the real servers, with what was rendered for them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from lochkit.dhcp.boot import KINDS, file_of
from lochkit.dhcp.dnsmasq import DnsmasqBackend
from lochkit.dhcp.documents import Backend
from lochkit.dhcp.isc import IscBackend
from lochkit.dhcp.kea import KeaBackend
from lochkit.dhcp.model import Boot, Group, Host, Update

from .exchange import Asker, ask_server
from .hosts import GOLDEN_UPDATE, NET_A, NODE_B, identity, mac
from .rendering import SETTINGS, contents, hosts_of
from .servers import dhcp_server

# What each kind of client says of itself: its architecture, and whether it is iPXE or HTTP boot.
CLIENTS = [
    ("bios", None, False, False),
    ("bios", 0, False, False),
    ("ipxe", 0, True, False),
    ("ipxe", 7, True, False),
    ("uefi-x64", 7, False, False),
    ("uefi-x64", 9, False, False),
    ("uefi-arm64", 11, False, False),
    ("http-x64", 16, False, True),
    ("http-arm64", 19, False, True),
]

OWN = Boot(uefi_x64="other.efi", http_x64="", bios="", next_server="")
STRANGE = Boot(bios="10.0.0.1", uefi_arm64="00:01", next_server="tftp.example.com")


def update() -> Update:
    """Return the golden hosts, some with boot options and routers of their own."""
    node = GOLDEN_UPDATE.hypervisors[NODE_B]
    assert node is not None
    apart = {
        identity(1): Host(identity(1), mac(1), "10.20.0.101", NET_A, "a", STRANGE),
        identity(2): Host(identity(2), mac(2), "10.20.0.102", NET_A._replace(gateway=None)),
        identity(3): Host(identity(3), mac(3), "10.20.0.103", NET_A._replace(gateway="10.20.0.9")),
    }
    return Update(
        hypervisors={**GOLDEN_UPDATE.hypervisors, NODE_B: node._replace(boot=OWN)},
        guests={**GOLDEN_UPDATE.guests, **apart},
        subnets=GOLDEN_UPDATE.subnets,
    )


def isc(directory: Path) -> tuple[Backend, Sequence[str]]:
    backend = IscBackend(SETTINGS, subnets=True)
    includes = [f'include "{directory / document.name}";\n' for document in backend.documents()]
    (directory / "main.conf").write_text("".join(includes))
    (directory / "leases").touch()
    files = ["-cf", "main.conf", "-lf", "leases", "-pf", "pid"]
    words = [str(directory / word) if word[0] != "-" else word for word in files]
    return backend, [dhcp_server("dhcpd"), "-4", "-f", "-d", *words, "srv"]


def kea(directory: Path) -> tuple[Backend, Sequence[str]]:
    base = {
        "interfaces-config": {"interfaces": ["srv"]},
        "lease-database": {"type": "memfile", "persist": False},
    }
    places = [f"KEA_PIDFILE_DIR={directory}", f"KEA_LOCKFILE_DIR={directory}"]
    argv = [dhcp_server("kea-dhcp4"), "-c", str(directory / "kea-dhcp4.conf")]
    return KeaBackend(SETTINGS, base4={"Dhcp4": base}), ["env", *places, *argv]


def dnsmasq(directory: Path) -> tuple[Backend, Sequence[str]]:
    return _dnsmasq(
        directory,
        DnsmasqBackend(
            SETTINGS,
            opts_file=str(directory / "dnsmasq.opts"),
            hosts_file=str(directory / "dnsmasq.hosts"),
        ),
    )


def dnsmasq_directory(directory: Path) -> tuple[Backend, Sequence[str]]:
    hosts = directory / "hosts.d"
    hosts.mkdir()
    return _dnsmasq(
        directory,
        DnsmasqBackend(SETTINGS, opts_file=str(directory / "dnsmasq.opts"), hosts_dir=str(hosts)),
    )


def _dnsmasq(directory: Path, backend: Backend) -> tuple[Backend, Sequence[str]]:
    main = f"port=0\ninterface=srv\ndhcp-leasefile={directory}/leases\nlog-facility=-\n"
    (directory / "main.conf").write_text(f"{main}conf-file={directory}/dnsmasq.conf\n")
    # Debug mode is the one in which it does not change its user.
    return backend, [dhcp_server("dnsmasq"), "-d", "-C", str(directory / "main.conf")]


@pytest.mark.parametrize("server", [isc, kea, dnsmasq, dnsmasq_directory])
def test_every_kind_of_client_is_offered_what_it_is_to_have(
    server: Callable[[Path], tuple[Backend, Sequence[str]]], tmp_path: Path
) -> None:
    backend, argv = server(tmp_path)
    wanted = update()
    backend.update(wanted)
    write(tmp_path, backend)
    askers, hosts = [], []
    for host in hosts_of(wanted).values():
        for _, architecture, ipxe, http in CLIENTS:
            for requests in ((66, 67), ()):
                hosts.append(host)
                askers.append(
                    Asker(
                        mac=host.mac,
                        network=str(host.subnet.network),
                        architecture=architecture,
                        ipxe=ipxe,
                        http=http,
                        requests=requests,
                    )
                )
    networks = ["192.168.100.0/24", "10.20.0.0/24", "10.20.4.0/22"]
    offers = ask_server(argv, networks, askers)
    kinds = [kind for kind, *_ in CLIENTS for _ in range(2)] * len(hosts_of(wanted))
    for host, kind, offer in zip(hosts, kinds, offers, strict=True):
        gateway = host.subnet.gateway
        routers = b"" if gateway is None else bytes(map(int, gateway.split(".")))
        assert offer.address == host.address
        assert offer.options.get(3, b"") == routers
        group = Group.GUESTS if host.id in wanted.guests else Group.HYPERVISORS
        assert offer.options[15].decode() == SETTINGS.domains[group]
        assert_boots(offer.boots, offer.server, offer.options, group, host, kind)


def assert_boots(
    file: str, server: str, options: Mapping[int, bytes], group: Group, host: Host, word: str
) -> None:
    boot = SETTINGS.boot_for(group, host.boot)
    found = file_of(boot, next(kind for kind in KINDS if kind.word == word))
    assert file == (found[1] if found else "")
    kind = found[0] if found else None
    assert (options.get(60) == b"HTTPClient") == (kind is not None and kind.http)
    if kind is not None and not kind.http and kind.word != "ipxe" and boot.next_server:
        if boot.next_server == "192.0.2.9":
            assert server == "192.0.2.9"
        else:  # dhcpd looks the name up, and finds nothing here
            assert server == "0.0.0.0"


def write(directory: Path, backend: Backend) -> None:
    """Install what was rendered, in the simplest way."""
    for name, content in contents(backend).items():
        place = directory / "hosts.d" if name in backend.files() else directory
        (place / name).write_bytes(content)
