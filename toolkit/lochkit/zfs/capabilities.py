"""What a ZFS can do, from zfs-fuse 0.7 to OpenZFS 2.3."""

from dataclasses import dataclass

__all__ = ["Capabilities"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What the ``zfs`` of a host can do; all False is the least: zfs-fuse 0.7.

    Attributes:
        version: ``zfs-2.3.2``, or ``zfs-fuse``; for people.
        parsable_list: ``list -p``, with bookmarks, ``written`` and ``clones``.
        bookmarks: ``bookmark``, and as the source of ``send -i``.
        resume: ``receive -s``, ``receive -A``, ``send -t`` and ``receive_resume_token``.
        raw: ``send -w``.
        large_blocks: ``send -L``.
        compressed: ``send -c``.
        embedded: ``send -e``.
        estimate: ``send -nP``.
        receive_properties: ``receive -o`` and ``-x``.
        many_snapshots: several snapshots in one ``snapshot``, at one instant.
        destroy_lists: ``destroy dataset@a,b``.
        list_holds: ``holds -H``.
        written: the property ``written``.
        encryption: native encryption.
    """

    version: str = "zfs"
    parsable_list: bool = False
    bookmarks: bool = False
    resume: bool = False
    raw: bool = False
    large_blocks: bool = False
    compressed: bool = False
    embedded: bool = False
    estimate: bool = False
    receive_properties: bool = False
    many_snapshots: bool = False
    destroy_lists: bool = False
    list_holds: bool = False
    written: bool = False
    encryption: bool = False
