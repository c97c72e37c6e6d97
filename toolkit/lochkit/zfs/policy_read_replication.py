"""One destination of a job, read from its table."""

import re
from typing import Final

from .errors import BadPolicy
from .names import check_dataset
from .policy_read_fields import Table
from .policy_read_parts import check_host, read_keep, read_when
from .policy_types import COMPRESSIONS, Guarantee, Replication, StaleToken
from .tags import check_replication

__all__ = ["read_replication"]

_SLOWEST: Final = 1024  # bytes a second
_FASTEST: Final = 2**50
_PROPERTY: Final = re.compile(r"[a-z0-9][a-z0-9:._-]{0,255}")
_LONGEST_VALUE: Final = 8191  # bytes; what ZFS keeps of a user property


def read_replication(table: Table, *, name: str | None, zone: str | None) -> Replication | None:
    """The replication a table says; None: it has faults, which are noted.

    Args:
        table: is closed.
        name: what it is called if it does not say; None: it must say.
        zone: of the job; None: none is said.
    """
    before = table.faults
    called = table.made("name", _name(table, name), check_replication)
    to = table.needed("to", "the host it goes to, or 'local' for another pool of the same host")
    target = table.needed("target", "the dataset it is received into, as 'bulk/from-web1/data'")
    found = Replication(
        name=called or "",
        to=table.made("to", to, check_host) or "",
        target=table.made("target", target, check_dataset) or "",
        when=read_when(table, "when", zone),
        keep=read_keep(table, "keep", zone),
        snapshots=table.made("snapshots", table.text("snapshots"), _regex),
        intermediates=table.flag("intermediates", default=True),
        initial_all=table.flag("initial_all", default=True),
        raw=table.flag("raw", default=True),
        send_properties=table.flag("send_properties", default=False),
        set_properties=_properties(table),
        exclude_properties=table.texts("exclude_properties", _property),
        large_blocks=table.maybe_flag("large_blocks"),
        compressed=table.maybe_flag("compressed"),
        embedded=table.maybe_flag("embedded"),
        resume=table.flag("resume", default=True),
        stale_token=table.choice("stale_token", StaleToken.ABORT),
        rollback=table.flag("rollback", default=False),
        guarantee=table.choice("guarantee", Guarantee.RESUMABLE),
        compression=table.made("compression", table.text("compression"), _compression) or "none",
        rate=table.number("rate", least=_SLOWEST, most=_FASTEST),
    )
    if both := sorted(set(found.set_properties) & set(found.exclude_properties)):
        table.fault("exclude_properties", f"{both[0]!r} is set and left out at once")
    table.close()
    return found if table.faults == before else None


def _name(table: Table, name: str | None) -> str | None:
    if name is None:
        return table.needed("name", "what this replication is called, unlike all others")
    return table.text("name", name)


def _regex(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as exc:
        raise BadPolicy(f"{text[:80]!r} is not a regular expression: {exc}") from None
    return text


def _compression(word: str) -> str:
    if word not in COMPRESSIONS:
        raise BadPolicy(f"expected one of {', '.join(COMPRESSIONS)}; found {word[:80]!r}")
    return word


def _property(name: str) -> str:
    if not _PROPERTY.fullmatch(name):
        raise BadPolicy(f"{name[:80]!r} is not the name of a property")
    return name


def _properties(table: Table) -> dict[str, str]:
    found = table.words("set_properties")
    for name, value in found.items():
        where = f"set_properties.{name[:80]}"
        table.made(where, name, _property)
        if len(value.encode("utf-8", "replace")) > _LONGEST_VALUE or not value.isprintable():
            table.fault(where, f"a value has at most {_LONGEST_VALUE} bytes, all printable")
    return found
