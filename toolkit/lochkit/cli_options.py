"""From declared options (:mod:`lochkit.options`) to asyncclick's parameters, and back to values."""

import os
import shlex
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from functools import partial
from importlib import import_module
from typing import Any, Final

import asyncclick as click
from asyncclick.core import ParameterSource

from .options import OptionField, Subcommand, option_fields, shared_fields

__all__ = ["CONTEXT_SETTINGS", "ENV_PREFIX", "LazyCommand", "collect", "parameters"]

ENV_PREFIX: Final = "LOCHKIT"
CONTEXT_SETTINGS: Final[dict[str, Any]] = {"help_option_names": ["-h", "--help"]}

Action = Callable[[], Awaitable[int | None]]


class SectionedOption(click.Option):
    """An option that knows its heading in ``--help``."""

    section = "Options"


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


def parameters(
    cls: type[Any], command: str | None = None, prefix: str = ""
) -> list[click.Parameter]:
    """Return the parameters of an options class, those of its shared classes last.

    Args:
        cls: the options class.
        command: the subcommand, which names its variables LOCHKIT_COMMAND_OPTION; None for options
            of lochkit itself, which are LOCHKIT_OPTION.
        prefix: of the parameters' names inside asyncclick.
    """
    found = [_parameter(field, command, prefix) for field in option_fields(cls)]
    for name, _, shared_cls in shared_fields(cls):
        found += parameters(shared_cls, command, f"{name}__")
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


class LazyCommand(click.Command):
    """A subcommand whose module is imported when the subcommand is named, not to list it.

    Invoking it returns the work to do, and does none: so no error of the work passes through
    asyncclick, which would take it for its own (EPIPE, for one, as a closed stdout).

    Args:
        name: of the subcommand and of its table in the configuration file.
        module: exports ``SUBCOMMAND``.
        short_help: one line.
    """

    def __init__(self, name: str, module: str, short_help: str) -> None:
        super().__init__(name, short_help=short_help, context_settings=CONTEXT_SETTINGS)
        self._module = module

    def load(self) -> Subcommand[Any]:
        """Import the module, and return what it declares."""
        subcommand = import_module(self._module).SUBCOMMAND
        assert isinstance(subcommand, Subcommand)
        return subcommand

    async def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Import the module, then parse ``args``; the file's values are found on the parent."""
        assert self.name is not None
        subcommand = self.load()
        self.params = parameters(subcommand.options, self.name)
        self.help = subcommand.help
        self.epilog = "\n\n".join(filter(None, (subcommand.epilog, _names_epilog(self.name))))
        self.allow_interspersed_args = not any(isinstance(p, click.Argument) for p in self.params)
        self.callback = click.pass_context(_prepare(subcommand))
        if parent is not None and isinstance(parent.obj, Mapping):
            extra["default_map"] = default_map(subcommand.options, self.name, parent.obj)
        return await super().make_context(info_name, args, parent, **extra)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options below their headings."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            if isinstance(param, click.Argument):
                row = (param.make_metavar(ctx), getattr(param, "text", ""))
                sections.setdefault("Arguments", []).append(row)
            elif (record := param.get_help_record(ctx)) is not None:
                sections.setdefault(getattr(param, "section", "Options"), []).append(record)
        for heading in sorted(sections, key=lambda name: (name != "Arguments", name != "Options")):
            with formatter.section(heading):
                formatter.write_dl(sections[heading])


def _prepare(subcommand: Subcommand[Any]) -> Callable[..., Action]:
    def prepare(ctx: click.Context, **_: Any) -> Action:
        return partial(subcommand.run, collect(ctx, subcommand.options))

    return prepare


def _names_epilog(name: str) -> str:
    variables = f"{ENV_PREFIX}_{_upper(name)}"
    return (
        f"Every option can also be given in the environment, as {variables}_ and its long name in"
        f" capitals with _ for -, or by that name in the table [{name}] of the configuration file"
        f" (lochkit --config). The connection's may leave out {_upper(name)}_, and are in its"
        " table [etcd], where --etcd is called endpoints. The command line goes before the"
        " environment, and that before the file."
    )


def _parameter(field: OptionField, command: str | None, prefix: str) -> click.Parameter:
    facts = field.option
    variables = [f"{ENV_PREFIX}_{_upper(command)}_{field.env_name}"] if command else []
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
        words = click.Argument([name], nargs=-1, **common)
        words.text = facts.help  # type: ignore[attr-defined]
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


def _upper(name: str) -> str:
    return name.replace("-", "_").upper()
