"""What may be said to ``lochkit register``, and what it means to its parts."""

from typing import Any

import pytest

from lochkit.commands.register_options import RegisterCommandOptions
from lochkit.commands.register_setup import (
    checks_of,
    host_of,
    plan_of,
    registration_of,
)
from lochkit.commands.stop_options import stop_plan_of
from lochkit.discovery import CoreDns, Credentials, InvalidHost, Traefik
from lochkit.discovery.child_plan import Restart
from lochkit.options import option_fields


def options(*words: str, **facts: Any) -> RegisterCommandOptions:
    return RegisterCommandOptions(words=words or ("web",), **facts)


def test_the_words() -> None:
    assert (options("web").service, options("web").command) == ("web", ())
    assert options("web", "--", "a", "--", "b").command == ("a", "--", "b")


@pytest.mark.parametrize(
    ("words", "facts", "complaint"),
    [
        (("--", "cmd"), {}, "name one service"),
        (("web", "db"), {}, "name one service"),
        (("we b",), {}, "no name for a service"),
        (("a/b",), {}, "no name for a service"),
        (("web", "--"), {}, "no command after"),
        (("web",), {"notify": True}, "--notify: there is no command"),
        (("web",), {"restart": Restart.ALWAYS}, "--restart: there is no command"),
        (("web",), {"credentials_signal": "HUP"}, "--credentials-signal: there is no command"),
        (("web", "--", "x"), {"watchdog": 1.0}, "need --notify"),
        (("web", "--", "x"), {"start_timeout": 1.0}, "need --notify"),
        (("web",), {"traefik_rule": "Host(`x`)"}, "--traefik-rule: do nothing without --traefik"),
        (("web",), {"traefik_tls": True}, "--traefik-tls: do nothing without --traefik"),
        (
            ("web",),
            {"dns_srv": ("http",), "dns_address": ("::1",)},
            "--dns-address and --dns-srv: do nothing without --dns NAME",
        ),
        (("web", "--", "x"), {"credentials_signal": "HUP"}, "nothing without --credentials-file"),
        (
            ("web",),
            {"service_password_file": "f", "service_password_fd": 3},
            "not both",
        ),
        (
            ("web",),
            {"instance_passwords": False, "service_password_file": "f"},
            "--no-instance-passwords needs --public",
        ),
        (
            ("web",),
            {"service_password_file": "f", "generate_credentials": True},
            "given otherwise",
        ),
    ],
)
def test_what_makes_no_sense(words: tuple[str, ...], facts: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        RegisterCommandOptions(words=words, **facts)


@pytest.mark.parametrize(
    ("name", "word", "complaint"),
    [
        ("port", "8080", "SCHEME=PORT"),
        ("port", "http=0", "1 to 65535"),
        ("port", "http=http", "1 to 65535"),
        ("port", "ht tp=80", "no scheme"),
        ("private_port", "=80", "no scheme"),
        ("hostname", "a b", "neither a host's name nor an IP address"),
        ("meta", "rack", "NAME=VALUE"),
        ("meta", "=4", "NAME=VALUE"),
        ("dns_address", "web1", "does not appear to be an IPv4 or IPv6 address"),
        ("check", "http", "is no check"),
        ("stop_signal", "NONE", "not a signal"),
    ],
)
def test_a_word_is_checked(name: str, word: str, complaint: str) -> None:
    field = next(f for f in option_fields(RegisterCommandOptions) if f.name == name)
    [fault] = field.faults((word,) if field.is_many else word)
    assert complaint in fault


def test_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSTNAME", "here")
    given = options(port=("http=8080", "http=8081"), meta=("a=b=c",), private_port=("http=80",))
    host = host_of(given, Credentials("u", "p"))
    assert (host.name, host.private_hostname) == ("here", "")
    assert host.ports == {"http": "8081"}
    assert host.private_ports == {"http": "80"}
    assert host.meta == {"a": "b=c"}
    assert host.credentials == Credentials("u", "p")
    assert host_of(options(hostname="x"), Credentials()).ports is None


def test_what_is_published() -> None:
    assert registration_of(options()).publications == ()
    given = options(
        dns=("web.example.com",),
        dns_address=("192.0.2.1",),
        dns_srv=("http",),
        dns_ttl=60,
        traefik="web",
        traefik_rule="Host(`web.example.com`)",
        traefik_entrypoint=("websecure",),
        traefik_tls=True,
        traefik_weight=0,
    )
    dns, traefik = registration_of(given).publications
    assert dns == CoreDns(
        ("web.example.com",), addresses=("192.0.2.1",), srv=("http",), ttl=60, ptr=True
    )
    assert traefik == Traefik(
        "web", rule="Host(`web.example.com`)", entrypoints=("websecure",), tls=True, weight=0
    )
    with pytest.raises(InvalidHost):
        registration_of(options(dns=("a..b",)))


def test_the_command_and_its_checks() -> None:
    given = options(
        "web",
        "--",
        "cmd",
        notify=True,
        watchdog=5.0,
        restart=Restart.ON_FAILURE,
        restart_max_wait=0.1,
        stop_signal="INT",
        stop_timeout=7.0,
        check=("tcp:http interval=2s", "absent:/run/m"),
        port=("http=80",),
    )
    plan = plan_of(given)
    assert (plan.notify, plan.watchdog, plan.restart) == (True, 5.0, Restart.ON_FAILURE)
    assert plan.backoff.maximum == 0.1
    assert (stop_plan_of(given).signal.name, stop_plan_of(given).timeout) == ("SIGINT", 7.0)
    assert checks_of(given)[0].interval == 2.0
