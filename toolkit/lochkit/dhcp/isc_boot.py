"""Boot options in the language of ISC dhcpd: statements, evaluated for each request. Pure."""

from typing import Final, NamedTuple

from .boot import BIOS, IPXE, KINDS, Kind, file_of, kinds_set, next_address
from .model import Boot

__all__ = ["DECLARATION", "Chain", "boot_chain"]

DECLARATION: Final = "option client-arch code 93 = unsigned integer 16;\n"
"""What a file must say before a chain that asks for architectures. dhcpd accepts it again and
again, so that each file can stand for itself."""

_NEXT = "next-server"
_CLASS = "vendor-class-identifier"
_FILE = "filename"

# What takes back a statement of the group for one host: the values that dhcpd has by itself.
_TAKE_BACK: Final = {
    _NEXT: "next-server 0.0.0.0;",
    _CLASS: "option vendor-class-identifier = null;",
    _FILE: 'filename "";',
}


class Chain(NamedTuple):
    """Statements, and whether they need the declaration of the client's architecture."""

    text: str
    asks_architecture: bool


def _statements(boot: Boot, client: Kind) -> dict[str, str]:
    """Return what one kind of client is told, by what is set."""
    found = file_of(boot, client)
    if found is None:
        return {}
    kind, file = found
    said = {}
    if kind.http:
        said[_CLASS] = f'option {_CLASS} "HTTPClient";'
    elif kind is not IPXE and (server := _next_server(boot)):
        said[_NEXT] = f"{_NEXT} {server};"
    return said | {_FILE: f'{_FILE} "{file}";'}


def _next_server(boot: Boot) -> str | None:
    # An IPv6 address has no place in a DHCPv4 packet.
    return None if next_address(boot, 6) else boot.next_server


def _condition(kind: Kind) -> str:
    if kind is IPXE:
        return 'exists user-class and option user-class = "iPXE"'
    return " or ".join(f"option client-arch = 00:{code:02x}" for code in kind.architectures)


def _body(boot: Boot, general: Boot, client: Kind) -> list[str]:
    """Return the statements for one kind, which also undo what was said in general."""
    mine, theirs = _statements(boot, client), _statements(general, client)
    undone = [_TAKE_BACK[what] for what in theirs if what not in mine]
    return [*mine.values(), *undone]


def boot_chain(boot: Boot, indent: str, general: Boot | None = None) -> Chain:
    """Return the statements for these boot options.

    Args:
        boot: what is to hold.
        indent: what each line begins with.
        general: what the enclosing group says, when the statements are those of a host: dhcpd
            evaluates the group's first and the host's then, so all that differs must be undone.
    """
    base = Boot() if general is None else general
    if all(_statements(boot, kind) == _statements(base, kind) for kind in KINDS):
        return Chain("", False)
    asked = {*kinds_set(boot), *kinds_set(base)}
    branches = [kind for kind in KINDS if kind in asked and kind is not BIOS]
    rest = _body(boot, base, BIOS)
    if not branches:
        return Chain("".join(f"{indent}{line}\n" for line in rest), False)
    lines: list[str] = []
    for kind in branches:
        opening = "} elsif" if lines else "if"
        lines.append(f"{opening} {_condition(kind)} {{")
        lines += [f"    {line}" for line in _body(boot, base, kind)]
    if rest:
        lines += ["} else {", *(f"    {line}" for line in rest)]
    lines.append("}")
    text = "".join(f"{indent}{line}\n" for line in lines)
    return Chain(text, any(kind.architectures for kind in branches))
