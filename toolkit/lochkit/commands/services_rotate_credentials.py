"""``lochkit services rotate-credentials``: a new password for a public service, and who has it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import trio

from ..discovery.errors import ServiceNotFound
from ..discovery.host import Credentials, Instance
from ..discovery.layout import Layout
from ..discovery.lookup import service_of
from ..discovery.permissions import needing
from ..discovery.rotation import laggards, rotated
from ..discovery.showing import REDACTED
from ..errors import LochkitError, TransientError, leaves
from ..etcd.client import Client
from ..etcd.errors import EtcdError
from ..etcd.follow import Follower
from ..etcd.model import Keyspace, Step
from ..etcd.operations import modified_at, put
from ..etcd.prefix import KeyRange
from ..options import Subcommand, flag, option
from .output import counted, print_lines, table
from .registry import layout_of
from .service_secrets import (
    generated_password,
    password_fd_option,
    password_file_option,
    read_password,
)
from .services_options import RevealingOptions, name_argument, one_name
from .services_reading import answered

__all__ = ["SUBCOMMAND", "ServicesRotateOptions", "rotate", "run"]

USAGE: Final = "rotate-credentials NAME"
CREDENTIALS: Final = "The new credentials"
_ATTEMPTS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicesRotateOptions(RevealingOptions):
    """The options of ``lochkit services rotate-credentials``, as given: see their help."""

    service_user: str | None = option(
        "--service-user",
        default=None,
        default_text="as it is",
        metavar="NAME",
        section=CREDENTIALS,
        help="The user that clients of the service log in as.",
    )
    service_password_file: str | None = password_file_option(CREDENTIALS)
    service_password_fd: int | None = password_fd_option(CREDENTIALS)
    generate: bool = flag("--generate", section=CREDENTIALS, help="Make up a password.")
    wait: float = option(
        "--wait",
        default=10.0,
        minimum=0,
        maximum=86400,
        metavar="SECONDS",
        help="How long to wait until every public instance has adopted them; 0 does not look.",
    )
    words: tuple[str, ...] = name_argument("NAME", "The service.")

    def __post_init__(self) -> None:
        """Refuse anything but one name and one password.

        Raises:
            ValueError: says so.
        """
        one_name(self.words, USAGE)
        ways = (
            self.service_password_file is not None,
            self.service_password_fd is not None,
            self.generate,
        )
        if sum(ways) != 1:
            raise ValueError(
                "say where the new password comes from: one of --service-password-file,"
                " --service-password-fd and --generate"
            )
        if self.service_user is not None and not self.service_user:
            raise ValueError("--service-user must not be empty")


class _Rotated(NamedTuple):
    """What was written: the credentials, and the revision at which."""

    credentials: Credentials
    revision: int


async def run(options: ServicesRotateOptions) -> int:
    """Write the credentials, and wait until they are adopted; 1 when somebody has not."""
    name, layout = one_name(options.words, USAGE), layout_of(options)

    async def work(etcd: Client) -> int:
        password = await _password(options)
        done = await rotate(etcd, layout, name, options.service_user, password)
        try:
            adopted, late = await _watch_adoption(etcd, layout, name, done, options.wait)
        except* EtcdError as errors:
            reason = "; ".join(map(str, leaves(errors)))
            raise LochkitError(
                f"the credentials are written, at revision {done.revision}; who has adopted them"
                f" can not be told: {reason}"
            ) from None
        if options.json:
            await print_lines([_object(name, done, adopted, late, options)])
        else:
            await print_lines(_readable(name, done, adopted, late, options))
        return 1 if late else 0

    return await answered(options, work)


async def _password(options: ServicesRotateOptions) -> str:
    """The new password.

    Raises:
        ConfigError: it can not be read, or is none.
    """
    file, descriptor = options.service_password_file, options.service_password_fd
    # A pipe that nobody writes to must not hold up our end.
    password = await trio.to_thread.run_sync(
        read_password, file, descriptor, abandon_on_cancel=True
    )
    return generated_password() if password is None else password


async def rotate(
    etcd: Client, layout: Layout, name: str, user: str | None, password: str
) -> _Rotated:
    """Write the credentials to the common record, whoever else writes to it.

    Raises:
        ServiceNotFound: there is no such record.
        NotPublic: the service has no common credentials.
        BadRecord: there is no reading the record.
        InvalidHost: the credentials are none that all readers understand.
        Unavailable: no answer; they may or may not be written.
    """
    key = layout.infos_key(name)
    for _ in range(_ATTEMPTS):
        with needing("read", KeyRange.exact(key)):
            found = (await etcd.kv.list(KeyRange.exact(key))).kvs
        if not found:
            raise ServiceNotFound(f"service {name} has no common record, and so no credentials")
        value, wanted = rotated(name, found[0].value, user, password)
        with needing("readwrite", KeyRange.exact(key)):
            answer = await etcd.kv.txn([modified_at(key, found[0].mod_revision)], [put(key, value)])
        if answer.succeeded:
            return _Rotated(wanted, answer.header.revision)
    raise LochkitError(f"the record of service {name} changes all the time: nothing was written")


async def _watch_adoption(
    etcd: Client, layout: Layout, name: str, done: _Rotated, seconds: float
) -> tuple[tuple[Instance, ...], tuple[Instance, ...]]:
    """Wait until all public instances have adopted the credentials.

    Returns:
        Those that have, and those that have not when the time was up.

    Raises:
        TransientError: it is not known who has.
    """
    if not seconds:
        return (), ()
    keyspace, known = Keyspace(), False
    public: list[Instance] = []
    late: tuple[Instance, ...] = ()
    steps, arrived = trio.open_memory_channel[Step](0)
    with trio.move_on_after(seconds):
        async with trio.open_nursery() as nursery:
            follower = Follower(etcd, (layout.service(name),), steps)
            await nursery.start(follower.run)
            async for step in arrived:
                keyspace.apply(step)
                known = True
                service = service_of(name, None, keyspace.entries.values(), step.revision, layout)
                public = [one for one in service.instances if one.host.public]
                late = laggards(public, *done)
                if not late:
                    break
            nursery.cancel_scope.cancel()
    if not known:
        raise TransientError("the credentials are written; etcd did not say who has adopted them")
    return tuple(one for one in public if one not in late), late


def _readable(
    name: str,
    done: _Rotated,
    adopted: Sequence[Instance],
    late: Sequence[Instance],
    options: ServicesRotateOptions,
) -> Iterator[str]:
    password = done.credentials.password if options.with_credentials else REDACTED
    facts = [
        ("service", name),
        ("user", done.credentials.user),
        ("password", password),
        ("revision", str(done.revision)),
    ]
    if options.wait:
        facts.append(("adopted", f"by {counted(len(adopted), 'public instance')}"))
    yield from table(facts)
    if late:
        yield ""
        yield f"Not adopted within {options.wait:g} s:"
        yield from table((one.uuid, one.host.state.value) for one in late)


def _object(
    name: str,
    done: _Rotated,
    adopted: Sequence[Instance],
    late: Sequence[Instance],
    options: ServicesRotateOptions,
) -> str:
    return json.dumps(
        {
            "service": name,
            "user": done.credentials.user,
            "password": done.credentials.password if options.with_credentials else REDACTED,
            "revision": done.revision,
            "adopted": [one.uuid for one in adopted],
            "late": [one.uuid for one in late],
        }
    )


HELP: Final = """\
Give a public service a new password, and perhaps another user. It is written to the service's
common record, whose other fields stay as they are; running instances adopt it by themselves, and
this waits until all of them have.
"""

EPILOG: Final = """\
A password that was made up is printed with --with-credentials, now or by
lochkit services show.

\b
Exit codes:
  0   written, and adopted by all public instances (or --wait 0)
  1   not adopted by some; no such service, or one that is private
  75  etcd is away, or went away: lochkit services show says what is written
  78  the password can not be read, or can not be one
"""

SUBCOMMAND = Subcommand(options=ServicesRotateOptions, run=run, help=HELP, epilog=EPILOG)
