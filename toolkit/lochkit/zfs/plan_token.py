"""Whether an interrupted receive can go on.

What goes on is one stream, from one snapshot to the next, even where it was a part of ``-I``.
Source: zfs-receive(8), zfs-send(8) ``-t``: the receiver must still be at the base, the sender must
still have both ends, and the stream goes on with the flags it had.
"""

from collections.abc import Callable

from .capabilities import Capabilities
from .model import Dataset, Snapshot
from .plan_types import ResumeToken

__all__ = ["judge_token"]


def judge_token(
    source: Dataset,
    target: Dataset,
    token: ResumeToken | None,
    *,
    wanted: Callable[[str], bool],
    raw: bool,
    resume: bool,
    source_caps: Capabilities,
    target_caps: Capabilities,
) -> Snapshot | str:
    """Return the snapshot that the target will have, or why the receive can not go on.

    Args:
        source: what is being sent.
        target: it has an interrupted receive.
        token: what its token says; None: the source could not read it.
        wanted: tells by its name whether a snapshot is to be replicated.
        raw: whether a stream of today would be raw.
        resume: whether receives are to go on at all.
        source_caps: of the source.
        target_caps: of the target.
    """
    if not resume:
        return "interrupted receives are not resumed here (resume = false)"
    if not (source_caps.resume and target_caps.resume):
        return "one of the two ends can not resume (send -t, receive -s)"
    if token is None:
        return "the source can not read its token: what it was receiving is gone, or not from there"
    return _ends(source, target, token) or _to(source, target, token, wanted, raw)


def _ends(source: Dataset, target: Dataset, token: ResumeToken) -> str | None:
    newest = target.newest
    if token.from_guid is None:
        if newest is not None:
            return f"it was a full stream, and {target.name} has snapshots by now"
        return None
    if newest is None or newest.guid != token.from_guid:
        return f"{target.name} is no longer at the snapshot it began from"
    if source.snapshot(token.from_guid) is None and not any(
        one.guid == token.from_guid for one in source.bookmarks
    ):
        return f"{source.name} no longer has the snapshot it began from, nor a bookmark of it"
    return None


def _to(
    source: Dataset,
    target: Dataset,
    token: ResumeToken,
    wanted: Callable[[str], bool],
    raw: bool,
) -> Snapshot | str:
    to = source.snapshot(token.to_guid)
    if to is None:
        return f"{source.name} no longer has the snapshot it was to bring ({token.to_name})"
    if not wanted(to.name):
        return f"@{to.name}, which it was to bring, is not to be replicated any more"
    if target.snapshot(token.to_guid) is not None:
        return f"{target.name} has @{to.name}, which it was to bring, already"
    if source.encrypted and token.raw != raw:
        was, now = ("raw", "is not") if token.raw else ("not raw", "is")
        return f"its stream was {was}, and what is sent now {now}"
    return to
