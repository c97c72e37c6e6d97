"""JSON as Kea reads it: with comments, and commas that are one too many. Pure."""

import json
import re
from typing import Any

__all__ = ["parse_kea_json"]

# A string is found first, so that nothing in it is taken for a comment.
_TOKEN = re.compile(
    r"""
    (?P<string>"(?:[^"\\]|\\.)*")
    | (?P<comment>//[^\n]* | \#[^\n]* | /\*.*?\*/)
    | (?P<comma>,(?=(?:\s|//[^\n]*|\#[^\n]*|/\*.*?\*/)*[\]}]))
    | (?P<include><\?include)
    """,
    re.DOTALL | re.VERBOSE,
)


def parse_kea_json(text: str) -> dict[str, Any]:
    """Return the object in a Kea configuration file.

    Raises:
        ValueError: it is none, or it includes other files, with a phrase that names the line.
    """

    def blank(found: re.Match[str]) -> str:
        """Keep lines and columns where they are, for the messages."""
        if found["string"]:
            return found[0]
        if found["include"]:
            line = text.count("\n", 0, found.start()) + 1
            raise ValueError(
                f"line {line}: <?include ...?> is not followed; give a file without it"
            )
        return re.sub(r"[^\n]", " ", found[0])

    try:
        root = json.loads(_TOKEN.sub(blank, text))
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if not isinstance(root, dict):
        raise ValueError("the whole of a Kea configuration is one object, in braces")
    return root
