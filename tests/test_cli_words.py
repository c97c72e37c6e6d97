"""Words among which options may stand, and the command after ``--``."""

from importlib import import_module

import pytest

from lochkit import cli
from lochkit.__main__ import main
from lochkit.options import words_and_command

SAMPLE = cli.Entry("tests.sample_words", "Take words.")


@pytest.mark.parametrize(
    ("argv", "words", "loud"),
    [
        ("", (), False),
        ("a b", ("a", "b"), False),
        ("a --loud b", ("a", "b"), True),
        ("--loud a", ("a",), True),
        ("a --loud -- cmd --loud", ("a", "--", "cmd", "--loud"), True),
        ("a -- cmd -- x", ("a", "--", "cmd", "--", "x"), False),
        ("-- cmd", ("--", "cmd"), False),
        ("a --", ("a", "--"), False),
    ],
)
def test_options_may_follow_words(
    argv: str,
    words: tuple[str, ...],
    loud: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(cli, "SUBCOMMANDS", {"sample": SAMPLE})
    assert main(["sample", *argv.split()]) == 0
    assert capsys.readouterr().out == f"{words!r} {loud}\n"


def test_a_fault_after_the_words_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "SUBCOMMANDS", {"sample": SAMPLE})
    assert main(["sample", "a", "--lod"]) == 2
    assert "--loud" in capsys.readouterr().err


def test_help_shows_the_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "SUBCOMMANDS", {"sample": SAMPLE})
    assert main(["sample", "--help"]) == 0
    assert "[NAME]... [-- CMD]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "names", "command"),
    [
        ((), (), ()),
        (("a",), ("a",), ()),
        (("a", "--", "b", "--"), ("a",), ("b", "--")),
        (("--",), (), ()),
    ],
)
def test_words_and_command(
    words: tuple[str, ...], names: tuple[str, ...], command: tuple[str, ...]
) -> None:
    assert words_and_command(words) == (names, command)


@pytest.mark.parametrize("command", ["dhcp", "services"])
def test_a_mode_that_is_none_is_told_with_those_there_are(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "statsu"]) == 2
    told = capsys.readouterr().err
    assert "there is no mode 'statsu'" in told
    assert all(
        name in told for name in import_module(f"lochkit.commands.{command}").SUBCOMMAND.modes
    )
