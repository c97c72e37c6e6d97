"""The one configuration file: TOML, held to the declared options, all faults reported at once.

The file's tables are the subcommands and the groups of options they share; its keys are the fields
of the options classes. A table may leave out any key. What comes back is what the file says,
checked, as plain values: the command line is merged over it before the options class itself is
built.
"""

import difflib
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Final, TypedDict, get_args, get_origin

from cattrs import ForbiddenExtraKeysError
from cattrs.errors import ClassValidationError, IterableValidationError, IterableValidationNote
from cattrs.preconf.tomllib import make_converter

from .errors import ConfigError
from .options import OptionField, option_fields

__all__ = ["Tables", "check", "load"]

Tables = Mapping[str, Callable[[], type[Any]]]
"""The tables a file may have, each with what returns its options class if it is there."""

Fault = tuple[str, str]  # (path in the document, what is wrong there)

_WORDS: Final[dict[type, str]] = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}


class _Mismatch(ValueError):
    """A value of the wrong type or out of range; the message is for the operator."""


def load(path: str, tables: Tables) -> dict[str, dict[str, Any]]:
    """Read and check the file at ``path``.

    Blocks on the file system; called once, before anything runs.

    Raises:
        ConfigError: it can not be read, is not TOML, or has faults; one line for each, every line
            with the file and the path in the document.
    """
    try:
        with open(path, "rb") as file:
            document = tomllib.load(file)
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror or exc}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path}: not valid TOML: {exc}") from exc
    faults = check(document, tables)
    if faults:
        raise ConfigError("\n".join(f"{path}: {where}: {what}" for where, what in faults))
    return document


def check(document: Mapping[str, Any], tables: Tables) -> list[Fault]:
    """Return everything that is wrong with ``document``, in the order of the document's paths."""
    known = {name: tables[name]() for name in document if name in tables}
    schema = _typed_dict("configuration", {name: _schema(name, cls) for name, cls in known.items()})
    try:
        _CONVERTER.structure(document, schema)
    except (ClassValidationError, IterableValidationError) as exc:
        keys = {name: {field.name for field in option_fields(cls)} for name, cls in known.items()}
        return list(_faults(exc, "", {"": set(tables), **keys}))
    return []


def _schema(name: str, cls: type[Any]) -> Any:
    """Return the TypedDict of one table: every key of ``cls``, with its declaration attached."""
    return _typed_dict(
        name, {field.name: Annotated[field.type, field] for field in option_fields(cls)}
    )


def _typed_dict(name: str, keys: dict[str, Any]) -> Any:
    name = name.replace("-", "_")  # cattrs makes it part of a function's name
    # The functional form wants literals for a type checker; this schema is known only at run time.
    return TypedDict(name, keys, total=False)  # type: ignore[operator]


def _faults(exc: BaseException, where: str, known: Mapping[str, set[str]]) -> Iterator[Fault]:
    """Flatten cattrs' nested groups to (path, what is wrong) pairs."""
    if isinstance(exc, ClassValidationError | IterableValidationError):
        noted, bare = exc.group_exceptions()
        for inner, note in noted:
            if isinstance(note, IterableValidationNote):
                below = f"{where}[{note.index}]"
            else:
                below = f"{where}.{note.name}" if where else note.name
            yield from _faults(inner, below, known)
        for inner in bare:
            yield from _faults(inner, where, known)
    elif isinstance(exc, ForbiddenExtraKeysError):
        for key in sorted(exc.extra_fields):
            yield f"{where}.{key}" if where else key, _unknown(key, where, known.get(where, set()))
    elif isinstance(exc, _Mismatch):
        yield where, str(exc)
    elif not where.count(".") and isinstance(exc, TypeError):
        yield where, "expected a table"
    else:
        raise exc  # not something the document can cause


def _unknown(key: str, where: str, known: set[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown {'key' if where else 'table'}{hint}"


def _found(value: Any) -> str:
    if isinstance(value, str | bool | int | float):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return "a table"
    return "a list" if isinstance(value, list) else f"a {type(value).__name__}"


def _strict(value: Any, wanted: type[Any]) -> Any:
    """Take a value of exactly the wanted type; a whole number does where a number is wanted."""
    if type(value) is wanted or (wanted is float and type(value) is int):
        return value
    raise _Mismatch(f"expected {_WORDS[wanted]}, found {_found(value)}")


def _declared(annotated: Any, converter: Any) -> Callable[[Any, Any], Any]:
    """Build the hook of one key: its type first, then its range and its own check."""
    wanted, field = get_args(annotated)
    structure = converter.get_structure_hook(wanted)

    def hook(value: Any, _: Any) -> Any:
        if field.choices:
            if value not in field.choices:
                raise _Mismatch(
                    f"expected one of {', '.join(field.choices)}; found {_found(value)}"
                )
        elif field.is_many:
            if not isinstance(value, list):
                raise _Mismatch(f"expected a list of strings, found {_found(value)}")
            value = tuple(structure(value, wanted))
        else:
            structure(value, wanted)
        if wrong := "; ".join(field.faults(value)):
            # A number is worth repeating; a text may be the password that should not be there.
            found = f", found {_found(value)}" if isinstance(value, int | float) else ""
            raise _Mismatch(wrong + found)
        return value

    return hook


def _is_declared(hint: Any) -> bool:
    return get_origin(hint) is Annotated and isinstance(get_args(hint)[1], OptionField)


_CONVERTER: Final = make_converter(forbid_extra_keys=True)
for _plain in _WORDS:
    _CONVERTER.register_structure_hook(_plain, _strict)  # cattrs' own would coerce "80" and "false"
_CONVERTER.register_structure_hook_factory(_is_declared, _declared)
