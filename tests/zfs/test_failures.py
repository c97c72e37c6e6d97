"""What zfs complains of, on zfs-fuse 0.7 and OpenZFS 2.1 and 2.3, as it was recorded there."""

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from lochkit.errors import TransientError
from lochkit.zfs.errors import Failure, ZfsBusy, ZfsError, ZfsUnavailable
from lochkit.zfs.failures import classify, hint_for, tidy, zfs_error

DATA = Path(__file__).parent / "data" / "complaints.json"
TOKEN = "1-a6f6260a4-b8-789c636064000310a500c4ec50360710e72765a52697303030419460caa7a515a7968"


class Recorded(NamedTuple):
    """A complaint, by which ZFS, and what it is."""

    zfs: list[str]
    command: str
    stderr: str
    failure: str


RECORDED = [Recorded(**one) for one in json.loads(DATA.read_text())]


@pytest.mark.parametrize("one", RECORDED, ids=lambda one: f"{one.zfs[0]}-{one.stderr[:40]}")
def test_recorded_complaints(one: Recorded) -> None:
    assert classify(one.stderr) is Failure(one.failure)
    said = tidy(one.stderr)
    assert "\n" not in said
    assert said.startswith(one.stderr.split()[0])


def test_every_failure_that_zfs_tells_was_recorded() -> None:
    told = {Failure(one.failure) for one in RECORDED}
    not_told = {
        *(Failure.LIMIT, Failure.STOPPED, Failure.TIMEOUT),  # of the host, not of zfs
        Failure.OTHER,
    }
    assert told | not_told == set(Failure)


@pytest.mark.parametrize(
    ("stderr", "status", "failure", "kind"),
    [
        ("cannot open 'a': dataset does not exist", 1, Failure.MISSING, ZfsError),
        ("cannot destroy 'a@b': dataset is busy", 1, Failure.BUSY, ZfsBusy),
        ("internal error: failed to initialize ZFS library", 1, Failure.UNAVAILABLE,
         ZfsUnavailable),
        ("", None, Failure.TIMEOUT, ZfsBusy),
        ("", -13, Failure.CUT, ZfsBusy),
        ("", -9, Failure.STOPPED, ZfsBusy),
        ("internal error: Connection reset by peer", -6, Failure.CUT, ZfsBusy),
        ("internal error: strange", -6, Failure.CUT, ZfsBusy),
        ("", -11, Failure.OTHER, ZfsError),
        ("something new", 1, Failure.OTHER, ZfsError),
        ("cannot open 'tank/dataset is busy': dataset does not exist", 1, Failure.MISSING,
         ZfsError),
    ],
)  # fmt: skip
def test_errors(stderr: str, status: int | None, failure: Failure, kind: type[ZfsError]) -> None:
    error = zfs_error(("destroy", "tank/a@b"), status=status, stderr=stderr, dataset="tank/a")
    assert type(error) is kind
    assert error.failure is failure
    assert error.dataset == "tank/a"
    assert isinstance(error, TransientError) == failure.retryable
    assert "zfs destroy tank/a@b" in str(error)
    assert "tank/a" in str(error).partition(" (zfs ")[0]


def test_an_error_says_what_to_do() -> None:
    stderr = "cannot receive incremental stream: destination tank/a has been modified\n"
    error = zfs_error(
        ("receive", "-u", "tank/a"),
        status=1,
        stderr=stderr + "since most recent snapshot\n",
        dataset="tank/a",
    )
    assert str(error) == (
        "cannot receive incremental stream: destination tank/a has been modified since most recent"
        " snapshot (zfs receive -u tank/a: exit code 1); " + (hint_for(Failure.MODIFIED) or "")
    )


def test_what_is_known_better_wins() -> None:
    error = zfs_error(("destroy", "a@b"), status=1, stderr="dataset is busy", failure=Failure.HELD)
    assert error.failure is Failure.HELD
    assert not isinstance(error, TransientError)


def test_usage_tokens_and_control_characters_are_not_shown() -> None:
    usage = "cannot open 'a': dataset does not exist\nusage:\n\tsnapshot [-r] <filesystem>\n"
    assert tidy(usage) == "cannot open 'a': dataset does not exist"
    assert tidy("usage:\n\tlist") == "usage: list"
    two = "cannot open 'b/x': dataset does not exist\ncannot receive: dataset does not exist\n"
    assert tidy(two) == "cannot open 'b/x': dataset does not exist; " + two.splitlines()[1]
    assert tidy("cannot receive:\n  no space\n left") == "cannot receive: no space left"
    saved = f"Partially received snapshot is saved.\nA resuming stream can be generated\n{TOKEN}"
    assert tidy(saved) == "Partially received snapshot is saved."
    assert TOKEN not in tidy(f"strange: {TOKEN}")
    error = zfs_error(("send", "-t", TOKEN), status=1, stderr="no")
    assert TOKEN not in str(error)
    assert tidy("a\x1b[31mb\x00\ud800c") == "a?[31mb??c"
    assert len(tidy("long " * 1000)) == 600
    assert len(str(zfs_error(("x" * 5000,), status=1, stderr=""))) < 300
