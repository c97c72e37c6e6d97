"""The objects from a file instead of from etcd: JSON or YAML in one of four shapes. Pure.

* A flat object: keys, with their slashes, and values as text.
* The same with the values as what their text would be parsed to: objects instead of JSON in quotes.
* What ``etcdctl get --prefix KEY -w json`` prints.
* The nested tree of ``lochkit etcdwatch --format json`` or ``yaml``, from etcd's root or from what
  the prefix leads to. Where values stand in it they may be objects as well.

Only etcdctl tells in which order keys were created. In the other shapes all are of one revision, so
that of two hosts with the same address the one with the smaller id may be served where with etcd it
is the older one.
"""

import base64
import binascii
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NoReturn

from ..etcd.messages import KeyValue
from .layout import Layout, ObjectKind
from .values import quote

__all__ = ["SnapshotError", "read_snapshot"]

_BINARY: Final = "base64"
_METADATA: Final = "metadata"
_FOLDERS: Final = frozenset(kind.value for kind in ObjectKind)


class SnapshotError(ValueError):
    """The text is no snapshot; the message says why."""


def read_snapshot(content: bytes, layout: Layout) -> dict[bytes, KeyValue]:
    """Return the keys of a snapshot, in the order in which they stand in it.

    YAML takes about a second for each megabyte; JSON a hundredth of that.

    Args:
        content: the text.
        layout: where the objects are: a tree does not tell whether its keys begin with a slash.

    Raises:
        SnapshotError: it is not JSON, not YAML, or of no known shape, or nothing in it is where the
            layout says.
    """
    document = _parse(content)
    if not isinstance(document, dict):
        raise SnapshotError("the snapshot is not an object of keys and values")
    root = _root_of(layout)
    if "kvs" in document or "header" in document:
        found = list(_etcdctl(document))
    elif any("/" in name for name in document):
        found = [_entry(name, _value(value, name)) for name, value in document.items()]
    else:
        found = [_entry(*leaf) for leaf in _tree(document, root)]
    if found and not any(entry.key.startswith(root) for entry in found):
        where = quote(root.decode("utf-8", "backslashreplace"))
        raise SnapshotError(f"no key in the snapshot begins with {where}; --prefix says with what")
    return {entry.key: entry for entry in found}


def _root_of(layout: Layout) -> bytes:
    """What all keys of a layout begin with."""
    return layout.folder(ObjectKind.GUESTS).removesuffix(b"guests/")


def _entry(key: str, value: bytes) -> KeyValue:
    return KeyValue(_encoded(key, key), 1, 1, 1, value)


def _parse(content: bytes) -> Any:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise SnapshotError(f"the snapshot is not UTF-8: {exc}") from None
    if text.lstrip()[:1] in ("{", "["):
        return _parse_json(text)
    return _parse_yaml(text)


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_members, parse_constant=_refuse)
    except RecursionError:
        raise SnapshotError("the snapshot is nested too deeply") from None
    except SnapshotError:
        raise
    except ValueError as exc:
        raise SnapshotError(f"the snapshot is not JSON: {exc}") from None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise SnapshotError(f"{quote(twice)} stands twice in one object of the snapshot")
    return found


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a number")


def _parse_yaml(text: str) -> Any:
    # Here, since it takes longer to import than most snapshots to read.
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        document = YAML(typ="safe", pure=True).load(text)
    except YAMLError as exc:
        raise SnapshotError(f"the snapshot is not YAML: {_in_short(exc)}") from None
    except RecursionError:
        raise SnapshotError("the snapshot is nested too deeply") from None
    except ValueError as exc:  # a date that is none, a number too long
        raise SnapshotError(f"the snapshot is not YAML: {exc}") from None
    _check_plain(document)
    return {} if document is None else document


def _in_short(exc: Exception) -> str:
    """What is wrong, and where, in one line."""
    said = [getattr(exc, name, None) for name in ("context", "problem")]
    problem = ": ".join(filter(None, said)) or str(exc).partition("\n")[0]
    mark = getattr(exc, "problem_mark", None)
    return f"{problem} (line {mark.line + 1}, column {mark.column + 1})" if mark else problem


def _check_plain(document: Any) -> None:
    """Refuse what JSON could not say: other names than text, dates, one thing in two places.

    An alias of an object is refused because a few lines of them can stand for billions.
    """
    seen: set[int] = set()
    waiting: list[tuple[str, Any]] = [("the snapshot", document)]
    while waiting:
        where, found = waiting.pop()
        if isinstance(found, dict | list):
            if id(found) in seen:
                raise SnapshotError(f"{where} is an alias of something: write it out")
            seen.add(id(found))
            members: Iterable[tuple[Any, Any]] = (
                found.items() if isinstance(found, dict) else enumerate(found)
            )
            for name, value in members:
                if isinstance(found, dict) and not isinstance(name, str):
                    raise SnapshotError(
                        f"{where} has the name {name!r}, not a text: put it in quotes"
                    )
                waiting.append((quote(str(name)), value))
        elif found is not None and not isinstance(found, str | int | float):
            kind = type(found).__name__
            raise SnapshotError(f"{where} is a {kind}, not a text: put it in quotes")


def _etcdctl(document: Mapping[str, Any]) -> Iterator[KeyValue]:
    if document.get("more"):
        raise SnapshotError("etcdctl has been asked for a part only: leave out --limit")
    listed = document.get("kvs")
    if listed is None:  # as etcdctl says that it has found nothing
        return
    if not isinstance(listed, list):
        raise SnapshotError('"kvs" in the snapshot is not a list')
    for number, found in enumerate(listed, start=1):
        try:
            created, modified, version = (
                int(found.get(name, 0)) for name in ("create_revision", "mod_revision", "version")
            )
            key, value = (_from_base64(found.get(name, "")) for name in ("key", "value"))
        except (AttributeError, TypeError, ValueError) as exc:
            raise SnapshotError(f"entry {number} of the snapshot is not etcdctl's: {exc}") from None
        yield KeyValue(key, created, modified, version, value)


def _from_base64(text: Any) -> bytes:
    if not isinstance(text, str):
        raise ValueError("a key or value is not text in base64")
    return base64.b64decode(text, validate=True)


def _tree(document: Mapping[str, Any], root: bytes) -> Iterator[tuple[str, bytes]]:
    """The keys of a tree and their values."""
    prefix = root.decode("utf-8", "surrogateescape")
    segments = prefix.strip("/").split("/") if prefix.strip("/") else []
    if not document:
        return
    top: Any = document
    for segment in segments:
        top = top.get(segment) if isinstance(top, dict) else None
    if isinstance(top, dict) and segments:
        document = top
    elif not _FOLDERS & document.keys():
        raise SnapshotError(
            f"the snapshot has nothing at {quote(prefix)}, nor any of {', '.join(sorted(_FOLDERS))}"
            " at its top; --prefix says where they are"
        )
    waiting: list[tuple[tuple[str, ...], Any]] = [((), document)]
    while waiting:
        path, found = waiting.pop()
        if path and (not isinstance(found, dict) or _is_value(path, found)):
            key = prefix + "/".join(path[:-1] if len(path) > 1 and not path[-1] else path)
            yield key, _value(found, key)
        else:
            waiting += [((*path, name), found[name]) for name in reversed(found)]


def _is_value(path: tuple[str, ...], found: Mapping[str, Any]) -> bool:
    """Whether an object in a tree is a value and not a directory."""
    if _binary(found) is not None:
        return True
    of_object = len(path) == 3 and path[0] in _FOLDERS and path[2] == _METADATA
    return of_object and "" not in found


def _value(found: Any, key: str) -> bytes:
    """The bytes of a value that stands for a text, for itself, or for something binary."""
    if isinstance(found, str):
        return _encoded(found, key)
    if found is None:
        return b""
    if isinstance(found, dict) and (binary := _binary(found)) is not None:
        return binary
    try:
        return json.dumps(found, separators=(",", ":"), allow_nan=False).encode()
    except (ValueError, RecursionError) as exc:
        raise SnapshotError(f"the value of {quote(key)} is not JSON: {exc}") from None


def _binary(found: Mapping[str, Any]) -> bytes | None:
    """What etcdwatch writes for a value that is not text; None when it is none."""
    text = found.get(_BINARY)
    if len(found) != 1 or not isinstance(text, str):
        return None
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return None


def _encoded(text: str, key: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise SnapshotError(f"{quote(key)} has half a character in it (a surrogate)") from None
