"""The state as one document for the command's standard input. Pure.

The same keys and values always give the same bytes, whatever happened before.
"""

import pickle
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from io import BytesIO
from itertools import islice
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, Final, Protocol

from .shell_text import shell_lines
from .text import Base64, Leaf
from .tree import Directory, Tree
from .yaml_text import scalar, yaml_lines

__all__ = ["Document", "Format", "Layout", "chunked", "json_leaf", "layout_for"]

PARTS_AT_ONCE: Final = 4096
"""Parts of a document that are joined into one chunk: a megabyte, if the values are not long."""


class Format(Enum):
    """What the command reads."""

    JSON = "json"
    """One object nested like the keys, ASCII, no line end."""
    YAML = "yaml"
    """The same, in block style."""
    PICKLE = "pickle"
    """The same as a Python pickle. Who unpickles it runs whatever it says."""
    TOML = "toml"
    """The same as tables."""
    FLAT = "flat"
    """One JSON object of full keys and values."""
    ENV = "env"
    """``NAME='value'`` lines."""
    NDJSON = "ndjson"
    """Not the state but its changes, one JSON object a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What the command reads.

    Attributes:
        chunks: the content. Never joined: at every run of a large state that would double the
            memory taken, and on some hosts getting the memory costs more than filling it.
        left_out: keys that have no place in it.
    """

    chunks: tuple[bytes, ...] = ()
    left_out: tuple[str, ...] = ()


class Layout(Protocol):
    """Keeps what it was told in the shape of one format."""

    def put(self, key: str, leaf: Leaf) -> None:
        """Set ``key``, new or not."""
        ...

    def remove(self, key: str) -> None:
        """Remove ``key``, which must be there."""
        ...

    def document(self) -> Document:
        """Return the document as it is now."""
        ...


def json_leaf(leaf: Leaf) -> str:
    """Return a value as JSON text: a string, or ``{"base64": "..."}``."""
    return quoted(leaf) if isinstance(leaf, str) else f'{{"base64": {quoted(leaf.text)}}}'


def yaml_leaf(leaf: Leaf) -> str:
    """Return a value as YAML on one line."""
    return scalar(leaf) if isinstance(leaf, str) else f"{{base64: {scalar(leaf.text)}}}"


class TextTree:
    """A tree of leaves that are already in the format's text.

    So a value is quoted once, when it changes, and not at every run: what is left to do for a
    document is to sort and to join.
    """

    def __init__(
        self, leaf: Callable[[Leaf], str], write: Callable[[Directory], Iterable[str]]
    ) -> None:
        self._tree: Tree[str] = Tree()
        self._leaf = leaf
        self._write = write
        self.remove = self._tree.remove

    def put(self, key: str, leaf: Leaf) -> None:
        """Set ``key``, new or not."""
        self._tree.put(key, self._leaf(leaf))

    def document(self) -> Document:
        """Return the document as it is now."""
        tree, lost = self._tree.document()
        return Document(chunks=tuple(chunked(self._write(tree))), left_out=lost)


class PlainTree:
    """A tree of plain values, for writers that want them so."""

    def __init__(self, write: Callable[[Directory], bytes]) -> None:
        self._tree: Tree[Leaf] = Tree()
        self._write = write
        self.put = self._tree.put
        self.remove = self._tree.remove

    def document(self) -> Document:
        """Return the document as it is now."""
        tree, lost = self._tree.document()
        return Document(chunks=(self._write(_sorted_copy(tree)),), left_out=lost)


class FlatObject:
    """One JSON object of full keys."""

    def __init__(self) -> None:
        self._members: dict[str, str] = {}

    def put(self, key: str, leaf: Leaf) -> None:
        """Set ``key``, new or not."""
        self._members[key] = json_leaf(leaf)

    def remove(self, key: str) -> None:
        """Remove ``key``, which must be there."""
        del self._members[key]

    def document(self) -> Document:
        """Return the document as it is now; every key has a place in it."""
        return Document(chunks=tuple(chunked(_json_parts(self._members))))


class ShellVariables:
    """Variables for a shell."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._leaves: dict[str, Leaf] = {}

    def put(self, key: str, leaf: Leaf) -> None:
        """Set ``key``, new or not."""
        self._leaves[key] = leaf

    def remove(self, key: str) -> None:
        """Remove ``key``, which must be there."""
        del self._leaves[key]

    def document(self) -> Document:
        """Return the document as it is now."""
        lines, lost = shell_lines(self._leaves, self._prefix)
        return Document(chunks=tuple(chunked(lines)), left_out=lost)


class NoDocument:
    """For a format that is made from the changes."""

    def put(self, key: str, leaf: Leaf) -> None:
        """Keep nothing."""

    def remove(self, key: str) -> None:
        """Keep nothing."""

    def document(self) -> Document:
        """Return nothing."""
        return Document()


def layout_for(wanted: Format, *, env_prefix: str = "") -> Layout:
    """Return an empty layout of the format.

    Args:
        wanted: the format.
        env_prefix: what every variable's name begins with, for ``Format.ENV``.
    """
    makers: Final[dict[Format, Callable[[], Layout]]] = {
        Format.JSON: lambda: TextTree(json_leaf, _json_parts),
        Format.YAML: lambda: TextTree(yaml_leaf, yaml_lines),
        Format.PICKLE: lambda: PlainTree(_pickled),
        Format.TOML: lambda: PlainTree(_toml_document),
        Format.FLAT: FlatObject,
        Format.ENV: lambda: ShellVariables(env_prefix),
        Format.NDJSON: NoDocument,
    }
    return makers[wanted]()


def chunked(parts: Iterable[str]) -> Iterator[bytes]:
    """Yield the parts joined and encoded, many at once but never all."""
    remaining = iter(parts)
    while batch := "".join(islice(remaining, PARTS_AT_ONCE)):
        yield batch.encode()


def _json_parts(tree: Directory) -> list[str]:
    """Return what ``json.dumps(tree, sort_keys=True)`` would, were the leaves not JSON already."""
    parts: list[str] = []
    _write_json(tree, parts)
    return parts


def _write_json(tree: Directory, parts: list[str]) -> None:
    lead = "{"
    for name in sorted(tree):
        child = tree[name]
        if type(child) is str:
            # Four small parts are cheaper than one that is yet another copy of the value.
            parts += (lead, quoted(name), ": ", child)
        else:
            parts += (lead, quoted(name), ": ")
            _write_json(child, parts)
        lead = ", "
    parts.append("}" if tree else "{}")


def _name(member: tuple[str, object]) -> str:
    return member[0]


def _sorted_copy(tree: Directory) -> Directory:
    return {name: _plain(child) for name, child in sorted(tree.items(), key=_name)}


def _plain(child: Any) -> Any:
    if isinstance(child, Base64):
        return {"base64": child.text}
    return _sorted_copy(child) if isinstance(child, dict) else child


def _pickled(tree: Directory) -> bytes:
    out = BytesIO()
    pickler = pickle.Pickler(out)
    # Without it, equal strings are written as references or not depending on whether they are the
    # same object, and the same state would give different bytes.
    pickler.fast = True
    pickler.dump(tree)
    return out.getvalue()


def _toml_document(tree: Directory) -> bytes:
    import tomli_w  # only who asks for TOML pays for it

    return tomli_w.dumps(tree).encode()
