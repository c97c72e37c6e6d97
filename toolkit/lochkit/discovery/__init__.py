"""The service registry: who serves what, where, and with which credentials, kept in etcd.

    async with register(etcd, "web", Host(name="web1", ports={"http": "8080"})) as registration:
        await registration.wait_ready()
        service = await get(etcd, "web")
        async with subscribe(etcd, "web") as events:
            async for event in events:
                ...

`etcd` is a client (`lochkit.etcd.client.open_client`).
"""

from .coredns import CoreDns
from .directory import Directory
from .errors import (
    BadRecord,
    DirectoryStopped,
    DiscoveryError,
    InvalidHost,
    InvalidName,
    NoHostFound,
    NoHostFoundOnShard,
    RegistrationEnded,
    SchemeNotFound,
    ServiceNotFound,
    UnknownScheme,
)
from .events import Cause, Event, Kind
from .host import Credentials, Host, Infos, Instance, State
from .layout import DEFAULT_LAYOUT, Layout
from .lookup import Fault, Service
from .reading import catalog, get
from .register_options import RegisterOptions
from .registrar import Registrar, register
from .registration import Registration
from .registration_status import Phase, Status
from .subscription import (
    Subscription,
    follow,
    subscribe,
    subscribe_changed,
    subscribe_down,
    subscribe_new,
)
from .surroundings import config_from_environment
from .traefik import Traefik
from .url import Url, host_url, private_url

__all__ = [
    "DEFAULT_LAYOUT",
    "BadRecord",
    "Cause",
    "CoreDns",
    "Credentials",
    "Directory",
    "DirectoryStopped",
    "DiscoveryError",
    "Event",
    "Fault",
    "Host",
    "Infos",
    "Instance",
    "InvalidHost",
    "InvalidName",
    "Kind",
    "Layout",
    "NoHostFound",
    "NoHostFoundOnShard",
    "Phase",
    "RegisterOptions",
    "Registrar",
    "Registration",
    "RegistrationEnded",
    "SchemeNotFound",
    "Service",
    "ServiceNotFound",
    "State",
    "Status",
    "Subscription",
    "Traefik",
    "UnknownScheme",
    "Url",
    "catalog",
    "config_from_environment",
    "follow",
    "get",
    "host_url",
    "private_url",
    "register",
    "subscribe",
    "subscribe_changed",
    "subscribe_down",
    "subscribe_new",
]
