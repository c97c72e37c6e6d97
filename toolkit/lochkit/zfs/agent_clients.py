"""What clients may do on a host, read from a document: the tables ``[clients.NAME]``.

::

    [clients.web1]                        # the name in its certificate
    write = ["bulk/web1"]                 # what it may receive into, and see
    rollback = false                      # may have what its source lacks destroyed there
    properties = false                    # may send streams with properties
    streams = 8                           # received at once
    orders = ["destroy_snapshot"]         # or ["all"]
    orders_on = ["bulk/web1"]             # of which datasets; default: those of `write`; who has
                                          # something sent within this host needs both of the two

``[clients.anonymous]`` is for whoever comes in plain text (``--insecure-plaintext``), and for
nobody else.
"""

from typing import Final

from .errors import BadPolicy
from .names import check_dataset
from .orders import Action
from .permits import Permit, Permits
from .policy_read_fields import Table
from .policy_read_parts import check_host

__all__ = ["ANONYMOUS", "read_clients"]

ANONYMOUS: Final = "anonymous"
_ALL: Final = "all"
_MOST_STREAMS: Final = 1024


def read_clients(table: Table, *, plaintext: bool = False) -> Permits:
    """The permissions in the tables of a document; faults are noted there.

    Args:
        table: of the document that has the key ``clients``.
        plaintext: clients have no certificates.
    """
    permits = {name: _permit(table, name, one) for name, one in table.named("clients").items()}
    anonymous = permits.pop(ANONYMOUS, None)
    return Permits(clients=permits, anonymous=anonymous if plaintext else None)


def _permit(above: Table, name: str, table: Table) -> Permit:
    above.made(f"clients.{name[:80]}", name, check_host)
    write = table.texts("write", check_dataset)
    orders = frozenset(table.texts("orders", _action))
    if _ALL in orders:
        orders = frozenset(action.value for action in Action)
    named = "orders_on" in table
    orders_on = table.texts("orders_on", check_dataset)
    if named and not orders:
        table.fault("orders_on", "has no effect without orders")
    if orders and not named and not write:
        table.fault("orders", "of which datasets? Give orders_on = ['pool/data'] as well")
    permit = Permit(
        client=name,
        write=write,
        rollback=table.flag("rollback", default=False),
        properties=table.flag("properties", default=False),
        streams=table.number("streams", least=1, most=_MOST_STREAMS) or 8,
        orders=orders,
        orders_on=orders_on if named else write,
    )
    table.close()
    return permit


def _action(word: str) -> str:
    """Return the word of an action.

    Raises:
        BadPolicy: it is none.
    """
    known = (*(action.value for action in Action), _ALL)
    if word not in known:
        raise BadPolicy(f"{word[:80]!r} is no order; known are {', '.join(known)}")
    return word
