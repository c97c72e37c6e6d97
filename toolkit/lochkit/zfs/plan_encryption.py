"""Which streams of encrypted datasets may follow which.

A raw stream brings blocks as they are encrypted at the source, and can only be followed by raw
ones: a dataset that was received otherwise is encrypted with a key of the target's, and the two can
not be mixed. ZFS refuses some mixtures, and lets others end the raw replication for good
(zfs-receive(8), zfs-send(8) ``-w``), so they are refused here, before anything is sent.
"""

from .capabilities import Capabilities
from .model import Dataset
from .policy_types import Replication

__all__ = ["encryption_fault", "sends_raw"]


def sends_raw(source: Dataset, replication: Replication) -> bool:
    """Whether the streams of a dataset are raw (``-w``): of encrypted datasets, by policy."""
    return source.encrypted and replication.raw


def encryption_fault(
    source: Dataset,
    target: Dataset | None,
    replication: Replication,
    *,
    source_caps: Capabilities,
    target_caps: Capabilities,
    receiving: bool = False,
) -> str:
    """Why nothing of `source` can be received by `target`; empty: nothing is wrong.

    Args:
        source: what is to be sent.
        target: where to; None: it is not there yet.
        replication: says whether to send raw.
        source_caps: of the source.
        target_caps: of the target.
        receiving: the target is the beginning of a full stream that was interrupted.
    """
    if sends_raw(source, replication):
        return _raw_fault(source, target, source_caps, target_caps, receiving)
    if source.encrypted and not source.key_loaded:
        return (
            f"{source.name} is encrypted and its key is not loaded: zfs load-key"
            f" {source.encryption_root}, or send it raw (raw = true)"
        )
    if target is None or not target.encrypted or receiving:
        return ""
    return _plain_fault(source, target, replication)


def _raw_fault(
    source: Dataset,
    target: Dataset | None,
    source_caps: Capabilities,
    target_caps: Capabilities,
    receiving: bool,
) -> str:
    if not source_caps.raw:
        return f"{source.name} is encrypted, and {source_caps.version} can not send it raw"
    if not target_caps.encryption:
        return (
            f"{source.name} is to be sent raw, and {target_caps.version} at the target has no"
            " encryption"
        )
    if target is None or receiving:
        return ""
    if not target.snapshots:
        return (
            f"{target.name} is there, and ZFS receives a raw full stream of {source.name} into a"
            " new dataset only: rename it aside"
        )
    if not target.encrypted:
        return (
            f"{source.name} is to be sent raw, and {target.name} is not encrypted: it was sent as"
            " plain data before. Send plain data again (raw = false), or rename the target aside"
        )
    return ""


def _plain_fault(source: Dataset, target: Dataset, replication: Replication) -> str:
    if not target.snapshots:
        return (
            f"{target.name} is there and encrypted: ZFS replaces no encrypted dataset by a full"
            " stream. Rename it aside"
        )
    set_here = {"encryption", "keyformat"} & set(replication.set_properties)
    if source.encrypted and target.encryption_root == target.name and not set_here:
        return (
            f"{target.name} has a key of its own, as a raw copy has, and {source.name} is not to be"
            " sent raw: no raw stream could follow. Set raw = true, or rename the target aside"
        )
    if not target.key_loaded:
        return (
            f"{target.name} is encrypted and its key is not loaded: zfs load-key"
            f" {target.encryption_root} at the target"
        )
    return ""
