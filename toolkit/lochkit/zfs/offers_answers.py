"""How the answers of a receiver look on the wire: JSON objects, told apart by ``Type``.

Reading is strict, see `offers_fields`: the client does not trust the receiver either.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Final

from .capabilities import Capabilities
from .errors import Failure
from .offers import (
    RELEASABLE_MOST,
    Accept,
    Answer,
    Bye,
    Done,
    Failed,
    Greeting,
    InventoryEnd,
    Received,
    Refuse,
    Releasable,
)
from .offers_fields import BadMessage, Fields, guid_text
from .offers_requests import TOKEN_LONGEST

__all__ = ["answer_message", "read_answer"]

_MESSAGE: Final = 2000  # characters of a message for a person
_FAILURES: Final = {failure.value: failure for failure in Failure}
_FLAGS: Final = tuple(one.name for one in fields(Capabilities) if one.name != "version")


def answer_message(answer: Answer) -> dict[str, object]:
    """What the receiver sends for an answer."""
    match answer:
        case Greeting():
            return {
                "Type": "capabilities",
                "Version": answer.capabilities.version,
                "Flags": [flag for flag in _FLAGS if getattr(answer.capabilities, flag)],
                "Compressions": list(answer.compressions),
                "Rollback": answer.rollback,
                "Properties": answer.properties,
            }
        case Refuse():
            message = _shortened(answer.message)
            return {"Type": "refuse", "Failure": answer.failure.value, "Message": message}
        case Received():
            return {
                "Type": "received",
                "Guid": guid_text(answer.guid),
                "Bytes": answer.bytes,
                "Snapshots": answer.snapshots,
                "Warning": _shortened(answer.warning),
            }
        case Failed():
            return {
                "Type": "failed",
                "Failure": answer.failure.value,
                "Message": _shortened(answer.message),
                "Token": answer.token,
                "Bytes": answer.bytes,
            }
        case InventoryEnd():
            return {"Type": "end", "At": int(answer.at)}
        case Releasable():
            return {
                "Type": "releasable",
                "Guids": [guid_text(guid) for guid in answer.guids[:RELEASABLE_MOST]],
            }
        case Accept():
            return {"Type": "accept"}
        case Done():
            return {"Type": "done"}
        case Bye():
            return {"Type": "bye"}


def read_answer(message: Mapping[str, object]) -> Answer:
    """What the receiver says.

    Raises:
        BadMessage: it is none of the answers, or out of limits.
    """
    kind = message.get("Type")
    reader = _ANSWERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise BadMessage(f"{str(kind)[:40]!r} is no answer that is known here")
    found = Fields(message, str(kind))
    found.text("Type")
    answer = reader(found)
    found.done()
    return answer


def _read_greeting(found: Fields) -> Greeting:
    version = found.text("Version", longest=100)
    # A capability that we do not know is one that we do not use.
    flags = found.checked_list("Flags", str, most=200)
    known = {flag: True for flag in _FLAGS if flag in flags}
    return Greeting(
        capabilities=Capabilities(version=version, **known),
        compressions=found.checked_list("Compressions", str, most=20),
        rollback=found.flag("Rollback"),
        properties=found.flag("Properties"),
    )


def _read_received(found: Fields) -> Received:
    return Received(
        guid=found.guid("Guid"),
        bytes=found.count("Bytes"),
        snapshots=found.count("Snapshots"),
        warning=found.text("Warning", longest=_MESSAGE, default=""),
    )


def _read_failed(found: Fields) -> Failed:
    return Failed(
        failure=found.one_of("Failure", _FAILURES),
        message=found.text("Message", longest=_MESSAGE),
        token=found.optional_text("Token", longest=TOKEN_LONGEST),
        bytes=found.count("Bytes", default=0),
    )


def _read_refuse(found: Fields) -> Refuse:
    return Refuse(
        failure=found.one_of("Failure", _FAILURES), message=found.text("Message", longest=_MESSAGE)
    )


_ANSWERS: Final[Mapping[str, Callable[[Fields], Answer]]] = {
    "capabilities": _read_greeting,
    "refuse": _read_refuse,
    "received": _read_received,
    "failed": _read_failed,
    "end": lambda found: InventoryEnd(at=found.count("At")),
    "releasable": lambda found: Releasable(guids=found.guids("Guids", most=RELEASABLE_MOST)),
    "accept": lambda _: Accept(),
    "done": lambda _: Done(),
    "bye": lambda _: Bye(),
}


def _shortened(text: str) -> str:
    """What people are told, on one line that can be shown."""
    shown = "".join(char if char.isprintable() else " " for char in text)
    return shown if len(shown) <= _MESSAGE else shown[: _MESSAGE - 4] + " ..."
