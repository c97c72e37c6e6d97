"""Copies of an operator's own configuration that read the staged files instead of those in force.

A fragment that is right by itself can be wrong where it is included, so that the server's checker
must see the whole. Only files on the way to one of ours are copied; all others are read where they
are. Pure: whoever calls says how a file is read.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from posixpath import join
from typing import Final, NamedTuple, Protocol

__all__ = ["Copy", "Dnsmasq", "Place", "Plan", "plan_dnsmasq", "plan_isc"]

_DEEPEST: Final = 32
"""Files within files; more is most likely a circle, which the server itself will complain of."""


class Copy(NamedTuple):
    """One file to be written for the checker.

    Attributes:
        path: where.
        content: what.
        original: the file that it stands for; "" when it stands for none.
    """

    path: str
    content: bytes
    original: str


class Plan(NamedTuple):
    """What to write, and what the checker is to read.

    Attributes:
        root: path of the copy to give to the checker.
        copies: all copies, in no particular order.
        reached: names of our files which the operator's configuration really includes.
    """

    root: str
    copies: tuple[Copy, ...]
    reached: frozenset[str]


class Place(Protocol):
    """The machine, as far as it matters here."""

    def read(self, path: str) -> bytes | None:
        """The content of a file; None when it can not be read."""
        ...

    def name_of(self, path: str) -> str | None:
        """Which of our files is meant by a path; None when it is none of them."""
        ...

    def names_in(self, directory: str) -> Sequence[str] | None:
        """The names in a directory; None when it can not be read."""
        ...


@dataclass
class _Work:
    """What one planning has come to."""

    directory: str
    place: Place
    staged: Mapping[str, str]
    rewrite: Callable[["_Work", bytes, int], bytes]
    copies: dict[str, Copy | None] = field(default_factory=dict)
    reached: set[str] = field(default_factory=set)
    begun: set[str] = field(default_factory=set)  # files that are being rewritten now

    def instead(self, path: str, depth: int) -> str | None:
        """Return what to read instead of an included file; None when that can stay."""
        name = self.place.name_of(path)
        if name is not None and name in self.staged:
            self.reached.add(name)
            return self.staged[name]
        if path in self.copies:
            known = self.copies[path]
            return known.path if known else None
        self.copies[path] = None  # also while it is looked at: circles end here
        content = self.place.read(path) if depth < _DEEPEST else None
        if content is None:
            return None
        before = set(self.reached)
        self.reached = set()
        self.begun.add(path)
        rewritten = self.rewrite(self, content, depth + 1)
        self.begun.remove(path)
        leads_to_ours = bool(self.reached)
        self.reached |= before
        if not leads_to_ours:
            return None
        return self.add(path, rewritten).path

    def add(self, original: str, content: bytes) -> Copy:
        number = sum(copy is not None for copy in self.copies.values())
        copy = Copy(join(self.directory, f"{number}.conf"), content, original)
        self.copies[original] = copy
        return copy

    def plan(self, main: str | None, rest: Callable[[frozenset[str]], bytes]) -> Plan:
        """Copy the operator's main file, with more at its end."""
        content = b""
        if main is not None:
            self.copies[main] = None
            self.begun.add(main)
            content = self.rewrite(self, self.place.read(main) or b"", 0)
        reached = frozenset(self.reached)
        root = self.add(main or "", content + rest(reached))
        copies = tuple(copy for copy in self.copies.values() if copy is not None)
        return Plan(root.path, copies, reached)


# --- ISC dhcpd -----------------------------------------------------------------------------------

# Comments and strings are matched so that nothing within them is.
_ISC: Final = re.compile(
    rb'#[^\n]*|(?<![\w.-])include(?:\s|#[^\n]*\n)*"(?P<path>(?:[^"\\]|\\.)*)"|"(?:[^"\\]|\\.)*"',
    re.IGNORECASE | re.DOTALL,
)


def plan_isc(main: str | None, staged: Mapping[str, str], directory: str, place: Place) -> Plan:
    """Plan a check with dhcpd.

    Files of ours that the operator's configuration does not include are included at its end: they
    are to be checked in any case.

    Args:
        main: the operator's dhcpd.conf; None when there is none.
        staged: the paths of the staged files, by name.
        directory: absolute path of where the copies will be.
        place: the machine. Relative paths in the configuration are meant from ``/``, where systemd
            starts services.
    """

    def rest(reached: frozenset[str]) -> bytes:
        missing = [path for name, path in staged.items() if name not in reached]
        return b"".join(b'\ninclude "%s";' % _isc_text(path) for path in missing) + b"\n"

    return _Work(directory, place, staged, _rewrite_isc).plan(main, rest)


def _rewrite_isc(work: _Work, content: bytes, depth: int) -> bytes:
    def replaced(found: re.Match[bytes]) -> bytes:
        quoted = found["path"]
        if quoted is None:
            return found[0]
        path = join("/", re.sub(rb"\\(.)", rb"\1", quoted, flags=re.DOTALL).decode(errors=_BYTES))
        new = work.instead(path, depth) or path
        text = _isc_text(new)
        # Only the path changes, so that line numbers stay those of the operator's file.
        whole, start = found[0], found.start()
        return whole[: found.start("path") - start] + text + whole[found.end("path") - start :]

    return _ISC.sub(replaced, content)


def _isc_text(path: str) -> bytes:
    """Return a path as it is written between quotes."""
    return path.encode(errors=_BYTES).replace(b"\\", b"\\\\").replace(b'"', b'\\"')


_BYTES: Final = "surrogateescape"  # paths are bytes

# --- dnsmasq -------------------------------------------------------------------------------------

_DNSMASQ: Final = re.compile(
    rb"^[ \t]*(?P<option>conf-file|conf-dir)[ \t]*=[ \t]*(?P<value>.*?)(?:[ \t]+#.*)?[ \t\r]*$",
    re.MULTILINE,
)
_READ_LATER: Final = re.compile(
    rb"^[ \t]*(?:dhcp-hostsfile|dhcp-hostsdir|dhcp-optsfile)[ \t]*=.*$", re.MULTILINE
)


class Dnsmasq(NamedTuple):
    """What of our files is what to dnsmasq.

    Attributes:
        config: name of the configuration file, which names the others.
        lines: configuration lines to check besides it, without line ends.
    """

    config: str
    lines: Iterable[bytes]


def plan_dnsmasq(
    main: str | None,
    staged: Mapping[str, str],
    directory: str,
    place: Place,
    ours: Dnsmasq,
) -> Plan:
    """Plan a check with dnsmasq.

    ``--test`` does not open the files of hosts and options, so that their lines are given as
    configuration instead, in a copy that stands for "".

    Args:
        main: the operator's dnsmasq.conf; None when there is none.
        staged: the paths of the staged files, by name.
        directory: absolute path of where the copies will be.
        place: the machine; relative paths are meant from ``/``.
        ours: what is in the files.
    """
    config = Copy(join(directory, "ours.conf"), b"", staged.get(ours.config, ""))
    content = place.read(config.original) if config.original else b""
    config = config._replace(content=_READ_LATER.sub(b"", content or b""))
    lines = Copy(join(directory, "lines.conf"), b"".join(line + b"\n" for line in ours.lines), "")

    def rest(reached: frozenset[str]) -> bytes:
        more = [lines] if ours.config in reached else [config, lines]
        return b"".join(b"\nconf-file=%s" % _quoted(copy.path) for copy in more) + b"\n"

    work = _Work(directory, place, {ours.config: config.path}, _rewrite_dnsmasq)
    plan = work.plan(main, rest)
    return plan._replace(copies=(*plan.copies, config, lines))


def _rewrite_dnsmasq(work: _Work, content: bytes, depth: int) -> bytes:
    def replaced(found: re.Match[bytes]) -> bytes:
        value = found["value"].strip(b'"').decode(errors=_BYTES)
        if found["option"] == b"conf-file":
            path = join("/", value)
            return b"conf-file=" + _quoted(work.instead(path, depth) or path)
        directory, *filters = value.split(",")
        return _expanded(work, join("/", directory), filters, depth) or found[0]

    return _DNSMASQ.sub(replaced, content)


def _expanded(work: _Work, directory: str, filters: Sequence[str], depth: int) -> bytes | None:
    """Return a directory's files one by one, in one line; None when none of them leads to ours."""
    names = work.place.names_in(directory) or ()
    paths = [join(directory, name) for name in sorted(names) if _is_read(name, filters)]
    # dnsmasq reads no file twice; but it could not know our copy for the file that it stands for.
    paths = [path for path in paths if path not in work.begun]
    news = [work.instead(path, depth) for path in paths]
    if not any(news):
        return None
    chosen = [new or path for new, path in zip(news, paths, strict=True)]
    return b"\n".join(b"conf-file=" + _quoted(path) for path in chosen)


def _is_read(name: str, filters: Sequence[str]) -> bool:
    """Whether dnsmasq reads a file of a ``conf-dir``; see ``--conf-dir`` in its manual."""
    if name.startswith(".") or name.endswith("~") or (name.startswith("#") and name[-1] == "#"):
        return False
    wanted = [word[1:] for word in filters if word.startswith("*")]
    unwanted = [word for word in filters if word and not word.startswith("*")]
    if any(name.endswith(word) for word in unwanted):
        return False
    return not wanted or any(name.endswith(word) for word in wanted)


def _quoted(path: str) -> bytes:
    text = path.encode(errors=_BYTES)
    return b'"%s"' % text if re.search(rb"[\s#,]", text) else text
