"""The command lines of ``zfs``, as tuples of words without the program's name.

Every name in them is checked here, whoever it is from: none begins with ``-``, none has a character
that means something to ``zfs``, and none can be two words. Where a list could grow too long for one
command line there are several; see `batches`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from .errors import BadName
from .host_types import ReceiveSpec, SendSpec
from .model import Bookmark
from .names import (
    check_bookmark,
    check_dataset,
    check_snapshot_name,
    check_tag,
    is_within,
    pool_of,
    split_snapshot,
)

__all__ = [
    "Words",
    "abort_words",
    "batches",
    "bookmark_words",
    "create_words",
    "destroy_bookmark_words",
    "destroy_words",
    "get_words",
    "guids_words",
    "hold_words",
    "holds_words",
    "list_words",
    "origins_words",
    "receive_words",
    "release_words",
    "rename_dataset_words",
    "rename_words",
    "rollback_words",
    "roots_of",
    "send_words",
    "snapshot_words",
    "token_words",
]

Words = tuple[str, ...]

_BYTES: Final = 64 * 1024  # of names in one command; Linux allows 128 KiB in one word
_COUNT: Final = 1000  # names in one command
_PROPERTY: Final = re.compile(r"[a-z0-9:][a-z0-9:._@-]*")
_LONGEST_VALUE: Final = 8191  # bytes; ZAP_MAXVALUELEN
_TOKEN: Final = re.compile(r"[0-9]{1,9}-[0-9a-f]{1,16}-[0-9a-f]{1,16}-[0-9a-f]{1,65536}")


def batches(
    names: Sequence[str], *, most: int = _COUNT, most_bytes: int = _BYTES
) -> Iterator[tuple[str, ...]]:
    """Divide names into groups that fit on one command line, in their order.

    Args:
        names: whatever; one that is longer than all is a group of its own.
        most: names in a group.
        most_bytes: in a group, each with one byte between it and the next.
    """
    batch: list[str] = []
    size = 0
    for name in names:
        length = len(name.encode()) + 1
        if batch and (size + length > most_bytes or len(batch) >= most):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(name)
        size += length
    if batch:
        yield tuple(batch)


def check_property(name: str) -> str:
    """Return the name of a property if it can be one.

    Raises:
        BadName: it can not.
    """
    if len(name) > 255 or not _PROPERTY.fullmatch(name):
        raise BadName(f"{name[:80]!r} is not the name of a property")
    return name


def check_token(token: str) -> str:
    """Return a resume token if it looks like one.

    Raises:
        BadName: it does not.
    """
    if not _TOKEN.fullmatch(token):
        raise BadName(f"{token[:40]!r} is not a resume token")
    return token


def roots_of(names: Sequence[str]) -> list[str]:
    """The datasets that are below no other one, each once, and checked."""
    roots: list[str] = []
    checked = {check_dataset(name) for name in names}
    for name in sorted(checked, key=lambda one: one.split("/")):
        if not roots or not is_within(name, roots[-1]):
            roots.append(name)
    return roots


def snapshot_words(snapshots: Sequence[str], properties: Mapping[str, str]) -> Words:
    """Take snapshots of one pool."""
    for name in snapshots:
        split_snapshot(name)
    if len({pool_of(name) for name in snapshots}) > 1:
        raise BadName("snapshots of two pools can not be taken by one command")
    return ("snapshot", *_settings(properties), *snapshots)


def destroy_words(dataset: str, names: Sequence[str], *, defer: bool) -> Words:
    """Destroy snapshots of a dataset, several where ZFS can (``dataset@a,b``)."""
    joined = ",".join(check_snapshot_name(name) for name in names)
    return ("destroy", *(("-d",) if defer else ()), f"{check_dataset(dataset)}@{joined}")


def bookmark_words(snapshot: str, name: str) -> Words:
    """Make a bookmark of a snapshot."""
    dataset, _ = split_snapshot(snapshot)
    return ("bookmark", snapshot, f"{dataset}#{check_bookmark(name)}")


def destroy_bookmark_words(bookmark: str) -> Words:
    """Destroy ``dataset#name``."""
    dataset, mark, name = bookmark.partition("#")
    if not mark:
        raise BadName(f"{bookmark[:80]!r} is not the name of a bookmark: dataset#name")
    return ("destroy", f"{check_dataset(dataset)}#{check_bookmark(name)}")


def hold_words(tag: str, snapshots: Sequence[str]) -> Words:
    """Hold snapshots."""
    return ("hold", check_tag(tag), *_snapshots(snapshots))


def release_words(tag: str, snapshots: Sequence[str]) -> Words:
    """Release holds."""
    return ("release", check_tag(tag), *_snapshots(snapshots))


def holds_words(snapshots: Sequence[str]) -> Words:
    """List holds."""
    return ("holds", "-H", *_snapshots(snapshots))


def list_words(columns: Sequence[str], roots: Sequence[str], *, alone: bool = False) -> Words:
    """List datasets with snapshots and bookmarks, exactly.

    Args:
        columns: properties, as made by `parse_list.list_columns`.
        roots: datasets; none: everything there is.
        alone: without what is below them (but for the rows of their children).
    """
    kinds = "filesystem,volume,snapshot,bookmark"
    depth = ("-d", "1") if alone else ("-r",)
    return ("list", "-H", "-p", *depth, "-t", kinds, "-o", _joined(columns), *_datasets(roots))


def get_words(properties: Sequence[str], roots: Sequence[str], *, alone: bool = False) -> Words:
    """Tell properties of datasets and snapshots, where there is no exact list.

    Args:
        properties: as made by `parse_get.get_properties`.
        roots: datasets; none: everything there is.
        alone: without what is below them (but for the rows of their children).
    """
    depth = ("-d", "1") if alone else ("-r",)
    columns = "name,property,value"
    return ("get", "-H", "-p", *depth, "-o", columns, _joined(properties), *_datasets(roots))


def origins_words(pools: Sequence[str]) -> Words:
    """Tell what datasets are clones of, in some pools or all."""
    kinds = "filesystem,volume"
    return ("list", "-H", "-r", "-t", kinds, "-o", "name,origin", *_datasets(pools))


def guids_words(names: Sequence[str]) -> Words:
    """Tell the guids of snapshots and bookmarks, whose names are checked already."""
    return ("get", "-H", "-p", "-o", "name,value", "guid", *names)


def rollback_words(snapshot: str, *, destroy_newer: bool) -> Words:
    """Roll a dataset back."""
    split_snapshot(snapshot)
    return ("rollback", *(("-r",) if destroy_newer else ()), snapshot)


def create_words(dataset: str, properties: Mapping[str, str]) -> Words:
    """Make a filesystem."""
    return ("create", *_settings(properties), check_dataset(dataset))


def rename_words(snapshot: str, name: str) -> Words:
    """Rename a snapshot."""
    dataset, _ = split_snapshot(snapshot)
    return ("rename", snapshot, f"{dataset}@{check_snapshot_name(name)}")


def rename_dataset_words(dataset: str, name: str) -> Words:
    """Rename a dataset."""
    if pool_of(check_dataset(dataset)) != pool_of(check_dataset(name)):
        raise BadName(f"{dataset} can not become {name}: that is another pool")
    return ("rename", dataset, name)


def abort_words(dataset: str) -> Words:
    """Forget an interrupted receive."""
    return ("receive", "-A", check_dataset(dataset))


def token_words(token: str) -> Words:
    """Tell what a resume token says, and what is left to send."""
    return ("send", "-n", "-P", "-t", check_token(token))


def send_words(spec: SendSpec, *, estimate: bool = False) -> Words:
    """Send a stream; or with `estimate`, tell its size."""
    words = ["send", *(("-n", "-P") if estimate else ())]
    switches = (
        # What a resumed stream may have is in its token; ``-e`` alone could be said again.
        ("-w", spec.raw and spec.token is None),
        ("-p", spec.properties and spec.token is None),
        ("-L", spec.large_blocks and spec.token is None),
        ("-c", spec.compressed and spec.token is None),
        ("-e", spec.embedded and spec.token is None),
    )
    words += [switch for switch, wanted in switches if wanted]
    if spec.token is not None:
        return (*words, "-t", check_token(spec.token))
    if spec.to is None:
        raise BadName(f"{spec.dataset}: nothing to send was named")
    dataset = check_dataset(spec.dataset)
    if spec.base is not None:
        mark = "#" if isinstance(spec.base, Bookmark) else "@"
        switch = "-I" if spec.intermediates else "-i"
        words += [switch, f"{dataset}{mark}{check_snapshot_name(spec.base.name)}"]
    return (*words, f"{dataset}@{check_snapshot_name(spec.to.name)}")


def receive_words(spec: ReceiveSpec) -> Words:
    """Receive a stream, and mount nothing."""
    words = ["receive", "-u"]
    words += ["-s"] if spec.resumable else []
    words += ["-F"] if spec.rollback else []
    words += _settings(spec.set_properties)
    for name in spec.exclude_properties:
        words += ["-x", check_property(name)]
    return (*words, check_dataset(spec.dataset))


def _settings(properties: Mapping[str, str]) -> list[str]:
    words: list[str] = []
    for name, value in properties.items():
        if "\0" in value or len(value.encode()) > _LONGEST_VALUE:
            raise BadName(f"the value of the property {check_property(name)} is not possible")
        words += ["-o", f"{check_property(name)}={value}"]
    return words


def _joined(properties: Sequence[str]) -> str:
    return ",".join(check_property(name) for name in properties)


def _datasets(names: Sequence[str]) -> Words:
    return tuple(check_dataset(name) for name in names)


def _snapshots(names: Sequence[str]) -> Words:
    for name in names:
        split_snapshot(name)
    return tuple(names)
