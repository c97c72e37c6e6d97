"""Policies in files: ``.toml``, or the ``server.json`` of the program before this one."""

import tomllib
from pathlib import Path
from typing import Final

from .errors import BadPolicy
from .policy_json import parse_json
from .policy_read import PolicyRead, read_policy
from .server_json import read_server_json

__all__ = ["load_policy"]

_LONGEST: Final = 4 * 1024 * 1024  # bytes


def load_policy(path: str) -> PolicyRead:
    """Read and check the policy in a file; the suffix says what it is.

    Blocks on the file system.

    Raises:
        BadPolicy: it can not be read, or has faults: one line each, with the file and the path in
            the document.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".toml", ".json"):
        raise BadPolicy(f"{path}: a policy is a file .toml, or a server.json")
    try:
        with open(path, "rb") as file:
            content = file.read(_LONGEST + 1)
        if len(content) > _LONGEST:
            raise BadPolicy(f"larger than {_LONGEST} bytes")
        text = content.decode("utf-8")
        if suffix == ".json":
            return read_server_json(parse_json(text, "policy", longest=_LONGEST))
        return read_policy(tomllib.loads(text))
    except OSError as exc:
        raise BadPolicy(f"{path}: {exc.strerror or exc}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise BadPolicy(f"{path}: not valid TOML: {exc}") from exc
    except BadPolicy as exc:
        raise BadPolicy("\n".join(f"{path}: {line}" for line in str(exc).split("\n"))) from None
