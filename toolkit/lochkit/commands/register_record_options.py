"""What an operator can say of the record that ``lochkit register`` keeps, and its credentials."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..discovery.names import check_hostname, check_port, check_scheme
from ..errors import ConfigError
from ..io.process import signal_named
from ..options import flag, option
from .registry import RegistryOptions
from .service_secrets import password_fd_option, password_file_option

__all__ = ["RecordOptions", "asked", "is_host"]

WHAT: Final = "What is registered"
CREDENTIALS: Final = "Credentials of the service"


def asked(check: Callable[..., None], *words: str) -> None:
    """Call a check of the registry's, whose refusal is the operator's to read here.

    Raises:
        ValueError: what it refuses.
    """
    try:
        check(*words)
    except ConfigError as exc:
        raise ValueError(str(exc)) from exc


def is_host(word: str) -> None:
    """Refuse what is no hostname or address, as an option's check does."""
    asked(check_hostname, word)


def _is_port(word: str) -> None:
    scheme, equals, port = word.partition("=")
    if not equals:
        raise ValueError(f"{word!r} must be SCHEME=PORT, such as http=8080")
    asked(check_scheme, scheme)
    asked(check_port, scheme, port)


def _is_fact(word: str) -> None:
    if not word.partition("=")[0] or "=" not in word:
        raise ValueError(f"{word!r} must be NAME=VALUE")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOptions(RegistryOptions):
    """The record, and the credentials in it."""

    port: tuple[str, ...] = option(
        "--port",
        "-p",
        default=(),
        metavar="SCHEME=PORT",
        check=_is_port,
        section=WHAT,
        help="A port, and what is spoken there: http=8080. May be given several times.",
    )
    hostname: str | None = option(
        "--hostname",
        default=None,
        default_text="$HOSTNAME, else this machine's",
        metavar="NAME",
        check=is_host,
        section=WHAT,
        help="The host's name or address, under which others reach the service.",
    )
    private_hostname: str | None = option(
        "--private-hostname",
        default=None,
        metavar="NAME",
        check=is_host,
        section=WHAT,
        help="The name or address inside the network, where it is another; of a public service this"
        " machine's unless given.",
    )
    private_port: tuple[str, ...] = option(
        "--private-port",
        default=(),
        default_text="the same as --port",
        metavar="SCHEME=PORT",
        check=_is_port,
        section=WHAT,
        help="A port inside the network. May be given several times.",
    )
    public: bool = flag(
        "--public",
        section=WHAT,
        help="The service has one public address, and credentials, that all of its instances"
        " share.",
    )
    critical: bool = flag("--critical", section=WHAT, help="The service is one that matters.")
    shard: str = option(
        "--shard", default="", metavar="NAME", section=WHAT, help="The part of it served here."
    )
    weight: int = option(
        "--weight",
        default=1,
        minimum=0,
        maximum=65535,
        section=WHAT,
        help="This instance's share of the work.",
    )
    tag: tuple[str, ...] = option(
        "--tag", default=(), metavar="WORD", section=WHAT, help="A word to be found by."
    )
    meta: tuple[str, ...] = option(
        "--meta",
        default=(),
        metavar="NAME=VALUE",
        check=_is_fact,
        section=WHAT,
        help="A fact about this instance.",
    )
    service_version: str = option(
        "--service-version", default="", metavar="TEXT", section=WHAT, help="Of the software."
    )
    zone: str = option(
        "--zone", default="", metavar="NAME", section=WHAT, help="Where this instance is."
    )
    ttl: int = option(
        "--ttl",
        default=5,
        minimum=2,
        maximum=86_400,
        metavar="SECONDS",
        section=WHAT,
        help="How long the registration outlives a host that has vanished.",
    )
    takeover: bool = flag(
        "--takeover",
        section=WHAT,
        help="Write the service's common record anew, whatever is there, as the original did.",
    )
    service_user: str | None = option(
        "--service-user",
        default=None,
        metavar="NAME",
        section=CREDENTIALS,
        help="The user that clients of the service log in as.",
    )
    service_password_file: str | None = password_file_option(CREDENTIALS)
    service_password_fd: int | None = password_fd_option(CREDENTIALS)
    generate_credentials: bool = flag(
        "--generate-credentials",
        section=CREDENTIALS,
        help="Make up a password, unless the service has one already.",
    )
    instance_passwords: bool = flag(
        "--instance-passwords/--no-instance-passwords",
        default=True,
        section=CREDENTIALS,
        help="Write the password into this instance's record too, where readers of the original"
        " look for it; or keep it in the service's record only.",
    )
    credentials_file: str | None = option(
        "--credentials-file",
        default=None,
        metavar="FILE",
        completes="file",
        section=CREDENTIALS,
        help="Keep user and password in this file (JSON, mode 0600), for the service itself.",
    )
    credentials_signal: str | None = option(
        "--credentials-signal",
        default=None,
        metavar="NAME",
        check=signal_named,
        section=CREDENTIALS,
        help="Signal for the command when they have changed.",
    )
