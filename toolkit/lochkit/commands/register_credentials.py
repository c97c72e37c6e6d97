"""What user and password ``lochkit register`` begins with."""

import logging
import random
from typing import Final

import trio

from ..discovery.host import Credentials
from ..discovery.infos_policy import adoptable
from ..etcd.client import Client
from ..etcd.errors import Unavailable
from ..runtime.backoff import Backoff
from .register_options import RegisterCommandOptions
from .registry import layout_of
from .service_secrets import generated_password, read_password

__all__ = ["first_credentials"]

log = logging.getLogger(__name__)

_AGAIN: Final = Backoff(base=0.2, maximum=10.0)


async def first_credentials(
    options: RegisterCommandOptions, etcd: Client
) -> tuple[Credentials, Credentials]:
    """What the operator brings, or is made up because the service has none; and what is in force.

    Raises:
        ConfigError: the password can not be read, or is none.
        EtcdError: the service's record may not be read.
    """
    file, descriptor = options.service_password_file, options.service_password_fd
    password = await trio.to_thread.run_sync(
        read_password, file, descriptor, abandon_on_cancel=True
    )
    user = options.service_user or ""
    if password is None and (options.generate_credentials or options.credentials_file):
        in_force = await _in_force(options, etcd)
        if in_force:
            return Credentials(), in_force
        if options.generate_credentials:
            user, password = user or options.service, generated_password()
    brought = Credentials(user, password or "")
    return brought, brought


async def _in_force(options: RegisterCommandOptions, etcd: Client) -> Credentials | None:
    """The credentials that the service has already; an etcd that is away is waited for."""
    key, failures = layout_of(options).infos_key(options.service), 0
    while options.public:
        try:
            found = await etcd.kv.get(key)
        except Unavailable as exc:
            failures += 1
            (log.warning if failures == 1 else log.debug)(
                "etcd is away, trying again until it is there", extra={"reason": str(exc)}
            )
            await trio.sleep(_AGAIN.jittered(failures, random.random()))
        else:
            return adoptable(options.service, found.value) if found is not None else None
    return None
