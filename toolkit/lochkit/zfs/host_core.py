"""Holds and bookmarks by libzfs_core: without a process for each, and all of a call in one go.

It is the library below the ``zfs`` program, with an interface that stays (lib/libzfs_core of
OpenZFS, libzfs_core.h): each function is one ioctl, which takes and returns name-value lists. What
it can not do, for whatever reason, is left to the program, which is patient with what has been done
already, and has words for what went wrong. Where the library is missing, so is this.
"""

import ctypes
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

import trio

__all__ = ["ZfsCore", "open_core"]

_UNIQUE_NAME: Final = 1  # NV_UNIQUE_NAME
_LIBRARIES: Final = ("libnvpair.so.3", "libzfs_core.so.3")  # of OpenZFS 2.0 to 2.3

_AT_ONCE: Final = 8

_List = ctypes.c_void_p


class _Lists:
    """Name-value lists, each freed in the end."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._made: list[_List] = []

    def make(self) -> _List:
        made = _List()
        self._check(self._library.nvlist_alloc(ctypes.byref(made), _UNIQUE_NAME, 0))
        self._made.append(made)
        return made

    def add(self, to: _List, name: str, value: "str | _List | None") -> None:
        key = name.encode()
        if value is None:
            self._check(self._library.nvlist_add_boolean(to, key))
        elif isinstance(value, str):
            self._check(self._library.nvlist_add_string(to, key, value.encode()))
        else:
            self._check(self._library.nvlist_add_nvlist(to, key, value))

    def free(self) -> None:
        while self._made:
            self._library.nvlist_free(self._made.pop())

    @staticmethod
    def _check(result: int) -> None:
        if result:
            raise MemoryError(f"a name-value list: error {result}")


class ZfsCore:
    """The library, opened. Its methods say whether all was done; if not, nothing need have been.

    The names must have been checked.

    Args:
        pairs: libnvpair.
        core: libzfs_core.
        timeout: seconds for a call; one that takes longer goes on by itself.
    """

    def __init__(self, pairs: ctypes.CDLL, core: ctypes.CDLL, *, timeout: float) -> None:
        self._pairs, self._core, self._timeout = pairs, core, timeout
        # Its own: calls that a suspended pool keeps must not take all threads of everybody.
        self._threads = trio.CapacityLimiter(_AT_ONCE)

    async def hold(self, tag: str, snapshots: Sequence[str]) -> bool:
        """Hold snapshots of one pool."""
        return await self._call(partial(self._hold, tag, tuple(snapshots)))

    async def release(self, tag: str, snapshots: Sequence[str]) -> bool:
        """Release holds, in one pool."""
        return await self._call(partial(self._release, tag, tuple(snapshots)))

    async def bookmark(self, made: Mapping[str, str]) -> bool:
        """Make bookmarks, in one pool: ``dataset#name`` of ``dataset@name``."""
        return await self._call(partial(self._bookmark, dict(made)))

    async def destroy_bookmarks(self, bookmarks: Sequence[str]) -> bool:
        """Destroy bookmarks of one pool; those that are gone are fine."""
        return await self._call(partial(self._destroy_bookmarks, tuple(bookmarks)))

    async def _call(self, work: Callable[[_Lists], int]) -> bool:
        def run() -> bool:
            lists = _Lists(self._pairs)
            try:
                return work(lists) == 0
            finally:
                lists.free()

        # A pool that is suspended answers when it comes back. The thread waits; we need not.
        with trio.move_on_after(self._timeout):
            return await trio.to_thread.run_sync(run, abandon_on_cancel=True, limiter=self._threads)
        return False

    def _hold(self, tag: str, snapshots: tuple[str, ...], lists: _Lists) -> int:
        wanted = lists.make()
        for snapshot in snapshots:
            lists.add(wanted, snapshot, tag)
        return self._with_errors(lambda errors: self._core.lzc_hold(wanted, -1, errors))

    def _release(self, tag: str, snapshots: tuple[str, ...], lists: _Lists) -> int:
        wanted, tags = lists.make(), lists.make()
        lists.add(tags, tag, None)
        for snapshot in snapshots:
            lists.add(wanted, snapshot, tags)  # a copy
        return self._with_errors(lambda errors: self._core.lzc_release(wanted, errors))

    def _bookmark(self, made: dict[str, str], lists: _Lists) -> int:
        wanted = lists.make()
        for bookmark, snapshot in made.items():
            lists.add(wanted, bookmark, snapshot)
        return self._with_errors(lambda errors: self._core.lzc_bookmark(wanted, errors))

    def _destroy_bookmarks(self, bookmarks: tuple[str, ...], lists: _Lists) -> int:
        wanted = lists.make()
        for bookmark in bookmarks:
            lists.add(wanted, bookmark, None)
        return self._with_errors(lambda errors: self._core.lzc_destroy_bookmarks(wanted, errors))

    def _with_errors(self, call: Callable[[object], int]) -> int:
        """The result of a call; not 0 either if it complains of some only."""
        errors = _List()
        result = call(ctypes.byref(errors))
        if errors.value:
            result = result or int(not self._pairs.nvlist_empty(errors))
            self._pairs.nvlist_free(errors)
        return result


def open_core(*, timeout: float) -> ZfsCore | None:
    """Open the library, and through it the kernel's module.

    Args:
        timeout: seconds for each call.

    Returns:
        None where it is missing, is another one, or is not ours to use.
    """
    try:
        pairs, core = (ctypes.CDLL(name) for name in _LIBRARIES)
        _declare(pairs, core)
    except (OSError, AttributeError):
        return None
    if core.libzfs_core_init():
        return None
    return ZfsCore(pairs, core, timeout=timeout)


def _declare(pairs: ctypes.CDLL, core: ctypes.CDLL) -> None:
    """Say what the functions take: a pointer given as a number would be cut to 32 bits."""
    text, number = ctypes.c_char_p, ctypes.c_int
    out = ctypes.POINTER(_List)
    pairs.nvlist_alloc.argtypes = (out, ctypes.c_uint, number)
    pairs.nvlist_free.argtypes = (_List,)
    pairs.nvlist_free.restype = None
    pairs.nvlist_empty.argtypes = (_List,)
    pairs.nvlist_add_boolean.argtypes = (_List, text)
    pairs.nvlist_add_string.argtypes = (_List, text, text)
    pairs.nvlist_add_nvlist.argtypes = (_List, text, _List)
    core.lzc_hold.argtypes = (_List, number, out)
    core.lzc_release.argtypes = (_List, out)
    core.lzc_bookmark.argtypes = (_List, out)
    core.lzc_destroy_bookmarks.argtypes = (_List, out)
