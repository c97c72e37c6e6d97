"""The command line: sources and their precedence, errors and exit codes, completion, laziness."""

import dataclasses
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import trio

from lochkit import __version__, cli, logs
from lochkit.__main__ import main
from lochkit.errors import CommandFailed, ConfigError, TransientError
from lochkit.options import OptionField, Subcommand, option_fields, shared_fields

from . import sample_command
from .sample_command import OnBusy, SampleOptions
from .sample_mode import SampleModeOptions

SOURCE = Path(__file__).parents[1] / "toolkit"
FILES = Path(__file__).parent / "config"
SAMPLE = cli.Entry("tests.sample_command", "Do as the sample does.")
REGISTERED = dict(cli.SUBCOMMANDS)


@pytest.fixture(autouse=True)
def _sample(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(cli, "SUBCOMMANDS", {**REGISTERED, "sample": SAMPLE})
    yield
    logs.setup()  # not to the stderr that pytest captured for this test


def does(monkeypatch: pytest.MonkeyPatch, work: Callable[[Any], Any], module: str) -> None:
    """Let a subcommand do ``work`` instead of its own."""

    async def run(options: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return work(options)

    real = import_module(module)
    monkeypatch.setattr(real, "SUBCOMMAND", dataclasses.replace(real.SUBCOMMAND, run=run))


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[SampleOptions]:
    """Collect the options with which the sample is run."""
    collected: list[SampleOptions] = []
    does(monkeypatch, collected.append, SAMPLE.module)
    return collected


def fails(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    def work(_: object) -> None:
        raise error

    does(monkeypatch, work, SAMPLE.module)
    return main(["sample", "x"])


def process(*argv: str, code: str = "", **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run lochkit, or ``code``, in a process of its own."""
    return subprocess.run(
        [sys.executable, *(("-c", code) if code else ("-m", "lochkit")), *argv],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE), **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# --- where values come from


def test_defaults(seen: list[SampleOptions]) -> None:
    assert main(["sample", "cmd"]) == 0
    assert seen == [SampleOptions(command=("cmd",))]


def test_words_of_the_command_line(seen: list[SampleOptions]) -> None:
    words = "-d /a --path /b -f yaml --on-busy restart --settle 0.5 --min-keys 2 --no-stable -1"
    shared = "--etcd http://a:1,http://b:2 --dial-timeout 3 --insecure-skip-verify"
    assert main(["sample", *words.split(), *shared.split(), "cmd", "-x", "--path", "--", "y"]) == 0
    [options] = seen
    assert options == SampleOptions(
        path=("/a", "/b"),
        format="yaml",
        on_busy=OnBusy.RESTART,
        quiet_time=0.5,
        min_keys=2,
        stable=False,
        once=True,
        command=("cmd", "-x", "--path", "--", "y"),
        etcd=options.etcd,
    )
    assert options.etcd.endpoints == ("http://a:1", "http://b:2")
    assert options.etcd.dial_timeout == 3
    assert options.etcd.insecure_skip_verify


def test_two_dashes_protect_a_command_that_begins_with_one(seen: list[SampleOptions]) -> None:
    assert main(["sample", "-1", "--", "-cmd", "--once"]) == 0
    assert seen[0].command == ("-cmd", "--once")


def test_everything_in_the_file_arrives(seen: list[SampleOptions]) -> None:
    assert main(["--config", str(FILES / "valid" / "all.toml"), "sample"]) == 0
    [options] = seen
    assert options.path == ("/a b", "/c")
    assert options.on_busy is OnBusy.RESTART
    assert options.command == ("systemctl", "reload", "a b")
    assert options.etcd.endpoints == ("https://a.example:2379", "https://[2001:db8::1]:2379")
    assert options.etcd.user == "me"


def test_argv_before_environment_before_file_before_etcdctl_before_default(
    seen: list[SampleOptions], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "c.toml"
    for name in ("CACERT", "ENDPOINTS"):
        monkeypatch.setenv(f"ETCDCTL_{name}", "etcdctl")
    main(["sample", "x"])
    monkeypatch.setenv("LOCHKIT_CONFIG", str(file))
    file.write_text("[etcd]\ncacert = 'file'\nendpoints = ['file']\n[sample]\nquiet_time = 2")
    main(["sample", "x"])
    monkeypatch.setenv("LOCHKIT_CACERT", "shared")
    monkeypatch.setenv("LOCHKIT_ETCD", "e1,e2")
    main(["sample", "x"])
    monkeypatch.setenv("LOCHKIT_SAMPLE_CACERT", "own")
    monkeypatch.setenv("LOCHKIT_SAMPLE_QUIET_TIME", "3")
    main(["sample", "x"])
    main(["sample", "--cacert", "argv", "--etcd", "argv", "--quiet-time", "4", "x"])
    assert [(o.etcd.cacert, o.etcd.endpoints, o.quiet_time) for o in seen] == [
        ("etcdctl", ("etcdctl",), 1),
        ("file", ("file",), 2),
        ("shared", ("e1", "e2"), 2),
        ("own", ("e1", "e2"), 3),
        ("argv", ("argv",), 4),
    ]


def test_a_list_in_the_environment_is_split_as_by_a_shell(
    seen: list[SampleOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCHKIT_SAMPLE_PATH", "'/a b' /c")
    monkeypatch.setenv("LOCHKIT_SAMPLE_COMMAND", 'sh -c "echo hi"')
    assert main(["sample"]) == 0
    assert seen[0].path == ("/a b", "/c")
    assert seen[0].command == ("sh", "-c", "echo hi")


def test_an_open_quote_in_the_environment_is_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOCHKIT_SAMPLE_PATH", "'/a b")
    assert main(["sample", "x"]) == 2
    assert "No closing quotation" in capsys.readouterr().err


# --- one declaration, three ways in


def every_option() -> list[Any]:
    found = []
    for name, entry in {**REGISTERED, "sample": SAMPLE}.items():
        try:
            options = import_module(entry.module).SUBCOMMAND.options
        except ImportError:
            continue  # test_the_table_of_subcommands_is_true says so, and the others are still run
        classes = [(name, options), *((table, cls) for _, table, cls in shared_fields(options))]
        found += [
            pytest.param(name, entry.module, table, field, id=f"{name}-{field.name}")
            for table, cls in classes
            for field in option_fields(cls)
        ]
    return found


def sample_value(field: OptionField) -> Any:
    """Return a value that is allowed and not the default, as the file would have it."""
    if field.choices:
        default = getattr(field.default, "value", field.default)
        return next(choice for choice in field.choices if choice != default)
    if field.type is bool:
        return not field.default
    if field.type in (int, float):
        numbers = map(field.type, (3, 1, 7, 50, 4000))
        return next(n for n in numbers if n != field.default and not [*field.faults(n)])
    words = (
        *("/sample", "sample", "http://127.0.0.1:1", "USR1", "a=b", "0755", "guests.bios=x"),
        *("http=80", "192.0.2.1"),
    )
    word = next(w for w in words if not [*field.faults((w,) if field.is_many else w)])
    return [word] if field.is_many else word


def as_words(field: OptionField, value: Any) -> list[str]:
    if field.option.is_argument:
        return [*value] if field.option.interspersed else ["--", *value]
    for declaration in field.option.declarations:
        positive, _, negative = declaration.partition("/")
        if positive.startswith("--"):
            if field.type is bool:
                return [positive if value else negative]
            if field.is_many and field.option.separator:
                return [positive, field.option.separator.join(value)]
            return [positive, *value] if field.is_many else [positive, str(value)]
    raise AssertionError(f"{field.name} has no long form")


@pytest.mark.parametrize(("name", "module", "table", "field"), every_option())
def test_every_option_has_its_words_its_variable_and_its_key(
    name: str,
    module: str,
    table: str,
    field: OptionField,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    value = sample_value(field)
    file = tmp_path / "c.toml"
    file.write_text(tomli_w.dumps({table: {field.name: value}}))
    variable = field.env_name if table != name else f"{name.replace('-', '_')}_{field.env_name}"
    text = shlex.join(value) if isinstance(value, list) else str(value)
    collected: list[Any] = []
    does(monkeypatch, collected.append, module)
    needed = [
        as_words(other, ["cmd"] if other.option.is_argument else sample_value(other))
        for other in sorted(
            option_fields(import_module(module).SUBCOMMAND.options),
            key=lambda other: other.option.is_argument,
        )
        if (other.option.required or other.option.is_argument) and other.name != field.name
    ]
    command = [word for words in needed for word in words]

    def outcome(words: list[str], environ: Mapping[str, str]) -> Any:
        with monkeypatch.context() as context:
            for key, setting in environ.items():
                context.setenv(key, setting)
            code = main(words)
        complaint = re.sub(r"(?s).*Error: ", "", capsys.readouterr().err)
        return collected.pop() if code == 0 else complaint

    own = as_words(field, value)
    last = field.option.is_argument
    by_words = outcome([name, *((*command, *own) if last else (*own, *command))], {})
    by_variable = outcome([name, *command], {f"LOCHKIT_{variable.upper()}": text})
    by_key = outcome(["--config", str(file), name, *command], {})
    # Some options make sense only beside others; then all three are refused in the same words.
    assert by_words == by_variable == by_key
    if not isinstance(by_words, str):
        assert by_words != outcome([name, *(command or ["--", "cmd"])], {})


@pytest.mark.parametrize(("name", "module", "table", "field"), every_option())
def test_a_key_is_called_like_its_option(
    name: str, module: str, table: str, field: OptionField
) -> None:
    del name, module
    # [etcd] etcd = ... would say nothing, and [tls] tls_key = ... the same twice.
    exceptions = {("etcd", "endpoints"): "etcd"}
    exceptions |= {("tls", word): f"tls_{word}" for word in ("cert", "key", "ca")}
    assert exceptions.get((table, field.name), field.name) == field.env_name.lower()


# --- what is refused


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("nope", "No such command 'nope'"),
        ("sampel x", "Did you mean 'sample'?"),
        ("sample", "Missing argument 'CMD [ARG]...'"),
        ("sample --nope x", "No such option '--nope'"),
        ("sample --quiet-time x y", "'x' is not a valid float"),
        ("sample --quiet-time -1 y", "must be at least 0"),
        ("sample --quiet-time nan y", "must be a number"),
        ("sample --min-keys 1.5 y", "'1.5' is not a valid int"),
        ("sample -f toml y", "'toml' is not one of 'json', 'yaml'"),
        ("sample -d a y", "must begin with '/'"),
        ("sample -1 --min-keys 0 y", "--once makes no sense with --min-keys 0"),
        ("sample --user me:secret y", "--password-file"),
        ("sample --etcd , y", "must not be empty"),
        ("--log-level loud sample y", "'loud' is not one of"),
        ("completion tcsh", "'tcsh' is not one of"),
        ("", "Commands:"),
    ],
)
def test_wrong_usage_is_2(
    words: str, complaint: str, capsys: pytest.CaptureFixture[str], seen: list[SampleOptions]
) -> None:
    assert main(words.split()) == 2
    output = capsys.readouterr()
    assert complaint in output.err
    assert output.out == ""
    assert seen == []


def test_a_faulty_file_is_78_in_the_format_asked_for(
    capsys: pytest.CaptureFixture[str], seen: list[SampleOptions]
) -> None:
    file = FILES / "invalid" / "ranges.toml"
    words = ["--log-format", "json", "--config", str(file), "sample", "x"]
    assert main(words) == 78
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 6
    assert all(str(file) in line and line.startswith("{") for line in lines)
    assert seen == []


def test_a_faulty_file_does_not_hide_the_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOCHKIT_CONFIG", "/nowhere")
    assert main(["--help"]) == 0
    assert "Exit codes" in capsys.readouterr().out


# --- exit codes


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (3, 3), (143, 143)])
def test_the_subcommand_chooses_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, returned: int | None, code: int
) -> None:
    does(monkeypatch, lambda _: returned, SAMPLE.module)
    assert main(["sample", "x"]) == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TransientError("later"), 75),
        (ConfigError("never"), 78),
        (CommandFailed("false failed", exit_code=7), 7),
        (ExceptionGroup("", [ExceptionGroup("", [ConfigError("never")])]), 78),
        (ExceptionGroup("", [TransientError("later"), ConfigError("never")]), 78),
        (KeyboardInterrupt(), 130),
        (BaseExceptionGroup("", [KeyboardInterrupt(), TransientError("later")]), 130),
    ],
)
def test_expected_errors_are_a_line_and_a_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
) -> None:
    assert fails(monkeypatch, error) == code
    complaint = capsys.readouterr().err
    assert "Traceback" not in complaint
    assert ("never" in complaint) is ("never" in repr(error))


@pytest.mark.parametrize(
    "error", [TypeError("bug"), ExceptionGroup("", [ConfigError("never"), TypeError("bug")])]
)
def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        fails(monkeypatch, error)
    assert caught.value is error


def test_closed_output_is_no_fault_of_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """EPIPE from the work must not be taken for a closed stdout: it would end silently."""
    with pytest.RaisesGroup(BrokenPipeError, TypeError):
        fails(monkeypatch, ExceptionGroup("", [BrokenPipeError(), TypeError()]))


RUN_SAMPLE = """
import sys
from lochkit import cli
from lochkit.__main__ import main
cli.SUBCOMMANDS["sample"] = cli.Entry("tests.sample_command", "")
sys.exit(main())
"""


def writing_to(output: int, *argv: str, **environ: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [sys.executable, "-c", RUN_SAMPLE, *argv],
        stdout=output,
        stderr=subprocess.PIPE,
        env={"PYTHONPATH": f"{SOURCE}:{SOURCE.parent}", **environ},
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("environ", [{}, {"PYTHONUNBUFFERED": "1"}])
@pytest.mark.parametrize("argv", [("--help",), ("completion", "bash"), ("sample", "x")])
def test_a_reader_that_left_is_no_error(argv: tuple[str, ...], environ: dict[str, str]) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = writing_to(write, *argv, **environ)
    finally:
        os.close(write)
    assert done.stderr == b""
    assert done.returncode in (1, 141)  # asyncclick's own output ends with 1


@pytest.mark.parametrize("argv", [("--help",), ("sample", "x")])
def test_a_full_disk_is_an_error_in_one_line(argv: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = writing_to(full.fileno(), *argv)
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert b"the output can not be written: No space left" in done.stderr


# --- help, version, laziness


def test_version() -> None:
    done = process("--version")
    assert (done.returncode, done.stdout) == (0, f"lochkit {__version__}\n")


@pytest.mark.parametrize("help_option", ["-h", "--help"])
@pytest.mark.parametrize("name", [*REGISTERED, "sample", "completion"])
def test_every_subcommand_has_its_help(
    name: str, help_option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, help_option]) == 0
    assert f"Usage: lochkit {name}" in capsys.readouterr().out


def test_help_shows_all_that_was_declared(capsys: pytest.CaptureFixture[str]) -> None:
    main(["sample", "--help"])
    text = capsys.readouterr().out
    expected = [
        *("Do as the sample does.", "Arguments:", "What to run.", "Options:", "-d, --path"),
        *("[default: queue]", "Connection to etcd:", "--etcd URL[,URL...]", "The end."),
        *("LOCHKIT_SAMPLE_", "[sample]"),
    ]
    assert [words for words in expected if words not in text] == []


def test_help_imports_nothing_heavy() -> None:
    done = process(
        code="import sys\nfrom lochkit.__main__ import main\nmain(['--help'])\n"
        "print('MODULES', *sys.modules)"
    )
    loaded = set(done.stdout.partition("MODULES ")[2].split())
    assert "lochkit.cli" in loaded
    heavy = {"h2", "hpack", "cattrs", "tomllib", "trio_websocket", "wsproto", "anyio", "asyncio"}
    heavy |= {f"lochkit.{name}" for name in ("etcd", "etcdwatch", "config", "runtime", "io")}
    heavy |= {entry.module for entry in REGISTERED.values()}
    assert loaded & heavy == set()


def test_the_table_of_subcommands_is_true() -> None:
    for entry in REGISTERED.values():
        assert isinstance(import_module(entry.module).SUBCOMMAND, Subcommand)


# --- modes


MODE = "tests.sample_mode"


def test_a_mode_has_the_options_of_both_in_the_subcommands_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[SampleModeOptions] = []
    does(monkeypatch, seen.append, MODE)
    file = tmp_path / "c.toml"
    file.write_text("[etcd]\nendpoints = ['file']\n[sample]\nquiet_time = 2\nmin_keys = 4")
    monkeypatch.setenv("LOCHKIT_CONFIG", str(file))
    assert main(["sample", "look"]) == 0
    monkeypatch.setenv("LOCHKIT_SAMPLE_QUIET_TIME", "3")
    monkeypatch.setenv("LOCHKIT_SAMPLE_ETCD", "variable")
    monkeypatch.setenv("LOCHKIT_SAMPLE_LOOK_COLOUR", "red")
    assert main(["sample", "look"]) == 0
    assert main(["sample", "look", "--quiet-time", "4", "--colour", "blue"]) == 0
    assert [(o.quiet_time, o.colour, o.etcd.endpoints) for o in seen] == [
        (2, "none", ("file",)),
        (3, "red", ("variable",)),
        (4, "blue", ("variable",)),
    ]


def test_a_mode_chooses_its_exit_code_and_needs_nothing_of_the_subcommand() -> None:
    assert main(["sample", "look"]) == 4  # the sample itself would want a command to run


@pytest.mark.parametrize("words", [("sample", "--help"), ("sample", "look", "--help")])
def test_modes_are_in_the_help(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(list(words)) == 0
    text = " ".join(capsys.readouterr().out.split())
    if "look" in words:
        expected = ["lochkit sample look", "Look at it only.", "--colour", "LOCHKIT_SAMPLE_LOOK_"]
    else:
        expected = ["lochkit sample [MODE] [OPTIONS]", "look Look only."]
    assert [part for part in expected if part not in text] == []


def test_a_mode_after_an_option_is_told_where_it_goes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = import_module(MODE)
    strict = dataclasses.replace(real.SUBCOMMAND, modes={"deep": real})
    monkeypatch.setattr(real, "SUBCOMMAND", strict)
    assert main(["sample", "look", "--colour", "red", "deep"]) == 2
    assert "a mode comes first: lochkit sample look deep" in capsys.readouterr().err


# --- completion


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("lochkit sam", ["sample"]),
        ("lochkit --log-f", ["--log-format"]),
        ("lochkit --log-format ", ["text", "json"]),
        ("lochkit sample --on-", ["--on-busy"]),
        ("lochkit sample --on-busy ", ["queue", "restart"]),
        ("lochkit sample look --col", ["--colour"]),
        ("lochkit completion ", ["bash", "zsh", "fish"]),
    ],
)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completing(
    shell: str,
    line: str,
    expected: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = line.split(" ")
    monkeypatch.setenv("_LOCHKIT_COMPLETE", f"{shell}_complete")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", words[-1] if shell == "fish" else str(len(words) - 1))
    monkeypatch.setenv("LOCHKIT_CONFIG", "/nowhere")  # must not matter
    assert main([]) == 0
    output = capsys.readouterr().out
    found = re.findall(r"^(?:plain[,\n])?([-\w]+)", output, re.M)
    assert [word for word in found if word in expected or word.startswith("--on-")] == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_and_runs_nothing(
    shell: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    assert main(["completion", shell]) == 0
    assert f"_LOCHKIT_COMPLETE={shell}_complete" in capsys.readouterr().out


def test_bash_takes_the_script(tmp_path: Path) -> None:
    lochkit = tmp_path / "lochkit"
    lochkit.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m lochkit "$@"\n')
    lochkit.chmod(0o755)
    script = (
        'eval "$(lochkit completion bash)"; COMP_WORDS=(lochkit compl); COMP_CWORD=1;'
        ' _lochkit_completion lochkit; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", script],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("completion\n", "")


def test_the_sample_is_what_it_seems() -> None:
    assert sample_command.SUBCOMMAND.options is SampleOptions
