"""How a class says that it is a protobuf message: a tag number on every field.

A message is a frozen dataclass (or, where millions are made, a ``NamedTuple``) whose fields carry a
:class:`Tag` in their annotation. The annotated type says the rest:

===================== ==================================================================
``int``               ``int64``, or ``uint64`` when the tag says ``unsigned``
``bool bytes str``    the protobuf type of the same meaning
``SomeEnum | int``    an open enum: a number that is no member yet stays a plain ``int``
``Other``             a message, always there: absent on the wire is its default
``X | None``          a field that knows whether it was sent: a sub-message, or a oneof's member
``tuple[X, ...]``     a repeated field
===================== ==================================================================

So number, type and default of a field stand on one line, and there is no second table to disagree
with. :mod:`lochkit.etcd.wire_plan` reads it.
"""

from dataclasses import dataclass

__all__ = ["Message", "Tag"]


@dataclass(frozen=True, slots=True)
class Tag:
    """The wire facts of one field that its Python type cannot tell.

    Attributes:
        number: the field number of the public ``.proto`` file.
        unsigned: an ``int`` is a ``uint64``; signed without it.
        oneof: the name of the oneof the field belongs to: of those, the one sent last counts.
    """

    number: int
    unsigned: bool = False
    oneof: str = ""


class Message:
    """The base of the message dataclasses. It holds nothing; it says what they are."""

    __slots__ = ()
