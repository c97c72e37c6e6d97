"""The datasets above one that is to be received: made as placeholders, or insisted upon."""

from typing import Final

from .errors import Failure, Refused, ZfsError
from .host_types import ZfsHost
from .names import parents
from .parse_drafts import PLACEHOLDER
from .permits import Permit

__all__ = ["Parents"]

_MARKED: Final = {PLACEHOLDER: "on"}


class Parents:
    """Sees to what is above datasets, for one client; what was there once is not asked for again.

    Args:
        host: where.
        permit: what the client may do.
    """

    def __init__(self, host: ZfsHost, permit: Permit) -> None:
        self._host, self._permit = host, permit
        self._there: set[str] = set()

    async def make(self, names: tuple[str, ...]) -> None:
        """Make those that are not there.

        Args:
            names: outermost first, as they were judged.

        Raises:
            Refused: DENIED: one is not there, and the client may not write to it.
            ZfsError: one can not be made.
        """
        if not names or names[-1] in self._there or await self._is_there(names[-1]):
            self._there.update(names)  # where one is, those above it are
            return
        for name in names:
            if name not in self._there and not self._permit.may_write(name):
                if not await self._is_there(name):
                    raise Refused(
                        f"{self._permit.client} may not make {name}, which is not there",
                        failure=Failure.DENIED,
                    )
            elif name not in self._there:
                await self._make(name)
            self._there.add(name)

    async def insist(self, dataset: str) -> None:
        """See that there is a dataset to make this one in.

        A package of streams may say, by the guid of a snapshot, what it is to be below: where the
        name's own parent is missing, ``zfs receive`` looks for that guid in all of the pool.

        Raises:
            Refused: MISSING.
        """
        above = parents(dataset)[-1:]
        if above and above[0] not in self._there:
            if not await self._is_there(above[0]):
                raise Refused(
                    f"{dataset}: there is no {above[0]} to make it in",
                    failure=Failure.MISSING,
                    dataset=dataset,
                )
            self._there.add(above[0])

    async def _is_there(self, name: str) -> bool:
        return bool((await self._host.dataset(name)).datasets)

    async def _make(self, name: str) -> None:
        try:
            await self._host.create(name, _MARKED)
        except ZfsError as exc:
            if exc.failure is not Failure.EXISTS:
                raise
