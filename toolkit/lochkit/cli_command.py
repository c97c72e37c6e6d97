"""A subcommand on the command line: imported when it is named, with its modes and its help."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from importlib import import_module
from typing import Any

import asyncclick as click
from asyncclick.core import ParameterSource
from asyncclick.shell_completion import CompletionItem

from .cli_options import (
    CONTEXT_SETTINGS,
    ENV_PREFIX,
    Family,
    TrailingWords,
    collect,
    default_map,
    parameters,
    upper,
)
from .options import Mode, Subcommand

__all__ = ["LazyCommand"]

Action = Callable[[], Awaitable[int | None]]


class LazyCommand(click.Command):
    """A subcommand whose module is imported when the subcommand is named, not to list it.

    Invoking it returns the work to do, and does none: so no error of the work passes through
    asyncclick, which would take it for its own (EPIPE, for one, as a closed stdout).

    Args:
        name: of the subcommand and of its table in the configuration file.
        module: exports ``SUBCOMMAND``.
        short_help: one line.
        family: of a mode, the subcommand it belongs to.
    """

    def __init__(
        self, name: str, module: str, short_help: str, family: Family | None = None
    ) -> None:
        super().__init__(name, short_help=short_help, context_settings=CONTEXT_SETTINGS)
        self._module = module
        self._family = family
        self._modes: Mapping[str, Mode] = {}
        self._modeless = ""

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
        """Import the module, then parse ``args``; the file's values are found on the parent.

        When the first word names a mode, the context is that of the mode's command.
        """
        assert self.name is not None
        subcommand = self.load()
        if args and args[0] in subcommand.modes:
            mode = self._mode(args[0], subcommand)
            return await mode.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        family, modes = self._family, subcommand.modes
        own, table = (f"{family.name}-{self.name}", family.name) if family else (self.name,) * 2
        self._modes, self._modeless = modes, subcommand.modeless
        self.params = parameters(subcommand.options, own, family=family)
        self.help = subcommand.help
        names = _names_epilog(table, own if family else None)
        self.epilog = "\n\n".join(filter(None, (subcommand.epilog, names)))
        trailing = [param for param in self.params if isinstance(param, TrailingWords)]
        self.allow_interspersed_args = all(param.interspersed for param in trailing)
        if trailing and self.allow_interspersed_args and "--" in args:
            # The parser takes the first away, and leaves the second among the words.
            args.insert(args.index("--"), "--")
        self.callback = click.pass_context(_prepare(subcommand))
        if modes:
            self.options_metavar = "[MODE] [OPTIONS]"
        if parent is not None and isinstance(parent.obj, Mapping):
            extra["default_map"] = default_map(subcommand.options, table, parent.obj)
        words = tuple(args)  # parsing empties it
        try:
            return await super().make_context(info_name, args, parent, **extra)
        except click.UsageError as exc:
            if given := next((word for word in words if word in modes), None):
                hint = f"{exc.message} (a mode comes first: lochkit {info_name} {given} ...)"
                raise click.UsageError(hint, exc.ctx) from exc
            if modes and not trailing and words and not words[0].startswith("-"):
                text = f"there is no mode {words[0]!r}: it is one of {', '.join(modes)}"
                raise click.UsageError(text, exc.ctx) from exc
            raise

    def _mode(self, name: str, subcommand: Subcommand[Any]) -> "LazyCommand":
        """Return the command of one of the modes."""
        mode = subcommand.modes[name]
        family = Family(self.name or "", subcommand.options)
        return LazyCommand(name, mode.module, mode.short_help, family)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete options, and the modes where one may stand."""
        found = super().shell_complete(ctx, incomplete)
        if not any(_was_given(ctx, param) for param in self.params):
            found += [
                CompletionItem(name, help=mode.short_help)
                for name, mode in self._modes.items()
                if name.startswith(incomplete)
            ]
        return found

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the modes, and the options below their headings."""
        if self._modes:
            with formatter.section(f"Modes (none: {self._modeless})"):
                formatter.write_dl([(name, mode.short_help) for name, mode in self._modes.items()])
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            if isinstance(param, TrailingWords):
                row = (param.make_metavar(ctx), param.text)
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


def _was_given(ctx: click.Context, param: click.Parameter) -> bool:
    return ctx.get_parameter_source(param.name or "") is ParameterSource.COMMANDLINE


def _names_epilog(name: str, mode: str | None = None) -> str:
    variables = f"{ENV_PREFIX}_{upper(name)}"
    if mode:
        return (
            f"What it has in common with lochkit {name} can be given as there, in variables and in"
            f" the table [{name}] of the configuration file; what is its own also as"
            f" {ENV_PREFIX}_{upper(mode)}_ and its long name."
        )
    return (
        f"Every option can also be given in the environment, as {variables}_ and its long name in"
        f" capitals with _ for -, or by that name in the table [{name}] of the configuration file"
        f" (lochkit --config). The connection's may leave out {upper(name)}_, and are in its"
        " table [etcd], where --etcd is called endpoints. The command line goes before the"
        " environment, and that before the file."
    )
