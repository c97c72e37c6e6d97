"""``lochkit zfs``: snapshots, retention and replication by hand, and what the agent does."""

from typing import Final

from ..options import Mode, Subcommand
from .zfs_status import ZfsStatusOptions, run

__all__ = ["SUBCOMMAND"]

HELP: Final = """\
Snapshots, retention and replication of ZFS datasets: by hand, and to look at what lochkit zfs-agent
does.

Without a mode, say how the agent of this host is doing: as lochkit zfs status.
"""

_MODES: Final = {
    "status": ("zfs_status", "How the agent of this host is doing."),
    "plan": ("zfs_plan", "What the policy would have done now."),
    "send": ("zfs_send", "Bring datasets to another pool or host, once."),
    "receive": ("zfs_receive", "Let other hosts send here, without an agent."),
    "snapshot": ("zfs_snapshot", "Take snapshots now."),
    "prune": ("zfs_prune", "Destroy the snapshots that the policy does not keep."),
    "holds": ("zfs_holds", "Who holds which snapshots; let go what nobody needs."),
    "explain": ("zfs_explain", "Why a dataset does not replicate, and what would fix it."),
    "repair": ("zfs_repair", "Put right what keeps a dataset from replicating."),
    "check-policy": ("zfs_check_policy", "What is wrong with a policy, and what it says."),
    "monitor": ("zfs_monitor", "Is everything replicated recently enough? Nagios exit codes."),
}

SUBCOMMAND = Subcommand(
    options=ZfsStatusOptions,
    run=run,
    help=HELP,
    modeless="status",
    modes={
        name: Mode(module=f"lochkit.commands.{module}", short_help=text)
        for name, (module, text) in _MODES.items()
    },
)
