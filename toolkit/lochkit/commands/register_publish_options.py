"""What an operator can say of the records that ``lochkit register`` publishes for others."""

import ipaddress
from dataclasses import dataclass
from typing import Final

from ..discovery.traefik import Protocol
from ..options import flag, option
from .register_record_options import RecordOptions, is_host

__all__ = ["PublishOptions"]

DNS: Final = "Publishing: CoreDNS (its etcd plugin)"
TRAEFIK: Final = "Publishing: Traefik (its etcd provider)"


def _is_address(word: str) -> None:
    ipaddress.ip_address(word)  # says itself what is wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishOptions(RecordOptions):
    """What DNS and proxies are told."""

    dns: tuple[str, ...] = option(
        "--dns",
        default=(),
        metavar="NAME",
        check=is_host,
        section=DNS,
        help="Answer for this name with this host. May be given several times.",
    )
    dns_address: tuple[str, ...] = option(
        "--dns-address",
        default=(),
        default_text="the private hostname",
        metavar="IP",
        check=_is_address,
        section=DNS,
        help="The address to answer with. May be given several times.",
    )
    dns_scheme: str = option(
        "--dns-scheme",
        default="",
        default_text="http, else https, else the only one",
        metavar="SCHEME",
        section=DNS,
        help="Whose port is told (SRV).",
    )
    dns_ttl: int = option(
        "--dns-ttl",
        default=30,
        minimum=1,
        maximum=86_400,
        metavar="SECONDS",
        section=DNS,
        help="How long resolvers may keep the answer.",
    )
    dns_ptr: bool = flag(
        "--dns-ptr/--no-dns-ptr",
        default=True,
        section=DNS,
        help="The first name is also that of the addresses (PTR).",
    )
    dns_srv: tuple[str, ...] = option(
        "--dns-srv",
        default=(),
        metavar="SCHEME",
        section=DNS,
        help="Answer at _SCHEME._tcp.NAME for this port, instead of at the name alone. May be given"
        " several times.",
    )
    dns_priority: int = option(
        "--dns-priority",
        default=0,
        default_text="CoreDNS's own, 10",
        minimum=0,
        maximum=65535,
        section=DNS,
        help="Of SRV: the lowest is tried first.",
    )
    dns_group: str = option(
        "--dns-group",
        default="",
        metavar="NAME",
        section=DNS,
        help="Answer together with the records of this group only.",
    )
    dns_path: str = option(
        "--dns-path", default="/skydns", metavar="KEY", section=DNS, help="The plugin's path."
    )
    traefik: str | None = option(
        "--traefik",
        default=None,
        metavar="SERVICE",
        section=TRAEFIK,
        help="Be one of the servers of this service.",
    )
    traefik_scheme: str = option(
        "--traefik-scheme",
        default="",
        default_text="http, else https, else the only one",
        metavar="SCHEME",
        section=TRAEFIK,
        help="Whose port takes the requests.",
    )
    traefik_protocol: Protocol = option(
        "--traefik-protocol",
        default=Protocol.HTTP,
        section=TRAEFIK,
        help="What is passed on.",
    )
    traefik_rule: str = option(
        "--traefik-rule",
        default="",
        metavar="RULE",
        section=TRAEFIK,
        help="Write a router with this rule too, such as Host(`web.example.com`); it stays.",
    )
    traefik_entrypoint: tuple[str, ...] = option(
        "--traefik-entrypoint",
        default=(),
        metavar="NAME",
        section=TRAEFIK,
        help="An entry point of the router. May be given several times.",
    )
    traefik_middleware: tuple[str, ...] = option(
        "--traefik-middleware",
        default=(),
        metavar="NAME",
        section=TRAEFIK,
        help="A middleware of the router. May be given several times, in their order.",
    )
    traefik_tls: bool = flag(
        "--traefik-tls", section=TRAEFIK, help="The router takes nothing but TLS."
    )
    traefik_cert_resolver: str = option(
        "--traefik-cert-resolver",
        default="",
        metavar="NAME",
        section=TRAEFIK,
        help="Who gets the router's certificates; means --traefik-tls.",
    )
    traefik_weight: int | None = option(
        "--traefik-weight",
        default=None,
        minimum=0,
        maximum=65535,
        section=TRAEFIK,
        help="This instance's share of the requests; Traefik 2 does not know the key.",
    )
    traefik_root: str = option(
        "--traefik-root",
        default="traefik",
        metavar="KEY",
        section=TRAEFIK,
        help="The provider's root key.",
    )
