"""What can be said to ``lochkit services``, and what can not."""

import dataclasses
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import trio

from lochkit.__main__ import main
from lochkit.commands.services import SUBCOMMAND
from lochkit.commands.services_watch_options import ServicesWatchOptions
from lochkit.discovery.events import Kind

MODES = sorted(SUBCOMMAND.modes)
Said = Callable[..., Any]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Said:
    """Return the options that a mode is run with; the exit code when it is not run."""

    def say(*words: str) -> Any:
        seen: list[Any] = []

        async def run(options: Any) -> None:
            await trio.lowlevel.checkpoint()
            seen.append(options)

        modules = [
            "lochkit.commands.services",
            *(mode.module for mode in SUBCOMMAND.modes.values()),
        ]
        for name in modules:
            module = import_module(name)
            changed = dataclasses.replace(module.SUBCOMMAND, run=run)
            monkeypatch.setattr(module, "SUBCOMMAND", changed)
        code = main(["services", *words])
        return seen[0] if seen else code

    return say


@pytest.mark.parametrize("mode", MODES)
def test_help(mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["services", mode, "--help"]) == 0
    assert "--namespace" in capsys.readouterr().out


def test_options_may_follow_the_name(said: Said) -> None:
    assert said("show", "web", "--json", "--namespace", "/blue") == said(
        "show", "--json", "--namespace", "/blue", "web"
    )
    assert said("show", "web", "--json").words == ("web",)


def test_a_command_follows_two_dashes(said: Said) -> None:
    options = said("watch", "web", "--once", "db", "--", "cmd", "--once", "--", "x")
    assert options.names == ("web", "db")
    assert options.command == ("cmd", "--once", "--", "x")
    assert options.once
    options = said("watch", "--", "cmd")
    assert (options.names, options.command) == ((), ("cmd",))
    assert said("watch").command == ()


def test_kinds() -> None:
    assert ServicesWatchOptions().kinds == frozenset(Kind)
    assert ServicesWatchOptions(kind=("down", "new")).kinds == {Kind.DOWN, Kind.NEW}


@pytest.mark.parametrize(
    "words",
    [
        "show",
        "show a b",
        "show a/b",
        "show a -- b",
        "url",
        "watch --",
        "watch a/b",
        "watch --kind gone",
        "watch --present -- cmd",
        "watch --timeout 3",
        "deregister",
        "deregister web",
        "deregister --all",
        "deregister --all --orphans",
        "deregister web 0a1b --all",
        "deregister web -- 0a1b",
        "rotate-credentials web",
        "deregister web --all --with-credentials",
        "doctor --with-credentials",
        "rotate-credentials --generate",
        "rotate-credentials web --generate --service-password-fd 3",
        "rotate-credentials web --service-password-file x --service-password-fd 3",
    ],
)
def test_wrong_usage(words: str, said: Said, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(*words.split()) == 2
    assert "Usage: lochkit services" in capsys.readouterr().err


def test_what_is_common_is_said_once(
    said: Said, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LOCHKIT_SERVICES_NAMESPACE", "/blue")
    monkeypatch.setenv("LOCHKIT_SERVICES_JSON", "1")
    for words in (["list"], ["show", "web"], ["watch"], ["deregister", "--orphans"]):
        options = said(*words)
        assert (options.namespace, options.json) == ("/blue", True)


def test_nothing_common_removes_all_or_draws_from_all(
    said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCHKIT_SERVICES_PASSING", "0")
    monkeypatch.setenv("LOCHKIT_SERVICES_ALL", "1")
    assert not said("deregister", "web", "0a1b").every_instance
    assert not said("url", "web").any_state


@pytest.mark.parametrize("mode", MODES)
def test_no_password_is_an_argument(mode: str) -> None:
    options = import_module(SUBCOMMAND.modes[mode].module).SUBCOMMAND.options
    names = {field.name for field in dataclasses.fields(options)}
    assert not names & {"password", "service_password"}


@pytest.mark.parametrize(
    "words",
    [
        ("show", "\udcff"),
        ("watch", "\udcff"),
        ("deregister", "\udcff", "--all"),
        ("list", "--namespace", "\udcff"),
        ("doctor", "--dns-path", "\udcff"),
        ("doctor", "--traefik-root", "\udcff"),
    ],
)
def test_what_cannot_be_in_a_key_is_refused(
    said: Said, words: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    assert said(*words) == 2
    assert "is not UTF-8" in capfd.readouterr().err
