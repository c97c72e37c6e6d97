"""What ``zfs`` complains of, as a `Failure` and a sentence for a person.

The texts are those of libzfs, in the C locale: lib/libzfs/libzfs_sendrecv.c, libzfs_util.c and
cmd/zfs/zfs_main.c of OpenZFS 2.1 and 2.3, and those of zfs-fuse 0.7, which is older. They were
provoked on all three; the tests have them. A text that no row knows is Failure.OTHER, and is shown
as it is.
"""

import re
from collections.abc import Sequence
from signal import Signals
from typing import Final

from .errors import Failure, ZfsBusy, ZfsError, ZfsUnavailable

__all__ = ["classify", "hint_for", "tidy", "zfs_error"]

_LONGEST: Final = 600  # characters of a complaint that are shown
_LONGEST_COMMAND: Final = 200

# The first row that is found decides: the particular ones come before the general ones.
_ROWS: Final = (
    (Failure.DENIED, r"connect: Permission denied|must be run as root"),
    (
        Failure.UNAVAILABLE,
        r"modules are not loaded|modules cannot be auto-loaded|failed to initialize ZFS library"
        r"|zfs-fuse daemon is running|/dev/zfs.*(No such file|does not exist)"
        r"|I/O is currently suspended|Failed to initialize the libzfs library",
    ),
    (Failure.RESUMABLE, r"Partially received snapshot is saved|contains partially-complete state"),
    (
        Failure.STALE_TOKEN,
        r"cannot resume send: .*(no longer|does not exist|not an earlier)"
        r"|cannot receive resume stream: (kernel modules must be upgraded|Resuming recv on existing"
        r"|incompatible embedded data"
        r"|destination .* (does not exist|exists))",
    ),
    (Failure.BAD_REQUEST, r"resume token is corrupt|resume token version"),
    (Failure.MISSING, r"does not have any resumable receive state"),
    (Failure.MODIFIED, r"has been modified since most recent snapshot"),
    (Failure.DIVERGED, r"does not match incremental source"),
    (Failure.HAS_CLONES, r"has dependent clones|clones of previous snapshots exist"),
    (Failure.HELD, r"it's being held|is being held"),
    (Failure.NO_SPACE, r"out of space|quota exceeded|No space left|not enough space"),
    (Failure.KEY_NOT_LOADED, r"key must be loaded|key is not loaded|[Kk]ey not loaded"),
    (
        Failure.BAD_REQUEST,
        r"may not be sent with properties without the raw flag"
        r"|not an earlier snapshot|cannot be sent from a bookmark|multiple snapshots of same fs"
        r"|requires -L|tag too long|cannot be used to destroy an encrypted"
        r"|perform raw receive on top|incompatible with|must specify raw|IV set guid",
    ),
    (Failure.BUSY, r"(dataset|device|filesystem|pool|resource|snapshot) is busy|Device busy|EBUSY"),
    (Failure.CUT, r"Broken pipe|Connection reset by peer|signal received|Interrupted system call"),
    # zfs-fuse says "invalid backup stream" of a stream that ends too early.
    (Failure.CUT, r"incomplete stream|invalid backup stream|failed to read from stream"),
    (Failure.BAD_STREAM, r"invalid stream|bad magic number|checksum mismatch|bad config type"),
    (
        Failure.EXISTS,
        r"already exists|bookmark exists|destination .*exists|must specify -F|has snapshots \(eg"
        r"|more recent snapshots (or bookmarks )?exist",
    ),
    (Failure.DENIED, r"[Pp]ermission denied|Operation not permitted|[Ii]nsufficient privileges"),
    (
        Failure.BAD_REQUEST,
        r"invalid character|invalid dataset name|name is too long|invalid name"
        r"|bad numeric value|must be within same|is not a valid",
    ),
    (
        Failure.UNSUPPORTED,
        r"invalid option|invalid property|unrecognized command|invalid type|bad property list"
        r"|not supported|unsupported|must be upgraded|Function not implemented|pyzfs\.py not found"
        r"|too many arguments|not applicable|feature .*not enabled",
    ),
    (Failure.LIMIT, r"Cannot allocate memory|out of memory|Resource temporarily unavailable"),
    (
        Failure.MISSING,
        r"does not exist|no such (pool|tag|dataset)|not find any snapshots|no datasets available"
        r"|unable to restore to destination|dataset not found",
    ),
    (Failure.BAD_REQUEST, r"usage:"),
)
_TABLE: Final = tuple((failure, re.compile(text)) for failure, text in _ROWS)

_HINTS: Final = {
    Failure.BUSY: "something uses it: a send, a receive, a mount or a hold; that heals with time",
    Failure.NO_SPACE: "free space in that pool, or raise the quota",
    Failure.MODIFIED: "roll the target back to its newest snapshot, and set readonly=on there",
    Failure.DIVERGED: "look at both sides with `lochkit zfs explain`",
    Failure.HELD: "`lochkit zfs holds` tells by whom",
    Failure.HAS_CLONES: "promote or destroy the clones first",
    Failure.RESUMABLE: "what was received is kept: the stream can go on",
    Failure.STALE_TOKEN: "forget the interrupted receive: zfs receive -A",
    Failure.KEY_NOT_LOADED: "load its key (zfs load-key), or send it raw",
    Failure.UNSUPPORTED: "this ZFS, or this pool, can not do it",
    Failure.DENIED: "run as root, or delegate it: zfs allow",
    Failure.UNAVAILABLE: "is the zfs module loaded, or zfs-fuse running?",
    Failure.CUT: "the stream ended too early",
    Failure.BAD_STREAM: "it was damaged on its way, or is no stream of zfs",
}

_NAMES: Final = re.compile(r"(?:(?<=[\s(])|^)'[^'\n]*'", re.MULTILINE)
_TAIL: Final = re.compile(r"\s*(A resuming stream can be generated|usage:).*", re.DOTALL)
_BLANK: Final = re.compile(r"\s+")
_NOT_PRINTABLE: Final = re.compile(r"[^\x20-\x7e\xa1-\ud7ff\ue000-\uffff]")
_TOKEN: Final = re.compile(r"(\d+-[0-9a-f]{6,9})-[0-9a-f]+-[0-9a-f]{24,}")


def tidy(stderr: str) -> str:
    """What ``zfs`` complained of, in one line, without its usage and without resume tokens."""
    # The usage that follows a complaint is dropped; if there is nothing before it, it stays.
    said = _TAIL.sub("", stderr) or stderr
    lines = [_BLANK.sub(" ", one).strip() for one in said.splitlines()]
    line = ""
    for one in filter(None, lines):
        # Two complaints are told apart; one may also go over several lines.
        begins = line and one.startswith("cannot ") and not line.endswith((":", ";", ","))
        line = f"{line}{'; ' if begins else ' ' if line else ''}{one}"
    line = _TOKEN.sub(r"\1-…", _NOT_PRINTABLE.sub("?", line))
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."


def classify(stderr: str) -> Failure:
    """Why it failed, by its complaint; OTHER if that says nothing known."""
    # Names are people's own: "tank/it is busy" says nothing.
    text = _BLANK.sub(" ", _NAMES.sub("'…'", stderr))
    return next((failure for failure, known in _TABLE if known.search(text)), Failure.OTHER)


def hint_for(failure: Failure) -> str | None:
    """What is to be done about a failure."""
    return _HINTS.get(failure)


def zfs_error(
    words: Sequence[str],
    *,
    status: int | None,
    stderr: str,
    dataset: str | None = None,
    failure: Failure | None = None,
) -> ZfsError:
    """The error for a ``zfs`` that failed.

    Args:
        words: its command line, without the program.
        status: its exit status, minus the number of the signal that killed it, or None: it had to
            be killed since its time was over.
        stderr: what it wrote to its error output.
        dataset: that it was about.
        failure: why, if that is known better than by its complaint.
    """
    why = failure or _of_status(status) or classify(stderr)
    if why is Failure.OTHER and status in (-6, -13):
        # The reader is gone: SIGPIPE; zfs-fuse aborts when the connection was reset.
        why = Failure.CUT
    elif why is Failure.OTHER and status in (-1, -2, -9, -15):
        why = Failure.STOPPED  # by somebody else
    complaint = tidy(stderr) or _SILENT.get(why, "it said nothing")
    place = f"{dataset}: " if dataset and dataset not in complaint else ""
    hint = hint_for(why)
    message = f"{place}{complaint} ({_shown(words)}: {_ending(status)})"
    if hint:
        message += f"; {hint}"
    kind = ZfsUnavailable if why is Failure.UNAVAILABLE else ZfsBusy if why.retryable else ZfsError
    return kind(message, failure=why, dataset=dataset)


_SILENT: Final = {Failure.TIMEOUT: "no end in sight", Failure.STOPPED: "stopped"}


def _of_status(status: int | None) -> Failure | None:
    return Failure.TIMEOUT if status is None else None


def _ending(status: int | None) -> str:
    if status is None:
        return "killed, its time was over"
    if status >= 0:
        return f"exit code {status}"
    try:
        return f"killed by {Signals(-status).name}"
    except ValueError:  # a real-time signal
        return f"killed by signal {-status}"


def _shown(words: Sequence[str]) -> str:
    line = " ".join(("zfs", *(_quoted(_TOKEN.sub(r"\1-…", word)) for word in words)))
    return line if len(line) <= _LONGEST_COMMAND else line[: _LONGEST_COMMAND - 3] + "..."


def _quoted(word: str) -> str:
    shown = _NOT_PRINTABLE.sub("?", word)
    return f"'{shown}'" if " " in shown or not shown else shown
