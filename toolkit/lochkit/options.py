"""How a subcommand declares its options: once, as fields of a frozen dataclass.

From such a class are derived the command line and its help (:mod:`lochkit.cli_options`), the names
in the environment, and the strict schema of the configuration file (:mod:`lochkit.config`), so
these can not drift apart. This module is data only: it imports neither asyncclick nor cattrs.

A field's type is one of ``str``, ``int``, ``float``, ``bool``, ``tuple[str, ...]``, a ``Literal``
of strings, an ``Enum`` with string values, or one of these ``| None``; or a dataclass, by
:func:`shared`.
"""

import dataclasses
import enum
import types
import typing
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final, Generic, Literal, TypeVar

__all__ = [
    "Mode",
    "Option",
    "OptionField",
    "Subcommand",
    "argument",
    "flag",
    "option",
    "option_fields",
    "shared",
    "words_and_command",
]

METADATA_KEY: Final = "lochkit"
OptionsT = TypeVar("OptionsT")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """What is known of one option besides its name in Python, its type and its default.

    Attributes:
        declarations: as typed, long form first: ``("--quiet-time",)``,
        ``("--stable/--no-stable",)``;
            empty for the trailing words of a command line (:func:`argument`).
        help: one sentence or two, for ``--help``.
        metavar: what stands for the value in ``--help``.
        env: name in the environment without its prefix; default: the first long form.
        minimum: smallest value allowed (numbers only).
        maximum: largest value allowed (numbers only).
        above_minimum: the minimum itself is not allowed.
        separator: a tuple is one word split here; without it the option is repeated.
        required: it must be given, by whatever way.
        hidden: left out of ``--help``.
        default_text: what ``--help`` says of the default, when the value itself says little.
        completes: what the shell may complete the value with.
        check: raises ValueError with a phrase such as ``must begin with '/'``; called with the
        value
            (each item of a tuple).
        interspersed: options may also follow the trailing words, up to a ``--``; see
            :func:`words_and_command`.
        section: heading in ``--help``; default ``Options``.
    """

    declarations: tuple[str, ...]
    help: str
    metavar: str | None = None
    env: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    above_minimum: bool = False
    separator: str | None = None
    required: bool = False
    hidden: bool = False
    default_text: str | None = None
    completes: Literal["file", "directory"] | None = None
    check: Callable[[Any], object] | None = None
    interspersed: bool = False
    section: str = "Options"

    @property
    def is_argument(self) -> bool:
        """Whether this is the trailing words of the command line."""
        return not self.declarations


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """Marks a field that is a dataclass of options with its own table in the configuration file."""

    table: str


def option(
    *declarations: str,
    default: Any = dataclasses.MISSING,
    **facts: Any,
) -> Any:
    """Declare a field that is an option with a value.

    Args:
        declarations: ``"--quiet-time"`` and perhaps ``"-q"``; at least one long form.
        default: the value when the operator gives none; without it the option is required.
        facts: the remaining attributes of :class:`Option`; ``help`` is mandatory.

    Returns:
        A ``dataclasses.field``; typed Any so that it can be assigned to a field of any type.
    """
    facts.setdefault("required", default is dataclasses.MISSING)
    described = Option(declarations=declarations, **facts)
    return dataclasses.field(default=default, metadata={METADATA_KEY: described})


def flag(*declarations: str, default: bool = False, **facts: Any) -> Any:
    """Declare a ``bool`` field: ``"--once", "-1"``, or with its negative ``"--loud/--quiet"``."""
    described = Option(declarations=declarations, **facts)
    return dataclasses.field(default=default, metadata={METADATA_KEY: described})


def argument(metavar: str, *, help: str, required: bool = False, **facts: Any) -> Any:
    """Declare the ``tuple[str, ...]`` field that takes all words after the options, unprocessed.

    The first word that is not an option ends the options, so ``--`` is needed only when that word
    begins with ``-``. With ``interspersed=True`` only ``--`` ends them, and stays one of the words.
    At most one per subcommand.
    """
    described = Option(declarations=(), metavar=metavar, help=help, required=required, **facts)
    default: Any = dataclasses.MISSING if required else ()
    return dataclasses.field(default=default, metadata={METADATA_KEY: described})


def words_and_command(words: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Part interspersed words: those before the first ``--``, and the command after it."""
    if "--" not in words:
        return words, ()
    at = words.index("--")
    return words[:at], words[at + 1 :]


def shared(cls: type[Any], table: str) -> Any:
    """Declare a field that holds another options class, common to several subcommands.

    Args:
        cls: the dataclass; when it has a classmethod ``resolve(given, environ)``, that builds it
        from
            the values the operator gave, else it is called with them.
        table: its table in the configuration file, ``"etcd"`` for ``[etcd]``.
    """
    marker = Shared(table=table)
    return dataclasses.field(default_factory=cls, metadata={METADATA_KEY: marker})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OptionField:
    """One option of an options class, with what Python knows of it.

    Attributes:
        name: the field, which is also its key in the configuration file.
        type: its type without ``| None``.
        optional: whether the type admits None.
        default: the default, or ``dataclasses.MISSING``.
        option: what was declared.
    """

    name: str
    type: Any
    optional: bool
    default: Any
    option: Option

    @property
    def is_many(self) -> bool:
        """Whether the value is a tuple of strings."""
        return typing.get_origin(self.type) is tuple

    @property
    def choices(self) -> tuple[str, ...]:
        """The words allowed, or () when the value is free."""
        if typing.get_origin(self.type) is Literal:
            return typing.get_args(self.type)
        if isinstance(self.type, type) and issubclass(self.type, enum.Enum):
            return tuple(member.value for member in self.type)
        return ()

    @property
    def env_name(self) -> str:
        """The name in the environment, without any prefix."""
        if self.option.env is not None:
            return self.option.env
        for declaration in self.option.declarations:
            if declaration.startswith("--"):
                positive = declaration.split("/", 1)[0]
                return positive.lstrip("-").replace("-", "_").upper()
        return self.name.upper()

    def faults(self, value: Any) -> Iterator[str]:
        """Yield what is wrong with a value of the right type: range, then the declared check."""
        low, high = self.option.minimum, self.option.maximum
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if value != value:
                yield "must be a number"
            elif low is not None and (value <= low if self.option.above_minimum else value < low):
                yield f"must be {'above' if self.option.above_minimum else 'at least'} {low:g}"
            elif high is not None and value > high:
                yield f"must be at most {high:g}"
        if self.option.check is None or value is None:
            return
        for item in value if self.is_many else (value,):
            try:
                self.option.check(item)
            except ValueError as exc:
                yield str(exc)


def option_fields(cls: type[Any]) -> Iterator[OptionField]:
    """Yield the options that ``cls`` itself declares, in order; other fields are skipped."""
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        described = field.metadata.get(METADATA_KEY)
        if isinstance(described, Option):
            plain, optional = _without_none(hints[field.name])
            yield OptionField(
                name=field.name,
                type=plain,
                optional=optional,
                default=field.default,
                option=described,
            )


def shared_fields(cls: type[Any]) -> Iterator[tuple[str, str, type[Any]]]:
    """Yield ``(field name, table, options class)`` for every :func:`shared` field of ``cls``."""
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        described = field.metadata.get(METADATA_KEY)
        if isinstance(described, Shared):
            yield field.name, described.table, hints[field.name]


def _without_none(hint: Any) -> tuple[Any, bool]:
    """Split ``X | None`` into X and whether None was there."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        inner = [arm for arm in typing.get_args(hint) if arm is not types.NoneType]
        if len(inner) != 1:
            raise TypeError(f"an option has one type, perhaps with None, not {hint}")
        return inner[0], True
    return hint, False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Subcommand(Generic[OptionsT]):
    """What a module in :mod:`lochkit.commands` exports as ``SUBCOMMAND``.

    Attributes:
        options: the dataclass that declares the options.
        run: does the work and returns the exit code; None is success. It may raise LochkitError.
        help: what ``lochkit SUB --help`` says first; paragraphs separated by an empty line, and one
            that begins with a line of only ``\\b`` keeps its line breaks.
        epilog: what it says last.
        modes: other things it does, ``lochkit SUB MODE``; see `Mode`.
        modeless: what it does without one, for ``--help``.
    """

    options: type[OptionsT]
    run: Callable[[OptionsT], Awaitable[int | None]]
    help: str
    epilog: str = ""
    modes: Mapping[str, "Mode"] = dataclasses.field(default_factory=dict)
    modeless: str = "keep doing it"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """Another thing that a subcommand does, under a word of its own: ``lochkit dhcp render``.

    Its module exports a ``SUBCOMMAND`` as well. Options that it has in common with the subcommand
    are given in the same variables and the same table of the configuration file; those that are its
    own on the command line, or as LOCHKIT_SUB_MODE_OPTION.

    Attributes:
        module: its module.
        short_help: one line.
    """

    module: str
    short_help: str
