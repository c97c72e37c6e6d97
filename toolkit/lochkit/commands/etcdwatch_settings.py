"""What the operator's words mean to the parts of ``lochkit etcdwatch``."""

import math
import os
from dataclasses import replace

from ..etcd_options import EtcdOptions
from ..etcdwatch.guards import Guards
from ..etcdwatch.policy import RunPolicy
from ..etcdwatch.selection import Selection
from ..io.process import signal_named
from ..runtime.backoff import Backoff
from .etcdwatch_options import MAX_WAIT_FACTOR, EtcdwatchOptions

__all__ = [
    "connection_of",
    "guards_of",
    "limit_of",
    "policy_of",
    "reconnects_of",
    "selection_of",
]


def selection_of(options: EtcdwatchOptions) -> Selection:
    """What is watched, and what of it is shown."""
    paths = options.path or (() if options.prefix else ("/",))
    prefixes = tuple(os.fsencode(prefix) for prefix in options.prefix)
    return Selection(paths=paths, prefixes=prefixes, recursive=options.recursive)


def guards_of(options: EtcdwatchOptions) -> Guards:
    """What a state must be like."""
    return Guards(
        min_keys=options.min_keys,
        required=options.require,
        max_shrink_percent=options.max_shrink,
        above_revision=options.wait_index or 0,
    )


def limit_of(options: EtcdwatchOptions) -> float:
    """Seconds after which a state is run even if it goes on changing."""
    return options.quiet_time * MAX_WAIT_FACTOR if options.max_wait is None else options.max_wait


def policy_of(options: EtcdwatchOptions) -> RunPolicy:
    """When the command runs."""
    longest = options.retry_max_wait
    return RunPolicy(
        on_busy=options.on_busy,
        busy_signal=signal_named(options.busy_signal),
        on_failure=options.on_failure,
        retry=Backoff(base=min(1.0, longest), maximum=longest),
        timeout=math.inf if options.command_timeout is None else options.command_timeout,
        rest=limit_of(options),
        once=options.once,
        each_step=not options.stable,
    )


def reconnects_of(options: EtcdwatchOptions) -> Backoff:
    """The waits between attempts to reach etcd."""
    longest = options.reconnect_timeout
    return Backoff(base=min(0.1, longest), maximum=longest)


def connection_of(options: EtcdwatchOptions) -> EtcdOptions:
    """How etcd is reached: the original's options go before the shared ones."""
    endpoint = _legacy_endpoint(options)
    return options.etcd if endpoint is None else replace(options.etcd, endpoints=(endpoint,))


def _legacy_endpoint(options: EtcdwatchOptions) -> str | None:
    if options.url is not None:
        return options.url
    if not (options.host or options.port or options.protocol):
        return None
    host = options.host or "localhost"
    bracketed = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{options.protocol or 'http'}://{bracketed}:{options.port or 2379}"
