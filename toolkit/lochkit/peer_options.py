"""The options that say who this host is to other hosts, common to several subcommands."""

from dataclasses import dataclass
from typing import Final

from .options import flag, option

__all__ = ["PeerOptions"]

_SECTION: Final = "Connection to other hosts"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerOptions:
    """What every command knows that talks to the agents of other hosts."""

    cert: str | None = option(
        "--tls-cert",
        default=None,
        metavar="FILE",
        completes="file",
        section=_SECTION,
        help="Certificate of this host (PEM), as lochkit pki issue makes it.",
    )
    key: str | None = option(
        "--tls-key",
        default=None,
        metavar="FILE",
        completes="file",
        section=_SECTION,
        help="Its key (PEM).",
    )
    ca: str | None = option(
        "--tls-ca",
        default=None,
        metavar="FILE",
        completes="file",
        section=_SECTION,
        help="The authority (PEM) that all hosts' certificates come from.",
    )
    insecure_plaintext: bool = flag(
        "--insecure-plaintext",
        section=_SECTION,
        help="No TLS: anyone on the path can read, forge and destroy. For a link that is trusted"
        " wholly, at private addresses only.",
    )
    allow_public: bool = flag(
        "--allow-public",
        section=_SECTION,
        help="With --insecure-plaintext: at public addresses, too.",
    )
