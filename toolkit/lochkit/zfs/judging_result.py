"""Whether a stream has arrived: judged by what is at the target afterwards, not by exit codes."""

from .errors import Failure, ZfsError
from .model import Dataset
from .offers import Failed, Offer, Received

__all__ = ["judge_result"]


def judge_result(
    offer: Offer,
    before: Dataset | None,
    after: Dataset | None,
    *,
    trouble: ZfsError | None,
    arrived: int,
) -> Received | Failed:
    """Judge what has become of a stream.

    Args:
        offer: what was agreed upon.
        before: the target when it was judged.
        after: the target now, after the end of ``zfs receive``.
        trouble: what ``zfs receive``, the sender or the connection complained about.
        arrived: bytes of the stream.
    """
    newest = after.newest if after else None
    if newest is not None and newest.guid == offer.to.guid:
        return Received(
            guid=newest.guid,
            bytes=arrived,
            snapshots=_gained(before, after),
            warning=_warning(offer, after, trouble),
        )
    token = after.resume_token if after else None
    if trouble is None:
        what = newest.name if newest else "none"
        return Failed(
            failure=Failure.BAD_STREAM,
            message=f"{offer.dataset}: zfs receive reports no error, and yet the newest snapshot"
            f" there is {what}, not {offer.to.name} (guid {offer.to.guid})",
            token=token,
            bytes=arrived,
        )
    failure = trouble.failure
    if token is not None and failure in (Failure.CUT, Failure.TIMEOUT, Failure.BAD_STREAM):
        failure = Failure.RESUMABLE
    return Failed(failure=failure, message=str(trouble), token=token, bytes=arrived)


def _gained(before: Dataset | None, after: Dataset | None) -> int:
    had = {one.guid for one in before.snapshots} if before else set()
    return sum(one.guid not in had for one in after.snapshots) if after else 0


def _warning(offer: Offer, after: Dataset | None, trouble: ZfsError | None) -> str:
    if trouble is not None:
        return f"it has arrived, although: {trouble}"
    have = {one.guid for one in after.snapshots} if after else set()
    missing = sum(guid not in have for guid in offer.between)
    return f"{missing} of the snapshots between have not arrived" if missing else ""
