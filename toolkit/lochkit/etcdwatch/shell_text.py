"""``NAME='value'`` lines, safe to read by a shell's ``set -a; . FILE`` whatever they hold. Pure."""

import base64
import re
from collections.abc import Mapping
from typing import Final

from .text import Leaf

__all__ = ["is_reserved", "shell_lines", "variable_name"]

NOT_IN_NAME: Final = re.compile(r"[^A-Za-z0-9_]").sub
RESERVED: Final = re.compile(
    r"(LD|DYLD|GLIBC|MALLOC|LC|BASH|GIT|SSH|NODE|JAVA|_JAVA|LOCHKIT)_\w*|(PYTHON|PERL|RUBY)\w*|_"
    r"|PATH|IFS|ENV|CDPATH|FPATH|HOME|SHELL|SHELLOPTS|USER|LOGNAME|LANG|LANGUAGE|LOCPATH|NLSPATH"
    r"|TERM|TERMINFO|TERMCAP|PS[0-9]|PROMPT_COMMAND|OPTIND|OPTARG|OPTERR|PPID|UID|EUID|TMPDIR|TZ|TZDIR"
    r"|HOSTALIASES|RES_OPTIONS|GCONV_PATH|EDITOR|VISUAL|PAGER|LESSOPEN|LESSCLOSE|MAIL|MAILPATH"
    r"|(?i:https?|ftp|all|no)_(?i:proxy)"
).fullmatch


def variable_name(key: str, prefix: str = "") -> str:
    """Return the name for ``key``: no leading slash, and ``_`` for everything but letters and
    digits.

    A name can not begin with a digit: an underscore is put before it.
    """
    name = prefix + NOT_IN_NAME("_", key.removeprefix("/"))
    return name if name and not name[0].isdigit() else "_" + name


def is_reserved(name: str) -> bool:
    """Return whether a variable of this name steers the shell, the loader or an interpreter."""
    return RESERVED(name) is not None


def shell_lines(entries: Mapping[str, Leaf], prefix: str = "") -> tuple[list[str], tuple[str, ...]]:
    """Return the lines, sorted by name, and the keys that are left out of them.

    Left out is a key whose name is taken by one that sorts before it, and one whose name
    :func:`is_reserved`: who can write to etcd is not to choose the PATH of who reads it. A value
    that is not text, or that holds a NUL, which no variable can, is given in base64 as
    ``NAME_BASE64``.
    """
    taken: dict[str, str] = {}
    left_out = []
    for key in sorted(entries):
        leaf = entries[key]
        value = leaf if isinstance(leaf, str) else leaf.text
        name = variable_name(key, prefix)
        if "\0" in value:
            value = base64.b64encode(value.encode()).decode()
        if value is not leaf:
            name += "_BASE64"
        if name in taken or is_reserved(name):
            left_out.append(key)
        else:
            taken[name] = "'" + value.replace("'", "'\\''") + "'"
    return [f"{name}={taken[name]}\n" for name in sorted(taken)], tuple(left_out)
