"""What a client may do on this host: the name in its certificate decides, and nothing it says."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .names import is_within

__all__ = ["Permit", "Permits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """What one client may do.

    Attributes:
        client: the name in its certificate, for messages.
        write: the datasets it may receive into and see, with all below them; nothing else.
        anywhere: every dataset instead; for what a host does to itself.
        rollback: it may have snapshots of those datasets destroyed that its source does not have.
        properties: it may send streams that carry properties (``send -p``).
        streams: how many of its streams are received at once.
        orders: the actions it may order (``take_snapshot``...).
        orders_on: the datasets its orders may be about, with all below them.
    """

    client: str
    write: tuple[str, ...] = ()
    anywhere: bool = False
    rollback: bool = False
    properties: bool = False
    streams: int = 8
    orders: frozenset[str] = frozenset()
    orders_on: tuple[str, ...] = ()

    def may_write(self, dataset: str) -> bool:
        """Whether it may receive into a dataset; the name must have been checked."""
        return self.anywhere or any(is_within(dataset, root) for root in self.write)

    def may_see(self, dataset: str) -> bool:
        """Whether it may be told what there is in a dataset; the name must have been checked."""
        return self.may_write(dataset)

    def may_order(self, action: str, dataset: str) -> bool:
        """Whether it may order an action on a dataset; the name must have been checked."""
        return action in self.orders and any(is_within(dataset, root) for root in self.orders_on)


@dataclass(frozen=True, slots=True, kw_only=True)
class Permits:
    """Who may do what.

    Attributes:
        clients: by the name in the certificate.
        anonymous: for whoever comes without one, over a plaintext link that the operator trusts;
            None: nobody.
    """

    clients: Mapping[str, Permit] = field(default_factory=dict)
    anonymous: Permit | None = None

    def of(self, name: str | None) -> Permit | None:
        """The permit of a client by the name in its certificate; None: it may do nothing."""
        return self.anonymous if name is None else self.clients.get(name)
