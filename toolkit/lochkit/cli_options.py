"""From declared options (:mod:`lochkit.options`) to asyncclick's parameters, and back to values."""

import os
import shlex
from collections.abc import Mapping
from enum import Enum
from functools import partial
from typing import Any, Final, NamedTuple

import asyncclick as click
from asyncclick.core import ParameterSource

from .options import OptionField, option_fields, shared_fields

__all__ = [
    "CONTEXT_SETTINGS",
    "ENV_PREFIX",
    "Family",
    "TrailingWords",
    "collect",
    "default_map",
    "parameters",
    "upper",
]

ENV_PREFIX: Final = "LOCHKIT"
CONTEXT_SETTINGS: Final[dict[str, Any]] = {"help_option_names": ["-h", "--help"]}


class SectionedOption(click.Option):
    """An option that knows its heading in ``--help``."""

    section = "Options"


class TrailingWords(click.Argument):
    """The words that are no options.

    Attributes:
        text: what ``--help`` says of them.
        interspersed: whether options may follow them.
    """

    text = ""
    interspersed = False


class Words(click.types.StringParamType):
    """Text; several of them in one environment variable are split as a shell would."""

    def split_envvar_value(self, rv: str | None) -> list[str]:
        """Split ``'a "b c"'`` into two."""
        try:
            return shlex.split(rv or "")
        except ValueError as exc:  # an open quote
            raise click.BadParameter(f"{exc} in {rv!r}") from exc


class Separated(click.ParamType[tuple[str, ...]]):
    """Several values in one word."""

    name = "list"

    def __init__(self, separator: str) -> None:
        self._separator = separator

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Split a word; what is a list already (from the file, or a default) stays as it is."""
        if not isinstance(value, str):
            return tuple(value)
        return tuple(item.strip() for item in value.split(self._separator))


class Family(NamedTuple):
    """The subcommand that a mode belongs to: its name, and what it reads itself."""

    name: str
    options: type[Any]


def parameters(
    cls: type[Any],
    command: str | None = None,
    prefix: str = "",
    family: Family | None = None,
) -> list[click.Parameter]:
    """Return the parameters of an options class, those of its shared classes last.

    Args:
        cls: the options class.
        command: the subcommand, which names its variables LOCHKIT_COMMAND_OPTION; None for options
            of lochkit itself, which are LOCHKIT_OPTION.
        prefix: of the parameters' names inside asyncclick.
        family: of a mode: what both have in common has the variables of the subcommand.
    """
    common = {field.name for field in option_fields(family.options)} if family else set()
    found = [
        _parameter(field, family.name if family and field.name in common else command, prefix)
        for field in option_fields(cls)
    ]
    for name, _, shared_cls in shared_fields(cls):
        found += parameters(shared_cls, family.name if family else command, f"{name}__")
    return found


def collect(ctx: click.Context, cls: type[Any], prefix: str = "") -> Any:
    """Build the options object from what was given: by words, environment or file, not by default.

    Raises:
        click.UsageError: the object refuses the combination of values.
    """
    given: dict[str, Any] = {}
    for field in option_fields(cls):
        parameter = prefix + field.name
        source = ctx.get_parameter_source(parameter)
        if source not in (None, ParameterSource.DEFAULT):
            given[field.name] = ctx.params[parameter]
    for name, _, shared_cls in shared_fields(cls):
        given[name] = collect(ctx, shared_cls, f"{name}__")
    try:
        if hasattr(cls, "resolve"):
            return cls.resolve(given, os.environ)
        return cls(**given)
    except ValueError as exc:
        raise click.UsageError(str(exc), ctx) from exc


def default_map(cls: type[Any], own: str, document: Mapping[str, Mapping[str, Any]]) -> Any:
    """Return the file's values of table ``own`` and of the shared tables, by parameter name."""
    values = dict(document.get(own, {}))
    for name, table, _ in shared_fields(cls):
        values |= {f"{name}__{key}": value for key, value in document.get(table, {}).items()}
    return values


def _parameter(field: OptionField, command: str | None, prefix: str) -> click.Parameter:
    facts = field.option
    variables = [f"{ENV_PREFIX}_{upper(command)}_{field.env_name}"] if command else []
    if prefix or not command:
        variables.append(f"{ENV_PREFIX}_{field.env_name}")
    common: dict[str, Any] = {
        "type": _type(field),
        "required": facts.required,
        "envvar": variables,
        "callback": partial(_checked, field),
        "metavar": facts.metavar,
    }
    name = prefix + field.name
    if facts.is_argument:
        words = TrailingWords([name], nargs=-1, **common)
        words.text, words.interspersed = facts.help, facts.interspersed
        return words
    declared = SectionedOption(
        [*facts.declarations, name],
        help=facts.help,
        hidden=facts.hidden,
        is_flag=field.type is bool or None,
        multiple=field.is_many and facts.separator is None,
        default=_default(field),
        show_default=facts.default_text or _shows_default(field),
        **common,
    )
    declared.section = facts.section
    return declared


def _default(field: OptionField) -> Any:
    if field.option.required:
        return None
    return field.default.value if isinstance(field.default, Enum) else field.default


def _shows_default(field: OptionField) -> bool:
    if field.type is bool:
        return any("/" in declaration for declaration in field.option.declarations)
    return field.default not in (None, ())


def _type(field: OptionField) -> Any:
    if field.choices:
        return click.Choice(field.choices)
    if field.type in (int, float, bool):
        return field.type
    if field.option.separator is not None:
        return Separated(field.option.separator)
    if field.option.completes is not None:
        return click.Path(dir_okay=True, file_okay=field.option.completes == "file")
    return Words()


def _checked(field: OptionField, ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Apply the declared range and check, and give the value its declared type."""
    if value is None or ctx.resilient_parsing:
        return value
    if field.is_many:
        value = tuple(value)
    if wrong := "; ".join(field.faults(value)):
        raise click.BadParameter(wrong, ctx, param)
    return field.type(value) if field.choices and isinstance(field.type, type) else value


def upper(name: str) -> str:
    """The name as a part of a variable's."""
    return name.replace("-", "_").upper()
