"""Boot options and domain names as Kea's client classes. Pure.

Every reservation names the class of its group, which gives the domain name. What it boots hangs on
classes that are evaluated after the reservation has been found, which Kea does for every test that
asks for ``KNOWN``: member of the group, and of a kind of client. Those for hosts with boot options
of their own are made once for each set of options, however many hosts have it.

Only words that Kea 2.2 to 3.0 all know are used: no ``only-if-required`` and no
``require-client-classes``, which got other names in 2.7.4.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from .boot import (
    BIOS,
    HTTP_CLIENT_6,
    IPXE,
    KINDS,
    Kind,
    boot_key,
    file_of,
    kinds_set,
    next_address,
    url_of,
)
from .model import Boot, Group

__all__ = ["PREFIX", "boot_class", "group_class", "make_classes", "reservation_classes"]

PREFIX: Final = "lochkit-"
"""What the names of all our classes begin with."""

_OWN: Final = PREFIX + "own-boot"
_FIELD: Final = 127  # characters that fit the packet's `file` field with their final zero


def group_class(group: Group) -> str:
    """Return the name of the class of every host of a group."""
    return f"{PREFIX}{group.value}"


def boot_class(boot: Boot) -> str:
    """Return the name of the class of the hosts that boot just this, unlike their group."""
    return f"{PREFIX}boot-{boot_key(boot)}"


def reservation_classes(group: Group, own: Boot | None) -> tuple[str, ...]:
    """Return the classes that a reservation names.

    Args:
        group: of the host.
        own: all that the host boots, when that is not what its group boots.
    """
    if own is None:
        return (group_class(group),)
    return (group_class(group), _OWN, boot_class(own))


def make_classes(
    version: int,
    domains: Mapping[Group, str],
    boot: Mapping[Group, Boot],
    owns: Iterable[Boot],
) -> list[dict[str, Any]]:
    """Return all classes, in an order in which each knows those that it asks for.

    Args:
        version: 4 or 6.
        domains: of each group.
        boot: of each group.
        owns: what hosts boot that do not boot what their group does.
    """
    classes = [_client(version, kind) for kind in KINDS if kind is not BIOS]
    for group in Group:
        name = "domain-name" if version == 4 else "domain-search"
        option = {"name": name, "data": domains[group]}
        classes.append({"name": group_class(group), "option-data": [option]})
    classes.append({"name": _OWN})
    for group in Group:
        member = f"member('{group_class(group)}') and not member('{_OWN}')"
        classes += _boot_classes(version, group_class(group), member, boot[group])
    for name, own in sorted({boot_class(own): own for own in owns}.items()):
        classes.append({"name": name})
        classes += _boot_classes(version, name, f"member('{name}')", own)
    return classes


def _client_name(kind: Kind) -> str:
    return f"{PREFIX}client-{kind.word}"


def _client(version: int, kind: Kind) -> dict[str, Any]:
    """Return the class of one kind of client, whoever it is."""
    if kind is IPXE and version == 4:
        test = "substring(option[77].hex,0,4) == 'iPXE'"
    elif kind is IPXE:  # each class has two bytes of length before it: RFC 8415, 21.15
        test = "substring(option[15].hex,2,4) == 'iPXE'"
    else:
        code = 93 if version == 4 else 61
        test = " or ".join(f"option[{code}].hex == 0x{arch:04X}" for arch in kind.architectures)
    return {"name": _client_name(kind), "test": test}


def _boot_classes(version: int, name: str, member: str, boot: Boot) -> list[dict[str, Any]]:
    """Return a class for each kind of client that gets something; a client is in one at most."""
    found = []
    before: list[str] = []
    for kind in kinds_set(boot):
        gives = _gives_4(boot, kind) if version == 4 else _gives_6(boot, kind)
        mine = [] if kind is BIOS else [f"member('{_client_name(kind)}')"]
        others = [f"not member('{other}')" for other in before]
        test = " and ".join(["member('KNOWN')", member, *mine, *others])
        if gives:
            found.append({"name": f"{name}-{kind.word}", "test": test, **gives})
        before.append(_client_name(kind))
    return found


def _gives_4(boot: Boot, kind: Kind) -> dict[str, Any]:
    found = file_of(boot, kind)
    if found is None:
        return {}
    file = found[1]
    gives: dict[str, Any] = {}
    options = []
    if kind.http:
        options.append(_option("vendor-class-identifier", "HTTPClient"))
    elif kind is not IPXE and boot.next_server:
        if address := next_address(boot, 4):
            gives["next-server"] = address
        elif not next_address(boot, 6):
            options.append(_option("tftp-server-name", boot.next_server))
    if len(file) <= _FIELD:
        gives["boot-file-name"] = file
    else:
        options.append(_option("boot-file-name", file))
    return gives | ({"option-data": options} if options else {})


def _gives_6(boot: Boot, kind: Kind) -> dict[str, Any]:
    url = url_of(boot, kind)
    if url is None:
        return {}
    options = [_option("bootfile-url", url)]
    if kind.http:
        data = HTTP_CLIENT_6.hex().upper()
        options.append({"code": 16, "csv-format": False, "data": data, "always-send": True})
    return {"option-data": options}


def _option(name: str, data: str) -> dict[str, Any]:
    # Firmware does not always ask for what it needs.
    return {"name": name, "data": data, "always-send": True}
