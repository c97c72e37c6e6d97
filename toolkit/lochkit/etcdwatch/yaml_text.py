"""YAML for nested mappings of strings: block style, one key a line, quoted as PyYAML does. Pure.

A small writer instead of a dependency: PyYAML is fast only with its native module, and what is
written here is nothing but mappings and strings. Any YAML 1.1 or 1.2 reader gets the same data
back.
"""

import re
from typing import Final

from .tree import Directory

__all__ = ["scalar", "yaml_lines"]

SIMPLE_KEY: Final = 128
"""Longer keys get the form ``? key``: readers give up on simple ones at 1024 characters."""

PRINTABLE: Final = re.compile(r"[ -~]*").fullmatch
# What a reader would take for something other than a string: after YAML 1.1 as PyYAML knows it, and
# the numbers of YAML 1.2, which are more (1e3, 0o17, 09). Tried only when the first character
# allows it.
SPECIAL: Final = re.compile(
    r"""yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF
    |~|null|Null|NULL|=|<<
    |[-+]?0b[01_]+|[-+]?0o[0-7]+|[-+]?0x[0-9a-fA-F_]+
    |[-+]?([0-9][0-9_]*(\.[0-9_]*)?|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?
    |[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?
    |[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)
    |[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?""",
    re.VERBOSE,
).fullmatch
BEGINS_SPECIAL: Final = frozenset("yYnNtTfFoO~=<-+.0123456789")
# A first character that means something, a space at an end, ': ' and ' #', or a colon at the end.
NOT_PLAIN: Final = re.compile(
    r"""[ ,\[\]{}#&*!|>'"%@`]|[-?:](\s|$)|---|\.\.\.|.*(:\ |\ \#|[: ]$)""", re.VERBOSE
).match
ESCAPED: Final = re.compile(r"[^ !#-\[\]-~]").sub
NAMED: Final = {
    "\0": "\\0", "\a": "\\a", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\v": "\\v", "\f": "\\f",
    "\r": "\\r", "\x1b": "\\e", '"': '\\"', "\\": "\\\\", "\x85": "\\N", "\xa0": "\\_",
    "\u2028": "\\L", "\u2029": "\\P",
}  # fmt: skip


def scalar(text: str) -> str:
    """Return ``text`` on one line: bare if every reader takes it for this string, else quoted."""
    if not PRINTABLE(text):
        return '"' + ESCAPED(_escape, text) + '"'
    if text and not NOT_PLAIN(text) and not (text[0] in BEGINS_SPECIAL and SPECIAL(text)):
        return text
    return "'" + text.replace("'", "''") + "'"


def _escape(found: re.Match[str]) -> str:
    character = found.group()
    if character in NAMED:
        return NAMED[character]
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"


def yaml_lines(tree: Directory, indent: str = "") -> list[str]:
    """Return the lines, each with its end, of a tree whose leaves are scalars already written.

    Names are sorted. A tree without any is the one line ``{}``.
    """
    lines: list[str] = []
    for name in sorted(tree):
        key = scalar(name)
        child = tree[name]
        # An explicit key puts the value on a line of its own, introduced by a colon.
        lead = f"{indent}{key}:" if len(key) < SIMPLE_KEY else f"{indent}? {key}\n{indent}:"
        if type(child) is dict:
            lines.append(lead + "\n")
            lines += yaml_lines(child, indent + "  ")
        else:
            lines.append(f"{lead} {child}\n")
    return lines or ["{}\n"]
