"""Configuration for dnsmasq: hosts and options in files that it reads again at SIGHUP. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from .dnsmasq_text import (
    HEADER,
    MARKER,
    client_lines,
    host_line,
    option_lines,
    range_lines,
    router_tag,
)
from .documents import Document
from .model import Group, Host, Problem, Reason, Update
from .networks import Networks
from .own_boots import OwnBoots
from .rows import Rows
from .settings import RenderSettings

__all__ = ["DnsmasqBackend", "is_host_file"]

_WIDE: Final = Problem(
    Reason.UNSUPPORTED,
    "its network has a prefix shorter than /64, which dnsmasq does not serve; "
    "use the Kea backend, or make the network smaller",
)

_GROUPS: Final = "|".join(group.value for group in Group)
_FILE_NAME: Final = re.compile(rf"({_GROUPS})-[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}")


class DnsmasqBackend:
    """Writes ``dnsmasq.conf`` for the operator's ``conf-file=``, and the files that it names.

    A change of hosts, routers or boot options changes hosts and options only, which dnsmasq reads
    again at SIGHUP. Another network changes ``dnsmasq.conf``, for which it must be restarted.
    """

    def __init__(
        self,
        settings: RenderSettings,
        *,
        opts_file: str,
        hosts_file: str | None = None,
        hosts_dir: str | None = None,
    ) -> None:
        """Begin with no hosts.

        Args:
            settings: domains and boot options.
            opts_file: path at which dnsmasq finds what is ``dnsmasq.opts`` here.
            hosts_file: path at which it finds ``dnsmasq.hosts``; or
            hosts_dir: path of a directory with a file for each host. One of the two.

        Raises:
            ValueError: a path can not be written in dnsmasq's configuration.
        """
        if (hosts_file is None) == (hosts_dir is None):
            raise ValueError("give either a file of hosts or a directory of hosts")
        hosts = f"file={_path(hosts_file)}" if hosts_file else f"dir={_path(str(hosts_dir))}"
        self._settings = settings
        self._rows = Rows()
        self._files: dict[str, bytes] | None = None if hosts_dir is None else {}
        self._changed_files: dict[str, bytes | None] = {}
        self._networks = Networks()
        self._hosts: dict[Group, dict[str, Host]] = {group: {} for group in Group}
        self._owns = OwnBoots(settings)
        self._routers: Counter[str | None] = Counter()  # that hosts have unlike their network
        self._via: dict[tuple[Group, str], str | None] = {}  # which hosts have one of them
        self._refused: dict[tuple[Group, str], Problem] = {}
        self._unchecked: dict[str, None] = {}  # names of lines, in order
        self._opts_unchecked = False
        self._marks: tuple[object, ...] = ()  # of what the options were written of
        self._head = "".join(
            [HEADER, f"dhcp-hosts{hosts}\n", f"dhcp-optsfile={_path(opts_file)}\n", *client_lines()]
        )
        self._conf = Document("dnsmasq.conf", (b"",), 0, MARKER)
        self._opts = Document("dnsmasq.opts", (b"",), 0, MARKER)
        self._write_texts()

    @property
    def hosts(self) -> int:
        """How many hosts are written."""
        return len(self._rows) if self._files is None else len(self._files)

    @property
    def refused(self) -> Mapping[tuple[Group, str], Problem]:
        """Hosts in IPv6 networks that are too wide for dnsmasq."""
        return self._refused

    def update(self, update: Update) -> None:
        """Take in what is different."""
        changed = self._networks.update(update)
        lines: dict[str, bytes | None] = {}
        groups = ((Group.HYPERVISORS, update.hypervisors), (Group.GUESTS, update.guests))
        had_hosts = any(self._hosts.values())
        for group, hosts in groups:
            self._take_out(group, hosts, lines)
        for group, hosts in groups:
            self._put_in(group, hosts, lines)
        if changed and had_hosts:  # their networks may announce another router
            for group, known in self._hosts.items():
                moved = [host for host in known.values() if host.subnet.network in changed]
                self._render(group, moved, lines)
        self._write_lines(lines)
        marks = (self._networks.stamp, self._owns.stamp, tuple(self._routers))
        if marks != self._marks:
            self._marks = marks
            self._write_texts()

    def documents(self) -> tuple[Document, ...]:
        """Return the files: ``dnsmasq.conf``, ``dnsmasq.opts`` and, without a directory,
        ``dnsmasq.hosts``."""
        if self._files is not None:
            return self._conf, self._opts
        pieces = (HEADER.encode(), *self._rows.pieces())
        return self._conf, self._opts, Document("dnsmasq.hosts", pieces, self._rows.stamp, MARKER)

    def take_files(self) -> dict[str, bytes | None]:
        """Return the files of hosts that changed since this was last called."""
        taken, self._changed_files = self._changed_files, {}
        return taken

    def files(self) -> Mapping[str, bytes]:
        """Return the files of all hosts, ``<group>-<id>``; empty without a directory."""
        return self._files or {}

    def lines_to_check(self) -> list[bytes]:
        """Return what changed since lines were last accepted, as it is now, in lines that
        ``dnsmasq --test`` checks.

        It does not look into files of hosts and options, so that their lines have to be given to
        it as ``dhcp-host=`` and ``dhcp-option=``, after those of ``dnsmasq.conf``.
        """
        get = self._rows.get if self._files is None else self._files.get
        lines = [
            _checkable_host(line) for name in self._unchecked if (line := get(name)) is not None
        ]
        if self._opts_unchecked:
            text = self._opts.pieces[0]
            lines += [b"dhcp-option=" + line for line in text.splitlines() if line[:1] != b"#"]
        return lines

    def lines_accepted(self) -> None:
        """Take note that the lines to check, as they are now, need not be checked any more."""
        self._unchecked = {}
        self._opts_unchecked = False

    def _take_out(self, group: Group, hosts: Iterable[str], lines: dict[str, bytes | None]) -> None:
        known = self._hosts[group]
        for key in hosts:
            if self._refused:
                self._refused.pop((group, key), None)
            host = known.pop(key, None)
            if host is None:
                continue
            lines[self._name(group, key)] = None
            self._forget_router(group, key)
            if host.boot is not None:
                self._owns.count(group, host, -1)

    def _put_in(
        self, group: Group, hosts: Mapping[str, Host | None], lines: dict[str, bytes | None]
    ) -> None:
        known = self._hosts[group]
        come = []
        for key, host in hosts.items():
            if host is None:
                continue
            if _too_wide(host.subnet.network):
                self._refused[group, key] = _WIDE
                continue
            known[key] = host
            come.append(host)
            if host.boot is not None:
                self._owns.count(group, host, 1)
        self._render(group, come, lines)

    def _render(self, group: Group, hosts: Iterable[Host], lines: dict[str, bytes | None]) -> None:
        get, by_file, owns, vias = (
            self._networks.get,
            self._files is not None,
            self._owns,
            self._via,
        )
        for host in hosts:
            key, _, _, (_, network, _, gateway, version), _, boot = host
            known = get(network) if network is not None else None
            router = None
            if (known is None or known.gateway != gateway) and version == 4:
                router = self._note_router(group, key, gateway)
            elif vias:
                self._forget_router(group, key)
            own = None if boot is None else owns.of(group, host)
            name = f"{group.value}-{key}" if by_file else key
            lines[name] = host_line(group, host, own, router).encode()

    def _name(self, group: Group, key: str) -> str:
        return key if self._files is None else f"{group.value}-{key}"

    def _note_router(self, group: Group, key: str, gateway: str | None) -> str:
        self._forget_router(group, key)
        self._via[group, key] = gateway
        self._routers[gateway] += 1
        return router_tag(gateway)

    def _forget_router(self, group: Group, key: str) -> None:
        if (group, key) in self._via:
            gateway = self._via.pop((group, key))
            self._routers[gateway] -= 1
            if not self._routers[gateway]:
                del self._routers[gateway]

    def _write_lines(self, lines: dict[str, bytes | None]) -> None:
        self._unchecked.update(dict.fromkeys(lines))
        if self._files is None:
            self._rows.update(lines)
            return
        for name, line in lines.items():
            if self._files.get(name) == line:
                continue
            self._changed_files[name] = line
            if line is None:
                del self._files[name]
            else:
                self._files[name] = line

    def _write_texts(self) -> None:
        """Write the two files that do not hold hosts."""
        networks = [item for item in self._networks if not _too_wide(item.network)]
        settings = self._settings
        conf = self._head + "".join(range_lines(networks))
        self._conf = _again(self._conf, conf)
        owns = self._owns.sets.values()
        options = option_lines(networks, self._routers, settings.domains, settings.boot, owns)
        before = self._opts
        self._opts = _again(before, HEADER + "".join(options))
        self._opts_unchecked = self._opts_unchecked or self._opts is not before


def is_host_file(name: str) -> bool:
    """Return whether a file in the hosts directory has a name that we give: ``<group>-<uuid>``."""
    return _FILE_NAME.fullmatch(name) is not None


def _checkable_host(line: bytes) -> bytes:
    """Return a host's line as one of the main configuration."""
    return b"dhcp-host=" + line.rstrip(b"\n")


def _again(document: Document, text: str) -> Document:
    """Return the document with this text; the same one when it has it already."""
    content = text.encode()
    if content == document.pieces[0]:
        return document
    return document._replace(pieces=(content,), stamp=document.stamp + 1)


def _too_wide(network: str | None) -> bool:
    return network is not None and ":" in network and int(network.rpartition("/")[2]) < 64


def _path(path: str) -> str:
    # A comma, a quote or a space before # means something there; and so does a backslash.
    if not path or not path.isprintable() or set(path) & set(' ,"\\#'):
        raise ValueError(f"{path!r} can not be written as a path in dnsmasq's configuration")
    return path
