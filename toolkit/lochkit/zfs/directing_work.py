"""What a director wants done: pieces of work, and what stands in the way of others. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from .orders import Action, Order
from .work_queue import Claim, Work

__all__ = ["Conflicted", "Part", "Plan", "Pursuit", "Wanted", "claims_of"]


class Pursuit(NamedTuple):
    """What is pursued, however often it takes an attempt.

    Attributes:
        job: of the policy.
        work: take, send or destroy.
        dataset: of the host that gets the order.
        replication: that is sent, or whose copy is pruned; empty: of the job itself.
    """

    job: str
    work: Work
    dataset: str
    replication: str = ""


class Part(NamedTuple):
    """A dataset of a piece of work.

    Attributes:
        pursuit: what is pursued there.
        state: of the datasets at both ends, as a number (`state_of`): what can not be done now may
            be possible when that is another one.
        aim: what is to be reached, as a number: the same again, right after it was done, is a sign
            that nobody has told of it yet.
    """

    pursuit: Pursuit
    state: int = 0
    aim: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An order that is to be given.

    Attributes:
        pursuit: what it is for.
        host: who gets it.
        order: itself; its uuid is drawn when it is given.
        to: the host that a send goes to; the same for one to another pool.
        target: the place there.
        parts: the datasets it is about; at least one, but for an order of a director before us.
        tick: of a take, which tick it is for.
    """

    pursuit: Pursuit
    host: str
    order: Order
    to: str = ""
    target: str = ""
    parts: tuple[Part, ...] = ()
    tick: int | None = None

    @property
    def claims(self) -> tuple[Claim, ...]:
        """The datasets that are worked on, of all hosts."""
        return tuple(claims_of(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflicted:
    """A dataset that is not sent until a person has decided, or something has changed.

    Attributes:
        job: of the policy.
        replication: of the job.
        host: of the source.
        dataset: the source.
        target: ``host:dataset``.
        reason: in a word.
        message: for a person.
    """

    job: str
    replication: str
    host: str
    dataset: str
    target: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done now.

    Attributes:
        wanted: in no order.
        conflicts: what is not sent, and why.
        notices: what else a person should know.
    """

    wanted: tuple[Wanted, ...] = ()
    conflicts: tuple[Conflicted, ...] = ()
    notices: tuple[str, ...] = ()


def claims_of(wanted: Wanted) -> Iterator[Claim]:
    """The datasets that an order is about, with their hosts as parts of their names."""
    order, host = wanted.order, wanted.host
    if order.action is Action.SEND:
        lane = wanted.pursuit.replication
        source = f"{host}:{order.source_dataset}"
        yield Claim(dataset=source, below=order.recursive, lane=lane)
        target = f"{wanted.to}:{wanted.target}"
        yield Claim(dataset=target, below=order.recursive, lane=lane)
    else:
        yield Claim(dataset=f"{host}:{order.dataset}", below=order.recursive)
