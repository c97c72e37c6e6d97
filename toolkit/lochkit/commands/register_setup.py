"""What the operator's words mean to the parts of ``lochkit register``."""

from collections.abc import Iterable

from ..discovery.check_spec import CheckSpec, parse_check
from ..discovery.child_plan import ChildPlan
from ..discovery.coredns import CoreDns
from ..discovery.host import Credentials, Host
from ..discovery.publishing import Publication
from ..discovery.register_options import RegisterOptions
from ..discovery.registrar import machine_name
from ..discovery.traefik import Traefik
from ..runtime.backoff import Backoff
from .register_options import RegisterCommandOptions

__all__ = ["checks_of", "host_of", "plan_of", "registration_of"]


def host_of(options: RegisterCommandOptions, credentials: Credentials) -> Host:
    """The record as the operator describes it."""
    return Host(
        name=options.hostname or machine_name(),
        ports=_table(options.port) if options.port else None,
        user=credentials.user,
        password=credentials.password,
        public=options.public,
        private_hostname=options.private_hostname or "",
        private_ports=_table(options.private_port),
        critical=options.critical,
        shard=options.shard,
        weight=options.weight,
        tags=options.tag,
        meta=_table(options.meta),
        version=options.service_version,
        zone=options.zone,
    )


def registration_of(options: RegisterCommandOptions) -> RegisterOptions:
    """How it is registered.

    Raises:
        InvalidHost: a name or address can not be published.
    """
    return RegisterOptions(
        ttl=options.ttl,
        takeover=options.takeover,
        instance_passwords=options.instance_passwords,
        publications=tuple(_publications(options)),
    )


def _publications(options: RegisterCommandOptions) -> Iterable[Publication]:
    if options.dns:
        yield CoreDns(
            options.dns,
            path=options.dns_path,
            ttl=options.dns_ttl,
            addresses=options.dns_address,
            scheme=options.dns_scheme,
            srv=options.dns_srv,
            ptr=options.dns_ptr,
            priority=options.dns_priority,
            group=options.dns_group,
        )
    if options.traefik is not None:
        yield Traefik(
            options.traefik,
            scheme=options.traefik_scheme,
            protocol=options.traefik_protocol,
            root=options.traefik_root,
            weight=options.traefik_weight,
            rule=options.traefik_rule,
            entrypoints=options.traefik_entrypoint,
            middlewares=options.traefik_middleware,
            tls=options.traefik_tls,
            cert_resolver=options.traefik_cert_resolver,
        )


def plan_of(options: RegisterCommandOptions) -> ChildPlan:
    """How the command is kept running."""
    longest = options.restart_max_wait
    return ChildPlan(
        restart=options.restart,
        backoff=Backoff(base=min(0.5, longest), maximum=longest),
        notify=options.notify,
        settle=options.settle,
        start_timeout=options.start_timeout,
        watchdog=options.watchdog,
    )


def checks_of(options: RegisterCommandOptions) -> tuple[CheckSpec, ...]:
    """What is looked at to know how the service is."""
    return tuple(parse_check(word) for word in options.check)


def _table(words: Iterable[str]) -> dict[str, str]:
    """Read ``NAME=VALUE`` words; of two with one name the last counts."""
    return {name: value for name, _, value in (word.partition("=") for word in words)}
