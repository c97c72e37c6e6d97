"""What ``zfs send -nPt TOKEN`` says of a resume token.

The lines are those of ``nvlist_print`` in lib/libnvpair, after "resume token contents:"; the names
are those of dsl_dataset.c, get_receive_resume_token: toguid, toname, fromguid, bytes and, of flags
that are on, compressok, largeblockok, embedok and rawok.
"""

import re
from typing import Final

from .errors import Failure, ZfsError
from .plan_types import ResumeToken

__all__ = ["parse_token"]

_LINE: Final = re.compile(r"^\t(\w+)(?: = (.*))?$", re.MULTILINE)


def parse_token(token: str, output: str) -> ResumeToken:
    """Read what was printed of a token.

    Args:
        token: itself.
        output: what ``zfs send -nPt`` printed, whether it then failed or not.

    Raises:
        ZfsError: BAD_REQUEST: it did not say what every token has.
    """
    told = {match[1]: match[2] or "" for match in _LINE.finditer(output)}
    try:
        return ResumeToken(
            token=token,
            to_guid=int(told["toguid"], 0),
            to_name=told["toname"],
            from_guid=int(told["fromguid"], 0) if "fromguid" in told else None,
            received=int(told["bytes"], 0) if "bytes" in told else None,
            raw=_on(told, "rawok"),
            compressed=_on(told, "compressok"),
            large_blocks=_on(told, "largeblockok"),
            embedded=_on(told, "embedok"),
        )
    except (KeyError, ValueError):
        raise ZfsError(
            f"a resume token that says nothing of its snapshot: {token[:40]}",
            failure=Failure.BAD_REQUEST,
        ) from None


def _on(told: dict[str, str], name: str) -> bool:
    return name in told and told[name] not in ("0", "0x0", "FALSE")
