"""What an operator can say to ``lochkit register``."""

from dataclasses import dataclass
from typing import Final

from ..discovery.check_spec import parse_check
from ..discovery.child_plan import Restart
from ..discovery.names import check_service
from ..options import argument, flag, option, words_and_command
from .register_publish_options import PublishOptions
from .register_record_options import asked
from .stop_options import stop_signal_option, stop_timeout_option

__all__ = ["RegisterCommandOptions"]

HEALTH: Final = "Health"
COMMAND: Final = "The command"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterCommandOptions(PublishOptions):
    """The options of ``lochkit register``, as given: see their help."""

    check: tuple[str, ...] = option(
        "--check",
        default=(),
        metavar="SPEC",
        check=parse_check,
        section=HEALTH,
        help="A check: tcp://HOST:PORT, http(s)://..., tcp:SCHEME, http:SCHEME/PATH, ttl:FILE,"
        " absent:FILE or exec -- CMD, then settings such as interval=10s timeout=5s passes=1"
        " failures=3 status=200-299. May be given several times.",
    )
    restart: Restart = option(
        "--restart",
        default=Restart.NO,
        section=COMMAND,
        help="Whether it is started again when it has ended.",
    )
    restart_max_wait: float = option(
        "--restart-max-wait",
        default=30.0,
        minimum=0,
        above_minimum=True,
        metavar="SECONDS",
        section=COMMAND,
        help="The longest wait before that.",
    )
    notify: bool = flag(
        "--notify",
        section=COMMAND,
        help="It tells by sd_notify when it is ready (READY=1), leaving (STOPPING=1) and alive"
        " (WATCHDOG=1); without this it is ready once it runs.",
    )
    watchdog: float | None = option(
        "--watchdog",
        default=None,
        minimum=0,
        above_minimum=True,
        metavar="SECONDS",
        section=COMMAND,
        help="With --notify: it has failed when it has not said WATCHDOG=1 for so long.",
    )
    start_timeout: float | None = option(
        "--start-timeout",
        default=None,
        minimum=0,
        above_minimum=True,
        metavar="SECONDS",
        section=COMMAND,
        help="With --notify: it has failed when it has not said READY=1 for so long.",
    )
    settle: float = option(
        "--settle",
        default=0.0,
        minimum=0,
        maximum=3600,
        metavar="SECONDS",
        section=COMMAND,
        help="Without --notify: how long it must have run to be up.",
    )
    drain: float = option(
        "--drain",
        default=0.0,
        minimum=0,
        maximum=3600,
        metavar="SECONDS",
        section=COMMAND,
        help="How long the instance is marked as leaving before it is deregistered, and the command"
        " stopped.",
    )
    stop_signal: str = stop_signal_option(COMMAND)
    stop_timeout: float = stop_timeout_option(COMMAND, maximum=3600)
    words: tuple[str, ...] = argument(
        "NAME [-- CMD [ARG]...]",
        required=True,
        interspersed=True,
        help="The service, and a command that serves it.",
    )

    def __post_init__(self) -> None:
        names, command = words_and_command(self.words)
        if len(names) != 1:
            raise ValueError("name one service: lochkit register NAME [OPTIONS] [-- CMD]")
        asked(check_service, names[0])
        if not command and "--" in self.words:
            raise ValueError("there is no command after --")
        if not command:
            self._needs_no_command()
        if self.service_password_file is not None and self.service_password_fd is not None:
            raise ValueError("the password is in a file or behind a descriptor, not both")
        if not self.notify and (self.watchdog is not None or self.start_timeout is not None):
            raise ValueError("--watchdog and --start-timeout need --notify: sd_notify tells them")
        self._refuse_idle()
        brings_password = self.generate_credentials or (
            self.service_password_file is not None or self.service_password_fd is not None
        )
        if brings_password and not self.public and not self.instance_passwords:
            raise ValueError(
                "--no-instance-passwords needs --public: there is nowhere else to keep the password"
                " of a private service"
            )
        if self.generate_credentials and (
            self.service_password_file is not None or self.service_password_fd is not None
        ):
            raise ValueError("--generate-credentials makes up the password that is given otherwise")

    def _refuse_idle(self) -> None:
        """Refuse what would do nothing, for want of another option.

        Raises:
            ValueError: says which.
        """
        of_dns = {
            "--dns-address": self.dns_address,
            "--dns-scheme": self.dns_scheme,
            "--dns-srv": self.dns_srv,
            "--dns-priority": self.dns_priority,
            "--dns-group": self.dns_group,
        }
        of_traefik = {
            "--traefik-scheme": self.traefik_scheme,
            "--traefik-rule": self.traefik_rule,
            "--traefik-entrypoint": self.traefik_entrypoint,
            "--traefik-middleware": self.traefik_middleware,
            "--traefik-tls": self.traefik_tls,
            "--traefik-cert-resolver": self.traefik_cert_resolver,
            "--traefik-weight": self.traefik_weight is not None,
        }
        for needed, is_given, idle in (
            ("--dns NAME", bool(self.dns), of_dns),
            ("--traefik SERVICE", self.traefik is not None, of_traefik),
            (
                "--credentials-file FILE",
                self.credentials_file is not None,
                {"--credentials-signal": self.credentials_signal},
            ),
        ):
            wrong = [name for name, value in idle.items() if value]
            if wrong and not is_given:
                raise ValueError(f"{' and '.join(wrong)}: do nothing without {needed}")

    def _needs_no_command(self) -> None:
        given = {
            "--notify": self.notify,
            "--restart": self.restart is not Restart.NO,
            "--credentials-signal": self.credentials_signal is not None,
        }
        if wrong := [name for name, is_given in given.items() if is_given]:
            raise ValueError(f"{' and '.join(wrong)}: there is no command to do that with")

    @property
    def service(self) -> str:
        """The service's name."""
        return words_and_command(self.words)[0][0]

    @property
    def command(self) -> tuple[str, ...]:
        """The command; empty without one."""
        return words_and_command(self.words)[1]
