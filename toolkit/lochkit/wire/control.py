"""Control messages: JSON objects in UTF-8, with bounds on all that makes JSON dear to read.

What is refused: other than objects at the top, keys that occur twice, NaN and infinities, numbers
of many digits, surrogates that no UTF-8 can hold, more than `DEPTH_LIMIT` levels, and more than
`VALUE_LIMIT` values, which bounds the memory that a message takes (some 40 MB at the very most).
"""

import json
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from .faults import WireFault

__all__ = ["DEPTH_LIMIT", "MESSAGE_LIMIT", "MESSAGE_MOST", "decode_message", "encode_message"]

MESSAGE_LIMIT: Final = 1 << 20  # bytes, unless the receiver wants more
MESSAGE_MOST: Final = 1 << 24
DEPTH_LIMIT: Final = 32
VALUE_LIMIT: Final = 1 << 18
DIGIT_LIMIT: Final = 40  # guids and times have 20


def encode_message(message: Mapping[str, object], *, limit: int = MESSAGE_MOST) -> bytes:
    """One message.

    Raises:
        ValueError: it can not be sent: a bug, or data that should have been paged.
    """
    text = json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    data = text.encode()
    if len(data) > limit:
        raise ValueError(f"a message of {len(data)} bytes; it may have {limit}")
    return data


def decode_message(data: bytes) -> dict[str, Any]:
    """Read one message.

    Raises:
        WireFault: it is none.
    """
    if data.count(b",") + data.count(b"[") + data.count(b"{") > VALUE_LIMIT:
        raise WireFault(f"a message with more than {VALUE_LIMIT} values came")
    try:
        found = json.loads(
            data.decode(),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_fraction,
            parse_constant=_constant,
        )
        if b"\\u" in data:
            _check_text(found)
    except UnicodeError:
        raise WireFault("a message came that is not UTF-8") from None
    except RecursionError:
        raise _too_deep() from None
    except json.JSONDecodeError as exc:
        raise WireFault(f"a message came that is not JSON: {exc}") from None
    if not isinstance(found, dict):
        raise WireFault("a message came that is not a JSON object")
    _check_depth(found)
    return found


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise WireFault("a message came in which a key occurs twice")
    return found


def _integer(word: str) -> int:
    if len(word) > DIGIT_LIMIT:
        raise WireFault(f"a message came with a number of {len(word)} digits")
    return int(word)


def _fraction(word: str) -> float:
    number = float(word) if len(word) <= DIGIT_LIMIT else float("inf")
    if number in (float("inf"), float("-inf")):
        raise WireFault("a message came with a number that is too large, or too long")
    return number


def _constant(word: str) -> NoReturn:
    raise WireFault(f"a message came with {word}, which is not JSON")


def _check_text(found: object) -> None:
    json.dumps(found, ensure_ascii=False).encode()


def _check_depth(found: object) -> None:
    level = [found]
    for _ in range(DEPTH_LIMIT):
        below: list[object] = []
        for value in level:
            if isinstance(value, dict):
                below += [one for one in value.values() if isinstance(one, (dict, list))]
            elif isinstance(value, list):
                below += [one for one in value if isinstance(one, (dict, list))]
        if not below:
            return
        level = below
    raise _too_deep()


def _too_deep() -> WireFault:
    return WireFault(f"a message came with more than {DEPTH_LIMIT} levels")
