"""Which types Go's decoder wants in which fields. Pure.

It compares names without regard to case, takes null for nothing, ignores what it does not know, and
fails as a whole at one value of another type.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = ["DNS_TYPES", "HOST_TYPES", "INFOS_TYPES", "FieldTypes", "type_faults"]

FieldTypes = Mapping[str, type]

_TABLE: Final = dict

HOST_TYPES: Final[FieldTypes] = {
    "name": str,
    "service_name": str,
    "ports": _TABLE,
    "user": str,
    "password": str,
    "public": bool,
    "private_hostname": str,
    "private_ports": _TABLE,
    "critical": bool,
    "shard": str,
    "uuid": str,
}
INFOS_TYPES: Final[FieldTypes] = {
    "name": str,
    "critical": bool,
    "hostname": str,
    "user": str,
    "password": str,
    "ports": _TABLE,
    "public": bool,
}
DNS_TYPES: Final[FieldTypes] = {
    "host": str,
    "port": int,
    "priority": int,
    "weight": int,
    "text": str,
    "mail": bool,
    "ttl": int,
    "targetstrip": int,
    "group": str,
}

_WORDS: Final = {str: "text", bool: "true or false", int: "a whole number", _TABLE: "an object"}


def type_faults(record: Mapping[str, Any], types: FieldTypes) -> Iterator[str]:
    """Yield the fields that Go fails at, and what they should be; values are not told."""
    for name, value in record.items():
        wanted = types.get(name.casefold())
        if wanted is None or value is None:
            continue
        # Python's true is a whole number; Go's is not.
        if type(value) is not wanted:
            yield f"{name} should be {_WORDS[wanted]}"
        elif isinstance(value, dict):
            for key, item in value.items():
                if item is not None and not isinstance(item, str):
                    yield f"{name}.{key[:60]!r} should be {_WORDS[str]}"
