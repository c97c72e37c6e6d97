"""What an operator can say to ``lochkit zfs send``."""

from dataclasses import dataclass
from typing import Final

from ..options import argument, flag, option, shared
from ..peer_options import PeerOptions
from ..zfs.errors import BadName, BadPolicy
from ..zfs.names import check_dataset
from ..zfs.plan import wanted_names
from ..zfs.policy_types import COMPRESSIONS, Replication, StaleToken
from ..zfs.tags import check_replication
from .zfs_options import PolicyOptions
from .zfs_targets import LOCAL

__all__ = ["ZfsSendOptions", "asked_replication", "destination"]

_STREAM: Final = "The stream"
_TARGET: Final = "The destination"


@dataclass(frozen=True, slots=True, kw_only=True)
class ZfsSendOptions(PolicyOptions):
    """The options of ``lochkit zfs send``, as given: see their help."""

    peers: PeerOptions = shared(PeerOptions, "tls")
    recursive: bool = flag("--recursive", "-r", help="With all datasets below.")
    exclude: tuple[str, ...] = option(
        "--exclude",
        default=(),
        metavar="PATTERN",
        help="Leave out datasets whose name matches, with all below them; * also matches /.",
    )
    job: tuple[str, ...] = option(
        "--job",
        default=(),
        metavar="NAME",
        help="Send what this job of the policy sends, as it says, due or not.",
    )
    name: str = option(
        "--name",
        default="send",
        metavar="NAME",
        help="Of this replication: its holds and bookmarks carry it. One for each destination.",
    )
    snapshots: str | None = option(
        "--snapshots",
        default=None,
        metavar="REGEX",
        help="Only snapshots whose whole name matches.",
    )
    newest_only: bool = flag("--newest-only", help="None of the snapshots between.")
    port: int | None = option(
        "--port",
        default=None,
        minimum=1,
        maximum=65535,
        metavar="PORT",
        section=_TARGET,
        help="Of the other host's agent for streams; 7722, or what the policy says of that host.",
    )
    certificate: str | None = option(
        "--certificate",
        default=None,
        metavar="NAME",
        section=_TARGET,
        help="The name that the other host's certificate carries, if it is not HOST.",
    )
    rollback: bool = flag(
        "--rollback",
        section=_TARGET,
        help="Take the target back to the newest common snapshot. What it has since is LOST: see"
        " --dry-run.",
    )
    set_properties: tuple[str, ...] = option(
        "--set",
        default=(),
        metavar="NAME=VALUE",
        section=_TARGET,
        help="Give the target a property (receive -o).",
    )
    exclude_properties: tuple[str, ...] = option(
        "--without",
        default=(),
        metavar="NAME",
        section=_TARGET,
        help="Do not let the stream set this property (receive -x).",
    )
    raw: bool = flag(
        "--raw/--decrypted",
        default=True,
        section=_STREAM,
        help="Send encrypted datasets as they are, or in clear.",
    )
    send_properties: bool = flag(
        "--properties", section=_STREAM, help="Send the properties of the datasets, too (-p)."
    )
    resume: bool = flag(
        "--resume/--no-resume",
        default=True,
        section=_STREAM,
        help="Go on with what was interrupted, where both ends can.",
    )
    keep_stale: bool = flag(
        "--keep-stale",
        section=_STREAM,
        help="Do not forget an interrupted receive that can not go on; leave it to a person.",
    )
    compression: str = option(
        "--compression",
        default="none",
        metavar="PROGRAM",
        section=_STREAM,
        help=f"Compress on the way: {', '.join(COMPRESSIONS)}.",
    )
    rate: int | None = option(
        "--rate",
        default=None,
        minimum=1,
        metavar="BYTES",
        section=_STREAM,
        help="Bytes a second, of all streams together.",
    )
    concurrency: int = option(
        "--concurrency",
        default=4,
        minimum=1,
        maximum=64,
        metavar="COUNT",
        section=_STREAM,
        help="Streams at the same time.",
    )
    retries: int = option(
        "--retries",
        default=5,
        minimum=0,
        maximum=1000,
        metavar="COUNT",
        section=_STREAM,
        help="How often a stream that time may heal is tried again.",
    )
    dry_run: bool = flag("--dry-run", "-n", help="Write nothing: print what would be done.")
    verbose: bool = flag("--verbose", "-v", help="Tell also of what needs nothing.")
    words: tuple[str, ...] = argument(
        "[DATASET... DESTINATION]",
        interspersed=True,
        help="What to send, and last where to: DATASET of this host, or HOST:DATASET.",
    )

    def __post_init__(self) -> None:
        """Refuse what does not say what to send, and where to.

        Raises:
            ValueError: says what is missing or wrong.
        """
        if self.job and self.words:
            raise ValueError("--job says what is sent, and where to")
        if not self.job and len(self.words) < 2:
            raise ValueError("name datasets and, last, the destination: lochkit zfs send A B")
        if self.compression not in COMPRESSIONS:
            raise ValueError(f"--compression is one of {', '.join(COMPRESSIONS)}")
        for text in self.set_properties:
            if "=" not in text:
                raise ValueError(f"--set {text!r}: give NAME=VALUE")
        try:
            check_replication(self.name)
            for name in self.words[:-1]:
                check_dataset(name)
            if self.words:
                _, dataset = destination(self.words[-1])
                check_dataset(dataset)
                wanted_names(asked_replication(self))
        except (BadName, BadPolicy) as exc:
            raise ValueError(str(exc)) from exc


def destination(word: str) -> tuple[str, str]:
    """Return the host and the dataset of ``HOST:DATASET``; ``local``: this host.

    A colon behind the first ``/`` belongs to a dataset's name.
    """
    host, colon, dataset = word.partition(":")
    if not colon or "/" in host:
        return LOCAL, word
    return host, dataset


def asked_replication(options: ZfsSendOptions) -> Replication:
    """The replication that the options describe."""
    to, target = destination(options.words[-1])
    return Replication(
        name=options.name,
        to=to,
        target=target,
        snapshots=options.snapshots,
        intermediates=not options.newest_only,
        initial_all=not options.newest_only,
        raw=options.raw,
        send_properties=options.send_properties,
        set_properties=dict(text.split("=", 1) for text in options.set_properties),
        exclude_properties=options.exclude_properties,
        resume=options.resume,
        stale_token=StaleToken.KEEP if options.keep_stale else StaleToken.ABORT,
        rollback=options.rollback,
        compression=options.compression,
    )
