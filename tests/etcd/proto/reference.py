"""The messages of the notes as the ``protobuf`` package makes them: the judge of our codec."""

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

from lochkit.etcd import messages
from tests.etcd.proto.facts import ENUMS, MESSAGES, FieldFact

__all__ = ["OURS", "THEIRS", "from_theirs"]

_PACKAGE: Final = "lochkit_reference"
_Proto = descriptor_pb2.FieldDescriptorProto
_SCALARS: Final[dict[str, Any]] = {
    "int64": _Proto.TYPE_INT64,
    "uint64": _Proto.TYPE_UINT64,
    "bool": _Proto.TYPE_BOOL,
    "bytes": _Proto.TYPE_BYTES,
    "string": _Proto.TYPE_STRING,
}

# The messages that are never None in our classes: absent and empty are the same there.
_ALWAYS_THERE: Final = {("Event", "kv")} | {(name, "header") for name in MESSAGES}


def _add_field(into: descriptor_pb2.DescriptorProto, fact: FieldFact) -> None:
    field = into.field.add(
        name=fact.name,
        number=fact.number,
        label=_Proto.LABEL_REPEATED if fact.repeated else _Proto.LABEL_OPTIONAL,
    )
    if fact.type in _SCALARS:
        field.type = _SCALARS[fact.type]
    else:
        field.type = _Proto.TYPE_ENUM if fact.type in ENUMS else _Proto.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{fact.type}"
    if fact.oneof:
        if fact.oneof not in [oneof.name for oneof in into.oneof_decl]:
            into.oneof_decl.add(name=fact.oneof)
        field.oneof_index = len(into.oneof_decl) - 1


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="lochkit_reference.proto", package=_PACKAGE, syntax="proto3"
    )
    for enum_name, members in ENUMS.items():
        enum = file.enum_type.add(name=enum_name)
        for number, member in enumerate(members):
            enum.value.add(name=f"{enum_name}_{member}", number=number)
    for message_name, facts in MESSAGES.items():
        into = file.message_type.add(name=message_name)
        for fact in facts:
            _add_field(into, fact)
    return file


def _classes() -> dict[str, type[message.Message]]:
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_file())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in MESSAGES
    }


THEIRS: Final = _classes()
"""protobuf's class for every message of the notes."""

OURS: Final[dict[str, type[Any]]] = {name: getattr(messages, name) for name in MESSAGES}
"""Our class for every message of the notes."""


def from_theirs(name: str, theirs: message.Message) -> Any:
    """Our message that means the same as protobuf's."""
    return OURS[name](**{fact.name: _value(name, fact, theirs) for fact in MESSAGES[name]})


def _value(name: str, fact: FieldFact, theirs: message.Message) -> Any:
    value = getattr(theirs, fact.name)
    if fact.repeated:
        return tuple(_one(fact, item) for item in value)
    knows_presence = fact.oneof or fact.type in MESSAGES
    if knows_presence and not theirs.HasField(fact.name):
        return OURS[fact.type]() if (name, fact.name) in _ALWAYS_THERE else None
    return _one(fact, value)


def _one(fact: FieldFact, value: Any) -> Any:
    if fact.type in MESSAGES:
        return from_theirs(fact.type, value)
    if fact.type in ENUMS:
        kind = getattr(messages, fact.type)
        return kind(value) if value in set(kind) else value
    return value
