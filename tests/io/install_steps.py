"""Installs sets of files and is interrupted: run by test_generations_killed.py, on its own.

    install_steps.py DIRECTORY random ROUNDS     killed at random moments
    install_steps.py DIRECTORY kill SCENARIO     killed before the first, second, ... step
    install_steps.py DIRECTORY fail SCENARIO     the first, second, ... step fails, then all is well
    install_steps.py DIRECTORY break SCENARIO    everything fails from there on

All files of a set hold its label, again and again, so that a set that is torn or mixed is seen. It
forks, which a process with threads had better not: hence a process of its own.
"""

import errno
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Final

from lochkit.errors import LochkitError
from lochkit.io.generations import Generation, GenerationStore

SIZES: Final = {"a.conf": 200_000, "b.conf": 7_000, "c.conf": 0}
"""Lines; the last file holds one label only."""

STEPS: Final = frozenset(
    {
        *("open", "os.chmod", "os.link", "os.listdir", "os.mkdir", "os.remove", "os.rename"),
        *("os.rmdir", "os.scandir", "os.symlink", "os.truncate"),
    }
)


NEVER: Final = 7
"""Exit code of a child that has not come to the step."""


def lines(label: str, size: int) -> list[bytes]:
    """A file's content, in pieces."""
    line = f"{label}\n".encode()
    return [line * 100] * (size // 100 // len(line)) + [line]


def store_in(directory: Path) -> GenerationStore:
    return GenerationStore(directory / "store", {name: directory / name for name in SIZES}, keep=3)


def commit(store: GenerationStore, label: str) -> Generation:
    staged = store.stage({name: lines(label, size) for name, size in SIZES.items()}, {"is": label})
    try:
        return store.commit(staged)
    except BaseException:
        store.discard(staged)
        raise


def install(store: GenerationStore, label: str) -> None:
    store.mark_good(commit(store, label))


def label_of(contents: dict[str, bytes]) -> str:
    """The label of a set that is whole.

    Raises:
        AssertionError: it is torn or mixed.
    """
    labels = {content.partition(b"\n")[0].decode() for content in contents.values()}
    assert len(labels) == 1, f"mixed: {labels}"
    (label,) = labels
    for name, content in contents.items():
        assert content == b"".join(lines(label, SIZES[name])), f"torn: {name} of {label}"
    return label


def read_current(directory: Path) -> str:
    """The label of the set that one look at `current` finds."""
    current = directory / "store" / "current"
    while True:
        fd = os.open(current, os.O_RDONLY | os.O_DIRECTORY)
        try:
            contents = {}
            for name in SIZES:
                file = os.open(name, os.O_RDONLY, dir_fd=fd)
                with open(file, "rb") as opened:
                    contents[name] = opened.read()
        except FileNotFoundError:
            if os.path.samestat(os.fstat(fd), os.stat(current)):
                raise
            continue  # so slowly have we read that it has been pruned
        finally:
            os.close(fd)
        return label_of(contents)


def read_targets(directory: Path) -> str:
    """The label of the set that a server would find now."""
    return label_of({name: (directory / name).read_bytes() for name in SIZES})


def leftovers(directory: Path) -> list[str]:
    """What should not be there when nobody is installing."""
    found = [path.name for path in (*directory.iterdir(), *(directory / "store").iterdir())]
    return [name for name in found if ".lochkit-" in name or name.startswith("stage-")]


def in_child(act: Callable[[], None]) -> int:
    """Begin something in a process of its own, and return its id."""
    if pid := os.fork():
        return pid
    try:
        act()
        os._exit(0)
    finally:  # whatever it was, this child must not go on
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(3)


def random_kills(directory: Path, rounds: int) -> None:
    """Kill an endless installer again and again, and look at what it leaves."""
    dice, seen, busy = random.Random(20261121), set(), 0
    parent = os.getpid()
    with store_in(directory) as store:
        install(store, "first")
    for number in range(rounds):
        by_hand = number % 5 == 4
        if by_hand:  # somebody has put files in the place of our links
            replace_by_hand(directory, f"hand-{number}")
        pid = in_child(lambda number=number: endless(directory, number, parent))  # type: ignore[misc]
        end = time.monotonic() + dice.uniform(0.0, 0.03)
        while time.monotonic() < end:
            read_current(directory)
        os.kill(pid, signal.SIGKILL)
        assert os.waitpid(pid, 0)[1] == signal.SIGKILL
        label = read_targets(directory)
        seen.add(label)
        busy += bool(leftovers(directory))
        assert label.startswith(("first", "hand-", "round-"))
    with store_in(directory) as store:
        assert leftovers(directory) == []
        install(store, "last")
        assert store.disturbed() == frozenset()
        assert len(store.generations) <= 3 + 1  # besides what was good until now
    assert read_targets(directory) == read_current(directory) == "last"
    print(f"{rounds} kills, {busy} of them in the middle of it; {len(seen)} different sets")
    # How many depends on the machine; that there are some shows that it was killed at work.
    assert busy > rounds / 20
    assert len(seen) > rounds / 20


def endless(directory: Path, number: int, parent: int) -> None:
    """Install again and again, until killed by the parent, or it is gone."""
    with store_in(directory) as store:
        for again in count():
            install(store, f"round-{number}-{again}")
            if os.getppid() != parent:
                return


def replace_by_hand(directory: Path, label: str) -> None:
    for name, size in SIZES.items():
        new = directory / f"{name}.new"
        new.write_bytes(b"".join(lines(label, size)))
        new.replace(directory / name)


SCENARIOS: Final[dict[str, Sequence[str]]] = {
    "adopt": ("by hand",),
    "again": ("install",),
    "readopt": ("install", "by hand"),
    "prune": ("install", "install", "install", "install"),
}


def prepare(directory: Path, scenario: str) -> str:
    """Bring about what is there before the install that is interrupted, and tell its label."""
    label = ""
    for number, what in enumerate(SCENARIOS[scenario]):
        label = f"before-{number}"
        if what == "by hand":
            replace_by_hand(directory, label)
        else:
            with store_in(directory) as store:
                install(store, label)
    return label


def at_step(number: int, act: Callable[[], None]) -> list[int]:
    """Let `act` be called before the given step of whatever this process does to files."""
    steps = [0]

    def step() -> None:
        steps[0] += 1
        if steps[0] >= number:
            act()

    def hook(event: str, _: tuple[Any, ...]) -> None:
        if event in STEPS:
            step()

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            step()
            return function(*args)

        return call

    os.fsync = counted(os.fsync)
    os.writev = counted(os.writev)
    sys.addaudithook(hook)
    return steps


def killed_at(directory: Path, number: int) -> None:
    at_step(number, lambda: os.kill(os.getpid(), signal.SIGKILL))
    with store_in(directory) as store:
        install(store, "after")
    os._exit(NEVER)  # it never came to that step


def failed_at(directory: Path, number: int, *, once: bool) -> None:
    """Let a step fail: what is in force must be the old set, or the new one if all is well."""
    down = [False]

    def fail() -> None:
        if down[0] or steps[0] == number:
            down[0] = not once
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    steps = at_step(number, fail)
    told, well = "No space left", False
    try:
        with store_in(directory) as store:
            generation = commit(store, "after")
            well = True
            store.mark_good(generation)
    except LochkitError as exc:
        told = str(exc)
    reached, steps[0], down[0] = steps[0], -(10**9), False
    assert "No space left" in told
    label = read_targets(directory)
    assert label == "after" if well else label.startswith("before-"), (label, well)
    with store_in(directory) as again:
        assert well == (again.current is not None and again.current.manifest == {"is": "after"})
    assert read_targets(directory) == label
    os._exit(0 if reached >= number else NEVER)


def every_step(directory: Path, how: str, scenario: str) -> None:
    """Interrupt before each step of an install, one after the other."""
    for number in count(1):
        place = directory / str(number)
        place.mkdir()
        before = prepare(place, scenario)
        if how == "kill":
            pid = in_child(lambda at=place, n=number: killed_at(at, n))  # type: ignore[misc]
        else:
            once = how == "fail"
            pid = in_child(
                lambda at=place, n=number, once=once: failed_at(at, n, once=once)  # type: ignore[misc]
            )
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        label = read_targets(place)
        assert label in (before, "after"), label
        with store_in(place) as store:
            assert leftovers(place) == []
            assert read_targets(place) == label
            install(store, "at last")
            assert store.disturbed() == frozenset()
        assert read_targets(place) == read_current(place) == "at last"
        if code == NEVER:
            print(f"{number - 1} steps")
            assert number > 20
            return
        assert code == (-signal.SIGKILL if how == "kill" else 0), code


def main() -> None:
    directory, how, what = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    if how == "random":
        random_kills(directory, int(what))
    else:
        every_step(directory, how, what)


if __name__ == "__main__":
    main()
