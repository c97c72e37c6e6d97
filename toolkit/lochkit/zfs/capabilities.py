"""What a ZFS can do, from zfs-fuse 0.7 to OpenZFS 2.3."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from .errors import Failure, ZfsError
from .model import Bookmark

if TYPE_CHECKING:
    from .host_types import ReceiveSpec, SendSpec

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

    @classmethod
    def everything(cls, version: str) -> "Capabilities":
        """All of it, as OpenZFS has since 0.8."""
        return cls(
            version=version, **{one.name: True for one in fields(cls) if one.name != "version"}
        )

    def checked(self, spec: "SendSpec") -> "SendSpec":
        """Return a request to send, if this ZFS can do it and it makes sense.

        Raises:
            ZfsError: UNSUPPORTED, or BAD_REQUEST for one that no ZFS can do.
        """
        if (spec.to is None) == (spec.token is None):
            raise _bad(spec.dataset, "a stream is of a snapshot or goes on from a resume token")
        if spec.intermediates and (spec.base is None or isinstance(spec.base, Bookmark)):
            raise _bad(spec.dataset, "a stream with the snapshots between begins at a snapshot")
        self._need(
            spec.dataset,
            (
                ("resume", spec.token is not None),
                ("bookmarks", isinstance(spec.base, Bookmark)),
                ("raw", spec.raw),
                ("large_blocks", spec.large_blocks),
                ("compressed", spec.compressed),
                ("embedded", spec.embedded),
            ),
        )
        return spec

    def checked_receive(self, spec: "ReceiveSpec") -> "ReceiveSpec":
        """Return a request to receive, if this ZFS can do it.

        Raises:
            ZfsError: UNSUPPORTED.
        """
        changes = bool(spec.set_properties or spec.exclude_properties)
        self._need(spec.dataset, (("resume", spec.resumable), ("receive_properties", changes)))
        return spec

    def need(self, capability: str, dataset: str | None = None) -> None:
        """Refuse a request that this ZFS can not do.

        Args:
            capability: the name of an attribute.
            dataset: that it is about.

        Raises:
            ZfsError: UNSUPPORTED.
        """
        if not getattr(self, capability):
            place = f"{dataset}: " if dataset else ""
            raise ZfsError(
                f"{place}{self.version} can not do this: {_WORDS[capability]}",
                failure=Failure.UNSUPPORTED,
                dataset=dataset,
            )

    def _need(self, dataset: str, wanted: tuple[tuple[str, bool], ...]) -> None:
        for capability, asked in wanted:
            if asked:
                self.need(capability, dataset)


_WORDS = {
    "parsable_list": "exact lists (zfs list -p)",
    "bookmarks": "bookmarks",
    "resume": "interrupted receives that go on later (zfs receive -s, zfs send -t)",
    "raw": "raw streams (zfs send -w)",
    "large_blocks": "large blocks (zfs send -L)",
    "compressed": "compressed streams (zfs send -c)",
    "embedded": "embedded blocks (zfs send -e)",
    "estimate": "the size of a stream (zfs send -nP)",
    "receive_properties": "properties for what is received (zfs receive -o, -x)",
    "many_snapshots": "several snapshots at one instant",
    "destroy_lists": "several snapshots in one zfs destroy",
    "list_holds": "a list of holds (zfs holds -H)",
    "written": "the property written",
    "encryption": "encrypted datasets",
}


def _bad(dataset: str, why: str) -> ZfsError:
    return ZfsError(f"{dataset}: {why}", failure=Failure.BAD_REQUEST, dataset=dataset)
