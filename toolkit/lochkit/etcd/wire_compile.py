"""From the annotations of a message class to its :class:`~lochkit.etcd.wire_plan.Plan`."""

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Mapping
from enum import IntEnum
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin, get_type_hints

from .messages_header import ResponseHeader
from .messages_kv import KeyValue
from .messages_watch import Event
from .wire_fields import MessageField, RepeatedMessage, RepeatedScalar, ScalarField
from .wire_keyvalues import straight_event, straight_header, straight_key_value
from .wire_plan import Field, Plan, Straight
from .wire_scalars import OF_TYPE, UINT64, Enumeration, Scalar
from .wire_schema import Message, Tag

__all__ = ["make_plan", "plan_of"]

_STRAIGHT: Final[dict[type, Straight]] = {
    Event: straight_event,
    KeyValue: straight_key_value,
    ResponseHeader: straight_header,
}
_plans: Final[dict[type, Plan]] = {}


def plan_of(cls: type) -> Plan:
    """The plan of a message class, made at its first use.

    Raises:
        TypeError: the class is no message.
    """
    plan = _plans.get(cls)
    if plan is None:
        # Plans refer to each other, so they are published together, when all are whole: a second
        # thread may then make them twice, but never sees half a one.
        made: dict[type, Plan] = {}
        plan = _make(cls, _STRAIGHT, made)
        _plans.update(made)
    return plan


def make_plan(cls: type, straight: Mapping[type, Straight]) -> Plan:
    """A plan of its own that takes only the given short cuts: tests hold the others against it."""
    return _make(cls, straight, {})


def _make(cls: type, straight: Mapping[type, Straight], made: dict[type, Plan]) -> Plan:
    """The plan of ``cls``, and in ``made`` those of all messages in it."""
    if cls in made:
        return made[cls]
    if not issubclass(cls, (Message, KeyValue, Event)):
        raise TypeError(f"{cls.__name__} is not a message")
    plan = made[cls] = Plan(cls, straight.get(cls))
    hints = get_type_hints(cls, include_extras=True)
    tagged = {name: _split(cls, name, hint) for name, hint in hints.items()}
    oneofs = defaultdict(list)
    for index, (_, tag) in enumerate(tagged.values()):
        if tag.oneof:
            oneofs[tag.oneof].append(index)
    defaults = _defaults(cls)

    def nested(kind: type) -> Plan:
        return _make(kind, straight, made)

    fields = [
        _field(index, name, hint, tag, defaults[name], oneofs.get(tag.oneof, []), nested)
        for index, (name, (hint, tag)) in enumerate(tagged.items())
    ]
    plan.define(fields, (tuple(members) for members in oneofs.values()))
    return plan


def _field(
    index: int,
    name: str,
    hint: Any,
    tag: Tag,
    default: Any,
    oneof: list[int],
    plan_of_kind: Callable[[type], Plan],
) -> Field:
    rivals = tuple(member for member in oneof if member != index)
    repeated = get_origin(hint) is tuple
    kind = _kind(get_args(hint)[0] if repeated else hint)
    if kind in OF_TYPE or issubclass(kind, IntEnum):
        scalar = _scalar(kind, tag)
        if repeated:
            return RepeatedScalar(index, name, tag.number, scalar)
        return ScalarField(index, name, tag.number, scalar, default, rivals)
    if repeated:
        return RepeatedMessage(index, name, tag.number, plan_of_kind(kind))
    return MessageField(index, name, tag.number, plan_of_kind(kind), default, rivals)


def _split(cls: type, name: str, hint: Any) -> tuple[Any, Tag]:
    """An annotation's type and its tag."""
    if get_origin(hint) is Annotated:
        inner, *extras = get_args(hint)
        for extra in extras:
            if isinstance(extra, Tag):
                return inner, extra
    raise TypeError(f"{cls.__name__}.{name} has no tag")


def _kind(hint: Any) -> type:
    """The one type that matters in ``X``, ``X | None`` and ``SomeEnum | int``."""
    if get_origin(hint) in (UnionType, Union):
        arms = [arm for arm in get_args(hint) if arm is not type(None)]
        enums = [arm for arm in arms if issubclass(arm, IntEnum)]
        hint = (enums or arms)[0]
    kind: type = hint
    return kind


def _scalar(kind: type, tag: Tag) -> Scalar[Any]:
    if issubclass(kind, IntEnum):
        return Enumeration(kind)
    return UINT64 if tag.unsigned else OF_TYPE[kind]


def _defaults(cls: Any) -> dict[str, Any]:
    if dataclasses.is_dataclass(cls):
        return {field.name: field.default for field in dataclasses.fields(cls)}
    defaults: dict[str, Any] = cls._field_defaults
    return defaults
