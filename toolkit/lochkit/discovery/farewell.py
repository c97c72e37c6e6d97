"""How an instance leaves the registry: it says so, and ends its lease, in a bounded time."""

import itertools
import logging
from collections.abc import Iterable
from typing import Final

import trio

from ..etcd.errors import EtcdError, Unavailable
from ..runtime.backoff import Backoff
from .calls import Calls
from .tenure import Tenure
from .writing import found_instead, transaction

__all__ = ["revoke_strays", "say_farewell", "say_leaving", "stay_leaving"]

log = logging.getLogger(__name__)

_TRIES: Final = 4
_RETRY: Final = Backoff(base=0.05, maximum=0.5)


async def say_farewell(calls: Calls, tenure: Tenure, leases: Iterable[int], seconds: float) -> None:
    """Take an instance out, also while everything around is being cancelled. Never raises.

    Args:
        calls: how etcd is asked; its client must outlive this.
        tenure: what is known.
        leases: all leases that may live; 0 is none.
        seconds: how long it may take; longer where many leave at once.
    """
    wanted = [lease for lease in dict.fromkeys(leases) if lease]
    if not wanted:
        return
    done = False
    deadline = trio.current_time() + seconds + calls.crowd_seconds
    with trio.CancelScope(shield=True, deadline=deadline):
        for failures in itertools.count(1):
            done = await _leave(calls, tenure, wanted, seconds / 3)
            if done or not tenure.lease:  # of one that is lost there is little to be told
                break
            await trio.sleep(_RETRY.delay(failures))
    facts = {"service": tenure.host.service, "instance": tenure.host.uuid}
    if done:
        log.info("deregistered", extra=facts)
    else:
        log.warning("etcd does not answer: the registration runs out by itself", extra=facts)


async def _leave(calls: Calls, tenure: Tenure, leases: list[int], seconds: float) -> bool:
    try:
        if tenure.maybe_there and not tenure.said_leaving:
            await say_leaving(calls, tenure, seconds)
        for lease in leases:
            await calls.revoke(lease, seconds)
    except EtcdError as error:
        log.debug("leaving the registry failed: %s", error)
        return False
    return True


async def say_leaving(calls: Calls, tenure: Tenure, seconds: float) -> None:
    """Write that the instance leaves, so that its end is no crash to anybody.

    Raises:
        Unavailable: nobody answers.
    """
    tenure.leave()
    for _ in range(_TRIES):
        writing = tenure.writing()
        tenure.sent(writing)
        request = transaction(writing, tenure.own_key, tenure.infos_key)
        try:
            answer = await calls.txn(request, seconds)
        except Unavailable:
            raise
        except EtcdError as error:  # such as a lease that has ended: then there is nobody to tell
            log.debug("it could not be said that an instance leaves: %s", error)
            return
        if answer.succeeded:
            tenure.committed(writing, answer.header.revision, trio.current_time())
            return
        tenure.refused(found_instead(answer, trio.current_time()))
        if tenure.own_gone:
            return


async def stay_leaving(calls: Calls, tenure: Tenure, limit: float, seconds: float) -> None:
    """Say that an instance leaves, and let it be there for a while, whatever etcd does.

    Args:
        calls: how etcd is asked.
        tenure: what is known.
        limit: seconds that one request may take.
        seconds: how long this takes in all.
    """
    with trio.move_on_after(seconds):
        try:
            await say_leaving(calls, tenure, limit)
        except EtcdError as error:
            facts = {"service": tenure.host.service, "instance": tenure.host.uuid}
            log.warning("nobody can be told that it leaves: %s", error, extra=facts)
        await trio.sleep_forever()


async def revoke_strays(calls: Calls, tenure: Tenure, seconds: float) -> None:
    """End the leases that were given up and may yet live. Never raises."""
    for lease in list(tenure.strays):
        try:
            await calls.revoke(lease, seconds)
        except EtcdError as error:
            log.debug("an old lease was not revoked: %s", error)
            return
        tenure.strays.discard(lease)
